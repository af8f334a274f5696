// Legalised functions on every device, through the core.
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/ops.h>
#include <tenon/tensor.h>

#include "tests/core/legalise_support.h"
#include "tests/support/devices.h"

namespace tenon::test {
namespace {

using program::Opcode;

/// A legalised draft that keeps to the ABI's limits, sealed.
program::Program sealed(const program::Draft& draft) {
  program::Builder b;
  std::vector<program::Value> inputs, constants, values;
  for (const DType dtype : draft.inputs) inputs.push_back(b.input(dtype));
  for (const program::Constant& c : draft.constants)
    constants.push_back(b.constant_bits(c.dtype, c.bits));
  const auto value = [&](std::uint16_t ref) {
    const std::size_t index = TENON_REF_INDEX(ref);
    if (TENON_REF_CLASS(ref) == TENON_REF_INSTRUCTION) return values.at(index);
    return TENON_REF_CLASS(ref) == TENON_REF_INPUT ? inputs.at(index) : constants.at(index);
  };
  for (const TenonInstruction& i : draft.instructions) {
    program::Value operands[3];
    int count = 0;
    program::each_operand(i, [&](std::uint16_t ref) { operands[count++] = value(ref); });
    values.push_back(b.apply(static_cast<Opcode>(i.opcode), static_cast<DType>(i.dtype), operands[0],
                             operands[1], operands[2]));
  }
  for (const std::uint16_t ref : draft.outputs) b.output(value(ref));
  return b.build();
}

class LegalisedOn : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Devices, LegalisedOn, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(LegalisedOn, EveryDeviceGivesTheFunction) {
  struct Row {
    Opcode opcode;
    double ulp;
    double (*exact)(double);
  };
  const Row rows[] = {{Opcode::tanh, 5, std::tanh},   {Opcode::erf, 5, std::erf},
                      {Opcode::exp2, 4, std::exp2},   {Opcode::log2, 4, std::log2},
                      {Opcode::log1p, 4, std::log1p}, {Opcode::expm1, 4, std::expm1},
                      {Opcode::trunc, 0, std::trunc}, {Opcode::round, 0, std::nearbyint}};
  std::vector<float> x;
  for (int i = -500; i < 500; ++i) x.push_back(static_cast<float>(i) * 0.02f);
  const Tensor inputs[] = {tensor(x, {.device = device(GetParam())})};
  for (const Row& row : rows) {
    const std::vector<float> y =
        elementwise(sealed(bare(uniform(row.opcode, f32))), inputs)[0].to_vector<float>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto wanted = static_cast<long double>(row.exact(static_cast<double>(x[i])));
      EXPECT_LE(ulp_error(f32, bits_of_number(f32, static_cast<long double>(y[i])), wanted), row.ulp)
          << name(row.opcode) << " of " << x[i] << " gives " << y[i];
    }
  }
}

}  // namespace
}  // namespace tenon::test
