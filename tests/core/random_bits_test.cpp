// The bits of random numbers: known answers, the same on every device, in every layout and part.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/random.h>

#include "core/ops/random_programs.h"
#include "core/ops/run.h"
#include "tests/support/devices.h"

namespace tenon::test {
namespace {

using program::Program;
using random::Generator;
using testing::ElementsAre;

class RandomBits : public testing::TestWithParam<std::string> {
 protected:
  bool stores(DType dtype) const {
    const auto& all = device_.info().storage_dtypes;
    return std::find(all.begin(), all.end(), dtype) != all.end();
  }
  TensorOptions as(DType dtype) const { return {.dtype = dtype, .device = device_}; }

  const Device device_ = device(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Devices, RandomBits, testing::ValuesIn(test_devices()), device_test_name);

constexpr std::uint64_t kSeed = 0xfedcba9876543210, kOffset = 0x1234567800000003;

/// A generator whose next draw is stream kOffset.
Generator at_known_stream() {
  Generator generator;
  generator.set_state({.seed = kSeed, .offset = kOffset});
  return generator;
}

// The known answers were computed by randomgen 2.5.1's Philox(number=4, width=32) and NumPy 2.4, each
// operation rounded to its dtype.

TEST_P(RandomBits, UniformHasItsKnownAnswers) {
  Generator g = at_known_stream(), h = at_known_stream();
  EXPECT_THAT(random::uniform({6}, {}, as(f32), g).to_vector<float>(),
              ElementsAre(0x1.5434f8p-1f, 0x1.824278p-3f, 0x1.871fa0p-5f, 0x1.9cc990p-4f,
                          0x1.04e9e4p-1f, 0x1.1814e8p-2f));
  EXPECT_THAT(random::uniform({4}, {}, as(f64), h).to_vector<double>(),
              ElementsAre(0x1.5434f9a460909p-1, 0x1.871fa78339930p-5, 0x1.04e9e5b08c0a7p-1,
                          0x1.fc1259f3ac16fp-1));
}

TEST_P(RandomBits, SixteenBitUniformHasItsKnownAnswers) {
  Generator g = at_known_stream(), h = at_known_stream();
  const auto bits_of = []<class T>(const std::vector<T>& values) {
    std::vector<int> bits;
    for (const T value : values) bits.push_back(value.bits());
    return bits;
  };
  if (stores(f16)) {
    EXPECT_THAT(bits_of(random::uniform({8}, {-1, 1}, as(f16), g).to_vector<float16>()),
                ElementsAre(0x3543, 0xb8fb, 0xbb3c, 0xba63, 0x24ea, 0xb73f, 0x3be1, 0x3961));
  }
  if (stores(bf16)) {
    EXPECT_THAT(bits_of(random::uniform({8}, {-1, 1}, as(bf16), h).to_vector<bfloat16>()),
                ElementsAre(0x3ea8, 0xbf1f, 0xbf68, 0xbf4c, 0x3c9d, 0xbee8, 0x3f7c, 0x3f2c));
  }
}

TEST_P(RandomBits, NormalHasItsKnownAnswers) {
  Generator g = at_known_stream(), h = at_known_stream();
  EXPECT_THAT(random::normal({6}, {}, as(f32), g).to_vector<float>(),
              ElementsAre(0x1.028744p-1f, 0x1.892e82p-1f, 0x1.c243d8p-1f, -0x1.f4a912p-5f,
                          0x1.8b54fcp+0f, 0x1.d167a0p-2f));
  EXPECT_THAT(random::normal({4}, {}, as(f64), h).to_vector<double>(),
              ElementsAre(0x1.14b6725c37022p-3, -0x1.ca839250f6304p-6, -0x1.6d69524fee7f0p+0,
                          0x1.b6039c7bc1db5p+0));
}

TEST_P(RandomBits, AThousandNormalsHaveTheirKnownSum) {
  const auto sum = []<class Bits, class T>(Bits, const std::vector<T>& values) {
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
      total += std::uint64_t{std::bit_cast<Bits>(values[i])} * (2 * i + 1);
    return total;
  };
  Generator g = at_known_stream(), h = at_known_stream();
  const Tensor x = random::normal({1000}, {}, as(f32), g), y = random::normal({1000}, {}, as(f64), h);
  EXPECT_EQ(sum(std::uint32_t{}, x.to_vector<float>()), 0x79b82fb62e7bfu);
  EXPECT_EQ(sum(std::uint64_t{}, y.to_vector<double>()), 0x7c964c0a6bd85ab7u);
}

TEST_P(RandomBits, BernoulliHasItsKnownAnswers) {
  Generator g = at_known_stream();
  EXPECT_THAT(random::bernoulli({12}, 0.3, {.device = device_}, g).to_vector<bool>(),
              ElementsAre(0, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0, 1));
}

TEST_P(RandomBits, IntegersHaveTheirKnownAnswersInEveryDType) {
  const std::vector<int> expected = {6, -5, 3, 11, -2, 7, -2, 3};
  for (const DType dtype : {i8, i16, i32, i64, u8, u16, u32, u64}) {
    if (!stores(dtype)) continue;
    Generator g = at_known_stream();
    const int shift = is_signed_integer(dtype) ? 0 : 5;
    const Tensor x = random::integers({8}, {-5 + shift, 12 + shift}, as(dtype), g);
    ASSERT_EQ(x.dtype(), dtype);
    for (int i = 0; i < 8; ++i)
      EXPECT_EQ(x.select(0, i).item<int>(), expected[static_cast<std::size_t>(i)] + shift)
          << name(dtype);
  }
}

TEST_P(RandomBits, WideIntegersHaveTheirKnownAnswers) {
  Generator g = at_known_stream(), h = at_known_stream(), k = at_known_stream();
  constexpr std::int64_t kLow = -(std::int64_t{1} << 62), kHigh = std::int64_t{3} << 61;
  EXPECT_THAT(random::integers({4}, {kLow, kHigh}, as(i64), g).to_vector<std::int64_t>(),
              ElementsAre(3049093092845892035, 1263567314654282870, -2330368214338102027,
                          -1950635347587690959));
  EXPECT_THAT(random::integers({3}, {}, as(u64), h).to_vector<std::uint64_t>(),
              ElementsAre(12257246578037247903u, 9400405332930673239u, 3650108486542857403u));
  EXPECT_THAT(random::integers({4}, {.low = std::numeric_limits<std::int32_t>::min()}, as(i32), k)
                  .to_vector<std::int32_t>(),
              ElementsAre(706378962, -1942422212, 41218776, 2114530553));
}

TEST_P(RandomBits, EveryLayoutAndPartHasTheSameBits) {
  const Shape shape{3, 4, 5};
  Generator g(11);
  const Tensor whole = random::normal(shape, {}, as(f32), g);
  const Program program = random::normal_program(f32);
  const std::uint64_t zero = Scalar(0).bits(f32), one = Scalar(1).bits(f32);
  const auto draw_into = [&](Tensor y, std::int64_t start, Strides strides) {
    for (std::int64_t& stride : strides) stride *= 2;  // words of an element
    const ops::Operands operands{
        {y}, {{Tensor(), 2 * start, strides}, {Tensor(), 2 * start + 1, strides}}, {0, 11, zero, one}};
    ops::run("test", program, {&operands, 1});
  };
  const auto bits = [](const Tensor& x) { return x.to_vector<float>(); };
  const Tensor permuted = empty({5, 3, 4}, as(f32)).permute({1, 2, 0});
  draw_into(permuted, 0, {20, 5, 1});
  EXPECT_EQ(bits(permuted), bits(whole));
  const Tensor reversed = empty({3, 4, 10}, as(f32)).slice(2, {.start = -1, .step = -2});
  draw_into(reversed, 0, {20, 5, 1});
  EXPECT_EQ(bits(reversed), bits(whole));
  const Tensor part = empty({2, 2, 3}, as(f32));
  draw_into(part, 1 * 20 + 2 * 5 + 1, {20, 5, 1});
  EXPECT_EQ(bits(part), bits(whole.slice(0, {1, 3}).slice(1, {2, 4}).slice(2, {1, 4})));
  Generator again(11);
  EXPECT_EQ(bits(random::normal({60}, {}, as(f32), again)), bits(whole));
}

TEST_P(RandomBits, EveryDeviceDrawsWhatReferenceDraws) {
  const Device reference = device("reference");
  const auto compare = [&](DType dtype, auto draw) {
    if (!stores(dtype)) return;
    Generator a(5), b(5);
    const Tensor here = draw(device_, a), there = draw(reference, b);
    std::vector<std::byte> x(static_cast<std::size_t>(here.numel() * size_of(dtype))), y(x.size());
    here.read(x);
    there.read(y);
    EXPECT_EQ(x, y) << name(dtype);
    EXPECT_EQ(a.state(), b.state());
  };
  for (const DType dtype : {f16, bf16, f32, f64}) {
    compare(dtype, [&](Device on, Generator& g) {
      return random::uniform({777}, {-2, 3}, {.dtype = dtype, .device = on}, g);
    });
    compare(dtype, [&](Device on, Generator& g) {
      return random::normal({777}, {-2, 3}, {.dtype = dtype, .device = on}, g);
    });
    compare(dtype, [&](Device on, Generator& g) {
      return random::exponential({777}, 0.3, {.dtype = dtype, .device = on}, g);
    });
  }
  for (const bool replacement : {false, true}) {
    compare(i64, [&](Device on, Generator& g) {
      const Tensor weights = random::uniform({3, 50}, {}, {.device = on}, g);
      return random::multinomial(weights, 20, replacement, g);
    });
  }
  for (const DType dtype : {bool_, u8, i8, u16, i16, u32, i32, u64, i64, f32}) {
    compare(dtype, [&](Device on, Generator& g) {
      return random::bernoulli({777}, 0.25, {.dtype = dtype, .device = on}, g);
    });
    if (is_integer(dtype)) {
      compare(dtype, [&](Device on, Generator& g) {
        return random::integers({777}, {}, {.dtype = dtype, .device = on}, g);
      });
    }
  }
}

}  // namespace
}  // namespace tenon::test
