// Tensors of every dtype that a device stores: host values in and out, conversion between every two,
// and arithmetic in every dtype that it computes. Expectations are computed in long double and rounded
// once.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "tests/support/devices.h"
#include "tests/support/half_oracle.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

template <class F>
void for_each_dtype(F f) {
  f(bool{}), f(std::uint8_t{}), f(std::int8_t{}), f(std::uint16_t{}), f(std::int16_t{});
  f(std::uint32_t{}), f(std::int32_t{}), f(std::uint64_t{}), f(std::int64_t{});
  f(float16{}), f(bfloat16{}), f(float{}), f(double{});
}

class DTypes : public testing::TestWithParam<std::string> {
 protected:
  bool stores(DType dtype) const { return has(device_.info().storage_dtypes, dtype); }
  bool computes(DType dtype) const { return has(device_.info().compute_dtypes, dtype); }
  template <class F>
  void for_each_stored(F f) const {
    for_each_dtype([&]<class T>(T zero) {
      if (stores(dtype_of<T>)) f(zero);
    });
  }
  TensorOptions as(DType dtype) const { return {.dtype = dtype, .device = device_}; }
  template <class T>
  Tensor tensor_of(const std::vector<T>& values) const {
    return tensor(values, {.device = device_});
  }

  const Device device_ = device(GetParam());

 private:
  static bool has(const std::vector<DType>& all, DType dtype) {
    return std::find(all.begin(), all.end(), dtype) != all.end();
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, DTypes, testing::ValuesIn(test_devices()), device_test_name);

// --- The oracle ---

template <class T>
long double exact(T x) {
  if constexpr (FloatingNumber<T>)
    return static_cast<double>(x);
  else
    return static_cast<long double>(x);
}

const std::vector<long double>& half_magnitudes(DType dtype) {
  static const std::vector<long double> of_f16 = magnitudes(kF16Format),
                                        of_bf16 = magnitudes(kBf16Format);
  return dtype == f16 ? of_f16 : of_bf16;
}

/// Rounded once, or truncated and saturated, as a cast does.
template <class T>
T from_exact(long double x) {
  if constexpr (std::is_same_v<T, bool>) {
    return x != 0;
  } else if constexpr (std::is_integral_v<T>) {
    const auto top = std::ldexp(1.0L, std::numeric_limits<T>::digits);
    if (std::isnan(x)) return 0;
    if (x >= top) return std::numeric_limits<T>::max();
    return x <= std::numeric_limits<T>::min() ? std::numeric_limits<T>::min() : static_cast<T>(x);
  } else if constexpr (sizeof(T) == 2) {
    const HalfFormat format = dtype_of<T> == f16 ? kF16Format : kBf16Format;
    return T::from_bits(nearest_half(x, format, half_magnitudes(dtype_of<T>)));
  } else {
    return static_cast<T>(x);
  }
}

template <class To, class From>
To converted(From x) {
  if constexpr (std::is_integral_v<From> && std::is_integral_v<To> && !std::is_same_v<To, bool>)
    return static_cast<To>(x);  // wraps
  else
    return from_exact<To>(exact(x));
}

/// Bit for bit, but for NaN.
template <class T>
void expect_bits(const std::vector<T>& got, const std::vector<T>& expected, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const T x = got[i], y = expected[i];
    if (std::isnan(exact(y))) {
      EXPECT_TRUE(std::isnan(exact(x))) << what << ", element " << i << " is " << exact(x);
    } else {
      EXPECT_TRUE(std::memcmp(&x, &y, sizeof x) == 0)
          << what << ", element " << i << " is " << exact(x) << ", not " << exact(y);
    }
  }
}

/// Extremes, ties, denormals, what other dtypes can't hold.
template <class T>
std::vector<T> interesting() {
  std::vector<T> values;
  if constexpr (std::is_integral_v<T>) {
    using Limits = std::numeric_limits<T>;
    for (const T x : {Limits::min(), Limits::max(), T(0), T(1), T(Limits::max() / 2), T(37), T(-1)})
      values.push_back(x);
    for (const std::int64_t x : {255, 2049, 65519, 65520, 16777217})
      values.push_back(static_cast<T>(x));
  } else {
    for (const double x : {0.0,    -0.0,         1.0,         -1.5,   0.1,      2.5,       -0.5,
                           255.9,  -128.5,       300.0,       2049.0, 65504.0,  65519.9,   1e5,
                           0x1p31, -0x1p31,      0x1p63,      0x1p64, -0x1p63,  1e-5,      6e-8,
                           3e-39,  0x1.00201p+0, 0x1.0101p+0, 1e300,  HUGE_VAL, -HUGE_VAL, double{NAN}})
      values.push_back(static_cast<T>(x));
  }
  return values;
}

// --- In and out ---

TEST_P(DTypes, HostValuesComeBackBitForBit) {
  for_each_stored([&]<class T>(T) {
    const std::vector<T> values = interesting<T>();
    const Tensor x = tensor_of(values);
    ASSERT_EQ(x.dtype(), dtype_of<T>);
    const std::vector<T> back = x.template to_vector<T>();
    ASSERT_EQ(back.size(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const T a = values[i], b = back[i];
      EXPECT_EQ(std::memcmp(&a, &b, sizeof a), 0) << name(dtype_of<T>) << ' ' << i;
    }
  });
}

TEST_P(DTypes, ListsAreConvertedOnTheHost) {
  for_each_stored([&]<class T>(T) {
    const DType dtype = dtype_of<T>;
    std::vector<double> numbers{1.0, -2.5, 0.1, 70000.0, 300.0, 0.0, -1.0, 200.0, 70001.0};
    std::erase_if(numbers, [&](double x) { return !Scalar(x).fits(dtype); });
    std::vector<T> wanted;
    for (const double x : numbers) wanted.push_back(from_exact<T>(x));
    expect_bits(tensor(numbers, as(dtype)).template to_vector<T>(), wanted, std::string(name(dtype)));
    expect_bits(tensor({{0, 1}, {2, 100}}, as(dtype)).template to_vector<T>(),
                {converted<T>(0), converted<T>(1), converted<T>(2), converted<T>(100)},
                std::string(name(dtype)));
  });
  EXPECT_EQ(tensor({float16(1), float16(2)}).dtype(), f32) << "as of all floating literals";
  EXPECT_EQ(tensor({true, false}, as(f64)).to_vector<double>(), (std::vector<double>{1, 0}));
}

TEST_P(DTypes, FillsAndCounts) {
  for_each_stored([&]<class T>(T) {
    const DType dtype = dtype_of<T>;
    const std::string what(name(dtype));
    const T zero = converted<T>(0), one = converted<T>(1), three = converted<T>(3);
    expect_bits(zeros({2}, as(dtype)).template to_vector<T>(), {zero, zero}, what);
    expect_bits(ones({1, 2}, as(dtype)).template to_vector<T>(), {one, one}, what);
    expect_bits(full({2}, 3, as(dtype)).template to_vector<T>(), {three, three}, what);
    expect_bits(full({1}, 2.5, as(dtype)).template to_vector<T>(), {from_exact<T>(2.5)}, what);
    Tensor filled = empty({2}, as(dtype));
    expect_bits(filled.fill_(1).template to_vector<T>(), {one, one}, what);
    expect_bits(arange(4, as(dtype)).template to_vector<T>(), {zero, one, converted<T>(2), three},
                what);
    EXPECT_EQ(full({}, 3, as(dtype)).item<double>(), exact(three)) << what;
    EXPECT_EQ(full({}, 3, as(dtype)).item<float16>(), float16(static_cast<double>(exact(three))))
        << what;
  });
  if (stores(u8)) {
    EXPECT_EQ(arange(256, as(u8)).to_vector<std::uint8_t>().back(), 255);
  }
  EXPECT_EQ(thrown([&] { arange(257, as(u8)); }), invalid_argument("[arange] 256 does not fit u8"));
  if (stores(i8)) {
    EXPECT_EQ(thrown([&] { full({1}, 128, as(i8)); }), invalid_argument("[full] 128 does not fit i8"));
  }
}

TEST_P(DTypes, ConvertToEachOther) {
  for_each_stored([&]<class From>(From) {
    const std::vector<From> values = interesting<From>();
    const Tensor x = tensor_of(values);
    for_each_stored([&]<class To>(To) {
      std::vector<To> expected;
      for (const From value : values) expected.push_back(converted<To>(value));
      const std::string what =
          std::string(name(dtype_of<From>)) + " to " + std::string(name(dtype_of<To>));
      expect_bits(x.to(dtype_of<To>).template to_vector<To>(), expected, what);
      Tensor y = zeros(x.shape(), as(dtype_of<To>));
      expect_bits(y.copy_(x).template to_vector<To>(), expected, what);
    });
  });
}

// --- Arithmetic ---

/// x op y by the oracle: exact, then rounded to T or wrapped.
template <class T, class F>
T computed(T x, T y, F f) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(f(static_cast<std::uint64_t>(x), static_cast<std::uint64_t>(y)));
  else
    return from_exact<T>(f(exact(x), exact(y)));
}

TEST_P(DTypes, ComputeAsThemselves) {
  for_each_stored([&]<class T>(T) {
    // The 64 bits of the oracle round twice without harm to f32 (Figueroa, 1995), not to f64.
    if constexpr (!std::is_same_v<T, bool> && !std::is_same_v<T, double>) {
      if (!computes(dtype_of<T>)) return;
      const std::vector<T> x = interesting<T>();
      std::vector<T> y = x;
      std::rotate(y.begin(), y.begin() + 5, y.end());
      const Tensor a = tensor_of(x), b = tensor_of(y);
      const std::string what(name(dtype_of<T>));
      const auto expect = [&](const Tensor& got, auto f) {
        std::vector<T> expected;
        for (std::size_t i = 0; i < x.size(); ++i) expected.push_back(computed(x[i], y[i], f));
        ASSERT_EQ(got.dtype(), dtype_of<T>);
        expect_bits(got.template to_vector<T>(), expected, what);
      };
      expect(a + b, [](auto p, auto q) { return p + q; });
      expect(a - b, [](auto p, auto q) { return p - q; });
      expect(a * b, [](auto p, auto q) { return p * q; });
      expect(-a, [](auto p, auto) { return -p; });
      std::vector<bool> less, equal;
      for (std::size_t i = 0; i < x.size(); ++i) {
        less.push_back(x[i] < y[i]);
        equal.push_back(x[i] == y[i]);
      }
      EXPECT_EQ((a < b).to_vector<bool>(), less) << what;
      EXPECT_EQ((a == b).to_vector<bool>(), equal) << what;
    }
  });
}

TEST_P(DTypes, SmallIntegersWrapAndSumWide) {
  for_each_stored([&]<class T>(T) {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      if (!computes(dtype_of<T>)) return;
      const std::string what(name(dtype_of<T>));
      using Limits = std::numeric_limits<T>;
      const Tensor greatest = tensor_of(std::vector<T>{Limits::max()});
      EXPECT_EQ((greatest + 1).template to_vector<T>()[0], Limits::min()) << what;
      EXPECT_EQ(abs(tensor_of(std::vector<T>{Limits::min()})).template to_vector<T>()[0],
                Limits::min());
      const DType wide = std::is_signed_v<T> ? i64 : u64;
      if (!computes(wide) || sizeof(T) == 8) return;
      const Tensor total = greatest.expand({1000}).sum();
      EXPECT_EQ(total.dtype(), wide) << what;
      EXPECT_EQ(total.item<double>(), 1000.0 * static_cast<double>(Limits::max())) << what;
      EXPECT_EQ(greatest.expand({3}).max().template to_vector<T>()[0], Limits::max()) << what;
    }
  });
}

TEST_P(DTypes, SixteenBitFloatsSumInMore) {
  for (const DType dtype : {f16, bf16}) {
    if (!computes(dtype)) continue;
    const Tensor one = ones({4096}, as(dtype));
    EXPECT_EQ(one.sum().dtype(), dtype);
    EXPECT_EQ(one.sum().item<double>(), 4096) << "a sum in the dtype would stop growing";
    EXPECT_EQ((one * 100).mean().item<double>(), 100) << "the sum is beyond f16";
    EXPECT_EQ((one * 3).max().item<double>(), 3);
    EXPECT_EQ((one / 3).select(0, 0).item<double>(), dtype == f16 ? 0x1.554p-2 : 0x1.56p-2);
  }
}

TEST_P(DTypes, NumbersAreRoundedOnce) {
  // By way of f32 it would be 1 + 2^-11, a tie.
  constexpr double kAboveTie = 1 + 0x1p-11 + 0x1p-30;
  const auto expect_above = [](const Tensor& x) {
    EXPECT_EQ(x.to_vector<float16>()[0].bits(), 0x3c01);
  };
  if (!stores(f16)) GTEST_SKIP() << "no f16";
  expect_above(full({1}, kAboveTie, as(f16)));
  expect_above(tensor({kAboveTie}, as(f16)));
  if (stores(f64)) expect_above(tensor({kAboveTie}, as(f64)).to(f16));
  if (computes(f16)) expect_above(zeros({1}, as(f16)) + kAboveTie);
}

TEST_P(DTypes, ThatAreNotStoredAreNamed) {
  for_each_dtype([&]<class T>(T) {
    if (stores(dtype_of<T>)) return;
    const auto refusal = [&](const std::string& op) {
      return Thrown{ErrorKind::Unsupported, "[" + op + "] " + device_.name() + " does not store " +
                                                std::string(name(dtype_of<T>))};
    };
    EXPECT_EQ(thrown([&] { full({2}, 1, as(dtype_of<T>)); }), refusal("full"));
    EXPECT_EQ(thrown([&] { zeros({2}, as(f32)).to(dtype_of<T>); }), refusal("to"));
    EXPECT_EQ(thrown([&] { tensor_of(interesting<T>()); }), refusal("from_bytes"));
  });
}

TEST_P(DTypes, EveryBitPatternComesBack) {
  for (const DType dtype : {f16, bf16, u16, i16}) {
    if (!stores(dtype)) continue;
    std::vector<std::uint16_t> all(0x10000);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
    const Tensor x = from_bytes(std::as_bytes(std::span(all)), {256, 256}, as(dtype));
    std::vector<std::uint16_t> back(all.size());
    x.read(std::as_writable_bytes(std::span(back)));
    EXPECT_EQ(back, all) << name(dtype);
    x.transpose(0, 1).contiguous().transpose(0, 1).contiguous().read(
        std::as_writable_bytes(std::span(back)));
    EXPECT_EQ(back, all) << name(dtype) << ", moved by copies that compute nothing";
  }
}

}  // namespace
}  // namespace tenon::test
