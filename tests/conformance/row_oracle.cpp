#include "tests/conformance/row_oracle.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <tenon/plugin.h>

namespace tenon::conformance {
namespace {

/// NaN where there is one, as no comparison would have it.
Real greatest(const Reals& x) {
  Real m = -INFINITY;
  for (const Real v : x) m = std::isnan(v) || v > m ? v : m;
  return m;
}

Reals powers(const Reals& x, Real m) {
  Reals p;
  for (const Real v : x) p.push_back(std::exp(v - m));
  return p;
}

Real sum(const Reals& x) {
  return std::accumulate(x.begin(), x.end(), Real{0});
}

/// q of each column.
Reals shares(std::size_t columns, std::size_t target, const Reals& weight, Real smoothing) {
  Reals q(columns, smoothing / static_cast<Real>(columns));
  q[target] += 1 - smoothing;
  for (std::size_t c = 0; c < weight.size(); ++c) q[c] *= weight[c];
  return q;
}

}  // namespace

Reals softmax(const Reals& x, std::uint32_t how) {
  const Real m = greatest(x);
  if (how == TENON_SOFTMAX_MASKED && m == -INFINITY) return Reals(x.size(), 0);
  Reals y = powers(x, m);
  const Real total = sum(y);
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = how == TENON_SOFTMAX_LOG ? x[i] - m - std::log(total) : y[i] / total;
  }
  return y;
}

Reals softmax_backward(const Reals& y, const Reals& dy, std::uint32_t how) {
  const bool log = how == TENON_SOFTMAX_LOG;
  Real total = 0;
  for (std::size_t i = 0; i < y.size(); ++i) total += log ? dy[i] : dy[i] * y[i];
  Reals dx;
  for (std::size_t i = 0; i < y.size(); ++i) {
    dx.push_back(log ? dy[i] - std::exp(y[i]) * total : y[i] * (dy[i] - total));
  }
  return dx;
}

Moments moments(const Reals& x, bool centered, Real eps) {
  const auto n = static_cast<Real>(x.size());
  const Real mean = centered ? sum(x) / n : 0;
  Real square = 0;
  for (const Real v : x) square += (v - mean) * (v - mean);
  return {mean, 1 / std::sqrt(square / n + eps)};
}

Reals norm_backward(const Reals& dy, const Reals& x, const Moments& of, const Reals& weight,
                    bool centered, Reals& dweight, Reals& dbias) {
  const auto n = static_cast<Real>(x.size());
  Reals g = dy, normal;
  Real total = 0, slope = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!weight.empty()) g[i] *= weight[i];
    normal.push_back((x[i] - of.mean) * of.rstd);
    if (centered) total += g[i];
    slope += g[i] * normal[i];
    dweight[i] += dy[i] * normal[i];
    dbias[i] += dy[i];
  }
  Reals dx;
  for (std::size_t i = 0; i < x.size(); ++i) {
    dx.push_back(of.rstd * (g[i] - total / n - normal[i] * slope / n));
  }
  return dx;
}

RowLoss cross_entropy(const Reals& x, std::size_t target, const Reals& weight, Real smoothing) {
  const Real m = greatest(x), lse = m + std::log(sum(powers(x, m == -INFINITY ? 0 : m)));
  const Reals q = shares(x.size(), target, weight, smoothing);
  Real loss = 0;
  for (std::size_t c = 0; c < x.size(); ++c) loss += q[c] == 0 ? 0 : q[c] * (lse - x[c]);
  return {loss, weight.empty() ? 1 : weight[target], lse};
}

Reals cross_entropy_backward(const Reals& x, std::size_t target, const Reals& weight, Real smoothing) {
  const Real lse = cross_entropy(x, target, weight, smoothing).lse;
  const Reals q = shares(x.size(), target, weight, smoothing);
  Reals dx;
  for (std::size_t c = 0; c < x.size(); ++c) dx.push_back(sum(q) * std::exp(x[c] - lse) - q[c]);
  return dx;
}

}  // namespace tenon::conformance
