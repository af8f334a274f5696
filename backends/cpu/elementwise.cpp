// ELEMENTWISE: a program over tiles of the iteration space, the packs of a launch shared out among the
// team. What is small is done at once in the calling thread, in tiles on its stack.
#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <vector>

#include "kernel.h"
#include "program.h"
#include "team.h"

namespace cpu {

namespace {

/// Small work: elements, and tiles that the stack has room for.
constexpr int kSmall = 64;
constexpr std::size_t kSmallTiles = 16, kSmallTileBytes = kSmall * 8;
/// Results of this many bytes are not worth a place in the cache.
constexpr std::int64_t kStreamBytes = 24 << 20;

class Elementwise final : public Kernel {
 public:
  explicit Elementwise(const TenonOp& op)
      : op_(op), body_(op_.view().program(*op_.view().attachment(TENON_SLOT_BODY))) {
    rank_ = op_.view().rank();
    outputs_ = body_.output_count();
    for (const TenonOperandDesc& desc : op_.view().operands()) {
      const bool is_scalar = desc.layout == TENON_LAYOUT_SCALAR;
      is_flat_ = is_flat_ && (is_scalar || desc.layout == TENON_LAYOUT_CONTIGUOUS);
      scalars_ += is_scalar ? 1 : 0;
      forms_.push_back({sdk::size_of(desc.dtype), is_scalar ? find_fill(desc.dtype) : nullptr});
    }
    // An input that is an output too is copied before it may be written over.
    const bool is_one = forms_.size() == 2;
    is_flat_ = is_flat_ && (is_one || !body_.passes_inputs());
    if (is_flat_ && scalars_ == 0) single_ = body_.single_step();
    length_ = body_.tile_length();
    // One part has work for some ten microseconds.
    grain_ = std::max<std::int64_t>(
        kTile, (131072 / static_cast<std::int64_t>(body_.instruction_count() + 1)) / kTile * kTile);
  }

  std::int32_t launch(const TenonLaunch& launch) const override {
    std::int64_t most = 0, all = 0;
    for (std::uint32_t i = 0; i < launch.count; ++i) {
      const std::int64_t n = count(launch.packs[i]);
      most = std::max(most, n);
      all += n;
    }
    if (most > grain_) {
      for (std::uint32_t i = 0; i < launch.count; ++i) run_pack(launch.packs[i]);
    } else if (all <= grain_) {
      for (std::uint32_t i = 0; i < launch.count; ++i) run_whole(launch.packs[i]);
    } else {  // whole packs, since an optimiser's are many and small
      const std::int64_t grain = std::max<std::int64_t>(1, grain_ / std::max<std::int64_t>(most, 1));
      parallel(launch.count, grain, [&](std::int64_t begin, std::int64_t end) {
        for (; begin < end; ++begin) run_whole(launch.packs[begin]);
      });
    }
    return TENON_OK;
  }

 private:
  struct Form {
    std::size_t size;
    Fill fill;  // of a SCALAR, else nullptr
  };

  std::int64_t count(const TenonPack& pack) const { return sdk::element_count({pack.dims, rank_}); }

  void run_pack(const TenonPack& pack) const {
    const std::int64_t total = count(pack);
    const bool streams = is_flat_ && leaves_the_cache(pack, total);
    parallel(total, grain_,
             [&](std::int64_t begin, std::int64_t end) { run_part(pack, begin, end, streams); });
  }

  void run_whole(const TenonPack& pack) const {
    const std::int64_t total = count(pack);
    if (total > 0) run_part(pack, 0, total, false);
  }

  void run_part(const TenonPack& pack, std::int64_t begin, std::int64_t end, bool streams) const {
    if (single_ != nullptr && !streams) {
      run_single(pack, begin, end);
    } else if (!is_flat_) {
      run_tiles(pack, begin, end);
    } else if (end - begin <= kSmall && body_.tile_count() + scalars_ <= kSmallTiles) {
      alignas(64) std::byte tiles[kSmallTiles * kSmallTileBytes];
      run_flat(pack, begin, end, {tiles, kSmallTileBytes}, false);
    } else {
      run_flat(pack, begin, end, {scratch(body_.tile_count() + scalars_), tile_bytes(length_)},
               streams);
    }
  }

  /// Whether results are big, and in memory that no input has brought to the cache.
  bool leaves_the_cache(const TenonPack& pack, std::int64_t total) const {
    std::int64_t bytes = 0;
    for (std::size_t i = 0; i < outputs_; ++i) {
      bytes += total * static_cast<std::int64_t>(forms_[i].size);
      for (std::size_t k = outputs_; k < forms_.size(); ++k) {
        if (sdk::host_address(pack.operands[i]) == sdk::host_address(pack.operands[k])) return false;
      }
    }
    return bytes >= kStreamBytes;
  }

  std::byte* at(const TenonPack& pack, std::size_t i, std::int64_t element) const {
    return sdk::host_address(pack.operands[i]) + element * static_cast<std::int64_t>(forms_[i].size);
  }

  void run_single(const TenonPack& pack, std::int64_t begin, std::int64_t end) const {
    for (; begin < end; begin += 1 << 30) {
      const std::byte* const x = at(pack, 1, begin);
      const std::byte* const y = forms_.size() > 2 ? at(pack, 2, begin) : x;
      const std::byte* const in[3] = {x, y, y};
      single_(at(pack, 0, begin), in, static_cast<int>(std::min<std::int64_t>(end - begin, 1 << 30)));
    }
  }

  /// Operands are in memory without gaps, or one element.
  void run_flat(const TenonPack& pack, std::int64_t begin, std::int64_t end, Room room,
                bool streams) const {
    const int most = static_cast<int>(std::min<std::int64_t>(end - begin, length_));
    Tile tile(body_, pack.scalars, room.after(scalars_), most);
    for (std::size_t i = outputs_; i < forms_.size(); ++i) {
      if (forms_[i].fill == nullptr) continue;
      std::uint64_t bits = 0;
      std::memcpy(&bits, sdk::host_address(pack.operands[i]), forms_[i].size);
      forms_[i].fill(room.at, bits, most);
      tile.set_input(i - outputs_, room.at);
      room = room.after(1);
    }
    for (; begin < end; begin += length_) {
      const int n = static_cast<int>(std::min<std::int64_t>(length_, end - begin));
      for (std::size_t i = outputs_; i < forms_.size(); ++i) {
        if (forms_[i].fill == nullptr) tile.set_input(i - outputs_, at(pack, i, begin));
      }
      for (std::size_t i = 0; i < outputs_; ++i) {
        tile.set_output(i, streams ? nullptr : at(pack, i, begin));
      }
      tile.run(n);
      for (std::size_t i = 0; streams && i < outputs_; ++i) {
        stream(at(pack, i, begin), tile.result(i), static_cast<std::size_t>(n) * forms_[i].size);
      }
    }
  }

  void run_tiles(const TenonPack& given, std::int64_t begin, std::int64_t end) const {
    const sdk::PackView pack(op_.view(), given);
    std::array<Way, sdk::kMaxOperands> ways;
    for (std::size_t i = 0; i < forms_.size(); ++i) {
      ways[i] = {op_.view().operands()[i], pack.operand(i), pack.strides(i)};
    }
    run_program(body_, given.scalars, pack.dims(), std::span(ways).first(forms_.size()), begin, end);
  }

  sdk::OpCopy op_;
  Program body_;
  std::vector<Form> forms_;
  std::size_t rank_ = 0, outputs_ = 0, scalars_ = 0;
  std::int64_t grain_ = kTile;
  int length_ = kTile;
  bool is_flat_ = true;  // all operands are CONTIGUOUS or SCALAR
  Step single_ = nullptr;
};

}  // namespace

std::unique_ptr<Kernel> make_elementwise(const TenonOp& op) {
  return make_copy(op, std::make_unique<Elementwise>(op));
}

}  // namespace cpu
