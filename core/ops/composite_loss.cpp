// Losses over classes. With m the greatest of a row and q = weight · target, the cross entropy is
//
//   Σ q (log S - (x - m)) = A log S - B,   S = Σ exp(x - m), A = Σ q, B = Σ q (x - m),
//
// so it is three launches: m, the sums of each row, the sum over rows. Where class indices are weighed
// or ignored, a GATHER tells of one that is no class, and their mean takes a quotient, since it is over
// the weights of what counts. Backward is one over all elements: dx = dy (A exp(x - m) / S - q). Class
// indices are one launch for the losses of rows, and one backward, where the device has the kind.
#include <bit>
#include <limits>
#include <numeric>

#include <tenon/ops.h>

#include "core/autograd/autocast.h"
#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/formula.h"
#include "core/ops/places.h"
#include "core/ops/row_kinds.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

using program::Value;

// --- From rows to the loss ---

struct Reduced {
  Tensor loss;
  Tensor weight = {};  // what a weighted mean was divided by
};

/// The losses of rows of `shape`, put together; the mean is over `weight`, or a count of rows.
Reduced reduced(std::string_view op, Formula& f, LossReduction how, const Shape& shape, Value loss,
                std::optional<Value> weight, DType dtype) {
  const Fold all = fold_of(op, shape, {}, false);
  switch (how) {
    case LossReduction::none:
      f.output(loss, dtype);
      return {f.apply(op)};
    case LossReduction::sum:
      f.output(loss);
      return {f.sum(op, all, dtype)};
    case LossReduction::mean:
      break;
  }
  if (!weight) {
    f.output(loss / f.scalar(all.count));
    return {f.sum(op, all, dtype)};
  }
  f.output(loss);
  f.output(*weight);
  const std::vector<Tensor> totals = f.sum_all(op, all);
  Formula quotient(dtype);
  const Value total = quotient(totals[0]), count = quotient(totals[1]);
  quotient.output(total / count, dtype);
  return {quotient.apply(op), totals[1]};
}

// --- Operands ---

/// A batch of rows of classes: x (N, C, ...).
struct Rows {
  Tensor x;
  Tensor target;        // (N, 1, ...) class indices, or probabilities of x's shape
  Tensor weight = {};   // (C, 1, ...)
  bool batched = true;  // else x was (C,)
  std::optional<std::int64_t> ignored = {};

  bool has_indices() const { return is_integer(target.dtype()); }
  /// Class indices whose range is checked; those of others give NaN.
  bool are_checked() const { return has_indices() && (ignored || weight.defined()); }
  std::int64_t classes() const { return x.size(1); }
  /// What class indices are compared in.
  DType counter() const { return size_of(target.dtype()) < 4 || target.dtype() == i32 ? i32 : i64; }
  /// Without the dimension of classes.
  Tensor unbatched(const Tensor& y) const { return batched ? y.squeeze(1) : y.squeeze(1).squeeze(0); }
};

Rows rows_of(std::string_view op, const Tensor& given, const Tensor& target, const Tensor& weight,
             std::optional<std::int64_t> ignored) {
  const Tensor both[] = {given, target};
  common_device(op, both);
  require(is_floating(given.dtype()), "[{}] x is {}, not floating", op, name(given.dtype()));
  const Tensor x = autograd::autocast_in(autograd::Cast::wide, given);
  const DType kind = target.dtype();
  require(kind != bool_, "[{}] the target is bool, not classes", op);
  require(x.rank() >= 1, "[{}] a 0-d x has no classes", op);
  Rows rows{.x = x, .target = target, .ignored = ignored};
  rows.batched = x.rank() > 1;
  if (!rows.batched) {
    rows.x = x.unsqueeze(0);
    rows.target = target.unsqueeze(0);
  }
  Shape shape = rows.x.shape();
  if (is_integer(kind)) shape.erase(1);
  require(rows.target.shape() == shape, "[{}] the target {} does not fit x {}", op,
          to_string(target.shape()), to_string(x.shape()));
  require(!is_integer(kind) || rows.classes() > 0, "[{}] x {} has no classes", op,
          to_string(x.shape()));
  if (is_integer(kind)) rows.target = rows.target.unsqueeze(1);
  if (!weight.defined()) return rows;
  const std::int64_t classes = rows.classes();
  require(weight.shape() == Shape{classes} && is_floating(weight.dtype()),
          "[{}] the weight is {} {}, not floating ({},)", op, to_string(weight.shape()),
          name(weight.dtype()), classes);
  if (weight.requires_grad()) {
    fail(ErrorKind::Unsupported, "[{}] the weight has no gradient; detach() it", op);
  }
  Shape column = Dims::filled(x.rank() > 1 ? x.rank() - 1 : 1, 1);
  column[0] = classes;
  rows.weight = weight.reshape(column);
  return rows;
}

// --- Class indices ---

Value index_of(Formula& f, const Rows& rows) {
  return cast(f.raw(rows.target), rows.counter());
}

/// `value` where the row's index counts, else `other`.
Value counted(Formula& f, const Rows& rows, Value value, Value other) {
  if (!rows.ignored) return value;
  return select(index_of(f, rows) == static_cast<double>(*rows.ignored), other, value);
}
/// The same of 0 for what is ignored, and NaN for what is no class and is not checked.
Value counted(Formula& f, const Rows& rows, Value value) {
  if (!rows.has_indices()) return value;
  if (rows.are_checked()) return counted(f, rows, value, f.constant(0));
  const Value index = index_of(f, rows);
  const Value bad = (index < 0.0) | (index >= static_cast<double>(rows.classes()));
  return select(bad, f.constant(std::numeric_limits<double>::quiet_NaN()), value);
}

/// Each row's class, or the first where it is ignored.
Value class_of(Formula& f, const Rows& rows) {
  return counted(f, rows, index_of(f, rows), cast(f.constant(0), rows.counter()));
}

/// x at each row's class, recorded; InvalidArgument where that is none.
Tensor at_classes(std::string_view op, const Rows& rows, const Tensor& classes) {
  Place place{.shape = classes.shape(), .picks = {{classes, 1, rows.batched ? 1 : 0}}, .along = {}};
  place.along.resize(static_cast<std::size_t>(rows.x.rank()));
  std::iota(place.along.begin(), place.along.end(), 0);
  place.along[1] = -1;
  return read_at(op, rows.x, place);
}

Tensor weights_at(std::string_view op, const Rows& rows, const Tensor& classes) {
  Place place{.shape = classes.shape(), .picks = {{classes, 0, 0}}, .along = {}};
  place.along.assign(static_cast<std::size_t>(classes.rank()), -1);
  return read_at(op, rows.weight.reshape({-1}), place);
}

// --- Cross entropy ---

constexpr std::string_view kCrossEntropy = "cross_entropy";

struct Setting {
  Fold fold;  // over the classes
  LossReduction reduction;
  double smoothing;
};

/// Smoothed and weighed target of each class, and the weight where it is the target's own.
struct Weighed {
  Value q, own;
};
Weighed weighed(Formula& f, const Setting& s, const Rows& rows, const Tensor& classes) {
  const auto hit = [&] {
    if (!rows.has_indices()) return f(rows.target);
    const DType counter = rows.counter();
    const Value own = classes.defined() ? f.raw(classes) : f.coordinate(1, rows.x.rank(), counter);
    return select(index_of(f, rows) == own, f.constant(1), f.constant(0));
  };
  const Value target = hit();
  const Value spread = f.scalar(s.smoothing / static_cast<double>(rows.classes()));
  const Value smooth = target * f.scalar(1 - s.smoothing) + spread;
  if (!rows.weight.defined()) return {smooth, target};
  const Value weight = f(rows.weight);
  return {smooth * weight, target * weight};
}

/// The greatest of each row. Of targets that are checked, one that is no class is a fault; who is
/// ignored counts as class 0.
Tensor greatest_of(const Setting& s, const Rows& rows) {
  Formula f(rows.x.dtype());
  f.output(f.raw(rows.x));
  if (rows.are_checked()) f.output(class_of(f, rows));
  const std::vector<Tensor> found = f.fold_all(kCrossEntropy, s.fold, TENON_REDUCE_MAX);
  if (rows.are_checked()) at_classes(kCrossEntropy, rows, found[1]);
  return found[0];
}

/// S, A, B, and the weights of the targets. Recorded where `classes` are a tensor, not coordinates.
std::vector<Tensor> row_sums(const Setting& s, const Rows& rows, const Tensor& greatest,
                             const Tensor& classes) {
  Formula f(rows.x.dtype());
  const Value x = f(rows.x), d = x - f(greatest);
  const Weighed of = weighed(f, s, rows, classes);
  f.output(exp(d));
  f.output(of.q);
  f.output(select(of.q == 0.0, f.constant(0), of.q * d));
  f.output(of.own);
  return f.sum_all(kCrossEntropy, s.fold);
}

bool mean_is_weighted(const Setting& s, const Rows& rows) {
  return s.reduction == LossReduction::mean && (rows.are_checked() || numel(s.fold.kept) == 0);
}

Reduced loss_of(const Setting& s, const Rows& rows, const std::vector<Tensor>& sums) {
  Formula f(rows.x.dtype());
  const Value log_sum = log(f(sums[0]));
  const Value loss = counted(f, rows, f(sums[1]) * log_sum - f(sums[2]));
  std::optional<Value> weight;
  if (mean_is_weighted(s, rows)) weight = counted(f, rows, f(sums[3]));
  return reduced(kCrossEntropy, f, s.reduction, s.fold.kept, loss, weight, rows.x.dtype());
}

/// The class of each element along dimension 1, where the target names classes.
Tensor class_numbers(const Rows& rows) {
  if (!rows.has_indices()) return {};
  Shape column = Dims::filled(rows.x.rank() - 1, 1);
  column[0] = rows.classes();
  return arange(rows.classes(), {.dtype = rows.counter(), .device = rows.x.device()}).view(column);
}

/// dx = dy (A exp(x - m) / S - q), and for probabilities t: dt = dy w (1 - smoothing) (log S - (x - m))
std::vector<Tensor> gradients(const Setting& s, const Rows& rows, const Tensor& greatest,
                              const std::vector<Tensor>& sums, const Tensor& weight,
                              const Tensor& classes, const Tensor& dy) {
  Formula f(rows.x.dtype());
  const Value x = f(rows.x), d = x - f(greatest), total = f(sums[0]);
  Value g = f(dy);
  if (weight.defined()) {
    g = g / f(weight);
  } else if (s.reduction == LossReduction::mean) {
    g = g / f.scalar(static_cast<double>(numel(s.fold.kept)));
  }
  const Value q = weighed(f, s, rows, classes).q;
  const Value share = f(sums[1]) * (exp(d) / total);
  f.output(counted(f, rows, g * (share - q)), rows.x.dtype());
  if (!rows.has_indices()) {
    const Value scaled = g * f.scalar(1 - s.smoothing) * (log(total) - d);
    f.output(rows.weight.defined() ? scaled * f(rows.weight) : scaled, rows.target.dtype());
  }
  std::vector<Tensor> dx = f.apply_all(kCrossEntropy);
  dx.resize(2);
  return dx;
}

struct Backward {
  Setting setting;
  autograd::Saved x, target;
  Tensor row_weight;  // of Rows
  std::optional<std::int64_t> ignored;
  Tensor greatest;
  std::vector<Tensor> sums;
  Tensor mean_weight;

  std::vector<Tensor> operator()(std::span<const Tensor> dy) const {
    const Rows rows{.x = x.get(kCrossEntropy),
                    .target = target.get(kCrossEntropy),
                    .weight = row_weight,
                    .ignored = ignored};
    const Tensor classes = class_numbers(rows);
    const std::vector<Tensor> now = grad_enabled() ? row_sums(setting, rows, greatest, classes) : sums;
    return gradients(setting, rows, greatest, now, mean_weight, classes, dy[0]);
  }
};

// --- Cross entropy of class indices in one launch ---

/// The kind over the rows of x; false where the device does not do it.
bool run_fused(std::uint32_t kind, const Setting& s, const Rows& rows, std::vector<Tensor> outputs,
               std::vector<Tensor> inputs, double scale) {
  const TenonCrossEntropyAttrs attrs{sizeof attrs, rows.ignored ? 1u : 0u, rows.ignored.value_or(0),
                                     std::bit_cast<std::uint64_t>(s.smoothing)};
  inputs.insert(inputs.end(), {rows.x, rows.target, rows.weight});
  return run(kCrossEntropy, {.kind = kind,
                             .attrs = attrs_of(attrs),
                             .rows = rows.x.numel() / rows.classes(),
                             .columns = rows.classes(),
                             .dtype = rows.x.dtype(),
                             .outputs = std::move(outputs),
                             .inputs = std::move(inputs),
                             .scale = scale,
                             .class_dim = rows.batched ? 1 : 0});
}

bool is_fusible(std::uint32_t kind, const Rows& rows) {
  return has_row_kind(rows.x, kind) && rows.has_indices() && row_length(rows.x, 1) > 0 &&
         (!rows.weight.defined() || rows.weight.dtype() == rows.x.dtype());
}

/// Row-major, the classes i32 or i64.
Rows in_rows(const Rows& given) {
  Rows rows = given;
  rows.x = given.x.contiguous();
  const bool is_usual = given.target.dtype() == i32 || given.target.dtype() == i64;
  rows.target = (is_usual ? given.target : given.target.to(i64)).contiguous();
  if (given.weight.defined()) rows.weight = given.weight.contiguous();
  return rows;
}

struct FusedBackward {
  Setting setting;
  autograd::Saved x, target;
  Tensor row_weight;  // of Rows
  std::optional<std::int64_t> ignored;
  bool batched;
  Tensor lse, mean_weight;

  std::vector<Tensor> operator()(std::span<const Tensor> dy) const {
    const Rows rows{.x = x.get(kCrossEntropy),
                    .target = target.get(kCrossEntropy),
                    .weight = row_weight,
                    .batched = batched,
                    .ignored = ignored};
    if (!grad_enabled()) {
      if (const Tensor dx = gradient(rows, dy[0]); dx.defined()) return {dx, Tensor()};
    }
    Rows apart = rows;
    apart.x = rows.x.detach();
    const Tensor greatest = greatest_of(setting, apart), classes = class_numbers(rows);
    return gradients(setting, rows, greatest, row_sums(setting, rows, greatest, classes), mean_weight,
                     classes, dy[0]);
  }

 private:
  /// Undefined where the device does not do it.
  Tensor gradient(const Rows& given, const Tensor& dy) const {
    if (!is_fusible(TENON_KIND_CROSS_ENTROPY_BACKWARD, given)) return {};
    const Rows rows = in_rows(given);
    const bool mean = setting.reduction == LossReduction::mean;
    Tensor g = dy.contiguous();
    if (mean_weight.defined()) {
      Formula f(rows.x.dtype());
      const Value total = f(g);
      f.output(total / f(mean_weight));
      g = f.apply(kCrossEntropy);
    }
    const double count = static_cast<double>(numel(setting.fold.kept));
    const Tensor dx = allocate(rows.x.shape(), rows.x.dtype(), rows.x.device(), kCrossEntropy);
    const bool done = run_fused(TENON_KIND_CROSS_ENTROPY_BACKWARD, setting, rows, {dx}, {g, lse},
                                mean && !mean_weight.defined() ? 1 / count : 1);
    return done ? dx : Tensor();
  }
};

/// Undefined where the device does not do it.
Tensor fused_cross_entropy(const Setting& s, const Rows& given) {
  if (!is_fusible(TENON_KIND_CROSS_ENTROPY, given)) return {};
  const Tensor inputs[] = {given.x, given.target};
  const bool records = autograd::needs_record(inputs), is_weighted = mean_is_weighted(s, given);
  Rows rows = given;
  rows.x = given.x.detach();
  rows = in_rows(rows);
  const DType dtype = rows.x.dtype();
  const auto row_values = [&](bool wanted) {
    return wanted ? allocate(s.fold.kept, accumulator(dtype), rows.x.device(), kCrossEntropy)
                  : Tensor();
  };
  const Tensor loss = row_values(true), own = row_values(is_weighted), lse = row_values(records);
  if (!run_fused(TENON_KIND_CROSS_ENTROPY, s, rows, {loss, own, lse}, {}, 1)) return {};

  Reduced y{loss};
  if (s.reduction != LossReduction::none || loss.dtype() != dtype) {
    Formula f(dtype);
    const Value value = f(loss);
    std::optional<Value> weight;
    if (is_weighted) weight = f(own);
    y = reduced(kCrossEntropy, f, s.reduction, s.fold.kept, value, weight, dtype);
  }
  if (records) {
    autograd::record(kCrossEntropy, inputs, {&y.loss, 1},
                     FusedBackward{s, autograd::Saved(given.x), autograd::Saved(given.target),
                                   given.weight, given.ignored, given.batched, lse, y.weight});
  }
  return y.loss;
}

Tensor recorded_cross_entropy(const Setting& s, const Rows& rows) {
  Rows apart = rows;
  apart.x = rows.x.detach();
  apart.target = rows.target.detach();
  const Tensor greatest = greatest_of(s, apart);
  const std::vector<Tensor> sums = row_sums(s, apart, greatest, {});
  const Reduced y = loss_of(s, apart, sums);
  const Tensor inputs[] = {rows.x, rows.target};
  if (autograd::needs_record(inputs)) {
    autograd::record(kCrossEntropy, inputs, {&y.loss, 1},
                     Backward{s, autograd::Saved(rows.x), autograd::Saved(rows.target), rows.weight,
                              rows.ignored, greatest, sums, y.weight});
  }
  return y.loss;
}

}  // namespace
}  // namespace ops

Tensor cross_entropy(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options) {
  const ops::Rows rows =
      ops::rows_of(ops::kCrossEntropy, x, target, options.weight, options.ignore_index);
  const double smoothing = options.label_smoothing;
  require(smoothing >= 0 && smoothing <= 1, "[cross_entropy] label_smoothing {} is not in [0, 1]",
          smoothing);
  require(rows.has_indices() || !options.ignore_index,
          "[cross_entropy] ignore_index is a class; the target is probabilities");
  const ops::Setting setting{ops::fold_over(rows.x.shape(), 0b10, true), options.reduction, smoothing};
  Tensor loss = ops::fused_cross_entropy(setting, rows);
  if (!loss.defined()) loss = ops::recorded_cross_entropy(setting, rows);
  return options.reduction == LossReduction::none ? rows.unbatched(loss) : loss;
}

Tensor nll_loss(const Tensor& x, const Tensor& target, const NllLossOptions& options) {
  impl_of(target, "nll_loss");
  require(is_integer(target.dtype()), "[nll_loss] the target is {}, not class indices",
          name(target.dtype()));
  const ops::Rows rows = ops::rows_of("nll_loss", x, target, options.weight, options.ignore_index);
  ops::Formula numbers(rows.x.dtype());
  numbers.output(ops::class_of(numbers, rows));
  const Tensor classes = numbers.apply("nll_loss");

  ops::Formula f(rows.x.dtype());
  program::Value loss = -f(ops::at_classes("nll_loss", rows, classes)), weight = f.constant(1);
  if (rows.weight.defined()) {
    weight = f(ops::weights_at("nll_loss", rows, classes));
    loss = loss * weight;
  }
  const Tensor y = ops::reduced("nll_loss", f, options.reduction, classes.shape(),
                                counted(f, rows, loss), counted(f, rows, weight), rows.x.dtype())
                       .loss;
  return options.reduction == LossReduction::none ? rows.unbatched(y) : y;
}

}  // namespace tenon
