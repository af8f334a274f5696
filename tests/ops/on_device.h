// A test on a device: where its tensors live, and how many launches something takes.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include <tenon/device.h>
#include <tenon/tensor.h>

#include "tests/support/devices.h"

namespace tenon::test {

/// How many launches `call` takes, once its kernels are prepared.
template <class F>
std::int64_t launches_on(Device device, F call) {
  call();
  const std::int64_t before = device.stats().launches;
  call();
  return device.stats().launches - before;
}

/// Of a form, which has a name, on a device.
template <class Form>
std::string form_test_name(const testing::TestParamInfo<std::tuple<Form, std::string>>& form) {
  const testing::TestParamInfo<std::string> device(std::get<1>(form.param), form.index);
  return std::get<0>(form.param).name + '_' + device_test_name(device);
}

class OnDevice : public testing::TestWithParam<std::string> {
 protected:
  template <class F>
  std::int64_t launches(F call) const {
    return launches_on(device_, call);
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
