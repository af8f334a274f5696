// PyTorch's figures, which tests/figures/NAME.py printed.
#pragma once

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <tenon/tensor.h>

#include "tests/support/paths.h"

namespace tenon::test {

inline nlohmann::json figures(const std::string& name) {
  std::ifstream file(TENON_TEST_SOURCE_DIR "/tests/figures/" + name + ".json");
  return nlohmann::json::parse(file);
}

/// The dtypes that figures are of.
inline constexpr DType kFigureDtypes[] = {f64, f32};

/// Equal to 1e-10 in f64, 1e-5 in f32, relative where a figure is above 1.
inline void expect_figures(const Tensor& got, const nlohmann::json& expected, const std::string& what) {
  const double bound = got.dtype() == f64 ? 1e-10 : 1e-5;
  const auto figures = expected.get<std::vector<double>>();
  const std::vector<double> values = got.to(f64).to_vector<double>();
  ASSERT_EQ(values.size(), figures.size()) << what;
  for (std::size_t i = 0; i < figures.size(); ++i)
    EXPECT_NEAR(values[i], figures[i], bound * std::max(1.0, std::abs(figures[i])))
        << what << ", element " << i;
}

}  // namespace tenon::test
