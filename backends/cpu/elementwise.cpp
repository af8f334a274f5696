// ELEMENTWISE: a program over tiles of the iteration space, the packs of a launch shared out among the
// team.
#include <algorithm>
#include <array>
#include <span>

#include "kernel.h"
#include "program.h"
#include "team.h"

namespace cpu {

namespace {

class Elementwise final : public Kernel {
 public:
  explicit Elementwise(const TenonOp& op)
      : op_(op), body_(op_.view().program(*op_.view().attachment(TENON_SLOT_BODY))) {
    const auto operands = op_.view().operands();
    operands_ = operands.size();
    flat_ = std::ranges::all_of(
        operands, [](const TenonOperandDesc& it) { return it.layout == TENON_LAYOUT_CONTIGUOUS; });
    // One part has work for some ten microseconds.
    grain_ = std::max<std::int64_t>(
        kTile, (32768 / static_cast<std::int64_t>(body_.instruction_count() + 1)) / kTile * kTile);
  }

  std::int32_t launch(const TenonLaunch& launch) const override {
    if (launch.count == 1) {
      run_pack(launch.packs[0]);
      return TENON_OK;
    }
    // Whole packs, since an optimiser's are many and small; big ones one by one.
    std::int64_t most = 0;
    for (std::uint32_t i = 0; i < launch.count; ++i) most = std::max(most, count(launch.packs[i]));
    if (most > grain_) {
      for (std::uint32_t i = 0; i < launch.count; ++i) run_pack(launch.packs[i]);
      return TENON_OK;
    }
    const std::int64_t grain = std::max<std::int64_t>(1, grain_ / std::max<std::int64_t>(most, 1));
    parallel(launch.count, grain, [&](std::int64_t begin, std::int64_t end) {
      for (; begin < end; ++begin) run_part(launch.packs[begin], 0, count(launch.packs[begin]));
    });
    return TENON_OK;
  }

 private:
  std::int64_t count(const TenonPack& pack) const {
    return sdk::element_count({pack.dims, op_.view().rank()});
  }

  void run_pack(const TenonPack& pack) const {
    parallel(count(pack), grain_,
             [&](std::int64_t begin, std::int64_t end) { run_part(pack, begin, end); });
  }

  void run_part(const TenonPack& pack, std::int64_t begin, std::int64_t end) const {
    if (flat_ && body_.single_step() != nullptr) {
      run_single(pack, begin, end);
    } else {
      run_tiles(pack, begin, end);
    }
  }

  std::size_t element_size(std::size_t i) const { return sdk::size_of(op_.view().operands()[i].dtype); }

  std::byte* at(const TenonPack& pack, std::size_t i, std::int64_t element) const {
    return sdk::host_address(pack.operands[i]) + element * static_cast<std::int64_t>(element_size(i));
  }

  void run_single(const TenonPack& pack, std::int64_t begin, std::int64_t end) const {
    for (; begin < end; begin += 1 << 30) {
      const std::byte* const x = at(pack, 1, begin);
      const std::byte* const y = operands_ > 2 ? at(pack, 2, begin) : x;
      const std::byte* const in[3] = {x, y, y};
      body_.single_step()(at(pack, 0, begin), in,
                          static_cast<int>(std::min<std::int64_t>(end - begin, 1 << 30)));
    }
  }

  void run_tiles(const TenonPack& given, std::int64_t begin, std::int64_t end) const {
    const sdk::PackView pack(op_.view(), given);
    std::array<Way, sdk::kMaxOperands> ways;
    for (std::size_t i = 0; i < operands_; ++i) {
      ways[i] = {op_.view().operands()[i], pack.operand(i), pack.strides(i)};
    }
    run_program(body_, given.scalars, pack.dims(), std::span(ways).first(operands_), begin, end);
  }

  sdk::OpCopy op_;
  Program body_;
  std::size_t operands_ = 0;
  std::int64_t grain_ = kTile;
  bool flat_ = false;  // all operands are CONTIGUOUS
};

}  // namespace

std::unique_ptr<Kernel> make_elementwise(const TenonOp& op) {
  return std::make_unique<Elementwise>(op);
}

}  // namespace cpu
