// The plugin's allocations of one pool, cut into blocks: best fit, split, joined again.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "core/runtime/storage.h"

namespace tenon::runtime {

/// Not thread-safe. A block is in use or free; a block that is free has no free neighbour.
class Segments {
 public:
  /// Takes in an allocation as one block, and gives out its first `bytes`.
  Storage* add(Storage* whole, std::uint64_t bytes);
  /// The first `bytes` of the smallest free block that has them and suits; nullptr where none does.
  /// Only the smallest few are asked whether they suit.
  Storage* take(std::uint64_t bytes, const std::function<bool(const Storage&)>& suits);
  /// Frees a block, and joins it with its free neighbours.
  void give(Storage* block);
  /// Lets go of each allocation that is one free block and suits.
  std::vector<Storage*> take_whole(const std::function<bool(const Storage&)>& suits);

  /// Calls f for every block.
  template <class F>
  void for_each(F&& f) const {
    for (const Storage* block : first_) {
      for (; block != nullptr; block = block->after) f(*block);
    }
  }

 private:
  /// By size; of equals the lower place is first, so that the high ones empty.
  struct Smaller {
    using is_transparent = void;
    bool operator()(const Storage* a, const Storage* b) const;
    bool operator()(const Storage* a, std::uint64_t bytes) const { return a->memory.bytes < bytes; }
  };

  Storage* use(Storage* block, std::uint64_t bytes);

  std::set<Storage*, Smaller> free_;
  std::vector<Storage*> first_;  // the block at the start of each allocation, which never changes
};

}  // namespace tenon::runtime
