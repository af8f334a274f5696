// Gives work to a device: launches, copies, and the waits around them.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "core/runtime/hazard.h"
#include "core/runtime/kernel_cache.h"
#include "core/runtime/storage.h"

namespace tenon::runtime {

/// Runs a kernel over packs on the calling thread's stream; `accesses` names every storage that the
/// packs' operands lie in. `op` names the launch in errors, late ones too: a string literal; `dims`,
/// where given, name the dimension that each index operand chooses in.
void launch(std::string_view op, DeviceState& device, const Kernel& kernel,
            std::span<const TenonPack> packs, std::span<const Access> accesses,
            std::span<const int> dims = {});

/// Copies host bytes into a storage; they may be reused at once.
void copy_from_host(Storage& dst, std::int64_t offset, std::span<const std::byte> src);
/// Copies a storage's bytes to the host, and returns when they are there.
void copy_to_host(const Storage& src, std::int64_t offset, std::span<std::byte> dst);

}  // namespace tenon::runtime
