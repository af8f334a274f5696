// CROSS_ENTROPY and CROSS_ENTROPY_BACKWARD: of a row, only its logsumexp is kept in between.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/cross_entropy.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include <atomic>
#include <bit>
#include <cmath>

#include "kernel.h"
#include "rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

/// The weights of all classes.
template <class T>
Lane<T> weight_of_all(const RowTask& task) {
  const T* const weight = task.of<T>(5);
  if (weight == nullptr) return static_cast<Lane<T>>(task.columns);
  return sum_of<T>(task.columns,
                   [&](std::int64_t i, auto part) HWY_ATTR { return load(weight + i, part); });
}

template <class T>
Lane<T> weight_of(const RowTask& task, std::int64_t column) {
  return task.at[5] == nullptr ? 1 : static_cast<Lane<T>>(*task.of<T>(5, column));
}

/// Σ w (x - m), where a w of 0 counts as 0.
template <class T>
Lane<T> weighed_distances(const T* x, const T* weight, std::int64_t n, Lanes<T> m) {
  return sum_of<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
    const Lanes<T> d = hn::Sub(load(x + i, part), m);
    if (weight == nullptr) return d;
    const Lanes<T> w = load(weight + i, part);
    return hn::IfThenElseZero(hn::Ne(w, all<T>(0)), hn::Mul(w, d));
  });
}

template <class T>
void loss_rows(const RowTask& task, const ClassTask& s, std::int64_t begin, std::int64_t end) {
  using C = Lane<T>;
  const C spread = static_cast<C>(s.smoothing / static_cast<double>(task.columns));
  const C all_weight = spread == 0 ? 0 : weight_of_all<T>(task);
  for (; begin < end; ++begin) {
    const std::int64_t at = s.class_of(begin, task.columns);
    C loss = 0, own = 0, lse = 0;
    if (at >= 0) {
      const T* const x = task.row<T>(3, begin);
      const C greatest = greatest_of(x, task.columns);
      const Lanes<T> m = all<T>(greatest);
      const C log_sum = std::log(sum_of<T>(task.columns, [&](std::int64_t i, auto part) HWY_ATTR {
        return exp(hn::Sub(load(x + i, part), m));
      }));
      lse = greatest + log_sum;
      own = weight_of<T>(task, at);
      const C q = own * static_cast<C>(1 - s.smoothing);
      if (q != 0) loss = q * (log_sum - (static_cast<C>(x[at]) - greatest));
      if (spread != 0) {
        loss += spread * (all_weight * log_sum - weighed_distances(x, task.of<T>(5), task.columns, m));
      }
    }
    *task.of<C>(0, begin) = loss;
    if (task.at[1] != nullptr) *task.of<C>(1, begin) = own;
    if (task.at[2] != nullptr) *task.of<C>(2, begin) = lse;
  }
}

/// dx = g (A exp(x - lse) - q), A = Σ q
template <class T>
void loss_backward_row(const RowTask& task, std::int64_t row, std::int64_t at, Lane<T> g, Lane<T> A,
                       Lane<T> spread, Lane<T> own) {
  const T *const x = task.row<T>(3, row), *const weight = task.of<T>(5);
  T* const dx = task.row<T>(0, row);
  const Lane<T> lse = *task.of<Lane<T>>(2, row);
  const Lanes<T> l = all<T>(lse), a = all<T>(A), scale = all<T>(g), s = all<T>(spread);
  const auto value = [&](Lanes<T> logit, Lanes<T> q)
                         HWY_ATTR { return hn::Mul(scale, hn::MulSub(a, exp(hn::Sub(logit, l)), q)); };
  each_vector<T>(task.columns, [&](std::int64_t i, auto part) HWY_ATTR {
    const Lanes<T> q = weight == nullptr ? s : hn::Mul(s, load(weight + i, part));
    store(value(load(x + i, part), q), dx + i, part);
  });
  const Lanes<T> q = all<T>(own + spread * weight_of<T>(task, at));
  store(value(all<T>(static_cast<Lane<T>>(x[at])), q), dx + at, First{1});
}

template <class T>
void loss_backward_rows(const RowTask& task, const ClassTask& s, std::int64_t begin, std::int64_t end) {
  using C = Lane<T>;
  const C spread = static_cast<C>(s.smoothing / static_cast<double>(task.columns));
  const C spread_weight = spread == 0 ? 0 : spread * weight_of_all<T>(task);
  for (; begin < end; ++begin) {
    const std::int64_t at = s.class_of(begin, task.columns);
    if (at < 0) {
      std::fill_n(task.row<T>(0, begin), task.columns, T{});
      continue;
    }
    const std::int64_t place = s.one_gradient ? 0 : begin;
    const C dloss = s.wide_gradient ? *task.of<C>(1, place) : static_cast<C>(*task.of<T>(1, place));
    const C own = weight_of<T>(task, at) * static_cast<C>(1 - s.smoothing);
    loss_backward_row<T>(task, begin, at, dloss * static_cast<C>(s.scale), own + spread_weight, spread,
                         own);
  }
}

/// nullptr where the dtype has no lanes here.
LossStep loss_for(std::uint8_t dtype, bool backward) {
  if (dtype == TENON_DTYPE_F16 && !kHasHalf) return nullptr;
  return sdk::dispatch(sdk::Floats{}, dtype, [&]<class T>() -> LossStep {
    return backward ? loss_backward_rows<T> : loss_rows<T>;
  });
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cpu {

HWY_EXPORT(loss_for);

namespace {

constexpr std::size_t kTarget = 4;

class CrossEntropy final : public Kernel {
 public:
  CrossEntropy(const TenonOp& op, LossStep run)
      : op_(op),
        run_(run),
        backward_(op.kind == TENON_KIND_CROSS_ENTROPY_BACKWARD),
        attrs_(op_.view().attrs<TenonCrossEntropyAttrs>()) {}

  std::int32_t launch(const TenonLaunch& launch) const override {
    TenonFault first{};
    for (std::uint32_t i = 0; i < launch.count; ++i) {
      const RowTask task(op_.view(), launch.packs[i]);
      const ClassTask classes = classes_of(launch.packs[i], task);
      each_part(task, [&](std::int64_t begin, std::int64_t end) { run_(task, classes, begin, end); });
      const std::int64_t bad = classes.first_bad.load(std::memory_order_relaxed);
      if (bad == task.rows || first.code != TENON_OK) continue;
      first = {.struct_size = sizeof first,
               .code = TENON_INDEX,
               .corr = launch.corr,
               .value = classes.target(bad),
               .position = bad,
               .pack = i,
               .operand = kTarget};
    }
    if (first.code == TENON_OK) return TENON_OK;
    sdk::host().fault(sdk::host().ctx, &first);
    return sdk::host().fail(sdk::host().ctx, first.code, "a class is out of range");
  }

 private:
  ClassTask classes_of(const TenonPack& pack, const RowTask& task) const {
    const auto operands = op_.view().operands();
    return {.targets = task.at[kTarget],
            .is_long = operands[kTarget].dtype == TENON_DTYPE_I64,
            .ignores = attrs_.ignores != 0,
            .ignored = attrs_.ignore_index,
            .smoothing = std::bit_cast<double>(attrs_.label_smoothing),
            .first_bad = {task.rows},
            .one_gradient = operands[1].layout == TENON_LAYOUT_SCALAR,
            .wide_gradient = operands[1].dtype != operands[0].dtype,
            .scale = backward_ ? scale_of(pack) : 1};
  }

  double scale_of(const TenonPack& pack) const {
    const std::uint64_t bits = pack.scalars[0];
    return op_.view().acc_dtype() == TENON_DTYPE_F64
               ? std::bit_cast<double>(bits)
               : std::bit_cast<float>(static_cast<std::uint32_t>(bits));
  }

  sdk::OpCopy op_;
  LossStep run_;
  bool backward_;
  TenonCrossEntropyAttrs attrs_;
};

}  // namespace

std::unique_ptr<Kernel> make_cross_entropy(const TenonOp& op) {
  const std::uint8_t dtype = sdk::OpView(op).operands()[3].dtype;
  check_lanes(op.acc_dtype, dtype);
  const LossStep run =
      HWY_DYNAMIC_DISPATCH(loss_for)(dtype, op.kind == TENON_KIND_CROSS_ENTROPY_BACKWARD);
  return std::make_unique<CrossEntropy>(op, found(run, dtype));
}

}  // namespace cpu
#endif
