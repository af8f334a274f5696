// What the optional kinds over rows have to give, in plain loops and long double, after the text of
// tenon/plugin.h. A row is a vector; what is absent is empty.
#pragma once

#include <cstdint>
#include <vector>

namespace tenon::conformance {

using Real = long double;
using Reals = std::vector<Real>;

/// `how` is TENON_SOFTMAX_...
Reals softmax(const Reals& x, std::uint32_t how);
Reals softmax_backward(const Reals& y, const Reals& dy, std::uint32_t how);

struct Moments {
  Real mean = 0, rstd = 0;
};
Moments moments(const Reals& x, bool centered, Real eps);
/// dx; dweight and dbias grow by what the row adds.
Reals norm_backward(const Reals& dy, const Reals& x, const Moments& of, const Reals& weight,
                    bool centered, Reals& dweight, Reals& dbias);

struct RowLoss {
  Real loss = 0, own = 0, lse = 0;
};
/// Of a row whose class counts.
RowLoss cross_entropy(const Reals& x, std::size_t target, const Reals& weight, Real smoothing);
/// For a dloss of 1.
Reals cross_entropy_backward(const Reals& x, std::size_t target, const Reals& weight, Real smoothing);

}  // namespace tenon::conformance
