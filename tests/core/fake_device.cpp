#include "tests/core/fake_device.h"

#include <cstring>
#include <deque>
#include <list>

#include "core/runtime/host.h"
#include "core/runtime/kernel_cache.h"
#include "core/runtime/launch.h"
#include "core/runtime/table.h"

namespace tenon::test {
namespace {

std::deque<TenonDevice>& scripts() {
  static auto& leaked = *new std::deque<TenonDevice>;
  return leaked;
}

template <class Line, class... A>
std::int32_t answer(TenonDevice* device, const Line& line, A&&... arguments) {
  ++device->calls;
  return line ? line(std::forward<A>(arguments)...) : TENON_OK;
}

void* address(std::uint64_t handle, std::uint64_t offset) {
  return reinterpret_cast<void*>(handle + offset);
}

std::int32_t open(std::uint32_t index, TenonDevice** device) {
  *device = &scripts()[index];
  return TENON_OK;
}

constexpr std::align_val_t kAlignment{256};

std::int32_t mem_alloc(TenonDevice* device, std::uint32_t, std::uint64_t bytes, TenonMem* mem) {
  const std::int32_t code = answer(device, device->on_mem_alloc);
  if (code != TENON_OK) return code;
  mem->handle = reinterpret_cast<std::uintptr_t>(::operator new(bytes, kAlignment));
  mem->bytes = bytes;
  if (device->maps_memory) mem->host_ptr = address(mem->handle, 0);
  return code;
}
void mem_free(TenonDevice* device, std::uint64_t handle) {
  ++device->frees;
  ::operator delete(address(handle, 0), kAlignment);
}

std::int32_t mem_import(TenonDevice* device, const TenonImport* what, TenonMem* mem) {
  return device->on_import ? device->on_import(*what, *mem) : std::int32_t{TENON_UNSUPPORTED};
}

std::int32_t copy(TenonDevice* device, TenonStream*, const TenonCopy* copies, std::uint32_t count) {
  const std::int32_t code = answer(device, device->on_copy);
  for (std::uint32_t i = 0; i < count && code == TENON_OK; ++i) {
    const TenonCopy& c = copies[i];
    std::memcpy(address(c.dst, c.dst_offset), address(c.src, c.src_offset), c.bytes);
  }
  return code;
}

std::int32_t prepare(TenonDevice* device, const TenonOp*, TenonKernel** kernel, TenonKernelInfo*) {
  *kernel = reinterpret_cast<TenonKernel*>(device);
  return answer(device, device->on_prepare);
}
std::int32_t launch(TenonDevice* device, TenonStream*, TenonKernel*, const TenonLaunch* what) {
  device->last_corr = what->corr;
  return answer(device, device->on_launch, *what);
}

std::int32_t stream_create(TenonDevice* device, TenonStream** stream) {
  *stream = reinterpret_cast<TenonStream*>(device);
  return answer(device, device->on_create);
}
std::int32_t stream_signal(TenonDevice* device, TenonStream*, std::uint64_t* point) {
  const std::int32_t code = answer(device, device->on_signal);
  if (code == TENON_OK) *point = ++device->points;
  return code;
}

void add_streams(TenonPlugin& t) {
  t.stream_create = stream_create;
  t.stream_destroy = [](TenonDevice* device, TenonStream*) { ++device->destroyed; };
  t.stream_signal = stream_signal;
  t.stream_query = [](TenonDevice* device, TenonStream*, std::uint64_t) {
    return answer(device, device->on_query);
  };
  t.stream_wait = [](TenonDevice* device, TenonStream*, TenonStream*, std::uint64_t) {
    ++device->calls;
    return std::int32_t{TENON_OK};
  };
  t.stream_sync = [](TenonDevice* device, TenonStream*, std::uint64_t, std::int64_t timeout_ns) {
    return answer(device, device->on_sync, timeout_ns);
  };
}

TenonPlugin make_table(bool asynchronous) {
  TenonPlugin t{};
  t.struct_size = sizeof t;
  t.abi = TENON_ABI;
  t.name = "fake";
  t.version = t.build = "1";
  t.device_count = [] { return 0u; };
  t.device_info = [](std::uint32_t, TenonDeviceInfo*) -> std::int32_t { return TENON_INTERNAL; };
  t.device_open = open;
  t.device_close = [](TenonDevice* device) { ++device->closed; };
  t.mem_alloc = mem_alloc;
  t.mem_free = mem_free;
  t.mem_import = mem_import;
  t.copy = copy;
  t.prepare = prepare;
  t.launch = launch;
  t.release = [](TenonDevice* device, TenonKernel*) { ++device->released; };
  if (asynchronous) add_streams(t);
  return runtime::adopt_table("fake", t);
}

}  // namespace

const TenonHost& fake_host() {
  static const TenonHost& host = *runtime::make_host("fake");
  return host;
}

TenonFault bad_index(std::uint64_t corr, std::int64_t value, std::int64_t position, std::uint32_t pack,
                     std::uint32_t operand) {
  return {sizeof(TenonFault), TENON_INDEX, corr, value, position, pack, operand};
}

FakeDevice::FakeDevice(Kind kind) {
  static const TenonPlugin tables[] = {make_table(true), make_table(false)};
  static auto& states = *new std::list<runtime::DeviceState>;
  const auto index = static_cast<std::uint32_t>(scripts().size());
  script_ = &scripts().emplace_back();
  TenonDeviceInfo info{};
  info.struct_size = sizeof info;
  info.kind = "fake";
  info.name = info.uid = info.driver = "";
  info.storage_dtypes = info.compute_dtypes = ~0u;
  info.max_rank = info.max_instructions = info.max_inputs = info.max_outputs = info.max_scalars =
      info.max_constants = TENON_MAX_RANK;
  info.mem_alignment = info.import_alignment = 256;
  state_ =
      &states.emplace_back(tables[kind == Synchronous], index, "fake:" + std::to_string(index), info);
}

std::uint64_t FakeDevice::launch(std::string_view op,
                                 const std::vector<std::vector<std::int64_t>>& extents) {
  std::vector<std::vector<std::int64_t>> dims;
  for (const auto& each : extents) {
    dims.push_back({4});
    for (const std::int64_t extent : each) dims.back().insert(dims.back().end(), {extent, 1});
  }
  std::vector<TenonPack> packs;
  for (const auto& each : dims) packs.push_back({nullptr, nullptr, each.data()});
  const runtime::IndexAxes axes{1, extents.empty() ? 0 : extents.front().size()};
  const runtime::Kernel kernel(*state_, reinterpret_cast<TenonKernel*>(script_), {}, axes);
  runtime::launch(op, *state_, kernel, packs, {});
  return script_->last_corr;
}

}  // namespace tenon::test
