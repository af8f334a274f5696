// Vectorised loops: one body for each opcode, compiled for each instruction set.
#include "steps.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/steps.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lanes-inl.h"
#include "math-inl.h"

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

template <class D, class V>
HWY_INLINE hn::Mask<D> unordered(D, V x) {
  if constexpr (hwy::IsFloat<hn::TFromD<D>>()) return hn::IsNaN(x);
  return hn::Ne(x, x);
}

TENON_BINARY(Add, hn::Add(a, b))
TENON_BINARY(Sub, hn::Sub(a, b))
TENON_BINARY(Mul, hn::Mul(a, b))
TENON_BINARY(Div, hn::Div(a, b))
TENON_BINARY(Min, hn::IfThenElse(hn::Or(unordered(d, a), hn::Lt(a, b)), a,
                                 hn::IfThenElse(hn::Eq(a, b), a, b)))
TENON_BINARY(Max, hn::IfThenElse(hn::Or(unordered(d, a), hn::Gt(a, b)), a,
                                 hn::IfThenElse(hn::Eq(a, b), a, b)))
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
TENON_UNARY(Exp, HWY_NAMESPACE::exp(a))
TENON_UNARY(Exp2, HWY_NAMESPACE::exp2(a))
TENON_UNARY(Expm1, HWY_NAMESPACE::expm1(a))
TENON_UNARY(Log, HWY_NAMESPACE::log(a))
TENON_UNARY(Log2, HWY_NAMESPACE::log2(a))
TENON_UNARY(Log1p, HWY_NAMESPACE::log1p(a))
TENON_UNARY(Tanh, HWY_NAMESPACE::tanh(a))
TENON_UNARY(Erf, HWY_NAMESPACE::erf(a))
TENON_UNARY(Sigmoid, HWY_NAMESPACE::sigmoid(a))
TENON_UNARY(Rsqrt, HWY_NAMESPACE::rsqrt(a))
#undef TENON_UNARY
#undef TENON_BINARY

/// out = F(in...), rounded to T.
template <class T, class F>
void map(std::byte* out, const std::byte* const* in, int n) {
  loop<T, T, F::arity>(out, in, n, [](T* y, const T* a, const T* b, const T* c) HWY_ATTR {
    const Tag<T> d;
    const auto x = load(a);
    store<T>(F()(d, x, F::arity > 1 ? load(b) : x, F::arity > 2 ? load(c) : x), y);
  });
}

// --- bool: a byte 0 or 1 ---

/// Whether lanes of a mask are set, as bytes.
template <class D>
HWY_INLINE void store_mask(D d, hn::Mask<D> mask, bool* to) {
  const hn::RebindToUnsigned<D> wide;
  const hn::Rebind<std::uint8_t, D> bytes;
  const auto ones = hn::IfThenElseZero(hn::RebindMask(wide, mask), hn::Set(wide, 1));
  (void)d;
  hn::StoreU(hn::TruncateTo(bytes, ones), bytes, reinterpret_cast<std::uint8_t*>(to));
}

template <class D>
HWY_INLINE hn::Mask<D> load_mask(D d, const bool* from) {
  const hn::Rebind<std::uint8_t, D> bytes;
  const hn::RebindToUnsigned<D> wide;
  const auto loaded = hn::LoadU(bytes, reinterpret_cast<const std::uint8_t*>(from));
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    const hn::Rebind<std::uint32_t, D> words;
    return hn::RebindMask(d, hn::Ne(hn::PromoteTo(wide, hn::PromoteTo(words, loaded)), hn::Zero(wide)));
  } else {
    return hn::RebindMask(d, hn::Ne(hn::PromoteTo(wide, loaded), hn::Zero(wide)));
  }
}

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
  loop<T, bool, 2>(out, in, n, [](bool* y, const T* a, const T* b, const T*) HWY_ATTR {
    const Tag<T> d;
    store_mask(d, F()(load(a), load(b)), y);
  });
}

/// Of lanes of the size of T, whatever they mean.
template <class T>
void select(std::byte* out, const std::byte* const* in, int n) {
  const hn::ScalableTag<T> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto* condition = reinterpret_cast<const bool*>(in[0]);
  const T *a = reinterpret_cast<const T*>(in[1]), *b = reinterpret_cast<const T*>(in[2]);
  T* y = reinterpret_cast<T*>(out);
  int i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto mask = load_mask(d, condition + i);
    hn::StoreU(hn::IfThenElse(mask, hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
  }
  for (; i < n; ++i) y[i] = condition[i] ? a[i] : b[i];
}

// --- Conversion ---

template <class From, class To>
void convert(std::byte* out, const std::byte* const* in, int n) {
  loop<From, To, 1>(out, in, n, [](To* y, const From* x, const From*, const From*) HWY_ATTR {
    store<To>(load(x), y);
  });
}

template <class To>
void from_i32(std::byte* out, const std::byte* const* in, int n) {
  loop<std::int32_t, To, 1>(out, in, n,
                            [](To* y, const std::int32_t* x, const std::int32_t*, const std::int32_t*)
                                HWY_ATTR { store<To>(hn::ConvertTo(F32(), load(x)), y); });
}

/// Exact in two halves; their sum is rounded once.
template <class To>
void from_u32(std::byte* out, const std::byte* const* in, int n) {
  loop<std::uint32_t, To, 1>(
      out, in, n,
      [](To* y, const std::uint32_t* x, const std::uint32_t*, const std::uint32_t*) HWY_ATTR {
        const hn::RebindToUnsigned<F32> d;
        const auto value = load(x);
        const auto high = hn::ConvertTo(F32(), hn::BitCast(I32(), hn::ShiftRight<16>(value)));
        const auto low = hn::ConvertTo(F32(), hn::BitCast(I32(), hn::And(value, hn::Set(d, 0xffff))));
        store<To>(hn::MulAdd(high, f32(65536), low), y);
      });
}

template <class To>
void from_bool(std::byte* out, const std::byte* const* in, int n) {
  const F32 d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto* x = reinterpret_cast<const bool*>(in[0]);
  To* y = reinterpret_cast<To*>(out);
  int i = 0;
  for (; i + lanes <= n; i += lanes) {
    store<To>(hn::IfThenElseZero(load_mask(d, x + i), f32(1)), y + i);
  }
  for (; i < n; ++i) y[i] = To(x[i] ? 1.0f : 0.0f);
}

void widen_f32(std::byte* out, const std::byte* const* in, int n) {
  const auto* x = reinterpret_cast<const float*>(in[0]);
  auto* y = reinterpret_cast<double*>(out);
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> half;
  const int lanes = static_cast<int>(hn::Lanes(d));
  int i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::PromoteTo(d, hn::LoadU(half, x + i)), d, y + i);
  for (; i < n; ++i) y[i] = static_cast<double>(x[i]);
}

void narrow_f64(std::byte* out, const std::byte* const* in, int n) {
  const auto* x = reinterpret_cast<const double*>(in[0]);
  auto* y = reinterpret_cast<float*>(out);
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> half;
  const int lanes = static_cast<int>(hn::Lanes(d));
  int i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::DemoteTo(half, hn::LoadU(d, x + i)), half, y + i);
  for (; i < n; ++i) y[i] = static_cast<float>(x[i]);
}

// --- Random words ---

/// Philox4x32-10 (sdk/arithmetic.h), a counter in each lane of 64 bits.
void philox(std::byte* out, const std::byte* const* in, int n) {
  const hn::ScalableTag<std::uint64_t> d;
  const hn::Repartition<std::uint32_t, decltype(d)> words;
  using V = hn::Vec<decltype(d)>;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto *index = reinterpret_cast<const std::uint64_t*>(in[0]),
             *offset = reinterpret_cast<const std::uint64_t*>(in[1]),
             *seed = reinterpret_cast<const std::uint64_t*>(in[2]);
  auto* y = reinterpret_cast<std::uint32_t*>(out);
  const V low = hn::Set(d, 0xffffffffu);
  const auto product = [&](V a, std::uint64_t b) HWY_ATTR {
    return hn::MulEven(hn::BitCast(words, a), hn::BitCast(words, hn::Set(d, b)));
  };
  int i = 0;
  for (; i + lanes <= n; i += lanes) {
    const V at = hn::LoadU(d, index + i), stream = hn::LoadU(d, offset + i), s = hn::LoadU(d, seed + i);
    const V count = hn::ShiftRight<2>(at);
    V c0 = hn::And(count, low), c1 = hn::ShiftRight<32>(count);
    V c2 = hn::And(stream, low), c3 = hn::ShiftRight<32>(stream);
    V k0 = hn::And(s, low), k1 = hn::ShiftRight<32>(s);
    for (int round = 0; round < 10; ++round) {
      const V first = product(c0, 0xD2511F53), second = product(c2, 0xCD9E8D57);
      c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(second), c1), k0);
      c1 = hn::And(second, low);
      c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(first), c3), k1);
      c3 = hn::And(first, low);
      k0 = hn::And(hn::Add(k0, hn::Set(d, 0x9E3779B9)), low);
      k1 = hn::And(hn::Add(k1, hn::Set(d, 0xBB67AE85)), low);
    }
    const V which = hn::And(at, hn::Set(d, 3));
    V word = hn::IfThenElse(hn::Eq(which, hn::Set(d, 1)), c1, c0);
    word = hn::IfThenElse(hn::Eq(which, hn::Set(d, 2)), c2, word);
    word = hn::IfThenElse(hn::Eq(which, hn::Set(d, 3)), c3, word);
    const hn::Rebind<std::uint32_t, decltype(d)> half;
    hn::StoreU(hn::TruncateTo(half, word), half, y + i);
  }
  for (; i < n; ++i) y[i] = sdk::meaning::philox<std::uint64_t>(index[i], offset[i], seed[i]);
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

template <class To>
Step for_cast_to(std::uint8_t from) {
  switch (from) {
    case TENON_DTYPE_F32:
      return convert<float, To>;
    case TENON_DTYPE_BF16:
      return convert<sdk::bfloat16, To>;
    case TENON_DTYPE_F16:
      return kHasHalf ? convert<sdk::half, To> : nullptr;
    case TENON_DTYPE_I32:
      return from_i32<To>;
    case TENON_DTYPE_U32:
      return from_u32<To>;
    case TENON_DTYPE_BOOL:
      return from_bool<To>;
    default:
      return nullptr;
  }
}

Step for_cast(std::uint8_t from, std::uint8_t to) {
  if (from == TENON_DTYPE_F32 && to == TENON_DTYPE_F64) return widen_f32;
  if (from == TENON_DTYPE_F64 && to == TENON_DTYPE_F32) return narrow_f64;
  switch (to) {
    case TENON_DTYPE_F32:
      return for_cast_to<float>(from);
    case TENON_DTYPE_BF16:
      return from == TENON_DTYPE_F32 ? for_cast_to<sdk::bfloat16>(from) : nullptr;
    case TENON_DTYPE_F16:
      return kHasHalf && from == TENON_DTYPE_F32 ? for_cast_to<sdk::half>(from) : nullptr;
    default:
      return nullptr;
  }
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
      return for_integers<And>(result);
    case TENON_OP_OR:
      return for_integers<Or>(result);
    case TENON_OP_XOR:
      return for_integers<Xor>(result);
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
    case TENON_OP_CAST:
      return for_cast(operand, result);
    case TENON_OP_FLOOR:
      return for_all_floats<Floor>(result);
    case TENON_OP_TRUNC:
      return for_all_floats<Trunc>(result);
    case TENON_OP_ROUND:
      return for_all_floats<Round>(result);
    case TENON_OP_SQRT:
      return for_all_floats<Sqrt>(result);
    case TENON_OP_EXP:
      return for_floats<Exp>(result);
    case TENON_OP_EXP2:
      return for_floats<Exp2>(result);
    case TENON_OP_EXPM1:
      return for_floats<Expm1>(result);
    case TENON_OP_LOG:
      return for_floats<Log>(result);
    case TENON_OP_LOG2:
      return for_floats<Log2>(result);
    case TENON_OP_LOG1P:
      return for_floats<Log1p>(result);
    case TENON_OP_TANH:
      return for_floats<Tanh>(result);
    case TENON_OP_ERF:
      return for_floats<Erf>(result);
    case TENON_OP_SIGMOID:
      return for_floats<Sigmoid>(result);
    case TENON_OP_RSQRT:
      return for_floats<Rsqrt>(result);
    case TENON_OP_PHILOX:
      return philox;
    default:
      return nullptr;
  }
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
HWY_EXPORT(target_name);

Step find_step(std::uint8_t opcode, std::uint8_t operand, std::uint8_t result) {
  const Step step = HWY_DYNAMIC_DISPATCH(vector_step)(opcode, operand, result);
  return step != nullptr ? step : tenon::sdk::step_for(opcode, operand, result);
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
