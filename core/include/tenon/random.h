// Random numbers: Philox4x32-10 (Salmon et al., SC'11) keyed by element index, so the same seed gives
// the same bits on every device.
#pragma once

#include <array>
#include <cstdint>

#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon::random {

/// A seed and how far it has been used; a copy goes its own way from there.
class Generator {
 public:
  explicit Generator(std::uint64_t seed = 0) : seed_(seed) {}
  std::uint64_t seed() const { return seed_; }
  /// The stream of the next draw: each draw of a tensor has one of its own.
  std::uint64_t next_offset() { return offset_++; }

 private:
  std::uint64_t seed_;
  std::uint64_t offset_ = 0;
};

/// The generator that is used where none is given; a thread's own.
Generator& default_generator();
/// Starts the thread's default generator anew.
void manual_seed(std::uint64_t seed);

struct UniformOptions {
  double low = 0, high = 1;
};

/// Uniform in [low, high), f32 or f64: (w >> 8) · 2^-24 of one word, or 53 bits of two.
Tensor uniform(const Shape& shape, UniformOptions range = {}, TensorOptions options = {},
               Generator& generator = default_generator());

/// A random order of 0 .. count - 1, i64 (Fisher-Yates).
Tensor permutation(std::int64_t count, TensorOptions options = {},
                   Generator& generator = default_generator());

/// The four words of one Philox4x32-10 block.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

}  // namespace tenon::random
#pragma GCC visibility pop
