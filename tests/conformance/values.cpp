// Operand values: the edges of each dtype, and reproducible ordinary ones.
#include <cmath>
#include <limits>

#include "tests/conformance/oracle.h"

namespace tenon::conformance {

std::vector<Bits> edge_values(std::uint8_t dtype) {
  std::vector<Bits> values;
  if (dtype == TENON_DTYPE_BOOL) return {0, 1};
  if (is_float(dtype)) {
    const auto top = from_real(dtype, std::numeric_limits<long double>::infinity()) - 1;
    const Bits sign = Bits{1} << (8 * size_of(dtype) - 1);
    const int least = dtype == TENON_DTYPE_F64 ? -1022 : dtype == TENON_DTYPE_F16 ? -14 : -126;
    const long double reals[] = {0.0L,
                                 1.0L,
                                 0.5L,
                                 1.5L,
                                 2.5L,
                                 3.0L,
                                 3.14159265L,
                                 0.1L,
                                 10.0L,
                                 88.7L,
                                 1e-3L,
                                 std::ldexp(1.0L, least),
                                 std::numeric_limits<long double>::infinity()};
    for (const long double real : reals) values.push_back(from_real(dtype, real));
    for (const Bits bits : {top, Bits{1}, values[1] - 1, values[1] + 1}) values.push_back(bits);
    for (std::size_t i = 0, n = values.size(); i < n; ++i) values.push_back(values[i] | sign);
    values.push_back(from_real(dtype, std::numeric_limits<long double>::quiet_NaN()));
    return values;
  }
  const auto width = static_cast<std::int64_t>(8 * size_of(dtype));
  const std::int64_t least = is_signed(dtype) ? INT64_MIN >> (64 - width) : 0;
  const Bits most = ~Bits{0} >> (64 - width + (is_signed(dtype) ? 1 : 0));
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{-1},
        std::int64_t{-2}, std::int64_t{-7}, std::int64_t{100}, width - 1, width, width + 1, least,
        least + 1, std::int64_t{1} << 16, std::int64_t{1} << 31, (std::int64_t{1} << 33) + 5,
        (std::int64_t{1} << 53) + 1}) {
    values.push_back(from_integer(dtype, value));
  }
  values.push_back(most);
  values.push_back(most - 1);
  return values;
}

std::vector<Bits> random_values(std::uint8_t dtype, std::size_t count, std::uint64_t seed) {
  std::vector<Bits> values(count);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15u + dtype;
  for (Bits& bits : values) {
    std::uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    const long double uniform = std::ldexp(static_cast<long double>(z >> 11), -53);
    if (is_float(dtype)) {
      bits = from_real(dtype, 16 * uniform - 8);
    } else {
      bits = dtype == TENON_DTYPE_BOOL ? z & 1 : from_integer(dtype, static_cast<std::int64_t>(z));
    }
  }
  return values;
}

}  // namespace tenon::conformance
