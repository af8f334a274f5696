#include "tests/conformance/harness.h"

#include <algorithm>
#include <cstring>
#include <iostream>
#include <set>

#include "core/runtime/host.h"

namespace tenon::conformance {
namespace {

// Bytes before and after the elements of an array that no op may touch.
constexpr std::size_t kGuard = 256;

std::uint8_t pattern(std::size_t i) {
  return static_cast<std::uint8_t>(0xA5u ^ (i * 37 >> 2));
}

TenonCopy to_device(const Array& array) {
  return {0, reinterpret_cast<std::uint64_t>(array.bytes.data()), array.handle, 0, array.bytes.size()};
}

std::set<Array*> with_memory(const std::vector<Pack>& packs) {
  std::set<Array*> all;
  for (const Pack& pack : packs) {
    for (Array* array : pack.operands) {
      if (array->handle != 0) all.insert(array);
    }
  }
  return all;
}

std::vector<bool> writable_bytes(const Array& array) {
  std::vector<bool> writable(array.bytes.size());
  for (std::int64_t i = 0; i < array.count(); ++i) {
    for (std::size_t b = 0; b < size_of(array.dtype); ++b) writable[array.place(i) + b] = true;
  }
  return writable;
}

}  // namespace

Rig::Rig(const std::string& device) : state_(tenon::device(device).state()), device_(state_.handle()) {
  if (synchronous()) return;
  EXPECT_EQ(api().stream_create(device_, &stream_), TENON_OK) << runtime::take_error();
}

Rig::~Rig() {
  clear();
  if (stream_ != nullptr) api().stream_destroy(device_, stream_);
}

void Rig::clear() {
  const Outcome finished = handles_.empty() ? Outcome{} : finish();
  EXPECT_TRUE(finished.ok()) << finished;
  for (const std::uint64_t handle : handles_) api().mem_free(device_, handle);
  handles_.clear();
  arrays_.clear();
}

std::uint8_t Rig::max_rank() const {
  return static_cast<std::uint8_t>(std::min<std::uint32_t>(info().max_rank, TENON_MAX_RANK));
}

Outcome Rig::outcome(const char* call, std::int32_t code) const {
  if (code == TENON_OK) return {};
  return {code,
          name() + ": " + call + ": " + (code > 0 ? runtime::take_note() : runtime::take_error())};
}

Outcome Rig::finish() {
  if (synchronous()) return {};
  std::uint64_t point = 0;
  const Outcome signalled = outcome("stream_signal", api().stream_signal(device_, stream_, &point));
  if (!signalled.ok()) return signalled;
  std::int32_t code = TENON_NOT_READY;
  while (code == TENON_NOT_READY) code = api().stream_sync(device_, stream_, point, -1);
  return outcome("stream_sync", code);
}

TenonMem Rig::allocate(std::uint64_t bytes) {
  TenonMem mem{};
  mem.struct_size = sizeof mem;
  const std::int32_t code = api().mem_alloc(device_, TENON_SPACE_DEVICE, bytes, &mem);
  EXPECT_EQ(code, TENON_OK) << outcome("mem_alloc", code);
  if (code == TENON_OK) handles_.push_back(mem.handle);
  return mem;
}

void Rig::write(std::uint64_t handle, std::uint64_t offset, const void* bytes, std::uint64_t size) {
  const TenonCopy copy{0, reinterpret_cast<std::uint64_t>(bytes), handle, offset, size};
  const std::int32_t code = api().copy(device_, stream_, &copy, 1);
  EXPECT_EQ(code, TENON_OK) << outcome("copy to device", code);
}

void Rig::read(std::uint64_t handle, std::uint64_t offset, void* bytes, std::uint64_t size) {
  const TenonCopy copy{handle, offset, 0, reinterpret_cast<std::uint64_t>(bytes), size};
  const std::int32_t code = api().copy(device_, stream_, &copy, 1);
  EXPECT_EQ(code, TENON_OK) << outcome("copy to host", code);
  EXPECT_TRUE(finish().ok());
}

Array* Rig::array(std::uint8_t dtype, const Dims& dims, Lay lay) {
  const std::uint8_t layout = lay == Lay::contiguous ? TENON_LAYOUT_CONTIGUOUS
                              : lay == Lay::scalar   ? TENON_LAYOUT_SCALAR
                                                     : TENON_LAYOUT_STRIDED;
  return array(dtype, dims, strides_of(dims, lay), layout);
}

Array* Rig::array(std::uint8_t dtype, const Dims& dims, const Dims& strides, std::uint8_t layout) {
  auto array = std::make_unique<Array>();
  array->dtype = dtype;
  array->layout = layout;
  array->dims = dims;
  array->strides = strides;
  std::int64_t low = 0, high = 0;
  for (std::size_t d = 0; d < dims.size(); ++d) {
    const std::int64_t reach = std::max<std::int64_t>(dims[d] - 1, 0) * strides[d];
    (reach < 0 ? low : high) += reach;
  }
  // Every other array begins one element late, so that not all lie on a boundary.
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  const std::int64_t lead = static_cast<std::int64_t>(arrays_.size() % 2) - low;
  array->offset = static_cast<std::int64_t>(kGuard) + lead * size;
  array->bytes.resize(2 * kGuard + static_cast<std::size_t>((lead + high + 1) * size));
  for (std::size_t i = 0; i < array->bytes.size(); ++i) array->bytes[i] = pattern(i);
  array->handle = allocate(array->bytes.size()).handle;
  arrays_.push_back(std::move(array));
  return arrays_.back().get();
}

Array* Rig::index(std::uint8_t dtype, const Dims& dims, std::int64_t offset, const Dims& strides) {
  auto array = std::make_unique<Array>();
  array->dtype = dtype;
  array->layout = TENON_LAYOUT_INDEX;
  array->dims = dims;
  array->strides = strides;
  array->offset = offset;
  array->dirty = false;
  arrays_.push_back(std::move(array));
  return arrays_.back().get();
}

void Rig::upload() {
  std::vector<TenonCopy> copies;
  for (const auto& array : arrays_) {
    if (array->dirty && array->handle != 0) copies.push_back(to_device(*array));
    array->dirty = false;
  }
  if (copies.empty()) return;
  const std::int32_t code =
      api().copy(device_, stream_, copies.data(), static_cast<std::uint32_t>(copies.size()));
  EXPECT_EQ(code, TENON_OK) << outcome("copy to device", code);
}

void Rig::download_and_check(const std::vector<Pack>& packs, std::size_t output_count) {
  const std::set<Array*> arrays = with_memory(packs);
  std::set<const Array*> outputs;
  for (const Pack& pack : packs) {
    outputs.insert(pack.operands.begin(),
                   pack.operands.begin() + static_cast<std::ptrdiff_t>(output_count));
  }
  std::vector<std::vector<std::uint8_t>> now;
  std::vector<TenonCopy> copies;
  for (const Array* array : arrays) {
    now.emplace_back(array->bytes.size());
    copies.push_back(
        {array->handle, 0, 0, reinterpret_cast<std::uint64_t>(now.back().data()), array->bytes.size()});
  }
  const std::int32_t code =
      api().copy(device_, stream_, copies.data(), static_cast<std::uint32_t>(copies.size()));
  EXPECT_EQ(code, TENON_OK) << outcome("copy to host", code);
  EXPECT_TRUE(finish().ok());
  std::size_t i = 0;
  for (Array* array : arrays) {
    const bool output = outputs.count(array) != 0;
    check_guards(*array, now[i], output ? writable_bytes(*array) : std::vector<bool>(now[i].size()));
    array->bytes = std::move(now[i++]);
  }
}

void Rig::check_guards(const Array& array, const std::vector<std::uint8_t>& now,
                       const std::vector<bool>& writable) {
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (writable[i] || now[i] == array.bytes[i]) continue;
    ADD_FAILURE() << name() << ": byte " << static_cast<std::int64_t>(i) - array.offset
                  << " from the first element of a " << name_of(array.dtype) << " operand of dims "
                  << show(array.dims) << " strides " << show(array.strides)
                  << " was written: " << unsigned{array.bytes[i]} << " became " << unsigned{now[i]};
    return;
  }
}

Outcome Rig::prepare(const Block& op, Kernel* kernel) {
  kernel->info = {};
  kernel->info.struct_size = sizeof kernel->info;
  return outcome("prepare", api().prepare(device_, reinterpret_cast<const TenonOp*>(op.data()),
                                          &kernel->handle, &kernel->info));
}

void Rig::ask_workspace(const Kernel& kernel, TenonLaunch* launch) {
  launch->workspace_bytes = kernel.info.workspace_bytes;
  if ((kernel.info.flags & TENON_KERNEL_ASK_WORKSPACE) != 0) {
    const std::int32_t code =
        api().workspace(device_, kernel.handle, launch->packs, launch->count, &launch->workspace_bytes);
    EXPECT_EQ(code, TENON_OK) << outcome("workspace", code);
  }
  if (launch->workspace_bytes > 0) launch->workspace = allocate(launch->workspace_bytes).handle;
}

Outcome Rig::launch(const Kernel& kernel, const std::vector<Pack>& packs, std::uint32_t grown) {
  std::vector<std::vector<TenonOperand>> operands;
  std::vector<TenonPack> raw;
  for (const Pack& pack : packs) {
    std::vector<TenonOperand>& list = operands.emplace_back();
    for (std::size_t i = 0; i < pack.operands.size(); ++i) {
      const Array& array = *pack.operands[i];
      const bool strided = array.layout == TENON_LAYOUT_STRIDED || array.layout == TENON_LAYOUT_INDEX;
      const Dims& strides = pack.strides.empty() ? array.strides : pack.strides[i];
      list.push_back({array.handle, array.offset, strided ? strides.data() : nullptr});
    }
    raw.push_back({list.data(), pack.scalars.data(), pack.dims.data()});
  }
  // `grown` zero bytes follow, as from a host of a newer minor version.
  std::vector<std::uint64_t> storage((sizeof(TenonLaunch) + grown + 7) / 8);
  auto* launch = reinterpret_cast<TenonLaunch*>(storage.data());
  launch->struct_size = static_cast<std::uint32_t>(sizeof *launch) + grown;
  launch->count = static_cast<std::uint32_t>(raw.size());
  launch->packs = raw.data();
  launch->corr = ++launches_;
  ask_workspace(kernel, launch);
  return outcome("launch", api().launch(device_, stream_, kernel.handle, launch));
}

Outcome Rig::run(const OpSpec& op, const std::vector<Pack>& packs) {
  upload();
  Kernel kernel;
  const Outcome prepared = prepare(op.block(), &kernel);
  if (!prepared.ok()) return prepared;
  runtime::take_fault();
  Outcome launched = launch(kernel, packs);
  const Outcome finished = finish();
  if (launched.ok()) launched = finished;
  launched.fault = runtime::take_fault();
  release(kernel);
  if (launched.code > 0) launched.code = TENON_INVALID;  // after OK of prepare, launch may not refuse
  download_and_check(packs, op.output_count);
  return launched;
}

void OnDevice::refused(const std::string& what) {
  if (refusals_++ == 0) first_refusal_ = what;
}

void OnDevice::TearDown() {
  rig.clear();
  if (refusals_ == 0) return;
  RecordProperty("refused", refusals_);
  std::cout << "[   NOTE   ] " << rig.name() << " refused " << refusals_
            << " optional case(s), first: " << first_refusal_ << '\n';
}

}  // namespace tenon::conformance
