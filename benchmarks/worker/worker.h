// One side of a comparison: a table of cases, of which a process serves one. benchmarks/compare starts
// it with the case's name, reads its check, and asks for blocks of repetitions when its turn is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace worker {

/// Work that is ready to be repeated, and the numbers by which it is told that others do the same.
struct Work {
  std::function<void(std::int64_t count)> run;
  std::vector<double> check;
};

struct Case {
  std::string_view name;
  double tolerance;  ///< between the checks of two sides, in parts of the largest of them
  Work (*make)();
};

/// Serves the case that the arguments name, until stdin ends: prints its check as a line of JSON, or
/// what is missing; then, for each line with seconds, runs a block of at least as long and prints its
/// repetitions and seconds. `--list` prints the names. Returns the process's exit code.
int serve(int argc, char** argv, std::span<const Case> cases);

// --- What both sides spell alike; peers/worker.py has the same ---

/// Numbers in [-scale, scale), by a hash of stream and place.
std::vector<float> values(std::uint32_t stream, std::size_t count, float scale = 1);
/// Integers in [0, bound), likewise.
std::vector<std::int64_t> integers(std::uint32_t stream, std::size_t count, std::uint32_t bound);
/// The mean size of the elements, and eight of them from the first to the last.
std::vector<double> probes(std::span<const float> elements);
/// The mean size and the mean square: all that can agree where the elements are drawn by chance.
std::vector<double> moments(std::span<const float> elements);

}  // namespace worker
