// Random orders on the host, for what the host itself puts in order.
#pragma once

#include <cstdint>
#include <vector>

#include <tenon/random.h>

namespace tenon::random {

/// The elements of permutation(count, {}, generator), without a device.
std::vector<std::int64_t> shuffled(std::int64_t count, Generator& generator);

}  // namespace tenon::random
