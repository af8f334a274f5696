// A device that refuses ops which the one that it is made of takes.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <tenon/sdk/view.h>

#include "core/runtime/host.h"
#include "tests/support/limited_device.h"

namespace tenon::test {

/// Why an op is refused; empty where it is taken.
using Refusal = std::function<std::string(sdk::OpView)>;

/// One at a time.
class RefusingDevice {
 public:
  RefusingDevice(
      Device of, Refusal refusal,
      const std::function<void(TenonDeviceInfo&)>& limit = [](TenonDeviceInfo&) {})
      : limited_(of, limit, table(of)) {
    EXPECT_FALSE(current());
    current() = std::move(refusal);
    prepare() = of.state().api().prepare;
  }
  ~RefusingDevice() { current() = nullptr; }
  RefusingDevice(const RefusingDevice&) = delete;
  RefusingDevice& operator=(const RefusingDevice&) = delete;

  Device device() const { return limited_.device(); }

 private:
  static Refusal& current() {
    static Refusal refusal;
    return refusal;
  }
  static decltype(TenonPlugin::prepare)& prepare() {
    static decltype(TenonPlugin::prepare) call;
    return call;
  }
  static TenonPlugin table(Device of) {
    TenonPlugin changed = of.state().api();
    changed.prepare = [](TenonDevice* device, const TenonOp* op, TenonKernel** kernel,
                         TenonKernelInfo* info) -> std::int32_t {
      const std::string why = current()(sdk::OpView(*op));
      if (why.empty()) return prepare()(device, op, kernel, info);
      runtime::set_note(why);
      return TENON_UNSUPPORTED;
    };
    return changed;
  }

  LimitedDevice limited_;
};

}  // namespace tenon::test
