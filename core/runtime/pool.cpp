// Where a block comes from: the thread's list, what is kept for all, the plugin.
#include "core/runtime/pool.h"

#include <bit>
#include <exception>

#include "core/base/fail.h"
#include "core/runtime/device_state.h"
#include "core/runtime/hazard.h"
#include "core/runtime/host.h"
#include "core/runtime/import.h"
#include "core/runtime/plugin_memory.h"
#include "core/runtime/pool_settings.h"
#include "core/runtime/registry.h"
#include "core/runtime/stream.h"

namespace tenon::runtime {
namespace {

constexpr std::uint32_t kLeastAlignment = 256;
constexpr std::uint64_t kMost = std::uint64_t{1} << 62;  // rounds without wrapping
constexpr std::uint64_t kThreadBytes = 2 << 20;          // that a thread keeps at most

std::int64_t bytes_of(const Storage& block) {
  return static_cast<std::int64_t>(block.memory.bytes);
}

}  // namespace

Pool::Pool(DeviceState& device)
    : device_(device),
      direct_(pool_settings().direct),
      granule_log2_(std::countr_zero(std::max(device.limits().mem_alignment, kLeastAlignment))) {}

StorageRef Pool::allocate(std::uint64_t bytes) {
  check_not_forked();
  device_.check_alive();
  if (bytes > kMost) fail_for(bytes);
  const BlockSize size = size_for(bytes);
  const Stream* stream = device_.synchronous() ? nullptr : device_.streams().current();
  const std::uint8_t tag = current_tag;
  ThreadPart& mine = part();
  Storage* storage = nullptr;
  bool tell = false;
  if (size.list != kNoList) {
    const std::lock_guard lock(mine.gate);
    storage = mine.take(size.list, stream);
    if (storage != nullptr) tell = mine.usage.add(tag, bytes_of(*storage));
  }
  if (storage == nullptr) {
    storage = take_shared(bytes, size.bytes, stream);
    const std::lock_guard lock(mine.gate);
    tell = mine.usage.add(tag, bytes_of(*storage));
  }
  if (tell) publish(mine);
  storage->tag.store(tag, std::memory_order_relaxed);
  storage->references.store(1, std::memory_order_relaxed);
  storage->version.store(0, std::memory_order_relaxed);
  return StorageRef(storage);
}

void Pool::take_back(Storage* storage) noexcept {
  const int list = size_for(storage->memory.bytes).list;
  const std::uint8_t tag = storage->tag.load(std::memory_order_relaxed);
  storage->tag.store(kNoTag, std::memory_order_relaxed);
  ThreadPart& mine = part();
  Storage* surplus = nullptr;
  bool tell = false;
  {
    const std::lock_guard lock(mine.gate);
    tell = mine.usage.add(tag, -bytes_of(*storage));
    if (list == kNoList) {
      storage->next = nullptr;
      surplus = storage;
    } else {
      mine.keep(list, storage);
      if (mine.kept > kThreadBytes) surplus = mine.take_all();
    }
  }
  if (tell) publish(mine);
  if (surplus == nullptr) return;
  const std::lock_guard lock(mutex_);
  give(surplus);
}

Storage* Pool::take_shared(std::uint64_t asked, std::uint64_t bytes, const Stream* stream) {
  const std::string& problem = pool_settings().problem;
  require(problem.empty(), "[memory] {}", problem);
  const auto fits = [&](const Storage& block) { return !direct_ || block.memory.bytes == bytes; };
  const auto is_idle = [&](const Storage& block) { return fits(block) && is_free_for(block, stream); };
  if (Storage* block = take_kept(bytes, is_idle)) return block;
  if (Storage* block = take_new(bytes)) return block;
  empty_threads();
  if (Storage* block = take_kept(bytes, is_idle)) return block;
  trim();
  if (Storage* block = take_new(bytes)) return block;
  if (Storage* block = take_kept(bytes, fits)) return block;
  fail_for(asked);
}

Storage* Pool::take_kept(std::uint64_t bytes, const Suits& suits) {
  const std::lock_guard lock(mutex_);
  return segments_for(bytes).take(bytes, suits);
}

Storage* Pool::take_new(std::uint64_t bytes) {
  const bool shares_a_slab = bytes <= kSmall && !direct_;
  const std::uint64_t plenty = shares_a_slab ? kSlab : bytes;
  give_back(surplus_before(plenty));
  Storage* whole = nullptr;
  if (plenty > bytes) whole = ask(plenty);
  if (whole == nullptr) {
    take_error();  // of a refusal that less may cure
    whole = ask(bytes);
  }
  if (whole == nullptr) return nullptr;
  const std::lock_guard lock(mutex_);
  ++allocations_;
  return segments_for(bytes).add(whole, bytes);
}

std::vector<Storage*> Pool::surplus_before(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto most =
      static_cast<std::uint64_t>(std::max(peak_, published_ + static_cast<std::int64_t>(bytes)));
  if (reserved_ + bytes <= most + most / 8 + kSlab) return {};
  const auto is_idle = [](const Storage& block) { return is_free_for(block, nullptr); };
  return take_whole(is_idle);
}

std::vector<Storage*> Pool::take_whole(const Suits& suits) {
  std::vector<Storage*> whole = small_.take_whole(suits);
  for (Storage* block : big_.take_whole(suits)) whole.push_back(block);
  return whole;
}

void Pool::give_back(const std::vector<Storage*>& whole) {
  std::exception_ptr first;
  for (Storage* block : whole) {
    bool unused = false;
    try {
      unused = first == nullptr && wait_before_free(*block);
    } catch (...) {
      if (first == nullptr) first = std::current_exception();
    }
    if (!unused) {
      keep(block);
      continue;
    }
    return_to_plugin(device_, block->memory);
    unreserve(block->memory.bytes);
    delete block;
  }
  if (first != nullptr) std::rethrow_exception(first);
}

void Pool::keep(Storage* whole) {
  const std::lock_guard lock(mutex_);
  Segments& segments = segments_for(whole->memory.bytes);
  segments.give(segments.add(whole, whole->memory.bytes));
}

Storage* Pool::ask(std::uint64_t bytes) {
  if (!reserve(bytes)) return nullptr;
  std::optional<TenonMem> memory;
  try {
    memory = ask_plugin(device_, bytes);
  } catch (...) {
    unreserve(bytes);
    throw;
  }
  if (!memory) {
    unreserve(bytes);
    return nullptr;
  }
  auto* whole = new Storage;
  whole->device = &device_;
  whole->memory = *memory;
  return whole;
}

bool Pool::reserve(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t most = limit();
  if (reserved_ > most || bytes > most - reserved_) return false;
  reserved_ += bytes;
  return true;
}

void Pool::unreserve(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  reserved_ -= bytes;
}

void Pool::give(Storage* list) {
  while (list != nullptr) {
    Storage* block = std::exchange(list, list->next);
    segments_for(block->memory.bytes).give(block);
  }
}

void Pool::empty_threads() {
  const std::lock_guard lock(mutex_);
  for (ThreadPart* part : parts_) {
    part->gate.lock();
    Storage* kept = part->take_all();
    part->gate.unlock();
    give(kept);
  }
}

void Pool::trim() {
  device_.check_alive();
  empty_threads();
  std::vector<Storage*> whole;
  {
    const std::lock_guard lock(mutex_);
    whole = take_whole([](const Storage&) { return true; });
  }
  give_back(whole);
}

void release(Storage* storage) noexcept {
  // The last owner is alone: nobody can add a reference.
  if (storage->references.load(std::memory_order_acquire) == 1 ||
      storage->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    if (storage->done) return end_import(storage);
    storage->device->pool().take_back(storage);
  }
}

}  // namespace tenon::runtime
