// SOFTMAX and SOFTMAX_BACKWARD: a row stays in the cache for the two or three times it is read.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/softmax.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include <cmath>

#include "kernel.h"
#include "rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

template <class T>
void softmax_row(const T* x, T* y, std::int64_t n, std::uint32_t how) {
  constexpr bool rounds = sizeof(T) < sizeof(Lane<T>);
  const Lanes<T> m = all<T>(greatest_of(x, n));
  const Lane<T> sum = sum_of<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
    const Lanes<T> power = exp(hn::Sub(load(x + i, part), m));
    if constexpr (!rounds) store(power, y + i, part);
    return power;
  });
  const Lanes<T> log_sum = all<T>(std::log(sum));
  const Lanes<T> share = all<T>(how == TENON_SOFTMAX_MASKED && sum == 0 ? 0 : 1 / sum);
  each_vector<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
    if (how == TENON_SOFTMAX_LOG) {
      return store(hn::Sub(hn::Sub(load(x + i, part), m), log_sum), y + i, part);
    }
    const Lanes<T> power = rounds ? exp(hn::Sub(load(x + i, part), m)) : load(y + i, part);
    store(hn::Mul(power, share), y + i, part);
  });
}

template <class T>
void backward_row(const T* y, const T* dy, T* dx, std::int64_t n, bool log) {
  const Lane<T> sum = sum_of<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
    const Lanes<T> g = load(dy + i, part);
    return log ? g : hn::Mul(g, load(y + i, part));
  });
  const Lanes<T> all_of = all<T>(sum);
  each_vector<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
    const Lanes<T> g = load(dy + i, part), result = load(y + i, part);
    store(log ? hn::NegMulAdd(exp(result), all_of, g) : hn::Mul(result, hn::Sub(g, all_of)), dx + i,
          part);
  });
}

template <class T>
void softmax_rows(const RowTask& task, std::uint32_t how, std::int64_t begin, std::int64_t end) {
  for (; begin < end; ++begin) {
    softmax_row(task.row<T>(1, begin), task.row<T>(0, begin), task.columns, how);
  }
}

template <class T>
void softmax_backward_rows(const RowTask& task, std::uint32_t how, std::int64_t begin,
                           std::int64_t end) {
  for (; begin < end; ++begin) {
    backward_row(task.row<T>(1, begin), task.row<T>(2, begin), task.row<T>(0, begin), task.columns,
                 how == TENON_SOFTMAX_LOG);
  }
}

/// nullptr where the dtype has no lanes here.
RowStep softmax_for(std::uint8_t dtype, bool backward) {
  if (dtype == TENON_DTYPE_F16 && !kHasHalf) return nullptr;
  return sdk::dispatch(sdk::Floats{}, dtype, [&]<class T>() -> RowStep {
    return backward ? softmax_backward_rows<T> : softmax_rows<T>;
  });
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cpu {

HWY_EXPORT(softmax_for);

namespace {

class Softmax final : public Kernel {
 public:
  Softmax(const TenonOp& op, RowStep run)
      : op_(op), run_(run), how_(op_.view().attrs<TenonSoftmaxAttrs>().how) {}

  std::int32_t launch(const TenonLaunch& launch) const override {
    for (std::uint32_t i = 0; i < launch.count; ++i) {
      const RowTask task(op_.view(), launch.packs[i]);
      each_part(task, [&](std::int64_t begin, std::int64_t end) { run_(task, how_, begin, end); });
    }
    return TENON_OK;
  }

 private:
  sdk::OpCopy op_;
  RowStep run_;
  std::uint32_t how_;
};

}  // namespace

std::unique_ptr<Kernel> make_softmax(const TenonOp& op) {
  const std::uint8_t dtype = sdk::OpView(op).operands()[0].dtype;
  check_lanes(op.acc_dtype, dtype);
  const RowStep run = HWY_DYNAMIC_DISPATCH(softmax_for)(dtype, op.kind == TENON_KIND_SOFTMAX_BACKWARD);
  return std::make_unique<Softmax>(op, found(run, dtype));
}

}  // namespace cpu
#endif
