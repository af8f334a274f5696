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

/// A kernel, released with its last owner or with the device.
class Kernel {
 public:
  Kernel(DeviceState& device, TenonKernel* handle, const TenonKernelInfo& info, IndexAxes axes)
      : device_(device), handle_(handle), info_(info), axes_(axes) {}
  ~Kernel() { release(); }
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  TenonKernel* handle() const { return handle_; }
  const TenonKernelInfo& info() const { return info_; }
  IndexAxes axes() const { return axes_; }
  /// Needs no workspace.
  bool is_plain() const {
    return info_.workspace_bytes == 0 && (info_.flags & TENON_KERNEL_ASK_WORKSPACE) == 0;
  }
  /// Gives the plugin's part back; nothing is launched with it any more.
  void release() const;

 private:
  DeviceState& device_;
  mutable TenonKernel* handle_;  // nullptr once released
  TenonKernelInfo info_;
  IndexAxes axes_;
};

class KernelCache {
 public:
  /// Keeps `most` kernels, and those beyond that a thread uses.
  explicit KernelCache(DeviceState& device, std::size_t most = 4096) : device_(device), most_(most) {}

  /// The kernel for a description, prepared at first sight; nullptr where the device does not support
  /// it, or a limit of the device forbids it (host.h's take_note says why). What this thread has asked
  /// for lately is found in a table of its own.
  std::shared_ptr<const Kernel> find(const OpDesc& op);
  /// The same, but nothing is prepared: nullptr where the description was not seen before.
  std::shared_ptr<const Kernel> find_known(const OpDesc& op);
  /// As find, but Unsupported is thrown with the reason; `op_name` names the caller.
  std::shared_ptr<const Kernel> require(std::string_view op_name, const OpDesc& op);
  void clear();

 private:
  enum class Missing { prepare, leave };
  std::shared_ptr<const Kernel> find(const OpDesc& op, Missing missing);
  std::shared_ptr<const Kernel> find_block(const OpDesc& op, Missing missing);
  std::shared_ptr<const Kernel> lookup(const std::string& block);
  std::shared_ptr<const Kernel> prepare(const std::string& block);
  void make_room();

  DeviceState& device_;
  const std::size_t most_;
  std::shared_mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const Kernel>> kernels_;
};

}  // namespace tenon::runtime
