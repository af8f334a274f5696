// Random programs on every device, over operands that lie, stretch, count and alias in all ways:
// against the independent evaluator, and in parts against the whole. 10,000 of them under --full.
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/plugin.h>

#include "core/ops/lower.h"
#include "core/ops/run.h"
#include "core/runtime/device_state.h"
#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/limited_device.h"
#include "tests/support/program_generator.h"
#include "tests/support/program_oracle.h"
#include "tests/support/rounds.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using program::Program;
using Bits = std::vector<std::uint64_t>;

std::uint32_t mask_of(const std::vector<DType>& dtypes) {
  std::uint32_t mask = 0;
  for (const DType dtype : dtypes) mask |= 1u << static_cast<unsigned>(dtype);
  return mask;
}

/// What of `shape` an operand has: all of it, or 1 in some dimensions, or fewer dimensions.
Shape stretchable(Shape shape, std::mt19937_64& random) {
  if (shape.empty()) return shape;
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

Tensor row_major(const Array<std::uint64_t>& x, DType dtype, Device device) {
  const auto size = static_cast<std::size_t>(size_of(dtype));
  std::vector<std::byte> bytes(x.values.size() * size);
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    std::memcpy(bytes.data() + i * size, &x.values[i], size);
  }
  return from_bytes(bytes, x.shape, {.dtype = dtype, .device = device});
}

/// The same elements, lying in some way.
Tensor placed(const Array<std::uint64_t>& x, DType dtype, std::mt19937_64& random, Device device) {
  const Layout layout = kLayouts[random() % std::size(kLayouts)];
  const std::uint64_t mask = dtype == bool_ ? 1 : ~std::uint64_t{0};  // of what fills gaps, too
  return arranged(x, layout, [&](Array<std::uint64_t> y) {
    for (std::uint64_t& bits : y.values) bits &= mask;
    return row_major(y, dtype, device);
  });
}

Bits bits_of(const Tensor& x) {
  const auto size = static_cast<std::size_t>(size_of(x.dtype()));
  Bits bits(static_cast<std::size_t>(x.numel()));
  std::vector<std::byte> bytes(bits.size() * size);
  x.read(bytes);
  for (std::size_t i = 0; i < bits.size(); ++i) std::memcpy(&bits[i], bytes.data() + i * size, size);
  return bits;
}

/// A program with operands on a device; the same seed gives the same.
class Case {
 public:
  Case(const RandomProgram& p, std::uint64_t seed, Device device)
      : program_(p.program), scalars_(p.scalars), random_(seed), device_(device) {
    const Shape shapes[] = {{}, {5}, {3, 4}, {2, 3, 2}, {1, 7}, {2, 1, 3, 2, 2, 2}};
    shape_ = shapes[random_() % std::size(shapes)];
    operands_.scalars = p.scalars;
    for (int i = 0; i < program_.input_count(); ++i) add_input(program_.input_dtype(i));
    for (int i = 0; i < program_.output_count(); ++i) add_output(program_.output_dtype(i));
  }

  /// The outputs' raw bits, row-major, as the evaluator has them.
  std::vector<Bits> expected() const {
    std::vector<Bits> outputs(operands_.outputs.size());
    for (const Dims& at : coordinates(shape_)) {
      Bits inputs;
      for (const auto& x : inputs_) inputs.push_back(x.values[element_at(x.shape, at)]);
      const Bits results = evaluate(program_.bytes(), inputs, scalars_);
      for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].push_back(results[i]);
    }
    return outputs;
  }

  std::vector<Bits> run(const ops::Lowered* lowered) const {
    EXPECT_FALSE(ops::run_lowered("test", program_, lowered, {&operands_, 1}));
    return outputs();
  }
  std::vector<Bits> run() const {
    ops::run("test", program_, {&operands_, 1});
    return outputs();
  }

 private:
  std::vector<Bits> outputs() const {
    std::vector<Bits> outputs;
    for (const Tensor& y : operands_.outputs) outputs.push_back(bits_of(y));
    return outputs;
  }

  void add_input(DType dtype) {
    const bool counts = is_integer(dtype) && size_of(dtype) >= 4;
    if (counts && random_() % 3 == 0) return add_index(dtype);
    Array<std::uint64_t> x{stretchable(shape_, random_), {}};
    x.values = random_values(random_(), dtype, element_count(x.shape));
    operands_.inputs.push_back({placed(x, dtype, random_, device_)});
    inputs_.push_back(std::move(x));
  }

  void add_index(DType dtype) {
    ops::Input index{{}, static_cast<std::int64_t>(random_() % 100), Dims::filled(shape_.size(), 0)};
    for (std::int64_t& stride : index.strides) stride = static_cast<std::int64_t>(random_() % 9) - 4;
    Array<std::uint64_t> x{shape_, {}};
    const std::uint64_t mask = ~std::uint64_t{0} >> (64 - 8 * size_of(dtype));
    for (const Dims& at : coordinates(shape_)) {
      std::int64_t value = index.offset;
      for (int d = 0; d < at.size(); ++d) value += at[d] * index.strides[d];
      x.values.push_back(static_cast<std::uint64_t>(value) & mask);
    }
    operands_.inputs.push_back(index);
    inputs_.push_back(std::move(x));
  }

  /// Memory of its own, or now and then an input's, read from the same end or from the other one.
  void add_output(DType dtype) {
    for (const ops::Input& x : operands_.inputs) {
      if (aliased_ || !x.tensor.defined() || x.tensor.dtype() != dtype || random_() % 4 != 0) continue;
      if (x.tensor.shape() != shape_) continue;
      aliased_ = true;
      operands_.outputs.push_back(x.tensor);
      if (shape_.size() > 0 && random_() % 3 == 0) {
        operands_.outputs.back() = x.tensor.slice(0, {.step = -1});
      }
      return;
    }
    const Array<std::uint64_t> empty{shape_, Bits(element_count(shape_))};
    operands_.outputs.push_back(placed(empty, dtype, random_, device_));
  }

  Program program_;
  Bits scalars_;
  std::mt19937_64 random_;
  Device device_;
  Shape shape_;
  ops::Operands operands_;
  std::vector<Array<std::uint64_t>> inputs_;
  bool aliased_ = false;
};

/// `ulp` for each output; nothing: exact, but the bits of a NaN.
void expect_close(const Program& p, const std::vector<Bits>& found, const std::vector<Bits>& wanted,
                  const std::vector<double>& ulp = {}) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(found[i].size(), wanted[i].size());
    for (std::size_t k = 0; k < found[i].size(); ++k) {
      ASSERT_TRUE(close(p.output_dtype(static_cast<int>(i)), found[i][k], wanted[i][k],
                        ulp.empty() ? 0 : ulp[i]))
          << "output " << i << ", element " << k << std::hex << ": " << found[i][k] << ", not "
          << wanted[i][k];
    }
  }
}

/// Limits as small as every device's, or a little larger; every other device lacks all optional
/// opcodes, and computes nothing narrow.
void limit_somehow(TenonDeviceInfo& info, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto some = [&](std::uint32_t least) {
    return least + static_cast<std::uint32_t>(random() % 3 * (random() % 4));
  };
  info.max_rank = some(4);
  info.max_instructions = some(4);
  info.max_inputs = some(2);
  info.max_outputs = some(1);
  info.max_scalars = some(3);
  info.max_constants = some(3);
  if (seed % 2 == 0) return;
  info.opcodes = 0;
  info.compute_dtypes &= ~mask_of({i8, u8, i16, u16, f16, bf16});
}

class DevicePrograms : public testing::TestWithParam<std::string> {
 protected:
  RandomProgram program_of(std::uint64_t seed) const {
    return random_program(seed, {.dtypes = mask_of(device_.info().compute_dtypes),
                                 .optional_opcodes = device_.state().limits().opcodes,
                                 .stored = mask_of(device_.info().storage_dtypes)});
  }

  void check(std::uint64_t seed) const {
    const RandomProgram p = program_of(seed);
    std::vector<double> ulp;
    for (int i = 0; i < p.program.output_count(); ++i) ulp.push_back(tolerance(p.program, i));
    const Case fused(p, seed, device_);
    const auto wanted = fused.expected(), whole = fused.run();
    expect_close(p.program, whole, wanted, ulp);
    if (testing::Test::HasFatalFailure()) return;

    const TenonDeviceInfo& info = device_.state().limits();
    const program::DTypeMasks dtypes{info.storage_dtypes, info.compute_dtypes};
    const ops::Lowered steps{split(decode(p.program), {}, dtypes, program::Cut::EachInstruction), ""};
    expect_close(p.program, Case(p, seed, device_).run(&steps), whole);
    const Device limited = limited_for(p.program, seed);
    const auto found = Case(p, seed, limited).run();
    if (limited.state().limits().opcodes == 0) return expect_close(p.program, found, wanted, ulp);
    expect_close(p.program, found, whole);
  }

  /// One of those; philox of three inputs needs one that takes as many.
  Device limited_for(const Program& p, std::uint64_t seed) const {
    const bool draws = p.text().find("philox") != std::string::npos;
    for (;; ++seed) {
      const Device device = limited_[seed % limited_.size()]->device();
      if (!draws || device.state().limits().max_inputs > 2) return device;
    }
  }

  void SetUp() override {
    for (std::uint64_t i = 0; i < 16; ++i) {
      limited_.push_back(std::make_unique<LimitedDevice>(
          device_, [&](TenonDeviceInfo& info) { limit_somehow(info, i); }));
    }
  }

  const Device device_ = device(GetParam());
  std::vector<std::unique_ptr<LimitedDevice>> limited_;
};

INSTANTIATE_TEST_SUITE_P(Devices, DevicePrograms, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(DevicePrograms, AgreeWithTheEvaluatorWholeAndInParts) {
  for (std::uint64_t seed = 0; seed < rounds(500); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + program_of(seed).program.text());
    check(seed);
    if (HasFatalFailure()) return;
  }
}

TEST_P(DevicePrograms, RefuseOperandsThatDoNotFit) {
  const Program p = program::parse(
      "in0: f32, in1: f32, s0: f32\n%0: f32 = mul in1, s0\n%1: f32 = add in0, %0\nreturn %1");
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
  EXPECT_EQ(thrown([] { elementwise([](program::Value v) { return v + 1.0; }, Tensor()); }),
            invalid_argument("[elementwise] the tensor is undefined"));
}

}  // namespace
}  // namespace tenon::test
