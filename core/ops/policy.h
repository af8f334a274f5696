// What becomes of work that a device refuses: an error, or another device.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/device.h>
#include <tenon/fallback.h>
#include <tenon/tensor.h>

#include "core/runtime/op_block.h"

namespace tenon::ops {

/// What a device does not do, and why; nothing where it did it.
using Refusal = std::optional<std::string>;

/// "reduce(f32 contiguous -> f32 contiguous): the reason that the device noted".
std::string refusal_of(const runtime::OpDesc& desc);

/// Whether the device does arithmetic in `dtype`.
bool computes(Device device, DType dtype);
/// The dtype that the device computes values of `dtype` in: itself, or the wider one that the rules of
/// tenon/plugin.h make equal (f32 for 16-bit floats, 32 bits for smaller integers).
DType computed_as(DType dtype, Device device);
/// A row-major copy converted to `dtype`, without a record.
Tensor cast_to(std::string_view op, const Tensor& x, DType dtype);

/// Calls visit(tensor, is_written) for each tensor of the work; it may replace it.
using Visit = std::function<void(Tensor&, bool)>;

/// The tensors of some work as they are on a host device, and the way back.
class HostCopies {
 public:
  explicit HostCopies(Device host) : host_(host) {}
  /// The visitor that replaces each tensor by its copy on the host device.
  Visit mover();
  /// Brings home what was written.
  void return_results(std::string_view op);

 private:
  Device host_;
  std::vector<std::pair<Tensor, Tensor>> written_;  // at home, on the host
  std::int64_t bytes_ = 0;
};

/// The synchronous devices but `own`, in their order; none unless the policy is `host`, and none for
/// the copies of HostCopies themselves.
std::vector<Device> host_devices(Device own);
[[noreturn]] void refuse(std::string_view op, Device device, const std::string& refusal);
/// Counts that `op` runs on `host`.
void count_host_run(std::string_view op, Device own, Device host);

/// After work was refused on its own device: runs `attempt(work)`, a Refusal, where the policy allows
/// it, or throws. `Work` has device() and each_tensor(Visit).
template <class Work, class Attempt>
void settle(std::string_view op, const Work& work, const Refusal& refusal, Attempt attempt) {
  for (const Device& host : host_devices(work.device())) {
    Work moved = work;
    HostCopies copies(host);
    moved.each_tensor(copies.mover());
    if (attempt(moved)) continue;
    count_host_run(op, work.device(), host);
    return copies.return_results(op);
  }
  refuse(op, work.device(), *refusal);
}

/// Runs `attempt(work)` on the work's own device, then as the policy says.
template <class Work, class Attempt>
void with_policy(std::string_view op, const Work& work, Attempt attempt) {
  if (const Refusal refusal = attempt(work)) settle(op, work, refusal, attempt);
}

}  // namespace tenon::ops
