// What lies on diagonals, or is made of them: views of zeros or of a copy, that are written.
#include <algorithm>

#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/places.h"
#include "core/tensor/create.h"
#include "core/tensor/view.h"

namespace tenon {
namespace {

using ops::Place;
using Step = std::function<Tensor(const Tensor&)>;

/// Where `steps` lead in x.
Place place_of_view(const Tensor& x, std::vector<Step> steps) {
  Place place{.steps = std::move(steps), .shape = {}, .picks = {}, .along = {}, .distinct = true};
  const NoGrad guard;
  place.shape = ops::view_at(x.detach(), place).shape();
  return place;
}

Tensor indices_of(std::string_view op, std::int64_t rows, std::int64_t columns, std::int64_t offset,
                  const TensorOptions& options, Tensor (*part)(const Tensor&, std::int64_t)) {
  require(rows >= 0 && columns >= 0, "[{}] ({}, {}) has a negative extent", op, rows, columns);
  const Tensor all = ones({rows, columns}, {.dtype = bool_, .device = device_of(options)});
  const Tensor coordinates = nonzero(part(all, offset)).T().contiguous();
  return finished(coordinates.to(options.dtype.value_or(i64)), options);
}

}  // namespace

Tensor diag(const Tensor& x, std::int64_t offset) {
  const int rank = impl_of(x, "diag").shape.size();
  require(rank == 1 || rank == 2, "[diag] takes a matrix or what is 1-D, not {}", x.shape());
  return rank == 1 ? diag_embed(x, offset) : x.diagonal(offset).clone();
}

Tensor diag_embed(const Tensor& x, std::int64_t offset, int dim1, int dim2) {
  const int rank = impl_of(x, "diag_embed").shape.size();
  require(rank > 0, "[diag_embed] a 0-d tensor has no dimension to lay along a diagonal");
  require(rank < kMaxRank, "[diag_embed] {} has {} dimensions already", x.shape(), rank);
  const int a = checked_dim("diag_embed", dim1, rank + 1),
            b = checked_dim("diag_embed", dim2, rank + 1);
  require(a != b, "[diag_embed] dimensions {} and {} are the same", dim1, dim2);
  std::int64_t extent = 0;
  require(!(offset < 0 ? __builtin_sub_overflow(x.size(-1), offset, &extent)
                       : __builtin_add_overflow(x.size(-1), offset, &extent)),
          "[diag_embed] diagonal {} is too far off", offset);
  Shape shape = x.shape();
  shape.erase(rank - 1);
  for (const int d : {std::min(a, b), std::max(a, b)}) shape.insert(d, extent);
  return placed("diag_embed", x, shape,
                [offset, a, b](const Tensor& y) { return y.diagonal(offset, a, b); });
}

Tensor diagflat(const Tensor& x, std::int64_t offset) {
  impl_of(x, "diagflat");
  return diag_embed(x.reshape({-1}), offset);
}

Tensor diagonal_scatter(const Tensor& x, const Tensor& src, std::int64_t offset, int dim1, int dim2) {
  ops::check_source("diagonal_scatter", x, src);
  const Place place = place_of_view(
      x, {[offset, dim1, dim2](const Tensor& y) { return y.diagonal(offset, dim1, dim2); }});
  require(src.shape() == place.shape, "[diagonal_scatter] src is {}, not {}", src.shape(), place.shape);
  return ops::write_at("diagonal_scatter", x, place, src, Scatter::assign);
}

Tensor& fill_diagonal_(Tensor& x, Scalar value, bool wrap) {
  const Tensor src = ops::source_of("fill_diagonal", x, value);
  const int rank = x.rank();
  require(rank >= 2, "[fill_diagonal] {} has no diagonal", x.shape());
  require(rank == 2 || std::ranges::all_of(x.shape(), [&](auto n) { return n == x.size(0); }),
          "[fill_diagonal] the extents of {} differ", x.shape());
  std::vector<Step> steps(static_cast<std::size_t>(rank - 1),
                          [](const Tensor& y) { return y.diagonal(); });
  if (wrap && rank == 2) {
    steps = {ops::flat, [step = x.size(1) + 1](const Tensor& y) { return y.slice(0, {.step = step}); }};
  }
  const Place place = place_of_view(x, steps);
  return ops::write_over("fill_diagonal", x, {}, [&] {
    return ops::write_at("fill_diagonal", wrap ? x.contiguous() : x, place, src, Scatter::assign);
  });
}

Tensor tril_indices(std::int64_t rows, std::int64_t columns, std::int64_t offset,
                    TensorOptions options) {
  return indices_of("tril_indices", rows, columns, offset, options, tril);
}
Tensor triu_indices(std::int64_t rows, std::int64_t columns, std::int64_t offset,
                    TensorOptions options) {
  return indices_of("triu_indices", rows, columns, offset, options, triu);
}

Tensor block_diag(const std::vector<Tensor>& tensors) {
  require(!tensors.empty(), "[block_diag] there are no tensors");
  ops::common_device("block_diag", tensors);
  std::int64_t width = 0, left = 0;
  for (const Tensor& part : tensors) {
    require(part.rank() <= 2, "[block_diag] {} is no matrix", part.shape());
    width += atleast_2d(part).size(1);
  }
  std::vector<Tensor> rows;
  for (const Tensor& part : tensors) {
    const Tensor block = atleast_2d(part);
    const std::int64_t right = left + block.size(1);
    rows.push_back(pad(block, {left, width - right}));
    left = right;
  }
  return cat(rows);
}

Tensor vander(const Tensor& x, std::optional<std::int64_t> columns, bool increasing) {
  impl_of(x, "vander");
  require(x.rank() == 1, "[vander] x is {}, not 1-D", x.shape());
  const std::int64_t n = columns.value_or(x.size(0));
  require(n >= 0, "[vander] there can't be {} columns", n);
  const Tensor factors = x.unsqueeze(1).expand({x.size(0), std::max<std::int64_t>(n - 1, 0)});
  const Tensor powers = cumulative_prod(factors, {.dim = 1, .include_initial = true});
  if (n == 0) return powers.slice(1, {.stop = 0}).clone();
  return increasing ? powers : flip(powers, {1});
}

}  // namespace tenon
