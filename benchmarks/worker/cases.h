// The cases of Tenon, one row each.
#pragma once

#include <string>

#include <tenon/tenon.h>

#include "worker.h"

namespace worker {

std::vector<Case> op_cases();
std::vector<Case> gradient_cases();
std::vector<Case> step_cases();

/// How far two sides may be apart in f32, in bf16, and where they draw by chance.
inline constexpr double kF32 = 1e-4, kBf16 = 2e-2, kChance = 1e-2;

tenon::Tensor numbers(std::uint32_t stream, const tenon::Shape& shape, float scale = 1);
/// i64.
tenon::Tensor classes(std::uint32_t stream, std::int64_t count, std::uint32_t bound);

std::vector<double> probes(const tenon::Tensor& x);
std::vector<double> moments(const tenon::Tensor& x);

/// f, repeated until the device is done.
template <class F>
Work repeat(F f, std::vector<double> check) {
  auto run = [f](std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) f();
    tenon::default_device().synchronize();
  };
  return {run, std::move(check)};
}

/// f, whose result is a tensor, outside of any graph.
template <class F>
Work op(F f) {
  const tenon::InferenceMode guard;
  return repeat(
      [f] {
        const tenon::InferenceMode inner;
        f();
      },
      probes(f()));
}

}  // namespace worker
