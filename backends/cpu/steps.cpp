// Vectorised loops: one body for each opcode, compiled for each instruction set.
#include "steps.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/steps.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

#define TENON_UNARY(name, expression)               \
  struct name {                                     \
    static constexpr int arity = 1;                 \
    template <class D, class V>                     \
    HWY_INLINE V operator()(D d, V a, V, V) const { \
      (void)d;                                      \
      return expression;                            \
    }                                               \
  };
#define TENON_BINARY(name, expression)                \
  struct name {                                       \
    static constexpr int arity = 2;                   \
    template <class D, class V>                       \
    HWY_INLINE V operator()(D d, V a, V b, V) const { \
      (void)d;                                        \
      return expression;                              \
    }                                                 \
  };

/// The second where it is a NaN or better, else the first, which may be one too.
template <class D, class V>
HWY_INLINE V second_if(D, V a, V b, hn::Mask<D> better) {
  if constexpr (hwy::IsFloat<hn::TFromD<D>>()) better = hn::Or(hn::IsNaN(b), better);
  return hn::IfThenElse(better, b, a);
}

TENON_BINARY(Add, hn::Add(a, b))
TENON_BINARY(Sub, hn::Sub(a, b))
TENON_BINARY(Mul, hn::Mul(a, b))
TENON_BINARY(Div, hn::Div(a, b))
TENON_BINARY(Min, second_if(d, a, b, hn::Lt(b, a)))
TENON_BINARY(Max, second_if(d, a, b, hn::Lt(a, b)))
TENON_BINARY(And, hn::And(a, b))
TENON_BINARY(Or, hn::Or(a, b))
TENON_BINARY(Xor, hn::Xor(a, b))
TENON_UNARY(Not, hn::Not(a))
TENON_UNARY(Neg, hn::Neg(a))
TENON_UNARY(Abs, hn::Abs(a))
TENON_UNARY(Floor, hn::Floor(a))
TENON_UNARY(Trunc, hn::Trunc(a))
TENON_UNARY(Round, hn::Round(a))
TENON_UNARY(Sqrt, hn::Sqrt(a))

/// Counts are taken modulo the width.
template <class D, class V>
HWY_INLINE V shift_count(D d, V b) {
  return hn::And(b, hn::Set(d, static_cast<hn::TFromD<D>>(8 * sizeof(hn::TFromD<D>) - 1)));
}
TENON_BINARY(Shl, hn::Shl(a, shift_count(d, b)))
TENON_BINARY(Shr, hn::Shr(a, shift_count(d, b)))
#undef TENON_UNARY
#undef TENON_BINARY

struct Fma {
  static constexpr int arity = 3;
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b, V c) const {
    return hn::MulAdd(a, b, c);
  }
};

/// A product, rounded, and a sum or a difference with it.
struct ProductPlus {
  static constexpr int arity = 3;
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b, V c) const {
    return hn::Add(hn::Mul(a, b), c);
  }
};
struct ProductMinus {
  static constexpr int arity = 3;
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b, V c) const {
    return hn::Sub(hn::Mul(a, b), c);
  }
};
struct MinusProduct {
  static constexpr int arity = 3;
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b, V c) const {
    return hn::Sub(c, hn::Mul(a, b));
  }
};

/// out = F(in...), rounded to T.
template <class T, class F>
void map(std::byte* out, const std::byte* const* in, int n) {
  loop<T, T, F::arity>(out, in, n,
                       [](auto a, auto b, auto c) HWY_ATTR { return F()(Tag<T>(), a, b, c); });
}

// --- bool: a byte 0 or 1 ---

struct Lt {
  template <class V>
  HWY_INLINE auto operator()(V a, V b) const {
    return hn::Lt(a, b);
  }
};
struct Le {
  template <class V>
  HWY_INLINE auto operator()(V a, V b) const {
    if constexpr (hwy::IsFloat<hn::TFromV<V>>()) {
      return hn::Le(a, b);
    } else {
      return hn::Not(hn::Lt(b, a));
    }
  }
};
struct Eq {
  template <class V>
  HWY_INLINE auto operator()(V a, V b) const {
    return hn::Eq(a, b);
  }
};
struct Ne {
  template <class V>
  HWY_INLINE auto operator()(V a, V b) const {
    return hn::Not(hn::Eq(a, b));  // true of NaN
  }
};

template <class T, class F>
void compare(std::byte* out, const std::byte* const* in, int n) {
  loop<T, bool, 2>(out, in, n, [](auto a, auto b, auto) HWY_ATTR { return F()(a, b); });
}

/// Of lanes of the size of T, whatever they mean.
template <class T>
void select(std::byte* out, const std::byte* const* in, int n) {
  const hn::ScalableTag<T> d;
  const auto* condition = reinterpret_cast<const bool*>(in[0]);
  const T *a = reinterpret_cast<const T*>(in[1]), *b = reinterpret_cast<const T*>(in[2]);
  T* y = reinterpret_cast<T*>(out);
  for_vectors(d, n, [&](int i, auto part) HWY_ATTR {
    const auto mask = load_mask(d, condition + i, part);
    part.store(hn::IfThenElse(mask, part.load(d, a + i), part.load(d, b + i)), d, y + i);
  });
}

/// Operations of bool.
template <class F>
void map_bytes(std::byte* out, const std::byte* const* in, int n) {
  loop<std::uint8_t, std::uint8_t, F::arity>(out, in, n, [](auto a, auto b, auto c) HWY_ATTR {
    return F()(hn::ScalableTag<std::uint8_t>(), a, b, c);
  });
}

// --- Which loop ---

template <class F>
Step for_floats(std::uint8_t dtype) {
  switch (dtype) {
    case TENON_DTYPE_F32:
      return map<float, F>;
    case TENON_DTYPE_BF16:
      return map<sdk::bfloat16, F>;
    case TENON_DTYPE_F16:
      return kHasHalf ? map<sdk::half, F> : nullptr;
    default:
      return nullptr;
  }
}

template <class F>
Step for_all_floats(std::uint8_t dtype) {
  return dtype == TENON_DTYPE_F64 ? map<double, F> : for_floats<F>(dtype);
}

template <class F>
Step for_integers(std::uint8_t dtype) {
  switch (dtype) {
    case TENON_DTYPE_I32:
      return map<std::int32_t, F>;
    case TENON_DTYPE_U32:
      return map<std::uint32_t, F>;
    case TENON_DTYPE_I64:
      return map<std::int64_t, F>;
    default:
      return nullptr;
  }
}

template <class F>
Step for_numbers(std::uint8_t dtype) {
  const Step step = for_all_floats<F>(dtype);
  return step != nullptr ? step : for_integers<F>(dtype);
}

template <class F>
Step for_comparison(std::uint8_t dtype) {
  switch (dtype) {
    case TENON_DTYPE_F32:
      return compare<float, F>;
    case TENON_DTYPE_F64:
      return compare<double, F>;
    case TENON_DTYPE_BF16:
      return compare<sdk::bfloat16, F>;
    case TENON_DTYPE_I32:
      return compare<std::int32_t, F>;
    case TENON_DTYPE_U32:
      return compare<std::uint32_t, F>;
    case TENON_DTYPE_I64:
      return compare<std::int64_t, F>;
    default:
      return nullptr;
  }
}

Step for_select(std::uint8_t dtype) {
  const std::size_t size = sdk::size_of(dtype);
  return size == 4 ? select<std::uint32_t> : size == 8 ? select<std::uint64_t> : nullptr;
}

template <class F>
Step for_bits(std::uint8_t dtype) {
  return dtype == TENON_DTYPE_BOOL ? map_bytes<F> : for_integers<F>(dtype);
}

/// nullptr where there is none.
Step vector_step(std::uint8_t opcode, std::uint8_t operand, std::uint8_t result) {
  switch (opcode) {
    case TENON_OP_ADD:
      return for_numbers<Add>(result);
    case TENON_OP_SUB:
      return for_numbers<Sub>(result);
    case TENON_OP_MUL:
      return result == TENON_DTYPE_I64 ? nullptr : for_numbers<Mul>(result);
    case TENON_OP_DIV:
      return for_all_floats<Div>(result);
    case TENON_OP_NEG:
      return for_all_floats<Neg>(result);
    case TENON_OP_ABS:
      return for_all_floats<Abs>(result);
    case TENON_OP_MIN:
      return for_numbers<Min>(result);
    case TENON_OP_MAX:
      return for_numbers<Max>(result);
    case TENON_OP_AND:
      return for_bits<And>(result);
    case TENON_OP_OR:
      return for_bits<Or>(result);
    case TENON_OP_XOR:
      return for_bits<Xor>(result);
    case TENON_OP_NOT:
      return for_integers<Not>(result);
    case TENON_OP_LT:
      return for_comparison<Lt>(operand);
    case TENON_OP_LE:
      return for_comparison<Le>(operand);
    case TENON_OP_EQ:
      return for_comparison<Eq>(operand);
    case TENON_OP_NE:
      return for_comparison<Ne>(operand);
    case TENON_OP_SELECT:
      return for_select(result);
    case TENON_OP_FLOOR:
      return for_all_floats<Floor>(result);
    case TENON_OP_TRUNC:
      return for_all_floats<Trunc>(result);
    case TENON_OP_ROUND:
      return for_all_floats<Round>(result);
    case TENON_OP_SQRT:
      return for_all_floats<Sqrt>(result);
    case TENON_OP_SHL:
      return for_integers<Shl>(result);
    case TENON_OP_SHR:
      return for_integers<Shr>(result);
    case TENON_OP_FMA:
      return HWY_TARGET == HWY_SSE4 ? nullptr : for_all_floats<Fma>(result);  // SSE4 has none
    default:
      return nullptr;
  }
}

Step product_step(std::uint8_t opcode, bool product_first) {
  if (opcode == TENON_OP_ADD) return map<float, ProductPlus>;
  return product_first ? map<float, ProductMinus> : map<float, MinusProduct>;
}

const char* target_name() {
  return hwy::TargetName(HWY_TARGET);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cpu {

HWY_EXPORT(vector_step);
HWY_EXPORT(product_step);
HWY_EXPORT(target_name);

namespace {

Step find_vector_step(std::uint8_t opcode, std::uint8_t operand, std::uint8_t result) {
  switch (opcode) {
    case TENON_OP_CAST:
      return find_conversion(operand, result);
    case TENON_OP_PHILOX:
      return find_philox();
    default:
      break;
  }
  const Step step = HWY_DYNAMIC_DISPATCH(vector_step)(opcode, operand, result);
  return step != nullptr ? step : find_function(opcode, result);
}

}  // namespace

Step find_step(std::uint8_t opcode, std::uint8_t operand, std::uint8_t result) {
  const Step step = find_vector_step(opcode, operand, result);
  return step != nullptr ? step : tenon::sdk::step_for(opcode, operand, result);
}

Step find_product_step(std::uint8_t opcode, bool product_first) {
  return HWY_DYNAMIC_DISPATCH(product_step)(opcode, product_first);
}

bool limit_isa(std::string_view name) {
  if (name == "sse4") hwy::DisableTargets(HWY_AVX2 | HWY_AVX3);
  if (name == "avx2") hwy::DisableTargets(HWY_AVX3);
  return name == "sse4" || name == "avx2" || name == "avx512";
}

const char* isa_name() {
  return HWY_DYNAMIC_DISPATCH(target_name)();
}

}  // namespace cpu
#endif
