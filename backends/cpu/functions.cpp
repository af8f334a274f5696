// Elementary functions, one loop for each.
#include "steps.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/functions.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lanes-inl.h"
#include "math-inl.h"
#include "math64-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

#define TENON_FUNCTION(Name, arity, call)                                 \
  struct Name {                                                           \
    template <class T>                                                    \
    static void step(std::byte* out, const std::byte* const* in, int n) { \
      loop<T, T, arity>(out, in, n, [](VF x, VF y, VF) HWY_ATTR {         \
        (void)y;                                                          \
        return HWY_NAMESPACE::call;                                       \
      });                                                                 \
    }                                                                     \
  };
TENON_FUNCTION(Exp, 1, exp(x))
TENON_FUNCTION(Exp2, 1, exp2(x))
TENON_FUNCTION(Expm1, 1, expm1(x))
TENON_FUNCTION(Log, 1, log(x))
TENON_FUNCTION(Log2, 1, log2(x))
TENON_FUNCTION(Log1p, 1, log1p(x))
TENON_FUNCTION(Tanh, 1, tanh(x))
TENON_FUNCTION(Erf, 1, erf(x))
TENON_FUNCTION(Sigmoid, 1, sigmoid(x))
TENON_FUNCTION(Rsqrt, 1, rsqrt(x))
TENON_FUNCTION(Sin, 1, sin(x))
TENON_FUNCTION(Cos, 1, cos(x))
TENON_FUNCTION(Pow, 2, pow(x, y))
#undef TENON_FUNCTION

template <class F>
Step of(std::uint8_t dtype) {
  switch (dtype) {
    case TENON_DTYPE_F32:
      return F::template step<float>;
    case TENON_DTYPE_BF16:
      return F::template step<sdk::bfloat16>;
    case TENON_DTYPE_F16:
      return kHasHalf ? F::template step<sdk::half> : nullptr;
    default:
      return nullptr;
  }
}

/// nullptr where there is none.
Step function(std::uint8_t opcode, std::uint8_t dtype) {
  switch (opcode) {
    case TENON_OP_EXP:
      return of<Exp>(dtype);
    case TENON_OP_EXP2:
      return of<Exp2>(dtype);
    case TENON_OP_EXPM1:
      return of<Expm1>(dtype);
    case TENON_OP_LOG:
      return of<Log>(dtype);
    case TENON_OP_LOG2:
      return of<Log2>(dtype);
    case TENON_OP_LOG1P:
      return of<Log1p>(dtype);
    case TENON_OP_TANH:
      return of<Tanh>(dtype);
    case TENON_OP_ERF:
      return of<Erf>(dtype);
    case TENON_OP_SIGMOID:
      return of<Sigmoid>(dtype);
    case TENON_OP_RSQRT:
      return of<Rsqrt>(dtype);
    case TENON_OP_SIN:
      return of<Sin>(dtype);
    case TENON_OP_COS:
      return of<Cos>(dtype);
    case TENON_OP_POW:
      return of<Pow>(dtype);
    default:
      return nullptr;
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cpu {

HWY_EXPORT(function);

Step find_function(std::uint8_t opcode, std::uint8_t dtype) {
  return HWY_DYNAMIC_DISPATCH(function)(opcode, dtype);
}

}  // namespace cpu
#endif
