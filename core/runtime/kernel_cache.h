// Prepared kernels of one device, by the bytes of their descriptions.
#pragma once

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include <tenon/plugin.h>

#include "core/runtime/launch_log.h"
#include "core/runtime/op_block.h"

namespace tenon::runtime {

class DeviceState;

/// A kernel, released with its last owner.
class Kernel {
 public:
  Kernel(DeviceState& device, TenonKernel* handle, const TenonKernelInfo& info, IndexAxes axes)
      : device_(device), handle_(handle), info_(info), axes_(axes) {}
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  TenonKernel* handle() const { return handle_; }
  const TenonKernelInfo& info() const { return info_; }
  IndexAxes axes() const { return axes_; }

 private:
  DeviceState& device_;
  TenonKernel* handle_;
  TenonKernelInfo info_;
  IndexAxes axes_;
};

class KernelCache {
 public:
  explicit KernelCache(DeviceState& device) : device_(device) {}

  /// The kernel for a description, prepared at first sight; nullptr where the device does not support
  /// it, or a limit of the device forbids it (host.h's take_note says why).
  std::shared_ptr<const Kernel> find(const OpDesc& op);
  /// The same, but nothing is prepared: nullptr where the description was not seen before.
  std::shared_ptr<const Kernel> find_known(const OpDesc& op);
  /// As find, but Unsupported is thrown with the reason; `op_name` names the caller.
  std::shared_ptr<const Kernel> require(std::string_view op_name, const OpDesc& op);
  void clear();

 private:
  std::shared_ptr<const Kernel> lookup(const std::string& block);
  std::shared_ptr<const Kernel> prepare(const std::string& block);

  DeviceState& device_;
  std::shared_mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const Kernel>> kernels_;
};

}  // namespace tenon::runtime
