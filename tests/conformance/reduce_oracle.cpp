#include "tests/conformance/reduce_oracle.h"

#include <cmath>
#include <limits>

namespace tenon::conformance {
namespace {

bool is_arg(std::uint8_t how) {
  return how == TENON_REDUCE_ARGMAX || how == TENON_REDUCE_ARGMIN;
}

// Whether x takes the place of y under max or min: NaN wins, the first of equals stays.
bool wins(std::uint8_t how, std::uint8_t dtype, Bits x, Bits y) {
  if (is_nan(dtype, y)) return false;
  if (is_nan(dtype, x)) return true;
  const bool most = how == TENON_REDUCE_MAX || how == TENON_REDUCE_ARGMAX;
  return most ? to_real(dtype, x) > to_real(dtype, y) : to_real(dtype, x) < to_real(dtype, y);
}

Bits extreme(std::uint8_t dtype, bool least) {
  const long double infinity = std::numeric_limits<long double>::infinity();
  return from_real(dtype, least ? -infinity : infinity);
}

Reduced reduce_integers(std::uint8_t how, std::uint8_t to, std::uint8_t from,
                        const std::vector<Bits>& values) {
  Bits result = how == TENON_REDUCE_PROD || how == TENON_REDUCE_ALL ? 1 : 0;
  for (const Bits bits : values) {
    const Bits x = cast(to, from, bits);
    switch (how) {
      case TENON_REDUCE_SUM:
        result += x;
        break;
      case TENON_REDUCE_PROD:
        result *= x;
        break;
      case TENON_REDUCE_ANY:
        result |= x;
        break;
      default:
        result &= x;
        break;
    }
  }
  return {from_integer(to, static_cast<std::int64_t>(result))};
}

// Any order of adding n numbers is off by at most n · eps · sum|x|; a product by n · eps of itself.
Reduced reduce_reals(std::uint8_t how, std::uint8_t acc, std::uint8_t to, std::uint8_t from,
                     const std::vector<Bits>& values) {
  long double result = how == TENON_REDUCE_PROD ? 1 : 0, magnitude = 0;
  for (const Bits bits : values) {
    const long double x = to_real(from, bits);
    if (how == TENON_REDUCE_PROD)
      result *= x;
    else
      result += x;
    magnitude += std::fabs(x);
  }
  if (how == TENON_REDUCE_PROD) magnitude = std::fabs(result);
  const auto n = static_cast<long double>(values.size());
  return {from_real(to, result), result,
          n * epsilon(acc) * magnitude + epsilon(to) * std::fabs(result)};
}

}  // namespace

const char* operator_name(std::uint8_t how) {
  const char* names[] = {"?", "sum", "prod", "max", "min", "argmax", "argmin", "any", "all"};
  return names[how];
}

Reduced reduce(std::uint8_t how, std::uint8_t acc, std::uint8_t to, std::uint8_t from,
               const std::vector<Bits>& values) {
  if (how == TENON_REDUCE_MAX || how == TENON_REDUCE_MIN || is_arg(how)) {
    if (values.empty()) return {extreme(to, how == TENON_REDUCE_MAX)};
    std::size_t best = 0;
    for (std::size_t i = 1; i < values.size(); ++i) {
      if (wins(how, from, values[i], values[best])) best = i;
    }
    return {is_arg(how) ? Bits{best} : values[best]};
  }
  return is_float(to) ? reduce_reals(how, acc, to, from, values)
                      : reduce_integers(how, to, from, values);
}

bool matches(std::uint8_t how, std::uint8_t dtype, Bits got, const Reduced& want) {
  if (!is_float(dtype)) return got == want.bits;
  if (how == TENON_REDUCE_MAX || how == TENON_REDUCE_MIN) {
    return same(dtype, got, want.bits) || (to_real(dtype, got) == 0 && to_real(dtype, want.bits) == 0);
  }
  if (same(dtype, got, want.bits)) return true;
  return std::fabs(to_real(dtype, got) - want.real) <= want.bound;
}

}  // namespace tenon::conformance
