#include "tests/fuzz/support/call_table.h"

namespace tenon::fuzz {
namespace {

using Indices = std::vector<Index>;

void add_indexing(Table& table) {
  table.insert(
      table.end(),
      {overload<Tensor(const Tensor&, const Indices&)>("index", index),
       overload<Tensor(const Tensor&, const Indices&, const Tensor&, bool)>("index_put", index_put),
       overload<Tensor(const Tensor&, const Indices&, Scalar, bool)>("index_put", index_put),
       line("index_select",
            [](const Tensor& x, int dim, const Places& at) { return index_select(x, dim, at); }),
       line("index_add", [](const Tensor& x, int dim, const Places& at, const Tensor& src,
                            Scalar alpha) { return index_add(x, dim, at, src, alpha); }),
       line("index_copy", [](const Tensor& x, int dim, const Places& at,
                             const Tensor& src) { return index_copy(x, dim, at, src); }),
       line("index_fill", [](const Tensor& x, int dim, const Places& at,
                             const Number& value) { return index_fill(x, dim, at, value); }),
       line("index_fill", [](const Tensor& x, int dim, const Places& at,
                             Scalar value) { return index_fill(x, dim, at, value); }),
       line("gather", [](const Tensor& x, int dim, const Places& at) { return gather(x, dim, at); }),
       line("scatter", [](const Tensor& x, int dim, const Places& at, const Tensor& src,
                          Scatter how) { return scatter(x, dim, at, src, how); }),
       line("scatter", [](const Tensor& x, int dim, const Places& at, Scalar value,
                          Scatter how) { return scatter(x, dim, at, value, how); }),
       line("take_along_dim",
            [](const Tensor& x, const Places& at, int dim) { return take_along_dim(x, at, dim); }),
       line("put_along_dim", [](const Tensor& x, const Places& at, const Tensor& src,
                                int dim) { return put_along_dim(x, at, src, dim); }),
       line("take", [](const Tensor& x, const Places& at) { return take(x, at); }),
       line("embedding",
            [](const Tensor& weight, const Places& at, std::optional<std::int64_t> padding) {
              return embedding(weight, at, padding);
            }),
       line("one_hot", [](const Places& at, std::int64_t classes,
                          DType dtype) { return one_hot(at, classes, dtype); }),
       line("nonzero", nonzero),
       line("nonzero", argwhere),
       overload<std::vector<Tensor>(const Tensor&)>("where", where),
       line("masked_select", [](const Tensor& x, const Mask& mask) { return masked_select(x, mask); }),
       line("masked_fill", [](const Tensor& x, const Mask& mask,
                              const Number& value) { return masked_fill(x, mask, value); }),
       line("masked_fill", [](const Tensor& x, const Mask& mask,
                              Scalar value) { return masked_fill(x, mask, value); }),
       line("masked_scatter", [](const Tensor& x, const Mask& mask,
                                 const Tensor& src) { return masked_scatter(x, mask, src); }),
       line("scatter_reduce",
            [](const Tensor& x, int dim, const Places& at, const Tensor& src, Reduce how, bool self) {
              return scatter_reduce(x, dim, at, src, how, self);
            }),
       line("index_reduce",
            [](const Tensor& x, int dim, const Places& at, const Tensor& src, Reduce how, bool self) {
              return index_reduce(x, dim, at, src, how, self);
            }),
       line("put", [](const Tensor& x, const Places& at, const Tensor& src, bool add) {
         return put(x, at, src, add);
       })});
}

/// What indices have written is dropped with a fault that they had: told late, it would leave the
/// tensor written and recorded on one device, and not on another.
template <class... A>
Line on_a_copy(std::string name, Tensor& (*op)(Tensor&, A...)) {
  return {
      std::move(name), [op](Arguments& a) {
        const auto x = a.make<Tensor>();
        Tensor copy = x.defined() ? x.clone() : x;
        std::tuple<std::remove_cvref_t<A>...> arguments{a.make<std::remove_cvref_t<A>>()...};
        return results(std::apply([&](const auto&... rest) { return op(copy, rest...); }, arguments));
      }};
}
template <class F>
Line over(std::string name, F op) {
  return on_a_copy(std::move(name), +op);
}

void add_writes(Table& table) {
  table.insert(
      table.end(),
      {over("masked_fill_",
            [](Tensor& x, const Mask& mask, const Number& value) -> Tensor& {
              return masked_fill_(x, mask, value);
            }),
       over("masked_fill_",
            [](Tensor& x, const Mask& mask, const Scalar& value) -> Tensor& {
              return masked_fill_(x, mask, value);
            }),
       over("masked_scatter_",
            [](Tensor& x, const Mask& mask, const Tensor& src) -> Tensor& {
              return masked_scatter_(x, mask, src);
            }),
       over("index_add_",
            [](Tensor& x, const int& dim, const Places& at, const Tensor& src,
               const Scalar& alpha) -> Tensor& { return index_add_(x, dim, at, src, alpha); }),
       over("index_copy_",
            [](Tensor& x, const int& dim, const Places& at, const Tensor& src) -> Tensor& {
              return index_copy_(x, dim, at, src);
            }),
       over("index_fill_",
            [](Tensor& x, const int& dim, const Places& at, const Number& value) -> Tensor& {
              return index_fill_(x, dim, at, value);
            }),
       over("index_fill_",
            [](Tensor& x, const int& dim, const Places& at, const Scalar& value) -> Tensor& {
              return index_fill_(x, dim, at, value);
            }),
       over("put_",
            [](Tensor& x, const Places& at, const Tensor& src, const bool& add) -> Tensor& {
              return put_(x, at, src, add);
            }),
       over("scatter_",
            [](Tensor& x, const int& dim, const Places& at, const Tensor& src,
               const Scatter& how) -> Tensor& { return scatter_(x, dim, at, src, how); }),
       over("scatter_",
            [](Tensor& x, const int& dim, const Places& at, const Scalar& value,
               const Scatter& how) -> Tensor& { return scatter_(x, dim, at, value, how); }),
       over("scatter_reduce_",
            [](Tensor& x, const int& dim, const Places& at, const Tensor& src, const Reduce& how,
               const bool& self) -> Tensor& { return scatter_reduce_(x, dim, at, src, how, self); }),
       over("index_reduce_",
            [](Tensor& x, const int& dim, const Places& at, const Tensor& src, const Reduce& how,
               const bool& self) -> Tensor& { return index_reduce_(x, dim, at, src, how, self); }),
       over("gather_out",
            [](Tensor& out, const Tensor& x, const int& dim, const Places& at) -> Tensor& {
              return gather_out(out, x, dim, at);
            }),
       over("index_select_out",
            [](Tensor& out, const Tensor& x, const int& dim, const Places& at) -> Tensor& {
              return index_select_out(out, x, dim, at);
            })});
}

void add_arranging(Table& table) {
  table.insert(
      table.end(),
      {line("cat", cat), line("concat", concat), line("stack", stack), line("pad", pad),
       line("repeat", [](const Tensor& x, const Extents& times) { return repeat(x, times); }),
       line("tile", [](const Tensor& x, const Extents& times) { return tile(x, times); }),
       overload<Tensor(const Tensor&, std::int64_t, std::optional<int>)>("repeat_interleave",
                                                                         repeat_interleave),
       overload<Tensor(const Tensor&, const Tensor&, std::optional<int>)>("repeat_interleave",
                                                                          repeat_interleave),
       line("roll", roll), line("flip", flip), line("fliplr", fliplr), line("flipud", flipud),
       line("rot90", rot90), line("cat_out", cat_out),
       line("stack_out",
            [](Tensor& out, const std::vector<Tensor>& tensors, int dim) {
              std::vector<Tensor> parts;
              for (const Tensor& x : tensors) parts.push_back(first_of(x));
              return stack_out(out, parts, dim);
            }),
       line("cartesian_prod", cartesian_prod), line("block_diag", block_diag), line("vander", vander)});
}

void add_diagonals(Table& table) {
  table.insert(
      table.end(),
      {line("diag", diag), line("diag_embed", diag_embed), line("diagflat", diagflat),
       line("diagonal_scatter", [](const Tensor& x, const Vector& src, std::int64_t offset, int dim1,
                                   int dim2) { return diagonal_scatter(x, src, offset, dim1, dim2); }),
       line("fill_diagonal_", fill_diagonal_), line("tril_indices", tril_indices),
       line("triu_indices", triu_indices), line("tril_", tril_), line("triu_", triu_)});
}

}  // namespace

void add_places(Table& table) {
  add_indexing(table);
  add_writes(table);
  add_arranging(table);
  add_diagonals(table);
}

}  // namespace tenon::fuzz
