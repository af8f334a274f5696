// What the launches of a stream were, for the errors that come after them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/plugin.h>

namespace tenon::runtime {

/// Launches count from 1 in each stream; the stream's own number, from 0, stands above bit 40, so that
/// a corr is unique in its device.
inline constexpr int kStreamBit = 40;
/// "launch 17", or "launch 17 of stream 2".
std::string launch_name(std::uint64_t corr);

/// Where a pack's dims hold (extent, stride) of each index operand: of GATHER and SCATTER; of a cross
/// entropy the number of classes.
struct IndexAxes {
  std::size_t first = 0, count = 0;
};
IndexAxes index_axes(const TenonOp& op);

/// A launch as it is given. `op` is a literal.
struct Launch {
  std::string_view op;
  std::uint64_t corr = 0;
  IndexAxes axes = {};
  std::span<const TenonPack> packs = {};
  std::span<const int> dims = {};  // what errors call the indexed axes; none: they count the operands
};

/// What is remembered of it.
struct LaunchRecord {
  std::string_view op;
  std::uint64_t corr = 0;
  std::uint64_t command = 0;  // its number in the stream
  std::size_t axes = 0;
  std::vector<std::int64_t> extents;  // of the indexed axes, `axes` for each pack
  std::vector<int> dims;

  void assign(const Launch& launch, std::uint64_t number);
};

/// The last launches of one stream. Those with indices, which are few and may fail late by their
/// values, are kept apart from the many others. Allocates only until it is full, and for many packs.
class LaunchLog {
 public:
  void add(const Launch& launch, std::uint64_t command);
  /// nullptr where it is forgotten.
  const LaunchRecord* find(std::uint64_t corr) const;
  /// The newest one that is not after `command`.
  const LaunchRecord* last_until(std::uint64_t command) const;

 private:
  struct Ring {
    std::size_t capacity;
    std::size_t next = 0;
    std::vector<LaunchRecord> records = {};
    LaunchRecord& take();
  };
  Ring plain_{1024}, indexed_{128};
};

}  // namespace tenon::runtime
