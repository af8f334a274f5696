#include "tests/support/devices.h"

#include <cctype>
#include <cstdlib>
#include <sstream>

#include <tenon/device.h>
#include <tenon/error.h>

namespace tenon::test {
namespace {

std::vector<std::string> requested() {
  const char* text = std::getenv("TENON_TEST_DEVICES");
  std::vector<std::string> names;
  std::istringstream list(text ? text : "");
  for (std::string name; std::getline(list, name, ',');) {
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

bool found(const std::string& name) {
  try {
    device(name);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::vector<std::string> test_devices() {
  std::vector<std::string> names;
  const std::vector<std::string> wanted = requested();
  for (const std::string& name : wanted) {
    if (found(name)) names.push_back(device(name).name());
  }
  if (wanted.empty()) {
    for (const Device& each : devices()) names.push_back(each.name());
  }
  return names;
}

std::string device_test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

TEST(Devices, RequestedDevicesAreThere) {
  for (const std::string& name : requested()) {
    EXPECT_TRUE(found(name)) << "TENON_TEST_DEVICES names '" << name << "', which was not found";
  }
  EXPECT_FALSE(test_devices().empty()) << "no device to test on; is TENON_PLUGIN_PATH right?";
}

}  // namespace tenon::test
