// GATHER reads, SCATTER writes, and each is the other's gradient.
#include "core/ops/places.h"

#include <limits>

#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/elementwise.h"
#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

/// A place kept for backward: its index tensors must not change until then.
class SavedPlace {
 public:
  explicit SavedPlace(Place place) : place_(std::move(place)) {
    for (const Pick& pick : place_.picks) indices_.emplace_back(pick.index);
  }
  const Place& get(std::string_view op) const {
    for (const autograd::Saved& index : indices_) index.get(op);
    return place_;
  }

 private:
  Place place_;
  std::vector<autograd::Saved> indices_;
};

/// read_at without a record; a copy.
Tensor gathered(std::string_view op, const Tensor& x, const Place& place) {
  const NoGrad guard;
  const Tensor view = view_at(x, place);
  if (place.picks.empty()) return view.clone();
  const Tensor y = result(op, place.shape, x.dtype(), x.device());
  run(op, {.shape = place.shape, .dst = y, .src = view, .picks = place.picks, .along = place.along});
  return y;
}

/// Writes src into x itself, without a record.
void scatter_into(std::string_view op, const Tensor& x, const Place& place, const Tensor& src,
                  Scatter how) {
  static constexpr std::uint32_t kCodes[] = {TENON_SCATTER_ASSIGN, TENON_SCATTER_ADD, TENON_SCATTER_MAX,
                                             TENON_SCATTER_MIN};
  const NoGrad guard;
  const Tensor view = view_at(x.detach(), place);
  if (!place.picks.empty()) {
    run(op, {.shape = place.shape,
             .dst = view,
             .src = src.detach(),
             .picks = place.picks,
             .along = place.along,
             .how = kCodes[static_cast<int>(how)]});
  } else if (how == Scatter::add) {
    program::Builder b;
    b.output(b.input(view.dtype()) + b.input(view.dtype()));
    const Operands operands{{view}, {{view}, {src}}};
    run(op, b.build(), {&operands, 1});
  } else {
    assign(op, view, src);
  }
}

/// Zeros of `shape` with src added at the places: the gradient of reading there.
Tensor spread(std::string_view op, const Shape& shape, const Place& place, const Tensor& src) {
  const Tensor y = zeros(shape, {.dtype = src.dtype(), .device = src.device()});
  scatter_into(op, y, place, src, Scatter::add);
  if (autograd::needs_record({&src, 1})) {
    autograd::record(op, {&src, 1}, {&y, 1},
                     [op, saved = SavedPlace(place)](std::span<const Tensor> dy) {
                       return std::vector<Tensor>{read_at(op, dy[0], saved.get(op))};
                     });
  }
  return y;
}

/// Where an element of the source is the last that was assigned to its place.
Tensor last_writers(std::string_view op, const Tensor& x, const Place& place) {
  const std::int64_t count = numel(place.shape);
  const DType counter = count <= std::numeric_limits<std::int32_t>::max() ? i32 : i64;
  const Tensor order = arange(count, {.dtype = counter, .device = x.device()}).view(place.shape);
  const Tensor winners = zeros(x.shape(), {.dtype = counter, .device = x.device()});
  scatter_into(op, winners, place, order, Scatter::assign);
  return gathered(op, winners, place) == order;
}

/// dx and dsrc of an assignment or a sum.
std::vector<Tensor> write_gradients(std::string_view op, const Place& place, Scatter how,
                                    const Shape& src, const Tensor& dy) {
  const Tensor at_places = read_at(op, dy, place);
  if (how == Scatter::add) return {dy, sum_to(at_places, src)};
  const Tensor nothing = zeros({}, {.dtype = dy.dtype(), .device = dy.device()});
  const Tensor dsrc =
      place.distinct ? at_places : where(last_writers(op, dy, place), at_places, nothing);
  return {write_at(op, dy, place, nothing, Scatter::assign), sum_to(dsrc, src)};
}

autograd::Backward write_backward(std::string_view op, const Place& place, Scatter how,
                                  const Shape& src) {
  return [op, saved = SavedPlace(place), how, src](std::span<const Tensor> dy) {
    return write_gradients(op, saved.get(op), how, src, dy[0]);
  };
}

/// Where x equals the extreme value: NaN does, among NaN.
Tensor attains(std::string_view op, const Tensor& x, const Tensor& extreme) {
  program::Builder b;
  const auto a = b.input(x.dtype()), m = b.input(x.dtype());
  b.output((a == m) | ((a != a) & (m != m)));
  const Tensor inputs[] = {x, extreme};
  return run(op, b.build(), inputs).front();
}

/// The same of max or min: dy is shared evenly among all in x and in src that attain y.
std::vector<Tensor> extreme_gradients(std::string_view op, const Place& place, const Tensor& x,
                                      const Tensor& src, const Tensor& y, const Tensor& dy) {
  const Tensor in_x = attains(op, x, y), in_src = attains(op, src, gathered(op, y, place));
  const Tensor count = in_x.to(y.dtype());
  scatter_into(op, count, place, in_src.to(y.dtype()), Scatter::add);
  const Tensor share = dy / count;
  const Tensor nothing = zeros({}, {.dtype = y.dtype(), .device = y.device()});
  const Tensor dsrc = where(in_src, read_at(op, share, place), nothing);
  return {where(in_x, share, nothing), sum_to(dsrc, src.shape())};
}

autograd::Backward extreme_backward(std::string_view op, const Place& place, const Tensor& x,
                                    const Tensor& src, const Tensor& y) {
  return [op, saved = SavedPlace(place), saved_x = autograd::Saved(x), saved_src = autograd::Saved(src),
          saved_y = autograd::Saved(y)](std::span<const Tensor> dy) {
    return extreme_gradients(op, saved.get(op), saved_x.get(op).detach(), saved_src.get(op).detach(),
                             saved_y.get(op), dy[0]);
  };
}

program::Program wrap_program(DType from, DType to) {
  program::Builder b;
  const auto i = cast(b.input(from), to), n = b.scalar(to);
  b.output(select((i < 0.0) & (i >= -n), i + n, i));
  return b.build();
}

}  // namespace

void check_index(std::string_view op, const Tensor& x, const Tensor& index) {
  const DType dtype = impl_of(index, op).dtype;
  require(is_integer(dtype), "[{}] indices are integers, not {}", op, name(dtype));
  const Tensor operands[] = {x, index};
  common_device(op, operands);
}

void wrap(std::string_view op, std::span<Pick> picks, std::span<const std::int64_t> extents) {
  for (const DType from : {i8, i16, i32, i64}) {
    const DType dtype = from == i64 ? i64 : i32;
    std::vector<Operands> packs;
    for (std::size_t k = 0; k < picks.size(); ++k) {
      const Tensor index = picks[k].index;
      if (index.dtype() != from) continue;
      picks[k].index = allocate(index.shape(), dtype, index.device());
      packs.push_back({{picks[k].index}, {{index}}, {Scalar(extents[k]).bits(dtype)}});
    }
    if (!packs.empty()) run(op, wrap_program(from, dtype), packs);
  }
}

Tensor view_at(const Tensor& x, const Place& place) {
  Tensor view = x;
  for (const auto& step : place.steps) view = step(view);
  return view;
}

Tensor read_at(std::string_view op, const Tensor& x, const Place& place) {
  if (place.picks.empty()) return view_at(x, place);
  const Tensor y = gathered(op, x, place);
  if (autograd::needs_record({&x, 1})) {
    autograd::record(op, {&x, 1}, {&y, 1},
                     [op, saved = SavedPlace(place), shape = x.shape()](std::span<const Tensor> dy) {
                       return std::vector<Tensor>{spread(op, shape, saved.get(op), dy[0])};
                     });
  }
  return y;
}

Tensor write_at(std::string_view op, const Tensor& x, const Place& place, const Tensor& src,
                Scatter how) {
  const Tensor inputs[] = {x, src};
  const Tensor y = result(op, x.shape(), x.dtype(), x.device(), x);
  if (!same_elements(x, y)) assign(op, y, x);
  scatter_into(op, y, place, src, how);
  if (autograd::needs_record(inputs)) {
    const bool extreme = how == Scatter::max || how == Scatter::min;
    autograd::record(
        op, inputs, {&y, 1},
        extreme ? extreme_backward(op, place, x, src, y) : write_backward(op, place, how, src.shape()));
  }
  return y;
}

}  // namespace tenon::ops
