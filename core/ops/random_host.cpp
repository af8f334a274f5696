// Philox on the host: generators, and orders that the host decides.
#include <bit>

#include <tenon/random.h>

#include "core/base/fail.h"
#include "core/ops/shuffle.h"

namespace tenon::random {
namespace {

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
  options.dtype = options.dtype.value_or(i64);
  if (count > 0) empty({count}, options);  // what the device has no room for the host need not make
  return tensor(shuffled(count, generator), options);
}

}  // namespace tenon::random
