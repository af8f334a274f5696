// layer_norm and rms_norm: y = (x - mean) r w + b with r = 1/√(mean square + eps), where rms_norm's
// mean and b are 0. One launch each way where the device has the kind; else sums first, then one
// program, and backward is three launches.
#include <bit>

#include <tenon/dtype_info.h>
#include <tenon/ops.h>

#include "core/autograd/autocast.h"
#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/formula.h"
#include "core/ops/row_kinds.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

using program::Value;

struct Setting {
  std::string_view op;
  bool centered;
  Fold inner;  // over the normalised dimensions
  Fold outer;  // over all others
  double eps;
  DType dtype;  // of x
};

/// What is known of x: Σ x where it is centered, and Σ (x - mean)²; where the kind was run, the mean
/// and r instead.
struct Statistics {
  Tensor total, square;
  Tensor mean, r;
};

// --- In one launch ---

/// The kind over the rows of x; false where the device does not do it.
bool run_fused(const Setting& s, std::uint32_t kind, const Tensor& x, std::vector<Tensor> outputs,
               std::vector<Tensor> inputs) {
  const TenonNormAttrs attrs{
      sizeof attrs, s.centered ? std::uint32_t{TENON_NORM_LAYER} : std::uint32_t{TENON_NORM_RMS},
      std::bit_cast<std::uint64_t>(s.eps)};
  const std::int64_t columns = numel(s.outer.result);
  return run(s.op, {.kind = kind,
                    .attrs = attrs_of(attrs),
                    .rows = x.numel() / columns,
                    .columns = columns,
                    .dtype = s.dtype,
                    .outputs = std::move(outputs),
                    .inputs = std::move(inputs)});
}

bool is_fusible(const Setting& s, std::uint32_t kind, const Tensor& x,
                std::initializer_list<Tensor> affine) {
  if (!has_row_kind(x, kind)) return false;
  return std::ranges::all_of(affine,
                             [&](const Tensor& t) { return !t.defined() || t.dtype() == s.dtype; });
}

Tensor contiguous(const Tensor& x) {
  return x.defined() ? x.contiguous() : x;
}

/// y, undefined where the device does not do it; `of` takes the mean and r where they are `kept`.
Tensor forward_fused(const Setting& s, const Tensor& given, const Tensor& weight, const Tensor& bias,
                     bool kept, Statistics& of) {
  if (!is_fusible(s, TENON_KIND_NORM, given, {weight, bias})) return {};
  const Tensor x = given.contiguous(), y = allocate(x.shape(), s.dtype, x.device(), s.op);
  Statistics found;
  if (kept) {
    const auto row_values = [&] {
      return allocate(s.inner.kept, accumulator(s.dtype), x.device(), s.op);
    };
    if (s.centered) found.mean = row_values();
    found.r = row_values();
  }
  if (!run_fused(s, TENON_KIND_NORM, x, {y, found.mean, found.r},
                 {x, contiguous(weight), contiguous(bias)})) {
    return {};
  }
  of = found;
  return y;
}

/// The gradients that are wanted; nothing where the device does not do it.
std::vector<Tensor> backward_fused(const Setting& s, const Tensor& given, const Statistics& of,
                                   const Tensor& weight, DType bias_dtype, const Tensor& dy,
                                   std::span<const bool> wanted) {
  if (bias_dtype != s.dtype || !is_fusible(s, TENON_KIND_NORM_BACKWARD, given, {weight})) return {};
  const Tensor x = given.contiguous();
  std::vector<Tensor> dx(3);
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const Shape& shape = i == 0 ? x.shape() : s.outer.result;
    if (wanted[i]) dx[i] = allocate(shape, s.dtype, x.device(), s.op);
  }
  if (!run_fused(s, TENON_KIND_NORM_BACKWARD, x, dx,
                 {dy.contiguous(), x, of.mean, of.r, contiguous(weight)})) {
    return {};
  }
  return dx;
}

// --- In sums and programs ---

/// x - mean.
Value centered(Formula& f, const Setting& s, const Tensor& x, const Tensor& total) {
  return s.centered ? f(x) - f(total) / f.scalar(s.inner.count) : f(x);
}

/// Recorded where x is.
Statistics statistics_of(const Setting& s, const Tensor& x) {
  Statistics found;
  if (s.centered) {
    Formula f(s.dtype);
    f.output(f(x));
    found.total = f.sum(s.op, s.inner);
  }
  Formula f(s.dtype);
  const Value d = centered(f, s, x, found.total);
  f.output(d * d);
  found.square = f.sum(s.op, s.inner);
  return found;
}

/// (x - mean) r, and r.
struct Normal {
  Value x, r;
};
Normal normal(Formula& f, const Setting& s, const Tensor& x, const Statistics& of) {
  const Value d = centered(f, s, x, of.total);
  const Value r = rsqrt(f(of.square) / f.scalar(s.inner.count) + f.scalar(s.eps));
  return {d * r, r};
}

Tensor forward(const Setting& s, const Tensor& x, const Statistics& of, const Tensor& weight,
               const Tensor& bias) {
  Formula f(s.dtype);
  Value y = normal(f, s, x, of).x;
  if (weight.defined()) y = y * f(weight);
  if (bias.defined()) y = y + f(bias);
  f.output(y, s.dtype);
  return f.apply(s.op);
}

/// g = dy w, n = (x - mean) r: dx = r (g - mean(g) - n mean(g n)), where rms_norm has no mean(g)
Tensor gradient_of_x(const Setting& s, const Tensor& x, const Statistics& of, const Tensor& weight,
                     const Tensor& dy) {
  const auto scaled = [&](Formula& f) { return weight.defined() ? f(dy) * f(weight) : f(dy); };
  Formula sums(s.dtype);
  const Value g = scaled(sums);
  sums.output(g * normal(sums, s, x, of).x);
  if (s.centered) sums.output(g);
  const std::vector<Tensor> total = sums.sum_all(s.op, s.inner);

  Formula f(s.dtype);
  const Normal n = normal(f, s, x, of);
  const Value count = f.scalar(s.inner.count);
  Value inside = scaled(f) - n.x * (f(total[0]) / count);
  if (s.centered) inside = inside - f(total[1]) / count;
  f.output(inside * n.r, s.dtype);
  return f.apply(s.op);
}

/// dw = Σ dy n, db = Σ dy
std::vector<Tensor> gradients_of_affine(const Setting& s, const Tensor& x, const Statistics& of,
                                        const Tensor& dy) {
  Formula f(s.dtype);
  const Value g = f(dy);
  f.output(g * normal(f, s, x, of).x);
  f.output(g);
  return f.sum_all(s.op, s.outer);
}

struct Backward {
  Setting setting;
  autograd::Saved x;
  std::optional<autograd::Saved> weight;
  DType bias_dtype;
  Statistics saved;
  bool wants[3];

  std::vector<Tensor> operator()(std::span<const Tensor> dy) const {
    const Tensor& from = x.get(setting.op);
    const Tensor w = weight ? weight->get(setting.op) : Tensor();
    if (!grad_enabled() && saved.r.defined()) {
      std::vector<Tensor> dx = backward_fused(setting, from, saved, w, bias_dtype, dy[0], wants);
      if (!dx.empty()) return dx;
    }
    const bool known = !grad_enabled() && saved.square.defined();
    const Statistics of = known ? saved : statistics_of(setting, from);
    std::vector<Tensor> dx(3);
    if (wants[0]) dx[0] = gradient_of_x(setting, from, of, w, dy[0]);
    if (!wants[1] && !wants[2]) return dx;
    const std::vector<Tensor> affine = gradients_of_affine(setting, from, of, dy[0]);
    if (wants[1]) dx[1] = affine[0].to(w.dtype());
    if (wants[2]) dx[2] = affine[1].to(bias_dtype);
    return dx;
  }
};

void check_affine(const Setting& s, std::string_view what, const Tensor& x, const Shape& shape) {
  if (!x.defined()) return;
  require(x.shape() == shape && is_floating(x.dtype()), "[{}] the {} is {} {}, not floating {}", s.op,
          what, to_string(x.shape()), name(x.dtype()), to_string(shape));
}

Setting checked(std::string_view op, bool centered, const Tensor& x, const Shape& shape) {
  const DType dtype = impl_of(x, op).dtype;
  require(is_floating(dtype), "[{}] {} is not floating; convert it first", op, name(dtype));
  const int lead = x.rank() - shape.size();
  require(
      !shape.empty() && lead >= 0 && std::equal(shape.begin(), shape.end(), x.shape().begin() + lead),
      "[{}] {} does not end in {}", op, to_string(x.shape()), to_string(shape));
  const std::uint32_t all = (1u << x.rank()) - 1, outer = (1u << lead) - 1;
  return {op, centered, fold_over(x.shape(), all & ~outer, true), fold_over(x.shape(), outer, false),
          0,  dtype};
}

Tensor normalized(Setting s, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  s.eps = eps;
  const Shape& shape = s.outer.result;
  check_affine(s, "weight", weight, shape);
  check_affine(s, "bias", bias, shape);
  const auto apart = [](const Tensor& t) { return t.defined() ? t.detach() : t; };
  const Tensor inputs[] = {x, weight, bias};
  const bool records = autograd::needs_record(inputs);
  Statistics of;
  Tensor y = forward_fused(s, x.detach(), apart(weight), apart(bias), records, of);
  if (!y.defined()) {
    of = statistics_of(s, x.detach());
    y = forward(s, x.detach(), of, apart(weight), apart(bias));
  }
  if (records) {
    Backward backward{s, autograd::Saved(x), {}, bias.defined() ? bias.dtype() : s.dtype, of, {}};
    if (weight.defined()) backward.weight.emplace(weight);
    for (int i = 0; i < 3; ++i) backward.wants[i] = inputs[i].defined() && inputs[i].requires_grad();
    autograd::record(s.op, inputs, {&y, 1}, backward);
  }
  return y;
}

}  // namespace
}  // namespace ops

Tensor layer_norm(const Tensor& given, const Shape& shape, const Tensor& weight, const Tensor& bias,
                  double eps) {
  impl_of(given, "layer_norm");
  const Tensor x = autograd::autocast_in(autograd::Cast::wide, given);
  return ops::normalized(ops::checked("layer_norm", true, x, shape), x, weight, bias, eps);
}

Tensor rms_norm(const Tensor& given, const Shape& shape, const Tensor& weight,
                std::optional<double> eps) {
  impl_of(given, "rms_norm");
  const Tensor x = autograd::autocast_in(autograd::Cast::wide, given);
  const ops::Setting setting = ops::checked("rms_norm", false, x, shape);
  return ops::normalized(setting, x, weight, {}, eps.value_or(finfo(setting.dtype).eps));
}

Tensor normalize(const Tensor& x, double p, int dim, double eps) {
  const DType dtype = ops::floating_dtype(impl_of(x, "normalize").dtype);
  const Tensor length = norm(x, p, {checked_dim("normalize", dim, x.rank())}, true);
  ops::Formula f(dtype);
  const auto value = f(x), divisor = f(length);
  f.output(value / max(divisor, f.scalar(eps)), dtype);
  return f.apply("normalize");
}

Tensor cosine_similarity(const Tensor& x, const Tensor& y, int dim, double eps) {
  const DType dtype = ops::floating_dtype(
      promote(impl_of(x, "cosine_similarity").dtype, impl_of(y, "cosine_similarity").dtype));
  const Shape shape = broadcast("cosine_similarity", x.shape(), y.shape());
  const int d = checked_dim("cosine_similarity", dim, shape.size());
  ops::Formula products(dtype);
  const auto a = products(x), b = products(y);
  products.output(a * b);
  products.output(a * a);
  products.output(b * b);
  const auto sums = products.sum_all("cosine_similarity", ops::fold_over(shape, 1u << d, false));
  ops::Formula f(dtype);
  const auto least = f.scalar(eps * eps);
  const auto per_length = [&](const Tensor& square) { return rsqrt(max(f(square), least)); };
  const auto product = f(sums[0]);
  f.output(product * per_length(sums[1]) * per_length(sums[2]), dtype);
  return f.apply("cosine_similarity");
}

}  // namespace tenon
