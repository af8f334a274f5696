// Bits do not depend on how work is cut: those of a whole are those of its parts, whichever loop does
// them, and those of a copy are its source's.
#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <tenon/ops.h>
#include <tenon/random.h>

#include "tests/ops/on_device.h"

namespace tenon::test {
namespace {

class Cuts : public OnDevice {
 protected:
  Tensor normal(const Shape& shape, DType dtype = f32) {
    random::Generator generator(7);
    return random::normal(shape, {}, {.dtype = dtype, .device = device_}, generator);
  }
};

/// The values as f64, bit by bit.
std::vector<std::uint64_t> bits_of(const Tensor& x) {
  const std::vector<double> values = x.to(f64).to_vector<double>();
  std::vector<std::uint64_t> bits(values.size());
  std::memcpy(bits.data(), values.data(), values.size() * sizeof(double));
  return bits;
}

using Op = std::function<Tensor(const Tensor&)>;

/// op(x) beside op of parts of x along `dim`, whose lengths are all that a vector or a tile may end at.
void expect_parts(const std::string& what, const Tensor& x, int dim, const Op& op,
                  const std::vector<std::int64_t>& lengths) {
  std::vector<Tensor> parts;
  std::int64_t at = 0;
  for (std::size_t i = 0; at < x.size(dim); ++i) {
    const std::int64_t n = std::min(lengths[i % lengths.size()], x.size(dim) - at);
    parts.push_back(op(x.narrow(dim, at, n)));
    at += n;
  }
  EXPECT_EQ(bits_of(op(x)), bits_of(concat(parts, 0))) << what;
}

struct Named {
  std::string name;
  Op op;
};

const std::vector<Named> kElementwise = {
    {"exp", [](const Tensor& x) { return exp(x); }},
    {"log", [](const Tensor& x) { return log(abs(x)); }},
    {"sin", [](const Tensor& x) { return sin(x * 100.0); }},
    {"cos", [](const Tensor& x) { return cos(x * 1e6); }},
    {"pow", [](const Tensor& x) { return pow(abs(x), x); }},
    {"tanh", [](const Tensor& x) { return tanh(x); }},
    {"erf", [](const Tensor& x) { return erf(x); }},
    {"sigmoid", [](const Tensor& x) { return sigmoid(x * 50.0); }},
    {"sum and product", [](const Tensor& x) { return x * x + x; }},
    {"difference with a product", [](const Tensor& x) { return x - x * 0.3; }},
};

TEST_P(Cuts, ElementwiseBitsAreThoseOfParts) {
  for (const DType dtype : {f32, f64, f16, bf16}) {
    const Tensor x = normal({2500}, dtype);
    for (const Named& it : kElementwise) {
      expect_parts(it.name + " of " + std::string(name(dtype)), x, 0, it.op,
                   {1, 7, 64, 512, 16, 3, 513, 33});
    }
  }
}

const std::vector<std::pair<std::string, Tensor (*)(const Tensor&, const Dims&)>> kReductions = {
    {"sum", [](const Tensor& x, const Dims& dims) { return sum(x, dims); }},
    {"prod", [](const Tensor& x, const Dims& dims) { return prod(x, dims); }},
    {"amax", [](const Tensor& x, const Dims& dims) { return amax(x, dims); }},
    {"sum of squares", [](const Tensor& x, const Dims& dims) { return sum(x * x, dims); }},
};

TEST_P(Cuts, BitsOfRowsDoNotDependOnOtherRows) {
  for (const std::int64_t length : {5, 64, 100, 700}) {
    const Tensor x = normal({41, length});
    for (const auto& it : kReductions) {
      expect_parts(it.first + " of rows of " + std::to_string(length), x, 0,
                   [&](const Tensor& part) { return it.second(part, {1}); }, {1, 7, 16, 2});
    }
  }
}

TEST_P(Cuts, BitsOfColumnsDoNotDependOnOtherColumns) {
  for (const std::int64_t rows : {3, 64, 150}) {
    const Tensor x = normal({rows, 1100});
    for (const auto& it : kReductions) {
      expect_parts(it.first + " of columns of " + std::to_string(rows), x, 1,
                   [&](const Tensor& part) { return it.second(part, {0}); }, {8, 64, 9, 200, 17});
    }
  }
}

TEST_P(Cuts, TransposedCopiesAreTheirSource) {
  for (const DType dtype : {u8, i16, i32, i64}) {
    for (const std::int64_t rows : {1, 3, 16, 37}) {
      for (const std::int64_t columns : {2, 15, 33, 64, 70}) {
        const Tensor x =
            random::integers({2, rows, columns}, {.high = 100}, {.dtype = i64, .device = device_});
        const Tensor copy = x.to(dtype).transpose(1, 2).contiguous();
        const auto from = x.to_vector<std::int64_t>(), to = copy.to(i64).to_vector<std::int64_t>();
        for (std::size_t i = 0; i < to.size(); ++i) {
          const auto at = static_cast<std::int64_t>(i), r = at % rows, c = at / rows % columns;
          const std::int64_t outer = at / (rows * columns);
          ASSERT_EQ(to[i], from[static_cast<std::size_t>((outer * rows + r) * columns + c)])
              << rows << " x " << columns << " of " << name(dtype) << " at " << i;
        }
      }
    }
  }
}

TEST_P(Cuts, RandomBitsAreThoseOfTheReference) {
  const auto draws = [](Device device) {
    random::Generator generator(11);
    const TensorOptions f32s = {.dtype = f32, .device = device},
                        f64s = {.dtype = f64, .device = device};
    std::vector<std::vector<std::uint64_t>> bits;
    for (const std::int64_t n : {1, 5, 511, 2000}) {
      bits.push_back(bits_of(random::uniform({n}, {}, f32s, generator)));
      bits.push_back(bits_of(random::uniform({n}, {}, f64s, generator)));
      bits.push_back(bits_of(random::normal({n}, {}, f32s, generator)));
      bits.push_back(bits_of(random::normal({n}, {}, f64s, generator)));
    }
    return bits;
  };
  EXPECT_EQ(draws(device_), draws(device("reference")));
}

INSTANTIATE_TEST_SUITE_P(Devices, Cuts, testing::ValuesIn(test_devices()), device_test_name);

}  // namespace
}  // namespace tenon::test
