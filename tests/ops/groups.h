// Oracles of ops that see some dimensions as one: over the elements of each group, in order.
#pragma once

#include <cmath>
#include <vector>

#include "tests/ops/sweep.h"

namespace tenon::test {

using Group = std::vector<double>;

/// What stays of a shape when `dims` are reduced to extent 1.
inline Shape reduced_shape(Shape shape, const Dims& dims) {
  for (const std::int64_t d : dims) shape[static_cast<int>(d)] = 1;
  return shape;
}

inline std::vector<Group> groups_of(const Reals& x, const Dims& dims) {
  const Shape shape = reduced_shape(x.shape, dims);
  std::vector<Group> groups(element_count(shape));
  for (const Dims& at : coordinates(x.shape)) {
    groups[element_at(shape, at)].push_back(x.values[element_at(x.shape, at)]);
  }
  return groups;
}

/// f of each group: its dimensions have extent 1.
template <class F>
Reals reduced(const Reals& x, const Dims& dims, F f) {
  Reals y{reduced_shape(x.shape, dims), {}};
  for (const Group& group : groups_of(x, dims)) y.values.push_back(f(group));
  return y;
}

/// f of each group, which gives as many elements.
template <class F>
Reals mapped(const Reals& x, const Dims& dims, F f) {
  const Shape shape = reduced_shape(x.shape, dims);
  std::vector<Group> groups = groups_of(x, dims);
  for (Group& group : groups) group = f(group);
  std::vector<std::size_t> next(groups.size());
  Reals y{x.shape, {}};
  for (const Dims& at : coordinates(x.shape)) {
    const std::size_t g = element_at(shape, at);
    y.values.push_back(groups[g][next[g]++]);
  }
  return y;
}

inline Reals in_shape(Reals x, const Shape& shape) {
  x.shape = shape;
  return x;
}

inline double mean_of(const Group& x) {
  double sum = 0;
  for (const double v : x) sum += v;
  return sum / static_cast<double>(x.size());
}

inline Group soft(Group x) {
  double sum = 0;
  for (const double v : x) sum += std::exp(v);
  for (double& v : x) v = std::exp(v) / sum;
  return x;
}

}  // namespace tenon::test
