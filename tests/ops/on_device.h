// A test on a device: where its tensors live, and how many launches something takes.
#pragma once

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include <tenon/device.h>
#include <tenon/tensor.h>

namespace tenon::test {

class OnDevice : public testing::TestWithParam<std::string> {
 protected:
  template <class F>
  std::int64_t launches(F call) const {
    call();  // kernels are prepared
    const std::int64_t before = device_.stats().launches;
    call();
    return device_.stats().launches - before;
  }
  /// What y.backward() launches.
  template <class F>
  std::int64_t backward_launches(F forward) const {
    forward().backward();
    const Tensor y = forward();
    const std::int64_t before = device_.stats().launches;
    y.backward();
    return device_.stats().launches - before;
  }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

}  // namespace tenon::test
