// Formulas of exact opcodes: no division, root, logarithm or sine.
#include "core/ops/random_programs.h"

#include <limits>
#include <numbers>
#include <span>

namespace tenon::random {
namespace {

using program::Builder;
using program::Program;
using program::Value;

/// The words of one element, in order.
class Words {
 public:
  explicit Words(Builder& b) : b_(b), offset_(b.scalar(u64)), seed_(b.scalar(u64)) {}
  Value next() { return philox(b_.input(u64), offset_, seed_); }

 private:
  Builder& b_;
  Value offset_, seed_;
};

/// Two words as one number, and twice that.
Value next_u64(Words& words) {
  const Value high = cast(words.next(), u64);
  return (high << 32) | cast(words.next(), u64);
}

/// What Box-Muller takes of a floating format. The polynomials, by rising powers, are those of the
/// least greatest relative error (Remez), over f in [√½ - 1, √2 - 1] and over a² in [0, ¼].
struct Format {
  DType dtype, integer, bits;
  int fraction_bits;
  std::uint64_t root_half;  // the bits of √½
  std::uint64_t root_seed;
  std::span<const double> root_steps;
  std::span<const double> minus_log;  // -ln(1 + f) / f
  std::span<const double> sine;       // 2 sin(πa) / a
};

constexpr double kMinusLog32[] = {-0.9999999742, 0.4999998796,  -0.3333418563,
                                  0.2500207428,  -0.1995683363, 0.1656239062,
                                  -0.1495226447, 0.1436685221,  -0.08722367681};
constexpr double kSine32[] = {6.283185274, -10.33541937, 5.100139453, -1.196484255, 0.1551207738};
constexpr double kMinusLog64[] = {
    -1.00000000000000005,   0.499999999999999617,  -0.33333333333325599,   0.250000000000143765,
    -0.20000000002116616,   0.166666666663311552,  -0.1428571406206457,    0.124999998067944623,
    -0.111111229059298,     0.100000195646381219,  -0.0909056570425326022, 0.0833251413732313397,
    -0.0769790158848346522, 0.0716080508095579523, -0.0662065155684369306, 0.0603715899956071398,
    -0.0597387589983863637, 0.0679861435171616446, -0.0633515812173574221, 0.0283003459865952506};
constexpr double kSine64[] = {6.28318530717958558,     -10.3354255600995051,     5.10032807971955296,
                              -1.19852905755142975,    0.164291756513230549,     -0.014740722144153366,
                              0.000931955236469842176, -0.0000422459088534932144};

/// The seeds of the root and their first step are those of Moroz and others, "Fast calculation of
/// inverse square root with the use of magic constant", 2016; f32's last step centres the error that is
/// left.
constexpr double kRootSteps32[] = {1.500878957, 1.500000596};
constexpr double kRootSteps64[] = {1.500878957, 1.5, 1.5, 1.5};

constexpr Format kF32{.dtype = f32,
                      .integer = i32,
                      .bits = u32,
                      .fraction_bits = 23,
                      .root_half = 0x3f3504f3,
                      .root_seed = 0x5ef76908,
                      .root_steps = kRootSteps32,
                      .minus_log = kMinusLog32,
                      .sine = kSine32};
constexpr Format kF64{.dtype = f64,
                      .integer = i64,
                      .bits = u64,
                      .fraction_bits = 52,
                      .root_half = 0x3fe6a09e667f3bcd,
                      .root_seed = 0x5fdeed2100000000,
                      .root_steps = kRootSteps64,
                      .minus_log = kMinusLog64,
                      .sine = kSine64};

Value polynomial(Value x, std::span<const double> coefficients) {
  Value sum = x.builder().constant(x.dtype(), coefficients.back());
  for (std::size_t i = coefficients.size() - 1; i-- > 0;) sum = sum * x + coefficients[i];
  return sum;
}

/// -ln u for u in (0, 1]: u = 2^power · (1 + f), √½ <= 1 + f < √2.
Value minus_log(Value u, const Format& format) {
  Builder& b = u.builder();
  const Value bits = bitcast(u, format.integer);
  const auto exponent = ~std::uint64_t{0} << format.fraction_bits;
  const Value power = (bits - b.constant_bits(format.integer, format.root_half)) &
                      b.constant_bits(format.integer, exponent);
  const Value f = bitcast(bits - power, u.dtype()) - 1.0;
  const double ln2 = std::numbers::ln2 / static_cast<double>(std::uint64_t{1} << format.fraction_bits);
  return f * polynomial(f, format.minus_log) - cast(power, u.dtype()) * ln2;
}

/// 1/√(2x) by Newton's iteration.
Value reciprocal_root(Value x, const Format& format) {
  Builder& b = x.builder();
  const Value half = bitcast(x, format.bits) >> 1;
  Value y = bitcast(b.constant_bits(format.bits, format.root_seed) - half, x.dtype());
  for (const double step : format.root_steps) {
    y = y * (step - x * y * y);  // x · y first: y² may overflow at x = 0
  }
  return y;
}

/// Uniform in (0, 1]: all bits of a word, or of two, close to 0.
Value unit_for_log(Words& words, DType dtype) {
  Value unit = cast(words.next(), dtype);
  if (dtype == f64) unit = unit + cast(words.next(), f64) * 0x1p-32;
  return (unit + (dtype == f64 ? 0x1p-33 : 0.5)) * 0x1p-32;
}

/// z = √(-2 ln u) · sin(πa), a uniform in [-½, ½] (Box and Muller, 1958; half a turn has all sines).
Value normal(Value log, Words& words, const Format& format) {
  Value a = cast(bitcast(words.next(), i32), format.dtype) * 0x1p-32;
  if (format.dtype == f64) a = a + cast(words.next(), f64) * 0x1p-64;
  const Value sine = a * polynomial(a * a, format.sine);
  return log * reciprocal_root(log, format) * sine;
}

/// mean + std · z, of the next two scalars.
Value scaled(Builder& b, Value z) {
  const Value mean = b.scalar(z.dtype()), std = b.scalar(z.dtype());
  return mean + std * z;
}

/// The integer type of `a` has 2h bits: the upper 2h of the 4h bits of a · n, by halves.
struct Factor {
  Value whole, low, high;
};
Value upper_product(Value a, const Factor& n, int h) {
  Builder& b = a.builder();
  const Value mask = b.constant_bits(a.dtype(), (std::uint64_t{1} << h) - 1);
  const Value a_low = a & mask, a_high = a >> h;
  const Value middle = a_high * n.low + ((a_low * n.low) >> h);
  const Value other = a_low * n.high + (middle & mask);
  return a_high * n.high + (middle >> h) + (other >> h);
}

}  // namespace

DType drawn_in(DType dtype) {
  return dtype == f64 ? f64 : f32;
}

Program uniform_program(DType dtype) {
  Builder b;
  Words words(b);
  Value unit;
  if (dtype == f64) {
    const Value high = cast(words.next(), f64) * 0x1p21;
    unit = (high + cast(words.next() >> 11, f64)) * 0x1p-53;
  } else {
    unit = cast(words.next() >> 8, f32) * 0x1p-24;
  }
  const Value low = b.scalar(unit.dtype()), span = b.scalar(unit.dtype());
  const Value limit = b.scalar(unit.dtype()), below = b.scalar(unit.dtype());
  const Value value = low + span * unit;
  b.output(cast(select(value < limit, value, below), dtype));
  return b.build();
}

Program normal_program(DType dtype) {
  Builder b;
  Words words(b);
  const Value log = minus_log(unit_for_log(words, f32), kF32);
  b.output(cast(scaled(b, normal(log, words, kF32)), dtype));
  return b.build();
}

Program exponential_program(DType dtype) {
  Builder b;
  Words words(b);
  const Format& format = dtype == f64 ? kF64 : kF32;
  const Value log = minus_log(unit_for_log(words, format.dtype), format);
  b.output(cast(log * b.scalar(format.dtype), dtype));
  return b.build();
}

Program normal_of_log_program() {
  Builder b;
  const Value log = b.input(f64);
  Words words(b);
  b.output(scaled(b, normal(log, words, kF64)));
  return b.build();
}

Program waiting_program(DType dtype) {
  Builder b;
  const Format& format = dtype == f64 ? kF64 : kF32;
  const Value number = b.input(dtype), p = b.input(dtype);
  const double least = dtype == f64 ? 0x1p-1022 : 0x1p-126,
               greatest = dtype == f64 ? 0x1p1000 : 0x1p120;
  const Value root = reciprocal_root(min(max(p, least), greatest), format);
  const Value infinity = b.constant(dtype, std::numeric_limits<double>::infinity());
  b.output(select(p > 0, number * root * root * 2.0, infinity));
  return b.build();
}

Program bernoulli_program(DType dtype) {
  Builder b;
  Words words(b);
  const Value threshold = b.scalar(u32), always = b.scalar(bool_);
  b.output(cast((words.next() < threshold) | always, dtype));
  return b.build();
}

Program dropout_program(DType dtype) {
  Builder b;
  Words words(b);
  const Value threshold = b.scalar(u32), always = b.scalar(bool_), scale = b.scalar(drawn_in(dtype));
  const Value stays = (words.next() < threshold) | always;
  const Value scaled = cast(cast(b.input(dtype), drawn_in(dtype)) * scale, dtype);
  b.output(select(stays, scaled, b.constant(dtype, 0)));
  return b.build();
}

Program integers_program(DType dtype, bool wide) {
  Builder b;
  Words words(b);
  const DType drawn = wide ? u64 : u32;
  const int half = wide ? 32 : 16;
  const Value low = b.scalar(drawn), whole = b.scalar(drawn);
  const Value low_half = b.scalar(drawn), high_half = b.scalar(drawn);
  const Factor count{whole, low_half, high_half};
  const Value high_word = wide ? next_u64(words) : words.next();
  const Value low_word = wide ? next_u64(words) : words.next();
  const Value product = high_word * count.whole;
  const Value sum = product + upper_product(low_word, count, half);
  const Value value = low + upper_product(high_word, count, half) + cast(sum < product, drawn);
  b.output(cast(wide ? value : bitcast(value, i32), dtype));  // the sign of a narrow one counts
  return b.build();
}

}  // namespace tenon::random
