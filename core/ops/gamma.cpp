// The logarithm of the gamma function, and its derivative. Formulas are those of Abramowitz and Stegun,
// "Handbook of mathematical functions", 6.1 and 6.3.
#include <limits>
#include <numbers>

#include "core/ops/functions.h"

namespace tenon::ops {
namespace {

using program::kInfinity;
using std::numbers::inv_pi;
using std::numbers::pi;

/// log Γ(2 + d) for d >= -1: with its zeros as factors, and from 4 on by Stirling's formula (6.1.40).
Value upper_lgamma(Value d) {
  const Value middle = d * (d + 1) * evaluate(program::polynomial::lgamma_middle, d / (d + 4));
  constexpr double kHalfLogOfTwoPi = 0.91893853320467274178;
  const Value x = d + 2, inverse = 1 / x;
  const Value tail = inverse * evaluate(program::polynomial::lgamma_tail, inverse * inverse);
  return select(d < 2, middle, (x - 0.5) * (log(x) - 1) + (tail + (kHalfLogOfTwoPi - 0.5)));
}

}  // namespace

// Γ(x) = Γ(x + 1) / x below 1 (6.1.15), and Γ(x) = π / sin(πx) / Γ(1 - x) below 0 (6.1.17).
Value lgamma(Value x) {
  const Value negative = x < 0, below_one = x < 1;
  const Value sine = abs(sin((x - round(x)) * pi)) * inv_pi;
  const Value divisor = select(negative, sine, select(below_one, x, number(x, 1)));
  const Value upper = upper_lgamma(select(negative, -1 - x, select(below_one, x - 1, x - 2)));
  const Value y = select(negative, -upper, upper) - log(divisor);
  return select((divisor == 0) | (x == -kInfinity), number(x, kInfinity), y);
}

// ψ(x) = ψ(x + n) - Σ 1 / (x + k) over k < n (6.3.6), of which each two, k and n - 1 - k, are
// (2x + n - 1) / (x (x + n - 1) + k (n - 1 - k)); ψ(x + n) by its series (6.3.18), and below 0
// ψ(x) = ψ(1 - x) - π / tan(πx) (6.3.7).
Value digamma(Value x) {
  const int n = is_double(x) ? 8 : 4;
  const Value negative = x < 0, upper = select(negative, 1 - x, x);
  const Value near = min(upper, 0x1p60), product = near * (near + (n - 1));
  Value pairs = 1 / product;
  for (int k = 1; k < n / 2; ++k) pairs = pairs + 1 / (product + k * (n - 1 - k));

  const Value far = upper + n, inverse = 1 / far, square = inverse * inverse;
  const Value series =
      log(far) - 0.5 * inverse - square * evaluate(program::polynomial::digamma_tail, square);
  const Value y = series - (near + near + (n - 1)) * pairs;

  // At the poles but 0 there is no number.
  const Value offset = select(negative, x - round(x), number(x, 0.25));
  const Value reflected = y - cos(offset * pi) / sin(offset * pi) * pi;
  const Value nan = number(x, std::numeric_limits<double>::quiet_NaN());
  return select(negative, select(offset == 0, nan, reflected), y);
}

}  // namespace tenon::ops
