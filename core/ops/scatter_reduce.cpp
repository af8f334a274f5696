// Scatters that reduce: sums and extremes are SCATTER's own, means are sums over counts, and products
// are made in runs of those that go to one place, without a division.
#include <limits>

#include <tenon/dtype_info.h>
#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/places.h"
#include "core/ops/run.h"
#include "core/ops/scan.h"
#include "core/ops/sort.h"

namespace tenon {
namespace ops {
namespace {

/// What a reduction begins with.
Scalar identity(Reduce how, DType dtype) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  switch (how) {
    case Reduce::sum:
    case Reduce::mean:
      return 0;
    case Reduce::prod:
      return 1;
    case Reduce::amax:
      return is_floating(dtype) ? Scalar(-kInfinity) : Scalar(iinfo(dtype).min);
    case Reduce::amin:
      return is_floating(dtype) ? Scalar(kInfinity) : Scalar(iinfo(dtype).max);
  }
  return 0;
}

/// How many elements each of x's is the mean of, in x's dtype.
Tensor counts(std::string_view op, const Tensor& x, const Place& place, bool include_self) {
  const TensorOptions like{.dtype = place_dtype(numel(place.shape)), .device = x.device()};
  const Tensor own = full(x.shape(), include_self ? 1 : 0, like);
  return maximum(write_at(op, own, place, ones({}, like), Scatter::add), 1).to(x.dtype());
}

Tensor mean_of(std::string_view op, const Tensor& x, const Place& place, const Tensor& src,
               bool include_self) {
  const Tensor total = write_at(op, x, place, src, Scatter::add);
  const Tensor count = counts(op, x, place, include_self);
  return is_floating(x.dtype()) ? total / count : floor_divide(total, count);
}

/// For each element of x the product of all of src that go there.
Tensor products(std::string_view op, const Tensor& x, const Place& place, const Tensor& src) {
  const DType dtype = accumulator(x.dtype());
  const TensorOptions like{.dtype = place_dtype(x.numel()), .device = x.device()};
  const Tensor keys = read_at(op, arange(x.numel(), like).view(x.shape()), place).reshape({-1});
  const Tensor order = sorted_places(op, keys, 0, false), sorted = gather(keys, 0, order);
  const Tensor running = running_products(op, gather(src.reshape({-1}).to(dtype), 0, order), sorted);
  // Of each run the last is assigned, the product of all.
  const Tensor none = ones({x.numel()}, {.dtype = dtype, .device = x.device()});
  return scatter(none, 0, sorted, running).view(x.shape());
}

/// x with what of src goes to the places.
Tensor reduced(std::string_view op, const Tensor& x, const Place& place, const Tensor& src, Reduce how,
               bool include_self) {
  require(x.dtype() != bool_, "[{}] bools can't be reduced; convert them", op);
  if (numel(place.shape) == 0) return x.clone();
  Place cleared = place;
  cleared.distinct = true;  // as good as: all take one value
  const Tensor start =
      include_self
          ? x
          : write_at(op, x, cleared, source_of(op, x, identity(how, x.dtype())), Scatter::assign);
  switch (how) {
    case Reduce::sum:
      return write_at(op, start, place, src, Scatter::add);
    case Reduce::prod:
      return (start * products(op, x, place, src)).to(x.dtype());
    case Reduce::mean:
      return mean_of(op, start, place, src, include_self);
    case Reduce::amax:
      return write_at(op, start, place, src, Scatter::max);
    case Reduce::amin:
      return write_at(op, start, place, src, Scatter::min);
  }
  return start;
}

/// x to be written over; all but sums save what they begin with.
Tensor start_of(const Tensor& x, const Tensor& src, Reduce how) {
  return how == Reduce::sum ? x : kept(x, {src});
}

}  // namespace
}  // namespace ops

Tensor scatter_reduce(const Tensor& x, int dim, const Tensor& index, const Tensor& src, Reduce how,
                      bool include_self) {
  constexpr std::string_view op = "scatter_reduce";
  ops::check_source(op, x, src);
  const ops::Place place = ops::place_of(op, x, dim, index);
  return ops::reduced(op, x, place, ops::covered(op, src, place.shape), how, include_self);
}
Tensor& scatter_reduce_(Tensor& x, int dim, const Tensor& index, const Tensor& src, Reduce how,
                        bool include_self) {
  return ops::write_over("scatter_reduce", x, {index, src}, [&] {
    return scatter_reduce(ops::start_of(x, src, how), dim, index, src, how, include_self);
  });
}

Tensor index_reduce(const Tensor& x, int dim, const Tensor& index, const Tensor& src, Reduce how,
                    bool include_self) {
  constexpr std::string_view op = "index_reduce";
  const ops::Place place = ops::place_of_rows(op, x, dim, index, src);
  return ops::reduced(op, x, place, src, how, include_self);
}
Tensor& index_reduce_(Tensor& x, int dim, const Tensor& index, const Tensor& src, Reduce how,
                      bool include_self) {
  return ops::write_over("index_reduce", x, {index, src}, [&] {
    return index_reduce(ops::start_of(x, src, how), dim, index, src, how, include_self);
  });
}

}  // namespace tenon
