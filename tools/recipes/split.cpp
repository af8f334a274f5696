// Rows are dealt by one random permutation.
#include "tools/recipes/split.h"

#include <algorithm>
#include <cmath>

#include <tenon/random.h>

namespace tenon::recipes {

Split split_rows(std::int64_t count, double val_split, std::uint64_t seed, Device device) {
  random::Generator generator(seed);
  // i32: every device stores it.
  const auto order =
      random::permutation(count, {.dtype = i32, .device = device}, generator).to_vector<std::int32_t>();
  std::int64_t held_out = 0;
  if (val_split > 0) {
    if (count < 2)
      throw Error(ErrorKind::InvalidArgument,
                  "1 row can't be split into training and validation; use --val-split 0");
    held_out = std::llround(static_cast<double>(count) * val_split);
    held_out = std::clamp<std::int64_t>(held_out, 1, count - 1);
  }
  const auto middle = order.begin() + held_out;
  return {.train = Indices(middle, order.end()), .val = Indices(order.begin(), middle)};
}

}  // namespace tenon::recipes
