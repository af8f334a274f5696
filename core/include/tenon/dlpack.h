// Tensors of other libraries, and tensors for them, without a copy: DLPack 1.x on synchronous devices
// whose memory is the host's (kDLCPU). All else is Unsupported.
#pragma once

#include <optional>

#include <tenon/dlpack_abi.h>
#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon {

/// x for another library, which calls the deleter once when it is done. A tensor that requires a
/// gradient is refused: detach() it. What was imported read-only is exported so.
DLManagedTensorVersioned* to_dlpack(const Tensor& x);

/// Another library's tensor; its deleter is called once, when the last tensor on its memory is gone.
/// Where this throws `source` stays the caller's. `device`, or else the default device, or the first
/// that uses the host's memory in place.
Tensor from_dlpack(DLManagedTensorVersioned* source, std::optional<Device> device = {});

}  // namespace tenon
#pragma GCC visibility pop
