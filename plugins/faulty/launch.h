// Kernels and launches: a launch is copied whole when it is queued, and its handles become addresses
// only when a worker runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tenon/plugin.h>
#include <tenon/sdk/view.h>

#include <tenon/sdk/kernels.h>
#include "plugins/faulty/device.h"

namespace faulty {

namespace kernels = tenon::sdk::kernels;

/// One of the SDK's kernels, and the description that says how much of a pack to copy.
class Kernel {
 public:
  Kernel(const TenonHost& host, const TenonOp& op);

  /// What kernels::prepare answered; nothing else is valid unless it is TENON_OK.
  std::int32_t status() const { return status_; }

  tenon::sdk::OpView op() const { return op_.view(); }
  const kernels::Kernel& inner() const { return *inner_; }
  /// The workspace of that kernel, then as much that this plugin scribbles over.
  std::uint64_t workspace_bytes() const { return inner_bytes_ + scribble_bytes_; }
  std::uint64_t inner_bytes() const { return inner_bytes_; }
  std::uint64_t scribble_bytes() const { return scribble_bytes_; }

 private:
  struct Release {
    void operator()(kernels::Kernel* kernel) const { kernels::release(kernel); }
  };

  std::int32_t status_ = TENON_OK;
  tenon::sdk::OpCopy op_;
  std::unique_ptr<kernels::Kernel, Release> inner_;
  std::uint64_t inner_bytes_ = 0, scribble_bytes_ = 0;
};

/// Checks the launch against the description and the heap, copies it, and queues it. The kernel
/// lives until it has run. Where there is a reason to fail, that is all that comes of it, late.
void enqueue(TenonStream& stream, std::shared_ptr<const Kernel> kernel, const TenonLaunch& launch,
             std::string reason_to_fail);

}  // namespace faulty

struct TenonKernel {
  std::shared_ptr<const faulty::Kernel> shared;
};
