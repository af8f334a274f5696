// A thousand random programs on every device, over operands that lie and stretch in all ways, against
// the independent evaluator.
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/plugin.h>

#include "core/runtime/device_state.h"
#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/program_generator.h"
#include "tests/support/program_oracle.h"
#include "tests/support/rounds.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using program::Program;

/// An operand on the host, as raw bits, and the same on the device.
struct Operand {
  Array<std::uint64_t> bits;
  Tensor tensor;
};

/// What of `shape` an operand has: all of it, or 1 in some dimensions, or fewer dimensions.
Shape stretchable(Shape shape, std::mt19937_64& random) {
  switch (random() % 4) {
    case 0:
      shape[static_cast<int>(random() % static_cast<std::uint64_t>(shape.size()))] = 1;
      break;
    case 1:
      while (!shape.empty() && random() % 2 == 0) shape.erase(0);
      break;
  }
  return shape;
}

template <class T>
Array<T> typed(const Array<std::uint64_t>& bits) {
  Array<T> x{bits.shape, {}};
  for (const std::uint64_t value : bits.values) x.values.push_back(from_raw<T>(value));
  return x;
}

Operand make_operand(DType dtype, const Shape& shape, std::mt19937_64& random, Device device) {
  Operand operand{{shape, random_values(random(), dtype, element_count(shape))}, {}};
  const Layout layout = kLayouts[random() % std::size(kLayouts)];
  for_each_type([&](auto zero) {
    using T = decltype(zero);
    if (dtype == dtype_of<T>) operand.tensor = arranged(typed<T>(operand.bits), layout, device);
  });
  return operand;
}

std::vector<std::uint64_t> bits_of(const Tensor& x) {
  const auto size = static_cast<std::size_t>(size_of(x.dtype()));
  std::vector<std::uint64_t> bits(static_cast<std::size_t>(x.numel()));
  std::vector<std::byte> bytes(bits.size() * size);
  x.read(bytes);
  for (std::size_t i = 0; i < bits.size(); ++i) std::memcpy(&bits[i], bytes.data() + i * size, size);
  return bits;
}

/// The outputs' raw bits, row-major.
std::vector<std::vector<std::uint64_t>> expected(const RandomProgram& p,
                                                 const std::vector<Operand>& operands,
                                                 const Shape& shape) {
  std::vector<std::vector<std::uint64_t>> outputs(static_cast<std::size_t>(p.program.output_count()));
  for (const Dims& at : coordinates(shape)) {
    std::vector<std::uint64_t> inputs;
    for (const Operand& operand : operands)
      inputs.push_back(operand.bits.values[element_at(operand.bits.shape, at)]);
    const auto results = evaluate(p.program.bytes(), inputs, p.scalars);
    for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].push_back(results[i]);
  }
  return outputs;
}

class DevicePrograms : public testing::TestWithParam<std::string> {
 protected:
  GeneratorOptions options() const {
    GeneratorOptions options;
    for (const DType dtype : device_.info().compute_dtypes) {
      for_each_type([&](auto zero) {
        if (dtype_of<decltype(zero)> == dtype) options.dtypes |= 1u << static_cast<int>(dtype);
      });
    }
    options.optional_opcodes = device_.state().limits().opcodes;
    return options;
  }

  void check(std::uint64_t seed) {
    const RandomProgram p = random_program(seed, options());
    std::mt19937_64 random(seed);
    const Shape shapes[] = {{5}, {3, 4}, {2, 3, 2}, {1, 7}};
    const Shape whole = shapes[random() % std::size(shapes)];
    std::vector<Operand> operands;
    std::vector<Tensor> inputs;
    Shape shape;
    for (int i = 0; i < p.program.input_count(); ++i) {
      operands.push_back(
          make_operand(p.program.input_dtype(i), stretchable(whole, random), random, device_));
      inputs.push_back(operands.back().tensor);
      shape = stretched(shape, operands.back().bits.shape);
    }
    const std::vector<Tensor> found = elementwise(p.program, inputs, p.scalars);
    const auto wanted = expected(p, operands, shape);
    ASSERT_EQ(found.size(), wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      const DType dtype = p.program.output_dtype(static_cast<int>(i));
      const double ulp = tolerance(p.program, static_cast<int>(i));
      ASSERT_EQ(found[i].dtype(), dtype);
      ASSERT_EQ(found[i].shape(), shape) << to_string(found[i].shape());
      const auto bits = bits_of(found[i]);
      for (std::size_t k = 0; k < bits.size(); ++k)
        ASSERT_TRUE(close(dtype, bits[k], wanted[i][k], ulp))
            << "output " << i << ", element " << k << " of " << to_string(shape) << std::hex << ": "
            << bits[k] << ", not " << wanted[i][k];
    }
  }

  const Device device_ = device(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Devices, DevicePrograms, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(DevicePrograms, AgreeWithTheEvaluator) {
  for (std::uint64_t seed = 0; seed < rounds(1000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" +
                 random_program(seed, options()).program.text());
    check(seed);
    if (HasFatalFailure()) return;
  }
}

TEST_P(DevicePrograms, RefuseOperandsThatDoNotFit) {
  program::Builder b;
  b.output(b.input(f32) + b.input(f32) * b.scalar(f32));
  const Program p = b.build();
  const Tensor x = ones({2}, {.device = device_}), whole = x.to(i32);
  const std::uint64_t one[] = {Scalar(1).bits(f32)};
  const Tensor single[] = {x}, both[] = {x, x}, mixed[] = {x, whole};
  EXPECT_EQ(thrown([&] { elementwise(p, single, one); }),
            invalid_argument("[elementwise] the program takes 2 inputs, not 1"));
  EXPECT_EQ(thrown([&] { elementwise(p, both); }),
            invalid_argument("[elementwise] the program takes 1 scalars, not 0"));
  EXPECT_EQ(thrown([&] { elementwise(p, mixed, one); }),
            invalid_argument("[elementwise] input 1 is i32, the program takes f32"));
  expect_equals(elementwise(p, both, one).front(), Array<float>{{2}, {2, 2}});
}

}  // namespace
}  // namespace tenon::test
