// Derivatives of programs against central differences, in f64 and evaluated by the oracle.
#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include <tenon/error.h>
#include <tenon/program.h>

#include "tests/support/program_generator.h"
#include "tests/support/program_oracle.h"
#include "tests/support/rounds.h"

namespace tenon::program {
namespace {

using Point = std::vector<double>;

std::vector<std::uint64_t> bits_of(const Point& x) {
  std::vector<std::uint64_t> bits;
  for (const double value : x) bits.push_back(std::bit_cast<std::uint64_t>(value));
  return bits;
}

/// An f64 program's outputs.
Point call(const Program& p, const Point& inputs, const Point& scalars = {}) {
  Point result;
  for (const std::uint64_t bits : test::evaluate(p.bytes(), bits_of(inputs), bits_of(scalars))) {
    result.push_back(std::bit_cast<double>(bits));
  }
  return result;
}

std::vector<int> indices(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

Derivative derive_all(const Program& p) {
  return derive(p, indices(p.input_count()), indices(p.output_count()));
}

/// The gradient at x for output gradients g.
Point call(const Derivative& d, const Point& x, const Point& g, const Point& scalars = {}) {
  Point inputs;
  for (const int i : d.saved) inputs.push_back(x[static_cast<std::size_t>(i)]);
  inputs.insert(inputs.end(), g.begin(), g.end());
  return call(d.program, inputs, scalars);
}

double moved(const Program& p, Point x, std::size_t i, double by, const Point& scalars) {
  x[i] += by;
  return call(p, x, scalars)[0];
}

double central(const Program& p, const Point& x, std::size_t i, double h, const Point& scalars) {
  return (moved(p, x, i, h, scalars) - moved(p, x, i, -h, scalars)) / (2 * h);
}

/// Whether p is smooth enough at x, along input i, for differences to tell its derivative, and the
/// chain rule holds at every value on the way (the outputs after the first). Looks at values alone.
bool smooth(const Program& p, const Point& x, std::size_t i, const Point& scalars) {
  const Point values = call(p, x, scalars);
  const bool chained = std::all_of(values.begin() + 1, values.end(),
                                   [](double v) { return std::isfinite(v) && v != 0; });
  const double value = values[0], h = 1e-5;
  const double right = (moved(p, x, i, h, scalars) - value) / h;
  const double left = (value - moved(p, x, i, -h, scalars)) / h;
  const double slope = central(p, x, i, h, scalars), wider = central(p, x, i, 4 * h, scalars);
  const double scale = 1 + std::fabs(slope);
  return chained && std::isfinite(wider) && std::fabs(value) < 1e4 * scale && scale < 1e5 &&
         std::fabs(right - left) < 1e-2 * scale && std::fabs(slope - wider) < 1e-5 * scale;
}

/// Whether some rem of the program takes off another number of divisors where input i is moved as
/// `smooth` moves it: a tooth may be too small to be seen in values.
bool crosses_a_tooth(const Program& teeth, const Point& x, std::size_t i, const Point& scalars) {
  const Point here = call(teeth, x, scalars);
  for (const double by : {-4e-5, -1e-5, 1e-5, 4e-5}) {
    Point there = x;
    there[i] += by;
    if (call(teeth, there, scalars) != here) return true;
  }
  return false;
}

void expect_gradient(const Program& p, const Point& x, const Point& scalars = {}) {
  const Point gradient = call(derive_all(p), x, {1.0}, scalars);
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_TRUE(smooth(p, x, i, scalars)) << p.text();
    const double expected = central(p, x, i, 1e-5, scalars);
    EXPECT_NEAR(gradient[i], expected, 1e-5 * (1 + std::fabs(expected))) << "input " << i << "\n"
                                                                         << p.text();
  }
}

Program unary(const std::function<Value(Value)>& f) {
  Builder b;
  b.output(f(b.input(f64)));
  return b.build();
}

Program binary(const std::function<Value(Value, Value)>& f) {
  Builder b;
  const Value x = b.input(f64), y = b.input(f64);
  b.output(f(x, y));
  return b.build();
}

Program of_opcode(Opcode opcode) {
  Builder b;
  Value operands[3];
  for (int i = 0; i < arity(opcode); ++i) operands[i] = b.input(f64);
  b.output(b.apply(opcode, f64, operands[0], operands[1], operands[2]));
  return b.build();
}

struct Case {
  Opcode opcode;
  std::vector<Point> points;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << name(c.opcode);
}

class OpcodeDerivative : public testing::TestWithParam<Case> {};

TEST_P(OpcodeDerivative, AgreesWithDifferences) {
  for (const Point& x : GetParam().points) expect_gradient(of_opcode(GetParam().opcode), x);
}

const std::vector<Point> kAnywhere = {{-2.3}, {-0.4}, {0.7}, {1.9}};
const std::vector<Point> kPositive = {{0.3}, {0.9}, {1.7}, {5.2}};
const std::vector<Point> kPairs = {{1.3, -0.7}, {-2.1, 1.4}, {0.4, 2.6}, {-1.2, -3.3}};

INSTANTIATE_TEST_SUITE_P(
    All, OpcodeDerivative,
    testing::Values(
        Case{Opcode::add, kPairs}, Case{Opcode::sub, kPairs}, Case{Opcode::mul, kPairs},
        Case{Opcode::div, kPairs}, Case{Opcode::neg, kAnywhere}, Case{Opcode::abs, kAnywhere},
        Case{Opcode::min, kPairs}, Case{Opcode::max, kPairs}, Case{Opcode::floor, kAnywhere},
        Case{Opcode::sqrt, kPositive}, Case{Opcode::exp, kAnywhere}, Case{Opcode::log, kPositive},
        Case{Opcode::fma, {{1.3, -0.7, 2.0}, {-2.1, 1.4, 0.3}}},
        Case{Opcode::rem, {{7.3, 2.1}, {-7.3, 2.1}, {7.3, -2.1}, {1.1, 5.0}}},
        Case{Opcode::pow, {{1.7, 2.3}, {0.4, -1.2}, {3.1, 0.5}}}, Case{Opcode::round, kAnywhere},
        Case{Opcode::trunc, kAnywhere}, Case{Opcode::sin, kAnywhere}, Case{Opcode::cos, kAnywhere},
        Case{Opcode::tanh, kAnywhere}, Case{Opcode::erf, kAnywhere}, Case{Opcode::exp2, kAnywhere},
        Case{Opcode::log2, kPositive}, Case{Opcode::rsqrt, kPositive}, Case{Opcode::log1p, kPositive},
        Case{Opcode::expm1, kAnywhere}, Case{Opcode::sigmoid, kAnywhere}),
    [](const auto& row) { return std::string(name(row.param.opcode)); });

// --- What each rule says at its edges ---

TEST(Derivative, TiesOfMinAndMaxShareEvenly) {
  for (const Opcode opcode : {Opcode::min, Opcode::max}) {
    const Derivative d = derive_all(of_opcode(opcode));
    EXPECT_EQ(call(d, {2, 2}, {3}), (Point{1.5, 1.5}));
    EXPECT_EQ(call(d, {0.0, -0.0}, {3}), (Point{1.5, 1.5}));
  }
  EXPECT_EQ(call(derive_all(of_opcode(Opcode::min)), {1, 2}, {3}), (Point{3, 0}));
  EXPECT_EQ(call(derive_all(of_opcode(Opcode::max)), {1, 2}, {3}), (Point{0, 3}));
  EXPECT_EQ(call(derive_all(binary([](Value x, Value) { return max(x, x); })), {1, 2}, {3}),
            (Point{3, 0}));
}

TEST(Derivative, MasksDontLetAnInfiniteGradientThrough) {
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(call(derive_all(of_opcode(Opcode::max)), {1, 2}, {inf}), (Point{0, inf}));
  const Program chosen = binary([](Value x, Value y) { return select(x < 0, x, y); });
  EXPECT_EQ(call(derive_all(chosen), {-1, 2}, {inf}), (Point{inf, 0}));
  EXPECT_EQ(call(derive_all(of_opcode(Opcode::abs)), {0}, {inf}), (Point{0}));
}

TEST(Derivative, OfAbsAtZeroIsZeroAndOfNaNIsNotLost) {
  const Derivative d = derive_all(of_opcode(Opcode::abs));
  EXPECT_EQ(call(d, {0}, {2}), (Point{0}));
  EXPECT_EQ(call(d, {-0.0}, {2}), (Point{0}));
  const double nan = std::nan("");
  EXPECT_EQ(call(derive_all(of_opcode(Opcode::max)), {nan, 1}, {2}), (Point{2, 2}));
}

TEST(Derivative, OfPowAtItsEdges) {
  const Derivative d = derive_all(of_opcode(Opcode::pow));
  EXPECT_EQ(call(d, {0, 2}, {1}), (Point{0, 0}));
  EXPECT_EQ(call(d, {0, 1}, {1}), (Point{1, 0}));
  EXPECT_EQ(call(d, {0, 0}, {1}), (Point{0, 0}));
  const Program square = unary([](Value x) { return pow(x, 2); });
  EXPECT_EQ(call(derive_all(square), {-3}, {1}), (Point{-6}));
}

TEST(Derivative, OfStepsAndIntegersIsAConstantZero) {
  const Program steps = unary([](Value x) {
    return floor(x) + cast(cast(x, i64), f64) + cast(x < 1, f64) + bitcast(bitcast(x, u64), f64);
  });
  const Derivative d = derive_all(steps);
  EXPECT_EQ(d.program.text(), "in0: f64\nreturn 0: f64");
  EXPECT_TRUE(d.saved.empty());
}

TEST(Derivative, OfACastIsCastBack) {
  Builder b;
  b.output(cast(b.input(f32), f64));
  EXPECT_EQ(derive_all(b.build()).program.text(), "in0: f64\n%0: f32 = cast in0\nreturn %0");
}

TEST(Derivative, OfAnOutputThatIsAnInputIsTheGradientItself) {
  Builder b;
  const Value x = b.input(f32), y = b.input(f32);
  b.output(x);
  b.output(x * y);
  EXPECT_EQ(derive_all(b.build()).program.text(),
            "in0: f32, in1: f32, in2: f32, in3: f32\n"
            "%0: f32 = mul in1, in3\n"
            "%1: f32 = add %0, in2\n"
            "%2: f32 = mul in0, in3\n"
            "return %1, %2");
}

TEST(Derivative, SavesOnlyWhatItUses) {
  Builder b;
  const Value x = b.input(f32), y = b.input(f32), z = b.input(f32), s = b.scalar(f32);
  b.output(x + y * z * s);
  const Program p = b.build();
  const int y_only[] = {1}, x_only[] = {0}, first[] = {0};
  const Derivative to_y = derive(p, y_only, first);
  EXPECT_EQ(to_y.saved, std::vector<int>{2});
  EXPECT_EQ(to_y.program.text(),
            "in0: f32, in1: f32, s0: f32\n%0: f32 = mul in1, s0\n%1: f32 = mul %0, in0\nreturn %1");
  const Derivative to_x = derive(p, x_only, first);
  EXPECT_TRUE(to_x.saved.empty());
  EXPECT_EQ(to_x.program.text(), "in0: f32, s0: f32\nreturn in0");
}

TEST(Derivative, SumsOverTheGivenOutputsOnly) {
  Builder b;
  const Value x = b.input(f64);
  b.output(x * 2);
  b.output(cast(x, i32));
  b.output(x * x);
  const Program p = b.build();
  const int wanted[] = {0}, both[] = {2, 0}, one[] = {2};
  EXPECT_EQ(call(derive(p, wanted, both), {3}, {10, 1}), (Point{62}));
  EXPECT_EQ(call(derive(p, wanted, one), {3}, {10}), (Point{60}));
  EXPECT_EQ(derive(p, wanted, {}).program.text(), "return 0: f64");
}

TEST(Derivative, FitsWithSixteenInputsOfTheForward) {
  Builder b;
  Value sum = b.constant(f64, 0);
  for (int i = 0; i < 16; ++i) sum = sum + b.input(f64) * (i + 1);
  b.output(sum);
  const int wanted[] = {0, 15}, given[] = {0};
  const Derivative d = derive(b.build(), wanted, given);
  EXPECT_EQ(call(d, Point(16, 1.0), {2}), (Point{2, 32}));
}

TEST(Derivative, RefusesWhatHasNone) {
  Builder b;
  const Value x = b.input(f32), n = b.input(i32);
  b.output(n);
  b.output(x);
  const Program p = b.build();
  const auto text = [&](int wanted, int given) {
    try {
      derive(p, std::span(&wanted, 1), std::span(&given, 1));
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(text(1, 1), "[derive] input 1 is i32: only floating values have a gradient");
  EXPECT_EQ(text(0, 0), "[derive] output 0 is i32: only floating values have a gradient");
  EXPECT_EQ(text(2, 1), "[derive] input 2 of 2");
  EXPECT_EQ(text(0, -1), "[derive] output -1 of 2");
}

// --- Higher orders ---

/// The derivative of f's derivative, as a program of x alone.
double second_derivative(const Program& p, double x) {
  const Derivative first = derive_all(p);
  const int wanted[] = {0}, given[] = {0};
  const Derivative second = derive(first.program, wanted, given);
  Point inputs;
  for (const int i : second.saved) inputs.push_back(i == 0 ? x : 1.0);
  inputs.push_back(1.0);
  return call(second.program, inputs)[0];
}

TEST(Derivative, OfADerivative) {
  EXPECT_NEAR(second_derivative(unary([](Value x) { return x * x * x; }), 2), 12, 1e-12);
  EXPECT_NEAR(second_derivative(unary([](Value x) { return 1 / x; }), 2), 0.25, 1e-12);
  EXPECT_NEAR(second_derivative(unary([](Value x) { return exp(x * 2); }), 0.5), 4 * std::exp(1),
              1e-12);
  EXPECT_NEAR(second_derivative(unary([](Value x) { return log(x); }), 2), -0.25, 1e-12);
  EXPECT_NEAR(second_derivative(unary([](Value x) { return sqrt(x); }), 4), -1.0 / 32, 1e-12);
  EXPECT_NEAR(second_derivative(unary([](Value x) { return pow(x, 3); }), -2), -12, 1e-12);
  const double t = std::tanh(0.3), s = 1 / (1 + std::exp(-0.3));
  EXPECT_NEAR(second_derivative(unary([](Value x) { return tanh(x); }), 0.3), -2 * t * (1 - t * t),
              1e-12);
  EXPECT_NEAR(second_derivative(unary([](Value x) { return sigmoid(x); }), 0.3),
              s * (1 - s) * (1 - 2 * s), 1e-12);
}

// --- Random programs ---

TEST(Derivative, OfRandomProgramsAgreesWithDifferences) {
  std::mt19937_64 random(1);
  const auto uniform = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
  };
  int compared = 0, programs = 0;
  for (std::uint64_t seed = 0; seed < test::rounds(1000); ++seed) {
    const Program p = test::random_smooth_program(seed), teeth = test::teeth_of_smooth_program(seed);
    const int result[] = {0};
    const Derivative d = derive(p, indices(p.input_count()), result);
    bool any = false;
    for (int attempt = 0; attempt < 4; ++attempt) {
      Point x(static_cast<std::size_t>(p.input_count()));
      for (double& value : x) value = uniform(attempt % 2 == 0 ? 0.1 : -3, 3);
      const Point scalars{uniform(0.1, 2)};
      const Point gradient = call(d, x, {1.0}, scalars);
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (!smooth(p, x, i, scalars) || crosses_a_tooth(teeth, x, i, scalars)) continue;
        const double expected = central(p, x, i, 1e-5, scalars);
        EXPECT_NEAR(gradient[i], expected, 1e-4 * (1 + std::fabs(expected)))
            << "seed " << seed << ", input " << i << " at " << testing::PrintToString(x) << "\n"
            << p.text() << "\n"
            << d.program.text();
        ++compared;
        any = true;
      }
    }
    programs += any ? 1 : 0;
  }
  EXPECT_GT(programs, static_cast<int>(test::rounds(700)));
  EXPECT_GT(compared, static_cast<int>(test::rounds(4000)));
}

}  // namespace
}  // namespace tenon::program
