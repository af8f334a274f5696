// Oracles of what goes along one dimension.
#pragma once

#include <vector>

#include "tests/ops/sweep.h"

namespace tenon::test {

/// Each line of x along `dim` replaced by f of it, a std::vector<double> of any one length.
template <class F>
Reals along(const Reals& x, int dim, F f) {
  Shape first = x.shape;
  first[dim] = 1;
  std::vector<std::vector<double>> lines;
  for (Dims at : coordinates(first)) {
    std::vector<double> line;
    for (at[dim] = 0; at[dim] < x.shape[dim]; ++at[dim]) {
      line.push_back(x.values[element_at(x.shape, at)]);
    }
    lines.push_back(f(line));
  }
  Reals y{x.shape, {}};
  y.shape[dim] = static_cast<std::int64_t>(
      lines.empty() ? f(std::vector<double>(static_cast<std::size_t>(x.shape[dim]))).size()
                    : lines.front().size());
  y.values.resize(element_count(y.shape));
  std::size_t k = 0;
  for (Dims at : coordinates(first)) {
    for (const double value : lines[k++]) {
      y.values[element_at(y.shape, at)] = value;
      ++at[dim];
    }
  }
  return y;
}

inline const std::vector<DType> kAllDTypes = {f32, f64, f16, bf16, i8,  u8,   i16,
                                              u16, i32, u32, i64,  u64, bool_};

}  // namespace tenon::test
