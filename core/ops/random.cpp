// Philox4x32-10: on devices as an opcode, here for what the host decides.
#include <bit>
#include <cmath>

#include <tenon/ops.h>
#include <tenon/random.h>

#include "core/base/fail.h"
#include "core/ops/run.h"
#include "core/ops/shuffle.h"
#include "core/tensor/impl.h"

namespace tenon::random {
namespace {

/// 24 or 53 random bits as a number in [0, 1), then scaled. Element i uses word i (f32), or words 2i
/// and 2i + 1 (f64), of the draw's own stream. Exact opcodes only, so the bits are the same everywhere.
program::Program uniform_program(DType dtype) {
  program::Builder b;
  const auto index = b.input(u64);
  const auto offset = b.scalar(u64), seed = b.scalar(u64);
  const auto low = b.scalar(dtype), span = b.scalar(dtype);
  program::Value unit;
  if (dtype == f32) {
    unit = cast(philox(index, offset, seed) >> 8, f32) * 0x1p-24;
  } else {
    const auto next = b.input(u64);
    const auto high = cast(philox(index, offset, seed), u64),
               rest = cast(philox(next, offset, seed), u64);
    unit = cast(((high << 32) | rest) >> 11, f64) * 0x1p-53;
  }
  const auto value = low + span * unit;
  // Rounding may reach low + span itself, which is outside.
  const auto high_end = b.scalar(dtype), below = b.scalar(dtype);
  b.output(select(value < high_end, value, below));
  return b.build();
}

double rounded(double x, DType dtype) {
  return dtype == f64 ? x : static_cast<double>(static_cast<float>(x));
}

/// The largest number below `x` in `dtype`.
double before(double x, DType dtype) {
  if (dtype == f64) return std::nextafter(x, -HUGE_VAL);
  return static_cast<double>(std::nextafter(static_cast<float>(x), -HUGE_VALF));
}

/// Words of one stream, as the PHILOX opcode numbers them.
class Words {
 public:
  Words(std::uint64_t seed, std::uint64_t offset) : seed_(seed), offset_(offset) {}
  std::uint32_t next() {
    if (index_ % 4 == 0) block_ = block(index_ / 4);
    return block_[index_++ % 4];
  }
  /// Uniform in 0 .. bound - 1: as many bits as bound - 1 has, drawn again while they are too large.
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t mask = std::bit_ceil(bound) - 1;
    for (;;) {
      const std::uint64_t high = next();
      const std::uint64_t drawn = ((high << 32) | next()) & mask;
      if (drawn < bound) return drawn;
    }
  }

 private:
  std::array<std::uint32_t, 4> block(std::uint64_t number) const {
    const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
    return philox4x32({low(number), low(number >> 32), low(offset_), low(offset_ >> 32)},
                      {low(seed_), low(seed_ >> 32)});
  }
  std::uint64_t seed_, offset_, index_ = 0;
  std::array<std::uint32_t, 4> block_{};
};

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> c,
                                        std::array<std::uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0], b = std::uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(a)};
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
  return c;
}

Generator& default_generator() {
  thread_local Generator generator;
  return generator;
}

void manual_seed(std::uint64_t seed) {
  default_generator() = Generator(seed);
}

Tensor uniform(const Shape& shape, UniformOptions range, TensorOptions options, Generator& generator) {
  const DType dtype = options.dtype.value_or(f32);
  require(dtype == f32 || dtype == f64, "[uniform] {} is not drawn yet; use f32 or f64", name(dtype));
  const double low = rounded(range.low, dtype), high = rounded(range.high, dtype);
  const double span = rounded(high - low, dtype);
  require(std::isfinite(low) && std::isfinite(span) && low < high,
          "[uniform] the range {} .. {} is empty or not finite in {}", range.low, range.high,
          name(dtype));
  const Tensor y = allocate(shape, dtype, options.device ? *options.device : default_device());
  Strides strides = contiguous_strides(shape);
  ops::Operands operands{{y}, {{Tensor(), 0, strides}}};
  if (dtype == f64) {
    for (std::int64_t& stride : strides) stride *= 2;
    operands.inputs = {{Tensor(), 0, strides}, {Tensor(), 1, strides}};
  }
  operands.scalars = {generator.next_offset(),  generator.seed(),
                      Scalar(low).bits(dtype),  Scalar(span).bits(dtype),
                      Scalar(high).bits(dtype), Scalar(before(high, dtype)).bits(dtype)};
  ops::run("uniform", uniform_program(dtype), {&operands, 1});
  Tensor result = y;
  return options.requires_grad ? result.set_requires_grad() : result;
}

std::vector<std::int64_t> shuffled(std::int64_t count, Generator& generator) {
  require(count >= 0, "[permutation] the count is {}", count);
  if (count > std::int64_t{1} << 40) {
    fail(ErrorKind::OutOfMemory, "[permutation] out of memory: an order of {} elements", count);
  }
  Words words(generator.seed(), generator.next_offset());
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[words.below(i)]);
  return order;
}

Tensor permutation(std::int64_t count, TensorOptions options, Generator& generator) {
  return tensor(shuffled(count, generator), options);
}

}  // namespace tenon::random
