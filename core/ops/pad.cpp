// Padding: a copy into a larger tensor, or a gather along each dimension that grows.
#include <algorithm>
#include <limits>

#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/formula.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

/// How a dimension grows.
struct Widths {
  std::int64_t before = 0, behind = 0;
};
using AllWidths = std::vector<Widths>;  // of all dimensions

AllWidths widths_of(const Tensor& x, const std::vector<std::int64_t>& widths) {
  const std::size_t rank = static_cast<std::size_t>(x.rank());
  require(widths.size() % 2 == 0 && widths.size() / 2 <= rank,
          "[pad] {} widths are not two for each of at most {} dimensions", widths.size(), rank);
  AllWidths all(rank);
  for (std::size_t i = 0; i < widths.size() / 2; ++i) {
    Widths& own = all[rank - 1 - i];
    own = {widths[2 * i], widths[2 * i + 1]};
    const std::int64_t extent = x.shape()[static_cast<int>(rank - 1 - i)];
    std::int64_t padded = 0;
    const bool counts = !__builtin_add_overflow(extent, own.before, &padded) &&
                        !__builtin_add_overflow(padded, own.behind, &padded);
    require(counts && padded >= 0 && extent + std::min<std::int64_t>(own.before, 0) >= 0,
            "[pad] widths {} and {} do not fit dimension {} of {}", own.before, own.behind,
            rank - 1 - i, x.shape());
  }
  return all;
}

/// x without what negative widths take.
Tensor cropped(Tensor x, const AllWidths& widths) {
  for (int d = 0; d < x.rank(); ++d) {
    const Widths& own = widths[static_cast<std::size_t>(d)];
    const std::int64_t start = std::max<std::int64_t>(-own.before, 0);
    const std::int64_t stop = x.size(d) + std::min<std::int64_t>(own.behind, 0);
    if (start > 0 || stop < x.size(d)) x = x.slice(d, {.start = start, .stop = std::max(start, stop)});
  }
  return x;
}

AllWidths grown(AllWidths widths) {
  for (Widths& own : widths) {
    own = {std::max<std::int64_t>(own.before, 0), std::max<std::int64_t>(own.behind, 0)};
  }
  return widths;
}

/// The part of a padded tensor that x went to.
Tensor inside(Tensor y, const Shape& shape, const AllWidths& widths) {
  for (int d = 0; d < y.rank(); ++d) {
    const std::int64_t start = widths[static_cast<std::size_t>(d)].before;
    y = y.slice(d, {.start = start, .stop = start + shape[d]});
  }
  return y;
}

Tensor pad_constant(const Tensor& x, const AllWidths& widths, Scalar value) {
  require_fits("pad", value, x.dtype());
  Shape shape = x.shape();
  for (int d = 0; d < x.rank(); ++d) {
    const Widths& own = widths[static_cast<std::size_t>(d)];
    shape[d] += own.before + own.behind;
  }
  const Tensor y = full(shape, value, {.dtype = x.dtype(), .device = x.device()});
  assign("pad", inside(y, x.shape(), widths), x);
  if (autograd::needs_record({&x, 1})) {
    autograd::record("pad", {&x, 1}, {&y, 1}, [from = x.shape(), widths](std::span<const Tensor> dy) {
      return std::vector<Tensor>{inside(dy[0], from, widths)};
    });
  }
  return y;
}

/// Where the elements along a padded dimension of extent n come from.
Tensor sources(Pad mode, std::int64_t n, const Widths& widths, Device device) {
  const std::int64_t count = n + widths.before + widths.behind;
  const DType counter = count <= std::numeric_limits<std::int32_t>::max() / 2 ? i32 : i64;
  ops::Formula f(counter);
  const auto i = f.coordinate(0, 1, counter) - f.scalar(static_cast<double>(widths.before));
  const auto extent = f.scalar(static_cast<double>(n));
  const auto zero = f.constant(0), last = extent - 1.0;
  switch (mode) {
    case Pad::constant:
      break;  // is no gather
    case Pad::reflect:
      f.output(min(abs(i), last + last - abs(i)));
      break;
    case Pad::replicate:
      f.output(max(zero, min(i, last)));
      break;
    case Pad::circular:
      f.output(i + select(i < zero, extent, select(i < extent, zero, -extent)));
      break;
  }
  return f.run("pad", {count}, device);
}

void check_growth(Pad mode, const Tensor& x, int d, const Widths& widths) {
  const std::int64_t most = std::max(widths.before, widths.behind), extent = x.size(d);
  const bool fits = mode == Pad::reflect    ? most < extent
                    : mode == Pad::circular ? most <= extent
                                            : extent > 0;
  require(fits, "[pad] dimension {} of {} is too short to grow by {} and {} out of itself", d,
          x.shape(), widths.before, widths.behind);
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<std::int64_t>& widths, PadOptions options) {
  impl_of(x, "pad");
  const AllWidths all = widths_of(x, widths);
  Tensor y = cropped(x, all);
  const AllWidths growth = grown(all);
  if (options.mode == Pad::constant) return pad_constant(y, growth, options.value);
  const Tensor from = y;
  for (int d = 0; d < x.rank(); ++d) {
    const Widths& own = growth[static_cast<std::size_t>(d)];
    if (own.before == 0 && own.behind == 0) continue;
    check_growth(options.mode, y, d, own);
    y = index_select(y, d, sources(options.mode, y.size(d), own, x.device()));
  }
  return y.is_same(from) ? y.clone() : y;
}

}  // namespace tenon
