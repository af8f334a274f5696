// Which rows are held out for validation.
#pragma once

#include <cstdint>
#include <vector>

#include <tenon/device.h>

namespace tenon::recipes {

using Indices = std::vector<std::int64_t>;

/// Rows of the table without those that were dropped; both lists are in the order of use.
struct Split {
  Indices train, val;
};

/// Deals `count` rows by a random order that depends on `seed` alone: the first round(count ·
/// val_split), at least one and not all, are held out; val_split 0 holds out none.
Split split_rows(std::int64_t count, double val_split, std::uint64_t seed, Device device);

}  // namespace tenon::recipes
