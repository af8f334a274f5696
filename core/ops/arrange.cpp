// Arranging is copying: each part is one launch into its place, or one copy of a stretched view.
#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

void require_parts(std::string_view op, const std::vector<Tensor>& tensors) {
  require(!tensors.empty(), "[{}] there are no tensors", op);
}

/// The parts' common dtype; they fit each other but along d.
DType check_parts(std::string_view op, const std::vector<Tensor>& parts, int d) {
  const Tensor& first = parts.front();
  DType dtype = first.dtype();
  for (const Tensor& part : parts) {
    bool fits = part.rank() == first.rank();
    for (int i = 0; fits && i < first.rank(); ++i) fits = i == d || part.size(i) == first.size(i);
    require(fits, "[{}] {} and {} differ beside dimension {}", op, first.shape(), part.shape(), d);
    dtype = promote(dtype, part.dtype());
  }
  return dtype;
}

/// Part i's elements among those of all.
Tensor part_of(const Tensor& whole, int d, std::int64_t start, std::int64_t extent) {
  return whole.slice(d, {.start = start, .stop = start + extent});
}

/// dy's parts, each in the dtype of what it came from.
autograd::Backward cat_backward(const std::vector<Tensor>& parts, int d) {
  std::vector<std::pair<std::int64_t, DType>> kinds;
  for (const Tensor& part : parts) kinds.emplace_back(part.size(d), part.dtype());
  return [kinds, d](std::span<const Tensor> dy) {
    std::vector<Tensor> dx;
    std::int64_t start = 0;
    for (const auto& [extent, dtype] : kinds) {
      const bool has_gradient = is_floating(dtype);
      dx.push_back(has_gradient ? part_of(dy[0], d, start, extent).to(dtype) : Tensor());
      start += extent;
    }
    return dx;
  };
}

/// x `count` times along d, as a whole or each element in a row; one copy.
Tensor repeated(std::string_view op, const Tensor& x, int d, std::int64_t count, bool in_a_row) {
  if (count == 1) return x;
  std::int64_t before = 1, behind = 1;
  for (int i = 0; i < x.rank(); ++i) (i < d ? before : behind) *= i == d ? 1 : x.size(i);
  const std::int64_t extent = x.size(d);
  Shape shape = x.shape();
  require(!__builtin_mul_overflow(extent, count, &shape[d]), "[{}] {} times {} is too large", op, count,
          x.shape());
  const Tensor rows = x.reshape({before, extent, behind});
  const Tensor stretched = in_a_row ? rows.unsqueeze(2).expand({before, extent, count, behind})
                                    : rows.unsqueeze(1).expand({before, count, extent, behind});
  return stretched.reshape(shape);
}

/// One count for each of `extent` places, in i64.
Tensor counts_of(const Tensor& repeats, std::int64_t extent) {
  const DType dtype = impl_of(repeats, "repeat_interleave").dtype;
  require(is_integer(dtype), "[repeat_interleave] the counts are {}, not integers", name(dtype));
  const std::int64_t n = repeats.numel();
  require(repeats.rank() <= 1 && (n == 1 || n == extent),
          "[repeat_interleave] counts {} are not one for each of {} elements", repeats.shape(), extent);
  return repeats.to(i64).reshape({-1}).expand({extent});
}

void check_repeats(std::string_view op, const Dims& repeats) {
  for (const std::int64_t count : repeats) {
    require(count >= 0, "[{}] {} has a negative count", op, repeats);
  }
}

/// A new tensor, whatever it has been made of.
Tensor own(const Tensor& y, const Tensor& x) {
  return y.impl()->storage.get() == x.impl()->storage.get() ? y.clone() : y;
}

/// x repeated along its last dimensions, as many as there are repeats; where it has not so many, they
/// are put in front.
Tensor repeat_last(std::string_view op, const Tensor& x, const Dims& repeats) {
  check_repeats(op, repeats);
  Shape shape = x.shape();
  while (shape.size() < repeats.size()) shape.insert(0, 1);
  Tensor y = x.view(shape);
  const int lead = y.rank() - repeats.size();
  for (int d = 0; d < repeats.size(); ++d) y = repeated(op, y, lead + d, repeats[d], false);
  return own(y, x);
}

Tensor rolled(const Tensor& x, std::int64_t shift, int d) {
  const std::int64_t extent = x.size(d);
  const std::int64_t moved = extent == 0 ? 0 : (shift % extent + extent) % extent;
  if (moved == 0) return x;
  return cat({x.slice(d, {.start = extent - moved}), x.slice(d, {.stop = extent - moved})}, d);
}

/// A view with the dimensions of `dims` reversed.
Tensor reversed(std::string_view op, const Tensor& x, const Dims& dims) {
  Tensor y = x;
  std::uint32_t seen = 0;
  for (const std::int64_t dim : dims) {
    const int d = checked_dim(op, dim, x.rank());
    require((seen >> d & 1) == 0, "[{}] dimension {} is named twice in {}", op, d, dims);
    seen |= 1u << d;
    y = y.slice(d, {.step = -1});
  }
  return y;
}

Tensor joined(std::string_view op, const std::vector<Tensor>& tensors, int dim) {
  require_parts(op, tensors);
  for (const Tensor& part : tensors) impl_of(part, op);
  require(tensors.front().rank() > 0, "[{}] a 0-d tensor has no dimension; use stack()", op);
  const int d = checked_dim(op, dim, tensors.front().rank());
  const DType dtype = check_parts(op, tensors, d);
  const Device device = ops::common_device(op, tensors);
  Shape shape = tensors.front().shape();
  shape[d] = 0;
  for (const Tensor& part : tensors) shape[d] += part.size(d);

  const Tensor y = ops::result(op, shape, dtype, device);
  std::int64_t start = 0;
  for (const Tensor& part : tensors) {
    assign(op, part_of(y, d, start, part.size(d)), part);
    start += part.size(d);
  }
  if (autograd::needs_record(tensors)) {
    autograd::record(op, tensors, {&y, 1}, cat_backward(tensors, d));
  }
  return y;
}

}  // namespace

Tensor cat(const std::vector<Tensor>& tensors, int dim) {
  return joined("cat", tensors, dim);
}
Tensor& cat_out(Tensor& out, const std::vector<Tensor>& tensors, int dim) {
  require_parts("cat", tensors);
  return ops::write_out("cat", out, tensors, [&] { return cat(tensors, dim); });
}

Tensor concat(const std::vector<Tensor>& tensors, std::optional<int> dim) {
  if (dim) return joined("concat", tensors, *dim);
  std::vector<Tensor> flat;
  for (const Tensor& part : tensors) {
    impl_of(part, "concat");
    flat.push_back(part.reshape({-1}));
  }
  return joined("concat", flat, 0);
}

Tensor stack(const std::vector<Tensor>& tensors, int dim) {
  require_parts("stack", tensors);
  const Shape& shape = impl_of(tensors.front(), "stack").shape;
  const int d = checked_dim("stack", dim, shape.size() + 1);
  require_rank("stack", shape.size() + 1);
  std::vector<Tensor> parts;
  for (const Tensor& part : tensors) {
    impl_of(part, "stack");
    require(part.shape() == shape, "[stack] shapes differ: {} and {}", shape, part.shape());
    parts.push_back(part.unsqueeze(d));
  }
  return joined("stack", parts, d);
}
Tensor& stack_out(Tensor& out, const std::vector<Tensor>& tensors, int dim) {
  require_parts("stack", tensors);
  return ops::write_out("stack", out, tensors, [&] { return stack(tensors, dim); });
}

Tensor cartesian_prod(const std::vector<Tensor>& tensors) {
  require_parts("cartesian_prod", tensors);
  ops::common_device("cartesian_prod", tensors);
  for (const Tensor& part : tensors) {
    require(part.rank() == 1, "[cartesian_prod] {} is not 1-D", part.shape());
  }
  if (tensors.size() == 1) return tensors.front();
  require(tensors.size() < kMaxRank, "[cartesian_prod] takes at most {} tensors, not {}", kMaxRank - 1,
          tensors.size());
  return stack(meshgrid(tensors), -1).flatten(0, -2);
}

Tensor repeat(const Tensor& x, const Dims& repeats) {
  impl_of(x, "repeat");
  require(repeats.size() >= x.rank(), "[repeat] {} has fewer counts than {} dimensions; use tile()",
          repeats, x.shape());
  return repeat_last("repeat", x, repeats);
}

Tensor tile(const Tensor& x, const Dims& repeats) {
  impl_of(x, "tile");
  return repeat_last("tile", x, repeats);
}

Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, std::optional<int> dim) {
  impl_of(x, "repeat_interleave");
  require(repeats >= 0, "[repeat_interleave] the count is {}", repeats);
  const Tensor from = dim ? x : x.reshape({-1});
  const int d = checked_dim("repeat_interleave", dim.value_or(0), from.rank());
  return own(repeated("repeat_interleave", from, d, repeats, true), x);
}

Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int> dim) {
  const Tensor operands[] = {x, repeats};
  ops::common_device("repeat_interleave", operands);
  const Tensor from = dim ? x : x.reshape({-1});
  const int d = checked_dim("repeat_interleave", dim.value_or(0), from.rank());
  const Tensor counts = counts_of(repeats, from.size(d));
  if (from.size(d) == 0) return from.clone();
  const Tensor ends = cumsum(counts, 0);
  const auto known = stack({ends.select(0, -1), amin(counts)}).to_vector<std::int64_t>();
  require(known[1] >= 0, "[repeat_interleave] the least count is {}", known[1]);
  const Tensor places = arange(known[0], {.device = x.device()});
  return index_select(from, d, searchsorted(ends, places, true));
}

Tensor roll(const Tensor& x, const Dims& shifts, const Dims& dims) {
  impl_of(x, "roll");
  if (dims.empty()) {
    require(shifts.size() == 1, "[roll] one shift goes without dimensions, not {}", shifts);
    return own(rolled(x.reshape({-1}), shifts[0], 0).reshape(x.shape()), x);
  }
  require(shifts.size() == dims.size(), "[roll] shifts {} and dimensions {} differ in number", shifts,
          dims);
  Tensor y = x;
  for (int i = 0; i < dims.size(); ++i) {
    y = rolled(y, shifts[i], checked_dim("roll", dims[i], x.rank()));
  }
  return own(y, x);
}

Tensor flip(const Tensor& x, const Dims& dims) {
  impl_of(x, "flip");
  return reversed("flip", x, dims).clone();
}

Tensor fliplr(const Tensor& x) {
  impl_of(x, "fliplr");
  require(x.rank() >= 2, "[fliplr] {} has no dimension 1", x.shape());
  return flip(x, {1});
}

Tensor flipud(const Tensor& x) {
  impl_of(x, "flipud");
  require(x.rank() >= 1, "[flipud] {} has no dimension 0", x.shape());
  return flip(x, {0});
}

Tensor rot90(const Tensor& x, std::int64_t k, const Dims& dims) {
  impl_of(x, "rot90");
  require(dims.size() == 2, "[rot90] turns in two dimensions, not {}", dims);
  const int a = checked_dim("rot90", dims[0], x.rank()), b = checked_dim("rot90", dims[1], x.rank());
  require(a != b, "[rot90] dimension {} is named twice in {}", a, dims);
  const std::int64_t turns = (k % 4 + 4) % 4;
  Tensor y = x;
  if (turns == 1 || turns == 2) y = y.slice(b, {.step = -1});
  if (turns == 2 || turns == 3) y = y.slice(a, {.step = -1});
  if (turns % 2 == 1) y = y.transpose(a, b);
  return y.clone();
}

}  // namespace tenon
