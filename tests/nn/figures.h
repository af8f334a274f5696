// PyTorch's figures, which tests/figures/NAME.py printed.
#pragma once

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <tenon/device.h>
#include <tenon/tensor.h>

#include "tests/support/paths.h"

namespace tenon::test {

inline nlohmann::json figures(const std::string& name) {
  std::ifstream file(TENON_TEST_SOURCE_DIR "/tests/figures/" + name + ".json");
  return nlohmann::json::parse(file);
}

/// The dtypes that figures are of, as far as the device stores them.
inline std::vector<DType> figure_dtypes(Device device) {
  const std::vector<DType>& stored = device.info().storage_dtypes;
  std::vector<DType> dtypes{f64, f32};
  std::erase_if(dtypes,
                [&](DType d) { return std::find(stored.begin(), stored.end(), d) == stored.end(); });
  return dtypes;
}

/// The elements of an f64 or f32 tensor, whose device need not store f64.
inline std::vector<double> doubles_of(const Tensor& x) {
  if (x.dtype() == f64) return x.to_vector<double>();
  const std::vector<float> values = x.to(f32).to_vector<float>();
  return {values.begin(), values.end()};
}

/// Equal to 1e-10 in f64, 1e-5 in f32, relative where a figure is above 1.
inline void expect_figures(const Tensor& got, const nlohmann::json& expected, const std::string& what) {
  const double bound = got.dtype() == f64 ? 1e-10 : 1e-5;
  const auto figures = expected.get<std::vector<double>>();
  const std::vector<double> values = doubles_of(got);
  ASSERT_EQ(values.size(), figures.size()) << what;
  for (std::size_t i = 0; i < figures.size(); ++i)
    EXPECT_NEAR(values[i], figures[i], bound * std::max(1.0, std::abs(figures[i])))
        << what << ", element " << i;
}

}  // namespace tenon::test
