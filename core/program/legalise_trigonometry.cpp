// sin and cos. Quarter turns are counted in integers over the whole range (Payne and Hanek, "Radian
// reduction for trigonometric functions", SIGNUM Newsletter 18, 1983): the digits of x times a window
// of 2/pi's, three words long, before which all digits stand for full turns.
#include <numbers>
#include <vector>

#include "core/program/expand.h"

namespace tenon::program {
namespace {

/// 2/pi after the point.
constexpr std::uint64_t kTwoOverPi[] = {
    0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561, 0xb7246e3a424dd2e0,
    0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4,
    0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab};

/// A word of zeros and 2/pi, in words like `partner`: what exponents up to the greatest reach.
std::vector<Value> digits_of_two_over_pi(Value partner) {
  std::vector<Value> words{raw(partner, 0)};
  if (partner.dtype() == u64) {
    for (const std::uint64_t word : kTwoOverPi) words.push_back(raw(partner, word));
    return words;
  }
  for (std::size_t i = 0; i < 7; ++i) {
    words.push_back(raw(partner, i % 2 == 0 ? kTwoOverPi[i / 2] >> 32 : kTwoOverPi[i / 2]));
  }
  return words;
}

/// Three words of them from the digit `begin` (i32) on.
std::array<Value, 3> window(Value begin, Value partner) {
  const int width = static_cast<int>(8 * size_of(partner.dtype()));
  std::vector<Value> words = digits_of_two_over_pi(partner);
  const Value word = begin >> (width == 32 ? 5 : 6);
  for (std::size_t step = width == 32 ? 4 : 16; step > 0; step /= 2) {
    const Value skip = (word & raw(word, step)) != 0;
    for (std::size_t i = 0; i + step < words.size(); ++i) {
      words[i] = select(skip, words[i + step], words[i]);
    }
    words.resize(step + 3);
  }
  const Value mask = raw(partner, static_cast<std::uint64_t>(width - 1));
  const Value left = cast(begin, partner.dtype()) & mask, right = mask - left;
  std::array<Value, 3> result;
  for (std::size_t i = 0; i < 3; ++i) {
    result[i] = shift_left(words[i], left) | shift_right(words[i + 1] >> 1, right);
  }
  return result;
}

/// |x| = quarters · pi/2 + r or, where `negative` is 1, - r; |r| <= pi/4. Quarters modulo 4.
struct Reduced {
  Value r, quarters, negative;
};

Reduced count_quarters(Value x) {
  const Format f = format(x);
  const Parts parts = split(x);
  const Value digits = whole_digits(parts.fraction);
  const auto words = window(parts.exponent + (f.width - f.fraction - 2), digits);
  const Value middle = digits * words[1], low = middle + expand_mulhi(digits, words[2]);
  const Value carry = cast(low < middle, f.bits);
  const Value high = digits * words[0] + expand_mulhi(digits, words[1]) + carry;

  const Value quarters = (high + raw(high, std::uint64_t{1} << (f.width - 3))) >> (f.width - 2);
  const Value rest = high - (quarters << (f.width - 2));
  const Value negative = rest >> (f.width - 1), flip = raw(rest, 0) - negative;
  const Value upper = cast(rest ^ flip, x.dtype()), lower = cast(low ^ flip, x.dtype());
  const double unit = std::numbers::pi / 2 * by_dtype(x, 0x1p-30, 0x1p-62);
  return {(upper + lower * by_dtype(x, 0x1p-32, 0x1p-64)) * unit, quarters, negative};
}

/// As above; the window holds no digits of what is far below pi/4, which is its own r.
Reduced reduce(Value x) {
  const Reduced large = count_quarters(x);
  const Value zero = raw(large.quarters, 0), is_small = abs(x) < 0.75;
  return {select(is_small, abs(x), large.r), select(is_small, zero, large.quarters),
          select(is_small, zero, large.negative)};
}

/// The sine of |x| and `quarters` more right angles, with its sign flipped where `flip` has the sign
/// bit.
Value turned_sine(Value x, unsigned quarters, Value flip) {
  const Reduced reduced = reduce(x);
  const Value r = reduced.r, z = r * r;
  const Value sine = r + r * (z * evaluate(polynomial::sin_tail, z));
  const Value cosine = 1 - (0.5 * z - z * z * evaluate(polynomial::cos_tail, z));

  const Value turn = reduced.quarters + raw(flip, quarters);
  const Value value = select((turn & raw(turn, 1)) == 0, sine, cosine);
  const Value sign = ((turn >> 1) ^ (reduced.negative & ~turn)) << (format(x).width - 1);
  const Value result = bitcast(bitcast(value, turn.dtype()) ^ sign ^ flip, x.dtype());
  return select(abs(x) < kInfinity, result, x - x);
}

}  // namespace

Value expand_sin(Value x) {
  return turned_sine(x, 0, sign_bit(x));
}

Value expand_cos(Value x) {
  return turned_sine(x, 1, raw(sign_bit(x), 0));
}

}  // namespace tenon::program
