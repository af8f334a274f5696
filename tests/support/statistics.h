// Statistical tests: each gives a p-value, the probability that numbers which are as they should be
// look this bad or worse.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace tenon::test {

/// Of a standard normal's distance from 0.
double normal_p(double z);
double chi_square_p(double chi_square, double degrees);
/// Of `seen` counts where their probabilities are `expected`.
double counts_p(const std::vector<double>& seen, const std::vector<double>& expected);
/// Of a count of rare events, too many or too few.
double poisson_p(double count, double mean);
/// Kolmogorov-Smirnov: of values that should be uniform in [0, 1].
double kolmogorov_smirnov_p(std::vector<double> values);

using PValues = std::map<std::string, double>;

/// Of values that should be independent and uniform in [0, 1) with `bits` random bits each.
PValues uniform_p_values(const std::vector<double>& values, int bits);
/// Of values that should be independent and standard normal.
PValues normal_p_values(const std::vector<double>& values);
/// Of integers that should be independent and uniform in 0 .. count - 1; beyond 96 a multiple of it.
PValues integer_p_values(const std::vector<std::uint64_t>& values, double count);

}  // namespace tenon::test
