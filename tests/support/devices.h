// The devices that value-parameterised tests run on, by name.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tenon::test {

/// All devices found, or those of them that TENON_TEST_DEVICES=a,b names. The test
/// Devices.RequestedDevicesAreThere fails where a name was not found, or no device at all.
std::vector<std::string> test_devices();

/// A device's name as the end of a test's name: "faulty:0" gives "faulty_0".
std::string device_test_name(const testing::TestParamInfo<std::string>& info);

}  // namespace tenon::test
