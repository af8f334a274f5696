// Legalised functions stay within opcodes.def on a machine whose own div, sqrt, exp and log are as far
// off as they may be, or that has no denormals: over every exponent, where functions turn delicate, and
// for every 16-bit float.
#include <cmath>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/program/legalise.h"
#include "tests/core/legalise_support.h"
#include "tests/support/rounds.h"

namespace tenon::test {
namespace {

using program::Draft;
using program::Opcode;

using Real = long double;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Function {
  Opcode opcode;
  Real (*exact)(Real);
};

const Function kFunctions[] = {
    {Opcode::sin, [](Real x) { return std::sin(x); }},
    {Opcode::cos, [](Real x) { return std::cos(x); }},
    {Opcode::tanh, [](Real x) { return std::tanh(x); }},
    {Opcode::erf, [](Real x) { return std::erf(x); }},
    {Opcode::exp2, [](Real x) { return std::exp2(x); }},
    {Opcode::log2, [](Real x) { return std::log2(x); }},
    {Opcode::rsqrt, [](Real x) { return 1 / std::sqrt(x); }},
    {Opcode::log1p, [](Real x) { return std::log1p(x); }},
    {Opcode::expm1, [](Real x) { return std::expm1(x); }},
    {Opcode::sigmoid,
     [](Real x) {
       const Real e = std::exp(-std::fabs(x));
       return (x < 0 ? e : 1) / (1 + e);
     }},
};

double bound_of(Opcode opcode) {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) \
  if (static_cast<int>(opcode) == code) return ulp;
#include <tenon/opcodes.def>
#undef TENON_OPCODE
  return 0;
}

/// All encodings of a 16-bit dtype; of others each sign and exponent with fractions at the ends and
/// between, and evenly spread numbers.
Raw arguments(DType dtype) {
  Raw result;
  if (size_of(dtype) == 2) {
    for (std::uint64_t bits = 0; bits < 0x10000; ++bits) result.push_back(bits);
    return result;
  }
  std::mt19937_64 random(7);
  const int fraction = dtype == f32 ? 23 : 52, width = dtype == f32 ? 32 : 64;
  const std::uint64_t last = (std::uint64_t{1} << fraction) - 1;
  const std::uint64_t between = rounds(1);
  for (std::uint64_t top = 0; top < std::uint64_t{1} << (width - fraction); ++top) {
    for (const std::uint64_t rest : {std::uint64_t{0}, std::uint64_t{1}, last})
      result.push_back(top << fraction | rest);
    for (std::uint64_t i = 0; i < (dtype == f32 ? 5 : 1) * between; ++i)
      result.push_back(top << fraction | (random() & last));
  }
  for (const double reach : {1.5, 12.0, 110.0, 800.0}) {
    std::uniform_real_distribution<double> spread(-reach, reach);
    for (std::uint64_t i = 0; i < rounds(500); ++i)
      result.push_back(bits_of_number(dtype, static_cast<Real>(spread(random))));
  }
  return result;
}

constexpr Quirks kEveryQuirk[] = {
    {}, {Slack::Above}, {Slack::Below}, {Slack::Random}, {Slack::None, true}};
constexpr Quirks kOneQuirk[] = {{Slack::Random}};

struct Worst {
  double error = 0;
  std::size_t at = 0;
};

bool is_normal(DType dtype, Real x) {
  return x == 0 || std::fabs(x) >= (dtype == f64 ? 0x1p-1021L : 0x1p-125L);
}

/// The worst over the quirks; without denormals, only where there would be none.
Worst worst_error(const Draft& draft, const std::vector<Raw>& inputs, const std::vector<Real>& exact,
                  std::span<const Quirks> machines) {
  const DType dtype = draft.inputs[0];
  Worst worst;
  for (const Quirks quirks : machines) {
    const Raw found = run_in_batches(draft, inputs, quirks);
    for (std::size_t i = 0; i < found.size(); ++i) {
      bool counts = !quirks.flushes_denormals || is_normal(dtype, exact[i]);
      for (const Raw& input : inputs) {
        counts = counts && (!quirks.flushes_denormals || is_normal(dtype, number_of(dtype, input[i])));
      }
      const double error = counts ? ulp_error(dtype, found[i], exact[i]) : 0;
      if (error > worst.error) worst = {error, i};
    }
  }
  return worst;
}

/// Prints the row of the table, and holds it against opcodes.def.
void report(Opcode opcode, const Draft& draft, const std::vector<Raw>& inputs, Worst worst) {
  const DType dtype = draft.inputs[0];
  std::string at;
  for (const Raw& input : inputs) at += fmt::format(" {:x}", input[worst.at]);
  fmt::print("{:8} {:4} {:4} instructions, worst {:5.3f} of {} ULP, at{}\n", name(opcode), name(dtype),
             draft.instructions.size(), worst.error, bound_of(opcode), at);
  testing::Test::RecordProperty("instructions", static_cast<int>(draft.instructions.size()));
  testing::Test::RecordProperty("worst_ulp", fmt::format("{:.3f}", worst.error));
  EXPECT_LE(worst.error, bound_of(opcode)) << name(opcode) << " of" << at;
}

class LegalisedFunction : public testing::TestWithParam<std::tuple<Function, DType>> {};

std::string case_name(const testing::TestParamInfo<std::tuple<Function, DType>>& row) {
  const auto [function, dtype] = row.param;
  return fmt::format("{}_{}", name(function.opcode), name(dtype));
}

INSTANTIATE_TEST_SUITE_P(Functions, LegalisedFunction,
                         testing::Combine(testing::ValuesIn(kFunctions),
                                          testing::Values(f16, bf16, f32, f64)),
                         case_name);

TEST_P(LegalisedFunction, StaysWithinItsBound) {
  const auto [function, dtype] = GetParam();
  const Draft draft = bare(uniform(function.opcode, dtype));
  const Raw x = arguments(dtype);
  std::vector<Real> exact;
  for (const std::uint64_t bits : x) exact.push_back(function.exact(number_of(dtype, bits)));
  const bool is_short = size_of(dtype) == 2 && rounds(1) == 1;
  const std::span<const Quirks> machines = is_short ? std::span<const Quirks>(kOneQuirk) : kEveryQuirk;
  report(function.opcode, draft, {x}, worst_error(draft, {x}, exact, machines));
}

/// Bases and exponents whose power is a number, bases next to 1, and anything; then all special pairs.
std::vector<Raw> powers(DType dtype) {
  std::mt19937_64 random(8);
  const auto between = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  const double reach = dtype == f64 ? 1080 : dtype == f16 ? 26 : 150;
  std::vector<Raw> result(2);
  const auto add = [&](double x, double y) {
    result[0].push_back(bits_of_number(dtype, static_cast<Real>(x)));
    result[1].push_back(bits_of_number(dtype, static_cast<Real>(y)));
  };
  for (std::uint64_t i = 0; i < rounds(2000); ++i) {
    const double wide = std::exp2(between(-reach, reach));
    const double near_one = 1 + between(-1, 1) * std::exp2(-between(0, 50));
    for (const double x : {wide, near_one, between(0, 4)}) {
      const double log =
          std::log2(static_cast<double>(number_of(dtype, bits_of_number(dtype, static_cast<Real>(x)))));
      if (log == 0 || !std::isfinite(log)) continue;
      const double y = between(-reach, reach) / log;
      add(x, y);
      add(-x, std::floor(y));
    }
    add(between(-3, 3), between(-3, 3));
  }
  const double large = dtype == f64 ? 0x1p53 : 0x1p24;
  const double special[] = {0,
                            1,
                            2,
                            3,
                            0.5,
                            1.5,
                            1e-5,
                            6e4,
                            large,
                            large - 1,
                            large / 2 + 1,
                            1e38,
                            1e-38,
                            1e300,
                            kInfinity,
                            std::numeric_limits<double>::quiet_NaN()};
  for (const double x : special)
    for (const double y : special)
      for (const double x_sign : {1, -1})
        for (const double y_sign : {1, -1}) add(x_sign * x, y_sign * y);
  return result;
}

class LegalisedPower : public testing::TestWithParam<DType> {};

INSTANTIATE_TEST_SUITE_P(DTypes, LegalisedPower, testing::Values(f16, bf16, f32, f64),
                         [](const auto& row) { return std::string(name(row.param)); });

TEST_P(LegalisedPower, StaysWithinItsBound) {
  const DType dtype = GetParam();
  const Draft draft = bare(uniform(Opcode::pow, dtype));
  const std::vector<Raw> inputs = powers(dtype);
  std::vector<Real> exact;
  for (std::size_t i = 0; i < inputs[0].size(); ++i) {
    exact.push_back(std::pow(number_of(dtype, inputs[0][i]), number_of(dtype, inputs[1][i])));
  }
  report(Opcode::pow, draft, inputs, worst_error(draft, inputs, exact, kEveryQuirk));
}

}  // namespace
}  // namespace tenon::test
