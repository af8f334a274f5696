// Two rings.
#include "core/runtime/launch_log.h"

#include <fmt/format.h>

namespace tenon::runtime {

std::string launch_name(std::uint64_t corr) {
  const std::uint64_t stream = corr >> kStreamBit;
  const std::uint64_t number = corr & ((std::uint64_t{1} << kStreamBit) - 1);
  return stream == 0 ? fmt::format("launch {}", number)
                     : fmt::format("launch {} of stream {}", number, stream);
}

IndexAxes index_axes(const TenonOp& op) {
  const bool has_classes =
      op.kind == TENON_KIND_CROSS_ENTROPY || op.kind == TENON_KIND_CROSS_ENTROPY_BACKWARD;
  if (has_classes) return {1, 1};  // the columns
  if (op.kind != TENON_KIND_GATHER && op.kind != TENON_KIND_SCATTER) return {};
  const auto* block = reinterpret_cast<const std::byte*>(&op);
  const auto* attrs = reinterpret_cast<const TenonIndexAttrs*>(block + op.attrs_at);
  return {op.rank, attrs->index_count};
}

void LaunchRecord::assign(const Launch& launch, std::uint64_t number) {
  op = launch.op;
  corr = launch.corr;
  command = number;
  axes = launch.axes.count;
  extents.clear();
  dims.assign(launch.dims.begin(), launch.dims.end());
  if (axes == 0) return;
  for (const TenonPack& pack : launch.packs) {
    for (std::size_t k = 0; k < axes; ++k) extents.push_back(pack.dims[launch.axes.first + 2 * k]);
  }
}

LaunchRecord& LaunchLog::Ring::take() {
  if (records.size() < capacity) return records.emplace_back();
  LaunchRecord& oldest = records[next];
  next = (next + 1) % capacity;
  return oldest;
}

void LaunchLog::add(const Launch& launch, std::uint64_t command) {
  (launch.axes.count > 0 ? indexed_ : plain_).take().assign(launch, command);
}

const LaunchRecord* LaunchLog::find(std::uint64_t corr) const {
  for (const Ring* ring : {&indexed_, &plain_}) {
    for (const LaunchRecord& record : ring->records) {
      if (record.corr == corr) return &record;
    }
  }
  return nullptr;
}

const LaunchRecord* LaunchLog::last_until(std::uint64_t command) const {
  const LaunchRecord* last = nullptr;
  for (const Ring* ring : {&indexed_, &plain_}) {
    for (const LaunchRecord& record : ring->records) {
      const bool newer = last == nullptr || record.command > last->command;
      if (record.command <= command && newer) last = &record;
    }
  }
  return last;
}

}  // namespace tenon::runtime
