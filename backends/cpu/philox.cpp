// Random words: Philox4x32-10 as sdk/arithmetic.h has it, whose one block is four words.
#include <cstring>

#include "steps.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/philox.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

using U64 = hn::ScalableTag<std::uint64_t>;
using U32 = hn::Repartition<std::uint32_t, U64>;
using Words = hn::Vec<U64>;

/// One block of words in each lane of 64 bits; only the lower half of a lane counts.
struct Blocks {
  Words c0, c1, c2, c3;
};

HWY_INLINE Words product(Words a, std::uint64_t b) {
  return hn::MulEven(hn::BitCast(U32(), a), hn::BitCast(U32(), hn::Set(U64(), b)));
}

HWY_INLINE Blocks ten_rounds(Blocks c, Words k0, Words k1) {
  for (int round = 0; round < 10; ++round) {
    const Words first = product(c.c0, 0xD2511F53), second = product(c.c2, 0xCD9E8D57);
    c = {hn::Xor(hn::ShiftRight<32>(second), hn::Xor(c.c1, k0)), second,
         hn::Xor(hn::ShiftRight<32>(first), hn::Xor(c.c3, k1)), first};
    k0 = hn::Add(k0, hn::Set(U64(), 0x9E3779B9));
    k1 = hn::Add(k1, hn::Set(U64(), 0xBB67AE85));
  }
  return c;
}

/// The counters and keys of any words, one word of each block.
void scattered(std::uint32_t* out, const std::uint64_t* const* in, int n) {
  const U64 d;
  for_vectors(d, n, [&](int i, auto part) HWY_ATTR {
    const auto at = part.load(d, in[0] + i), offset = part.load(d, in[1] + i),
               seed = part.load(d, in[2] + i);
    const auto block = hn::ShiftRight<2>(at), which = hn::And(at, hn::Set(d, 3));
    const Blocks c = ten_rounds({block, hn::ShiftRight<32>(block), offset, hn::ShiftRight<32>(offset)},
                                seed, hn::ShiftRight<32>(seed));
    auto word = hn::IfThenElse(hn::Eq(which, hn::Set(d, 1)), c.c1, c.c0);
    word = hn::IfThenElse(hn::Eq(which, hn::Set(d, 2)), c.c2, word);
    word = hn::IfThenElse(hn::Eq(which, hn::Set(d, 3)), c.c3, word);
    const hn::Rebind<std::uint32_t, U64> half;
    part.store(hn::TruncateTo(half, word), half, out + i);
  });
}

/// The words of successive blocks, which the thread keeps: those of a program that takes several words
/// for an element are read by one instruction after the other.
class Stream {
 public:
  /// Word `first` and those after it, up to 4 · 512.
  const std::uint32_t* words(std::uint64_t first, std::uint64_t count, std::uint64_t offset,
                             std::uint64_t seed) {
    const std::uint64_t begin = first / 4, blocks = (first + count + 3) / 4 - begin;
    if (begin != begin_ || blocks > blocks_ || offset != offset_ || seed != seed_) {
      draw(begin, blocks, offset, seed);
      begin_ = begin, blocks_ = blocks, offset_ = offset, seed_ = seed;
    }
    return words_ + first % 4;
  }

 private:
  void draw(std::uint64_t begin, std::uint64_t blocks, std::uint64_t offset, std::uint64_t seed) {
    const U64 d;
    const auto high = [](std::uint64_t x) HWY_ATTR { return hn::Set(U64(), x >> 32); };
    const auto low = hn::Set(d, 0xffffffffu);
    for (std::uint64_t i = 0; i < blocks; i += hn::Lanes(d)) {
      const auto block = hn::Iota(d, begin + i);
      const Blocks c = ten_rounds({block, hn::ShiftRight<32>(block), hn::Set(d, offset), high(offset)},
                                  hn::Set(d, seed), high(seed));
      hn::StoreInterleaved2(hn::Or(hn::And(c.c0, low), hn::ShiftLeft<32>(c.c1)),
                            hn::Or(hn::And(c.c2, low), hn::ShiftLeft<32>(c.c3)), d,
                            reinterpret_cast<std::uint64_t*>(words_ + 4 * i));
    }
  }

  std::uint64_t begin_ = 0, blocks_ = 0, offset_ = 0, seed_ = 0;
  alignas(64) std::uint32_t words_[4 * 512 + 128];
};

/// Every second word, or every fourth.
void thin(std::uint32_t* out, const std::uint32_t* words, int step, int n) {
  const hn::ScalableTag<std::uint32_t> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  hn::Vec<decltype(d)> a, b, c, e;
  int i = 0;
  for (; i + lanes <= n; i += lanes) {
    if (step == 2) {
      hn::LoadInterleaved2(d, words + 2 * i, a, b);
    } else {
      hn::LoadInterleaved4(d, words + 4 * i, a, b, c, e);
    }
    hn::StoreU(a, d, out + i);
  }
  for (; i < n; ++i) out[i] = words[step * i];
}

/// Whether x[i] = x[0] + i · step.
bool is_progression(const std::uint64_t* x, std::uint64_t step, int n) {
  const U64 d;
  alignas(64) std::uint64_t first[hn::MaxLanes(d)];
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) first[i] = x[0] + i * step;
  auto expected = hn::Load(d, first), wrong = hn::Zero(d);
  const auto stride = hn::Set(d, step * hn::Lanes(d));
  const int lanes = static_cast<int>(hn::Lanes(d));
  int i = 0;
  for (; i + lanes <= n; i += lanes, expected = hn::Add(expected, stride)) {
    wrong = hn::Or(wrong, hn::Xor(hn::LoadU(d, x + i), expected));
  }
  bool is_right = hn::AllTrue(d, hn::Eq(wrong, hn::Zero(d)));
  for (; i < n; ++i) is_right = is_right && x[i] == x[0] + static_cast<std::uint64_t>(i) * step;
  return is_right;
}

void draw(std::byte* out, const std::byte* const* operands, int n) {
  static thread_local Stream stream;
  const std::uint64_t* in[3];
  for (int k = 0; k < 3; ++k) in[k] = reinterpret_cast<const std::uint64_t*>(operands[k]);
  auto* const y = reinterpret_cast<std::uint32_t*>(out);
  const std::uint64_t step = n > 1 ? in[0][1] - in[0][0] : 0,
                      count = static_cast<std::uint64_t>(n - 1) * step + 1;
  const bool is_stream = (step == 1 || step == 2 || step == 4) && n <= 512 &&
                         is_progression(in[0], step, n) && is_progression(in[1], 0, n) &&
                         is_progression(in[2], 0, n);
  if (!is_stream || in[0][0] + count + 3 < in[0][0]) return scattered(y, in, n);
  const std::uint32_t* words = stream.words(in[0][0], count, in[1][0], in[2][0]);
  if (step > 1) return thin(y, words, static_cast<int>(step), n);
  std::memcpy(y, words, static_cast<std::size_t>(n) * sizeof *y);
}

Step drawing() {
  return draw;
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cpu {

HWY_EXPORT(drawing);

Step find_philox() {
  return HWY_DYNAMIC_DISPATCH(drawing)();
}

}  // namespace cpu
#endif
