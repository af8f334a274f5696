// Plugin "faulty": two asynchronous devices that are as unkind as the contract allows, for tests. They
// run the reference kernels late, on memory that the host cannot read, and play dead where a caller
// breaks a rule that has no error code of its own.
//
// Options. Read when a device opens:
//   seed, delay_us, delay_min_us   each command sleeps that long before it runs
//   late_fault_at, late_fault_every   the n-th launch of the device, or every n-th, does nothing but
//                      report TENON_INTERNAL at the next sync or query
//   lost_at            at its n-th launch the device plays dead
//   not_ready          percent of queries and syncs that answer TENON_NOT_READY for nothing, below 100
//   alignment=minimal  addresses are multiples of 256 and of no more
// Read at each allocation:
//   oom_at, oom_every  the n-th allocation of the plugin fails, every n-th does
//   memory_bytes       of a device
// Read by device_info and prepare:
//   workspace_bytes    that each kernel asks for and scribbles over
//   minimal=1          nothing that plugin.h leaves to the plugin: no optional opcode, dtype or
//                      attachment, no optional slot of the table, one index operand, exact extents
//                      (read before the plugin loads)
//   bare=1             the same of opcodes, attachments, index operands and extents, but every dtype
//   limits=tiny        programs of 4 instructions, 2 inputs, 1 output, 3 scalars, 3 constants; rank 4
#include <cstring>
#include <span>

#include <tenon/plugin.h>
#include <tenon/sdk/check.h>
#include <tenon/sdk/status.h>
#include <tenon/sdk/structs.h>

#include "plugins/faulty/device.h"
#include "plugins/faulty/launch.h"
#include "plugins/faulty/offer.h"
#include "plugins/faulty/peek.h"
#include "plugins/faulty/stream.h"
#include "plugins/faulty/text.h"
#include "plugins/faulty/transfer.h"

namespace faulty {
namespace {

using tenon::sdk::answer;
using tenon::sdk::guarded;
using tenon::sdk::read;

const TenonHost* host = nullptr;

// guarded, for a body that returns nothing.
template <class Body>
std::int32_t run(const Body& body) noexcept {
  return guarded(*host, [&]() -> std::int32_t {
    body();
    return TENON_OK;
  });
}

std::int32_t score() {
  return -1;
}

std::uint32_t device_count() {
  return kDeviceCount;
}

void check_index(std::uint32_t index) {
  if (index < kDeviceCount) return;
  throw Failure(TENON_INVALID, text("[faulty] no device ", index, ", there are ", kDeviceCount));
}

std::int32_t device_info(std::uint32_t index, TenonDeviceInfo* info) {
  return run([&] {
    check_index(index);
    answer(*info, describe(*host, index));
  });
}

std::int32_t device_open(std::uint32_t index, TenonDevice** device) {
  return run([&] {
    check_index(index);
    *device = new TenonDevice(*host, index);
  });
}

void device_close(TenonDevice* device) {
  run([&] { delete device; });
}

std::int32_t mem_alloc(TenonDevice* device, std::uint32_t space, std::uint64_t bytes, TenonMem* mem) {
  return run([&] { answer(*mem, device->allocate(space, bytes)); });
}

void mem_free(TenonDevice* device, std::uint64_t handle) {
  run([&] { device->free(handle); });
}

std::int32_t mem_import(TenonDevice*, const TenonImport*, TenonMem*) {
  host->note(host->ctx, "[faulty] the device reaches no memory but its own; copy instead");
  return TENON_UNSUPPORTED;
}

std::int32_t mem_info(TenonDevice* device, TenonMemInfo* info) {
  return run([&] { answer(*info, device->memory_info()); });
}

std::int32_t copy(TenonDevice* device, TenonStream* stream, const TenonCopy* copies,
                  std::uint32_t count) {
  return run([&] {
    const Turn turn(device, stream);
    for (const TenonCopy& one : std::span(copies, count)) enqueue(*stream, one);
  });
}

std::int32_t fill(TenonDevice* device, TenonStream* stream, const TenonFill* what) {
  return run([&] {
    const Turn turn(device, stream);
    enqueue(*stream, read(*what));
  });
}

std::int32_t stream_create(TenonDevice* device, TenonStream** stream) {
  return run([&] { *stream = device->create_stream(); });
}

void stream_destroy(TenonDevice* device, TenonStream* stream) {
  run([&] { device->destroy_stream(stream); });
}

std::int32_t stream_signal(TenonDevice* device, TenonStream* stream, std::uint64_t* point) {
  return run([&] {
    const Turn turn(device, stream);
    *point = stream->signal();
  });
}

std::int32_t stream_query(TenonDevice*, TenonStream* stream, std::uint64_t point) {
  return guarded(*host, [&] { return stream->query(point); });
}

std::int32_t stream_wait(TenonDevice* device, TenonStream* stream, TenonStream* other,
                         std::uint64_t point) {
  return run([&] {
    const Turn turn(device, stream);
    stream->wait_for(*other, point);
  });
}

std::int32_t stream_sync(TenonDevice*, TenonStream* stream, std::uint64_t point,
                         std::int64_t timeout_ns) {
  return guarded(*host, [&] { return stream->sync(point, timeout_ns); });
}

std::int32_t prepare(TenonDevice* device, const TenonOp* op, TenonKernel** kernel,
                     TenonKernelInfo* info) {
  return guarded(*host, [&]() -> std::int32_t {
    tenon::sdk::check(*op);
    device->check_alive();
    require_offered(*host, tenon::sdk::OpView(*op));
    auto shared = std::make_shared<const Kernel>(*host, *op);
    if (shared->status() != TENON_OK) return shared->status();
    answer(*info, TenonKernelInfo{sizeof *info, 0, shared->workspace_bytes()});
    *kernel = new TenonKernel{std::move(shared)};
    return TENON_OK;
  });
}

std::int32_t launch(TenonDevice* device, TenonStream* stream, TenonKernel* kernel,
                    const TenonLaunch* what) {
  return run([&] {
    const Turn turn(device, stream);
    enqueue(*stream, kernel->shared, read(*what), device->count_launch());
  });
}

const void* get_ext(const char* name) {
  static constexpr FaultyPeek kPeek = {
      [](std::uint64_t handle) -> void* { return heap().address(handle); }};
  return std::strcmp(name, "faulty.peek") == 0 ? &kPeek : nullptr;
}

void release(TenonDevice*, TenonKernel* kernel) {
  delete kernel;
}

constexpr TenonPlugin kTable = {
    TENON_PLUGIN_STAMP("faulty", "0.1.0"),
    score,
    device_count,
    device_info,
    device_open,
    device_close,
    nullptr,  // shutdown
    get_ext,
    mem_alloc,
    mem_free,
    mem_import,
    mem_info,
    copy,
    fill,
    stream_create,
    stream_destroy,
    stream_signal,
    stream_query,
    stream_wait,
    stream_sync,
    nullptr,  // stream_import
    nullptr,  // stream_native
    prepare,
    nullptr,  // workspace
    launch,
    release,
};

constexpr TenonPlugin kMinimalTable = [] {
  TenonPlugin table = kTable;
  table.mem_import = nullptr;
  table.mem_info = nullptr;
  table.fill = nullptr;
  return table;
}();

}  // namespace
}  // namespace faulty

const TenonPlugin* tenon_plugin_main(const TenonHost* host, const char** why) {
  if (host->abi >> 16 != TENON_ABI_MAJOR) {
    *why = "plugin faulty was built for another major version of the plugin ABI";
    return nullptr;
  }
  faulty::host = host;
  try {
    return faulty::is_minimal(*host) ? &faulty::kMinimalTable : &faulty::kTable;
  } catch (const faulty::Failure&) {
    *why = "option minimal must be a whole number";
    return nullptr;
  }
}
