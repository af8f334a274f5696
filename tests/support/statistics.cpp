// Formulas: Abramowitz and Stegun 26.4 (chi-square by the incomplete gamma function), 26.2 (normal);
// Stephens, 1970 (Kolmogorov-Smirnov for finite samples).
#include "tests/support/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tenon::test {
namespace {

/// Q(a, x) = Γ(a, x) / Γ(a): by P's series below a + 1, else by Lentz's continued fraction.
double upper_gamma(double a, double x) {
  if (x <= 0) return 1;
  const double scale = std::exp(a * std::log(x) - x - std::lgamma(a));
  if (x < a + 1) {
    double term = 1 / a, sum = term;
    for (double n = a + 1; term > sum * 1e-15; ++n) sum += term *= x / n;
    return 1 - sum * scale;
  }
  double b = x + 1 - a, c = 1e300, d = 1 / b, fraction = d;
  for (int i = 1; i < 1000; ++i) {
    const double numerator = -i * (i - a);
    b += 2;
    d = 1 / (numerator * d + b);
    c = b + numerator / c;
    fraction *= c * d;
    if (std::fabs(c * d - 1) < 1e-15) break;
  }
  return fraction * scale;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Of the correlation between neighbours, which is normal with variance 1/n where there is none.
double neighbours_p(const std::vector<double>& values, double mean, double variance) {
  double sum = 0;
  for (std::size_t i = 1; i < values.size(); ++i) sum += (values[i] - mean) * (values[i - 1] - mean);
  return normal_p(sum / variance / std::sqrt(static_cast<double>(values.size())));
}

/// Of values in [0, 1): how many lie in each of `bins` equal parts.
double bins_p(const std::vector<double>& values, std::size_t bins) {
  std::vector<double> seen(bins);
  for (const double value : values) {
    const auto bin = static_cast<std::size_t>(value * static_cast<double>(bins));
    ++seen[std::min(bin, bins - 1)];
  }
  return counts_p(seen, std::vector<double>(bins, 1 / static_cast<double>(bins)));
}

/// Values in [0, 1), two at a time, as places in a square of 8 x 8 parts.
double pairs_p(const std::vector<double>& values) {
  std::vector<double> places;
  for (std::size_t i = 0; i + 1 < values.size(); i += 2)
    places.push_back((std::floor(values[i] * 8) + values[i + 1]) / 8);
  return bins_p(places, 64);
}

}  // namespace

double normal_p(double z) {
  return std::erfc(std::fabs(z) / std::sqrt(2.0));
}

double chi_square_p(double chi_square, double degrees) {
  return upper_gamma(degrees / 2, chi_square / 2);
}

double counts_p(const std::vector<double>& seen, const std::vector<double>& expected) {
  const double total = std::accumulate(seen.begin(), seen.end(), 0.0);
  double sum = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const double mean = total * expected[i];
    sum += (seen[i] - mean) * (seen[i] - mean) / mean;
  }
  return chi_square_p(sum, static_cast<double>(seen.size()) - 1);
}

double poisson_p(double count, double mean) {
  const double at_most = upper_gamma(count + 1, mean);  // P(N <= count)
  const double at_least = count == 0 ? 1 : 1 - upper_gamma(count, mean);
  return std::min(1.0, 2 * std::min(at_most, at_least));
}

double kolmogorov_smirnov_p(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto below = static_cast<double>(i);
    distance = std::max({distance, values[i] - below / n, (below + 1) / n - values[i]});
  }
  const double x = (std::sqrt(n) + 0.12 + 0.11 / std::sqrt(n)) * distance;
  if (x < 0.3) return 1;  // to six digits, and the series would need many terms
  double p = 0;
  for (int k = 1; k <= 20; ++k) p += (k % 2 == 1 ? 2 : -2) * std::exp(-2 * k * k * x * x);
  return p;
}

PValues uniform_p_values(const std::vector<double>& values, int bits) {
  const auto n = static_cast<double>(values.size());
  const double mean = mean_of(values);
  double square = 0;
  std::vector<double> ones(static_cast<std::size_t>(bits));
  for (const double value : values) {
    square += (value - 0.5) * (value - 0.5);
    auto pattern = static_cast<std::uint64_t>(std::ldexp(value, bits));
    for (double& count : ones) count += static_cast<double>(pattern & 1), pattern >>= 1;
  }
  double bits_chi_square = 0;
  for (const double count : ones) bits_chi_square += (count - n / 2) * (count - n / 2) / (n / 4);
  return {{"mean", normal_p((mean - 0.5) * std::sqrt(12 * n))},
          {"variance", normal_p((square / n - 1.0 / 12) * std::sqrt(180 * n))},
          {"distribution", kolmogorov_smirnov_p(values)},
          {"bins", bins_p(values, 256)},
          {"bits", chi_square_p(bits_chi_square, bits)},
          {"neighbours", neighbours_p(values, 0.5, 1.0 / 12)},
          {"pairs", pairs_p(values)}};
}

PValues normal_p_values(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  double powers[5] = {}, beyond = 0;
  std::vector<double> uniform, squares;
  for (const double value : values) {
    double power = 1;
    for (double& sum : powers) sum += power / n, power *= value;
    beyond += std::fabs(value) > 3 ? 1 : 0;
    uniform.push_back(std::erfc(-value / std::sqrt(2.0)) / 2);
    squares.push_back(value * value);
  }
  return {{"mean", normal_p(powers[1] * std::sqrt(n))},
          {"variance", normal_p((powers[2] - 1) * std::sqrt(n / 2))},
          // By Hermite's polynomials, whose means are independent.
          {"skewness", normal_p((powers[3] - 3 * powers[1]) * std::sqrt(n / 6))},
          {"kurtosis", normal_p((powers[4] - 6 * powers[2] + 3) * std::sqrt(n / 24))},
          {"distribution", kolmogorov_smirnov_p(uniform)},
          {"bins", bins_p(uniform, 256)},
          {"tails", poisson_p(beyond, n * std::erfc(3 / std::sqrt(2.0)))},
          {"neighbours", neighbours_p(values, 0, 1)},
          {"neighbours' squares", neighbours_p(squares, 1, 2)},
          {"pairs", pairs_p(uniform)}};
}

PValues integer_p_values(const std::vector<std::uint64_t>& values, double count) {
  std::vector<double> uniform;
  for (const std::uint64_t value : values)
    uniform.push_back((static_cast<double>(value) + 0.5) / count);
  const auto bins = static_cast<std::size_t>(std::min(count, 96.0));
  const double variance = (1 - 1 / count / count) / 12;
  return {{"bins", bins_p(uniform, bins)}, {"neighbours", neighbours_p(uniform, 0.5, variance)}};
}

}  // namespace tenon::test
