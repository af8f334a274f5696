// softmax in one launch where the device has the kind, else in three: the greatest, the sum of what exp
// makes of the distances to it, the quotient. Backward, from the result alone, is one, or two.
#include <algorithm>
#include <cmath>

#include <tenon/ops.h>

#include "core/autograd/autocast.h"
#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/formula.h"
#include "core/ops/row_kinds.h"
#include "core/ops/softmax.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

using program::Value;

struct Setting {
  std::string_view op;
  Softmax kind;
  Fold fold;
  DType from, to;
  std::int64_t columns;  // 0: not along rows
};

/// The kind over these inputs; an undefined tensor where the device does not do it.
Tensor fused(const Setting& s, std::uint32_t kind, std::vector<Tensor> inputs) {
  if (s.columns == 0 || s.from != s.to || !has_row_kind(inputs.front(), kind)) return {};
  for (Tensor& x : inputs) x = x.contiguous();
  const Tensor y = allocate(s.fold.shape, s.to, inputs.front().device(), s.op);
  const TenonSoftmaxAttrs attrs{sizeof attrs, static_cast<std::uint32_t>(s.kind)};
  const bool done = run(s.op, {.kind = kind,
                               .attrs = attrs_of(attrs),
                               .rows = y.numel() / s.columns,
                               .columns = s.columns,
                               .dtype = s.to,
                               .outputs = {y},
                               .inputs = inputs});
  return done ? y : Tensor();
}

/// x - m, m the greatest along the dimension.
Value distance(Formula& f, Softmax kind, const Tensor& x, const Tensor& m) {
  const Value value = f(x), greatest = f(m);
  if (kind != Softmax::masked) return value - greatest;
  return value - select(greatest == -HUGE_VAL, f.constant(0), greatest);
}

Tensor forward(const Setting& s, const Tensor& x) {
  if (const Tensor y = fused(s, TENON_KIND_SOFTMAX, {x}); y.defined()) return y;
  const Tensor m = folded(s.op, s.fold, TENON_REDUCE_MAX, x, x.dtype(), x.dtype());
  Formula powers(s.to);
  powers.output(exp(distance(powers, s.kind, x, m)));
  const Tensor total = powers.sum(s.op, s.fold);
  Formula f(s.to);
  const Value d = distance(f, s.kind, x, m), sum = f(total);
  switch (s.kind) {
    case Softmax::plain:
      f.output(exp(d) / sum, s.to);
      break;
    case Softmax::log:
      f.output(d - log(sum), s.to);
      break;
    case Softmax::masked:
      f.output(select(sum == 0.0, f.constant(0), exp(d) / sum), s.to);
      break;
  }
  return f.apply(s.op);
}

/// softmax: dx = y (dy - Σ dy y); log_softmax: dx = dy - exp(y) Σ dy
Tensor gradient(const Setting& s, const Tensor& y, const Tensor& dy) {
  const bool is_log = s.kind == Softmax::log;
  Formula sum(s.to);
  const Value given = sum(dy);
  sum.output(is_log ? given : given * sum(y));
  const Tensor total = sum.sum(s.op, s.fold);
  Formula f(s.to);
  const Value result = f(y), g = f(dy), all = f(total);
  f.output(is_log ? g - exp(result) * all : result * (g - all), s.from);
  return f.apply(s.op);
}

struct Backward {
  Setting setting;
  autograd::Edges edges;
  autograd::Saved result;

  std::vector<Tensor> operator()(std::span<const Tensor> dy) const {
    const Tensor y = autograd::replayed(setting.op, result.get(setting.op), edges, *this);
    if (!grad_enabled()) {
      const Tensor dx = fused(setting, TENON_KIND_SOFTMAX_BACKWARD, {y, dy[0]});
      if (dx.defined()) return {dx};
    }
    return {gradient(setting, y, dy[0])};
  }
};

DType softmax_dtype(std::string_view op, const Tensor& x, std::optional<DType> asked) {
  impl_of(x, op);
  const DType dtype = asked.value_or(floating_dtype(autograd::autocast_dtype(autograd::Cast::wide, x)));
  require(is_floating(dtype), "[{}] the result is floating, not {}", op, name(dtype));
  return dtype;
}

}  // namespace

Tensor softmax(std::string_view op, Softmax kind, const Tensor& x, int dim, DType dtype) {
  const int d = checked_dim(op, dim, std::max(x.rank(), 1));
  const Tensor from = is_floating(x.dtype()) ? x : x.to(dtype);
  const Setting setting{op,           kind,  fold_over(x.shape(), 1u << d, true),
                        from.dtype(), dtype, row_length(x, d)};
  const Tensor y = forward(setting, from.detach());
  if (autograd::needs_record({&x, 1})) {
    const autograd::Edges edges = autograd::edges_to({&x, 1});
    autograd::record(op, edges, {&y, 1}, Backward{setting, edges, autograd::Saved(y)});
  }
  return y;
}

}  // namespace ops

Tensor softmax(const Tensor& x, int dim, std::optional<DType> dtype) {
  return ops::softmax("softmax", ops::Softmax::plain, x, dim, ops::softmax_dtype("softmax", x, dtype));
}

Tensor log_softmax(const Tensor& x, int dim, std::optional<DType> dtype) {
  return ops::softmax("log_softmax", ops::Softmax::log, x, dim,
                      ops::softmax_dtype("log_softmax", x, dtype));
}

}  // namespace tenon
