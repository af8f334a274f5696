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
       line("masked_fill", [](const Tensor& x, const Mask& mask, Scalar value) {
         return masked_fill(x, mask, value);
       })});
}

void add_arranging(Table& table) {
  table.insert(table.end(),
               {line("cat", cat), line("cat", concat), line("stack", stack), line("pad", pad),
                line("repeat", [](const Tensor& x, const Extents& times) { return repeat(x, times); }),
                line("tile", [](const Tensor& x, const Extents& times) { return tile(x, times); }),
                overload<Tensor(const Tensor&, std::int64_t, std::optional<int>)>("repeat_interleave",
                                                                                  repeat_interleave),
                overload<Tensor(const Tensor&, const Tensor&, std::optional<int>)>("repeat_interleave",
                                                                                   repeat_interleave),
                line("roll", roll), line("flip", flip), line("fliplr", fliplr), line("flipud", flipud),
                line("rot90", rot90)});
}

}  // namespace

void add_places(Table& table) {
  add_indexing(table);
  add_arranging(table);
}

}  // namespace tenon::fuzz
