// Exact-size lists, and one retry after a trim.
#include "core/runtime/pool.h"

#include <algorithm>

#include "core/base/fail.h"
#include "core/runtime/device_state.h"
#include "core/runtime/hazard.h"
#include "core/runtime/host.h"
#include "core/runtime/registry.h"
#include "core/runtime/stream.h"

namespace tenon::runtime {
namespace {

constexpr std::uint64_t kGranule = 64;

std::uint64_t rounded(std::uint64_t bytes) {
  return bytes == 0 ? kGranule : (bytes + kGranule - 1) / kGranule * kGranule;
}

}  // namespace

StorageRef Pool::allocate(std::uint64_t bytes) {
  check_not_forked();
  device_.check_alive();
  const std::uint64_t size = rounded(bytes);
  Storage* storage = take_kept(size);
  if (storage == nullptr) storage = ask_plugin(size);
  if (storage == nullptr) {
    take_error();  // of the refusal that the second try may cure
    trim();
    storage = ask_plugin(size);
  }
  if (storage == nullptr) {
    fail(ErrorKind::OutOfMemory, "[{}] out of memory: {} bytes asked for, {} in use: {}",
         device_.name(), bytes, live_.load(), take_error());
  }
  storage->references = 1;
  storage->version = 0;
  count_live(static_cast<std::int64_t>(size));
  return StorageRef(storage);
}

Storage* Pool::take_kept(std::uint64_t bytes) {
  const Stream* stream = device_.streams().current();
  const std::lock_guard lock(mutex_);
  const auto list = kept_.find(bytes);
  if (list == kept_.end()) return nullptr;
  auto& blocks = list->second;
  const auto block = std::find_if(blocks.rbegin(), blocks.rend(),
                                  [&](Storage* storage) { return is_free_for(*storage, stream); });
  if (block == blocks.rend()) return nullptr;
  Storage* storage = *block;
  blocks.erase(std::next(block).base());
  return storage;
}

Storage* Pool::ask_plugin(std::uint64_t bytes) {
  TenonMem memory{};
  memory.struct_size = sizeof memory;
  const std::int32_t code =
      device_.api().mem_alloc(device_.handle(), TENON_SPACE_DEVICE, bytes, &memory);
  if (code == TENON_OOM) return nullptr;
  check_status(device_, "mem_alloc", code);
  allocations_.fetch_add(1, std::memory_order_relaxed);
  reserved_.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
  auto* storage = new Storage;
  storage->device = &device_;
  storage->memory = memory;
  storage->memory.bytes = bytes;
  return storage;
}

void Pool::count_live(std::int64_t bytes) {
  const std::int64_t now = live_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  std::int64_t peak = peak_.load(std::memory_order_relaxed);
  while (peak < now && !peak_.compare_exchange_weak(peak, now)) {
  }
}

void Pool::take_back(Storage* storage) noexcept {
  live_.fetch_sub(static_cast<std::int64_t>(storage->memory.bytes), std::memory_order_relaxed);
  keep(storage);
}

void Pool::keep(Storage* storage) noexcept {
  const std::lock_guard lock(mutex_);
  kept_[storage->memory.bytes].push_back(storage);
}

void Pool::trim() {
  std::unordered_map<std::uint64_t, std::vector<Storage*>> blocks;
  {
    const std::lock_guard lock(mutex_);
    blocks.swap(kept_);
  }
  std::exception_ptr first;
  for (const auto& [bytes, list] : blocks) {
    for (Storage* storage : list) {
      bool unused = false;
      try {
        unused = wait_before_free(*storage);
      } catch (...) {
        if (first == nullptr) first = std::current_exception();
      }
      unused ? give_up(storage) : keep(storage);
    }
  }
  if (first != nullptr) std::rethrow_exception(first);
}

void Pool::give_up(Storage* storage) {
  device_.api().mem_free(device_.open_handle(), storage->memory.handle);
  reserved_.fetch_sub(static_cast<std::int64_t>(storage->memory.bytes), std::memory_order_relaxed);
  delete storage;
}

void release(Storage* storage) noexcept {
  if (storage->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    storage->device->pool().take_back(storage);
  }
}

}  // namespace tenon::runtime
