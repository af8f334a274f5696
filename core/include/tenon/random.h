// Random numbers: Philox4x32-10 (Salmon et al., SC'11) keyed by element index and made into numbers by
// exactly rounded operations alone, so the same seed gives the same bits on every device, in every
// shape and order. Each draw of a tensor has a stream of 2^66 words of its own.
//
// The generator is advanced by one draw; where the dtype is not one that is drawn, or a parameter is
// out of its range, InvalidArgument.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon::random {

/// A seed and the number of the next draw: all that a generator is.
struct GeneratorState {
  std::uint64_t seed = 0, offset = 0;
  bool operator==(const GeneratorState&) const = default;
};

/// Gives each draw a stream; a copy goes its own way from there.
class Generator {
 public:
  explicit Generator(std::uint64_t seed = 0) : state_{seed, 0} {}
  std::uint64_t seed() const { return state_.seed; }
  std::uint64_t offset() const { return state_.offset; }
  /// The stream of the next draw: each draw of a tensor has one of its own.
  std::uint64_t next_offset() { return state_.offset++; }

  /// To be kept, and to go on from later.
  const GeneratorState& state() const { return state_; }
  void set_state(const GeneratorState& state) { state_ = state; }

 private:
  GeneratorState state_;
};

/// The generator that is used where none is given; a thread's own.
Generator& default_generator();
/// Starts the thread's default generator anew.
void manual_seed(std::uint64_t seed);

struct UniformOptions {
  double low = 0, high = 1;
};

/// Uniform in [low, high), both rounded to the dtype: low + (high - low) · u with 24 random bits of u,
/// 53 in f64. f16 and bf16 are drawn in f32 and rounded once; high itself becomes the number below it.
Tensor uniform(const Shape& shape, UniformOptions range = {}, TensorOptions options = {},
               Generator& generator = default_generator());
inline Tensor uniform(const Shape& shape, TensorOptions options,
                      Generator& generator = default_generator()) {
  return uniform(shape, UniformOptions{}, options, generator);
}

struct NormalOptions {
  double mean = 0, std = 1;
};

/// Normal: mean + std · z, z = √(-2 ln u) · sin(πa) (Box and Muller, 1958) to within 1.2e-6 of its
/// size, 2e-15 in f64. u and a have 32 random bits each, so |z| < 6.77; in f64 64 bits, and 9.5. f16
/// and bf16 are drawn in f32 and rounded once. std is not negative.
Tensor normal(const Shape& shape, NormalOptions options = {}, TensorOptions tensor_options = {},
              Generator& generator = default_generator());
inline Tensor normal(const Shape& shape, TensorOptions options,
                     Generator& generator = default_generator()) {
  return normal(shape, NormalOptions{}, options, generator);
}

/// Exponential with the given rate: -ln(u) / rate, with 32 random bits of u, 64 in f64, as above. f16
/// and bf16 are drawn in f32 and rounded once.
Tensor exponential(const Shape& shape, double rate = 1, TensorOptions options = {},
                   Generator& generator = default_generator());

/// True (1) with probability p, in [0, 1] and rounded to a multiple of 2^-32; bool unless told
/// otherwise.
Tensor bernoulli(const Shape& shape, double p, TensorOptions options = {},
                 Generator& generator = default_generator());

struct IntegersOptions {
  Scalar low = 0;
  std::optional<Scalar> high =
      {};  ///< one more than the last; the dtype's greatest is the last if absent
};

/// Integers low .. high - 1, all in the dtype; i64 unless told otherwise. Each is as likely as another
/// to within 2^-32 of its probability. The values of a range within i32 are those of every dtype.
Tensor integers(const Shape& shape, IntegersOptions range = {}, TensorOptions options = {},
                Generator& generator = default_generator());

/// A random order of 0 .. count - 1, i64 (Fisher-Yates).
Tensor permutation(std::int64_t count, TensorOptions options = {},
                   Generator& generator = default_generator());

/// `count` categories for each row of weights (n,) or (rows, n): i64 (count,) or (rows, count), each
/// drawn as often as its share of the row says; without replacement none twice, in the order in which
/// they would be drawn one by one (Efraimidis & Spirakis 2006). Weights are floating, finite and not
/// negative; a row needs one that is not 0, without replacement `count` of them. Reads from the device
/// whether it is so.
Tensor multinomial(const Tensor& weights, std::int64_t count, bool replacement = false,
                   Generator& generator = default_generator());

/// The four words of one Philox4x32-10 block.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

}  // namespace tenon::random
#pragma GCC visibility pop
