// Products by own loops, of all dtypes and layouts: dst is cut into blocks that threads share out; what
// can't be multiplied where it lies is packed on the way, and an EPILOGUE runs over a block while it is
// in the cache. No bit depends on the number of threads.
#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "gemm.h"
#include "matmul.h"
#include "pack.h"
#include "team.h"

namespace cpu {

namespace {

/// Of a block: sums of so many rows and bytes of columns fit the second-level cache, a panel of b that
/// is so deep the first-level one.
constexpr std::int64_t kRows = 128, kColumnBytes = 1024, kDepth = 128;
/// A b that is no larger is multiplied where it lies.
constexpr std::int64_t kSmallBytes = 32 << 10;
/// Below so many bytes multiplied a region costs more than the second thread saves.
constexpr std::int64_t kParallel = 4 << 20;
/// Buffers up to this size are the caller's stack, larger ones workspace.
constexpr std::uint64_t kStack = 36 << 10;

/// The dtype that products are computed and summed in.
std::uint8_t compute_dtype(std::uint8_t input, std::uint8_t acc) {
  const bool wide = std::max(sdk::size_of(input), sdk::size_of(acc)) == 8;
  if (input >= TENON_DTYPE_F16) return wide ? TENON_DTYPE_F64 : TENON_DTYPE_F32;
  if (sdk::size_of(acc) >= 4 && wide == (sdk::size_of(acc) == 8)) return acc;
  return wide ? TENON_DTYPE_I64 : TENON_DTYPE_I32;
}

bool same_bits(std::uint8_t a, std::uint8_t b) {
  return sdk::size_of(a) == sdk::size_of(b) && (a >= TENON_DTYPE_F16) == (b >= TENON_DTYPE_F16);
}

/// How a product of known extents is computed.
struct Plan {
  ProductShape shape;
  bool turned = false;      // a and b are each other's, transposed
  bool by_columns = false;  // dst is one column: sums over vectors
  bool pack_b = false;
  bool direct = false;  // sums are dst itself
  std::int64_t block_rows = 0, block_columns = 0;
  std::int64_t row_blocks = 0, column_blocks = 0;
  int parts = 1;  // threads
  std::uint64_t panel_bytes = 0, a_bytes = 0, sums_bytes = 0;

  std::int64_t blocks() const { return shape.batches() * row_blocks * column_blocks; }
  std::uint64_t part_bytes() const { return panel_bytes + a_bytes + sums_bytes; }
};

/// Where a block of dst is, and where what belongs to it is.
struct Block {
  const TenonPack& pack;
  const Plan& plan;
  std::array<std::int64_t, sdk::kMaxOperands> offsets;  // of the batch, in elements
  std::int64_t row, column, rows, columns;
  std::byte *panel, *a, *sums;
};

std::uint64_t rounded_up(std::int64_t bytes) {
  return (static_cast<std::uint64_t>(bytes) + 63) / 64 * 64;
}

class OwnMatmul final : public Kernel {
 public:
  explicit OwnMatmul(const TenonOp& op)
      : op_(op),
        input_(op_.view().operands()[1].dtype),
        compute_(compute_dtype(input_, op_.view().acc_dtype())),
        size_(static_cast<std::int64_t>(sdk::size_of(compute_))),
        native_(same_bits(input_, compute_)),
        accumulate_(op_.view().attrs<TenonMatmulAttrs>().accumulate != 0),
        added_(added_operand(op_.view())),
        loops_(gemm_loops(compute_)),
        packer_(input_, compute_),
        widen_(op_.view().operands()[0].dtype, compute_),
        finish_(compute_, op_.view().operands()[0].dtype) {
    const sdk::OpView view = op_.view();
    const TenonAttachment* attachment = view.attachment(TENON_SLOT_EPILOGUE);
    has_epilogue_ = attachment != nullptr;
    if (has_epilogue_) finish_ = Program(view.program(*attachment));
    if (is_dynamic(view)) {
      const std::int64_t columns = kColumnBytes / size_;
      const std::uint64_t largest_bytes = rounded_up(kDepth * loops_.panel * size_) +
                                          rounded_up(kRows * kDepth * size_) +
                                          rounded_up(kRows * columns * size_);
      workspace_bytes = largest_bytes * static_cast<std::uint64_t>(threads_);
    } else {
      plan_.emplace(plan(read_shape(view, nullptr)));
      if (plan_->part_bytes() > kStack || plan_->parts > 1) {
        workspace_bytes = plan_->part_bytes() * static_cast<std::uint64_t>(plan_->parts);
      }
    }
  }

  std::int32_t launch(const TenonLaunch& launch) const override {
    auto* const workspace = reinterpret_cast<std::byte*>(launch.workspace + launch.workspace_offset);
    for (std::uint32_t i = 0; i < launch.count; ++i) {
      const TenonPack& pack = launch.packs[i];
      if (plan_) {
        run(pack, *plan_, workspace);
      } else {
        run(pack, plan(read_shape(op_.view(), pack.dims)), workspace);
      }
    }
    return TENON_OK;
  }

 private:
  Plan plan(const ProductShape& shape) const;
  void turn(Plan& made) const;
  void cut(Plan& made) const;
  bool can_write_dst(const ProductShape& shape) const;

  void run(const TenonPack& pack, const Plan& plan, std::byte* workspace) const;
  void run_blocks(const TenonPack& pack, const Plan& plan, std::byte* buffer, std::int64_t begin,
                  std::int64_t end) const;
  void run_block(const Block& block) const;
  void multiply_part(const Block& block, Gemm& gemm, std::int64_t k) const;
  void run_over(const Block& block, const Program& program, std::span<const Way> ways) const;
  std::byte* at(const Block& block, std::size_t i, std::int64_t row, std::int64_t column) const;
  Way way(const Block& block, std::size_t i) const;
  Way sums_way(const Block& block) const;

  sdk::OpCopy op_;
  std::uint8_t input_, compute_;
  std::int64_t size_;  // of an element that is computed with
  bool native_;        // a and b need no cast
  bool accumulate_, has_epilogue_ = false;
  std::size_t added_;  // the operand that is all of the EPILOGUE, or 0
  int threads_ = team_size();
  const GemmLoops& loops_;
  Packer packer_;
  Program widen_, finish_;    // what dst held, as sums; dst from sums
  std::optional<Plan> plan_;  // where the description says all
};

/// dst's columns are to follow each other; dst = a · b is transposed(dst) = transposed(b) ·
/// transposed(a).
void OwnMatmul::turn(Plan& made) const {
  ProductShape& it = made.shape;
  const auto &dst = it.dst(), &a = it.a(), &b = it.b();
  bool turns = dst.strides[0] != 1 && dst.strides[1] == 1;
  if (it.M() == 1) turns = b.strides[0] != 1 && b.strides[1] == 1 && native_;
  if (it.N() == 1) turns = it.M() > 1 && !(native_ && a.strides[0] == 1);
  if (turns) {
    for (std::size_t i = 0; i < it.count; ++i) it.operands[i].transpose();
    std::swap(it.operands[1], it.operands[2]);
    made.turned = true;
  }
  const bool fits = b.strides[1] == 1 || it.K() <= kDepth * loops_.panel;
  made.by_columns = native_ && it.N() == 1 && a.strides[0] == 1 && fits;
}

/// Whether the loops may write dst, with what the EPILOGUE adds.
bool OwnMatmul::can_write_dst(const ProductShape& shape) const {
  const bool gapless = shape.dst().strides[0] == 1 || shape.N() == 1;
  if (!gapless || !same_bits(op_.view().operands()[0].dtype, compute_)) return false;
  if (!has_epilogue_) return true;
  if (added_ == 0 || op_.view().operands()[added_].layout == TENON_LAYOUT_INDEX) return false;
  const Matrix& added = shape.operands[added_];
  return op_.view().operands()[added_].dtype == compute_ && compute_ >= TENON_DTYPE_F16 &&
         (added.strides[1] == 0 || shape.M() == 1) && (added.strides[0] == 0 || added.strides[0] == 1);
}

void OwnMatmul::cut(Plan& made) const {
  const ProductShape& it = made.shape;
  const std::int64_t M = it.M(), N = it.N(), columns = kColumnBytes / size_;
  made.block_columns = std::min(columns, std::max<std::int64_t>(N, 1));
  made.column_blocks = (N + made.block_columns - 1) / made.block_columns;
  const std::int64_t others = std::max<std::int64_t>(1, it.batches() * made.column_blocks);
  made.block_rows = std::min(kRows, std::max<std::int64_t>(M, 1));
  made.row_blocks = (M + made.block_rows - 1) / made.block_rows;
  if (it.batches() * it.work() * size_ <= kParallel) return;
  const std::int64_t threads = threads_;
  if (made.row_blocks * others < 2 * threads) {
    const std::int64_t rows = (M * others + 2 * threads - 1) / (2 * threads);
    made.block_rows = std::min(made.block_rows, std::max<std::int64_t>(4, (rows + 3) / 4 * 4));
    made.row_blocks = (M + made.block_rows - 1) / made.block_rows;
  }
  made.parts = static_cast<int>(std::min(threads, made.row_blocks * others));
}

Plan OwnMatmul::plan(const ProductShape& shape) const {
  Plan made{.shape = shape};
  turn(made);
  cut(made);
  const ProductShape& it = made.shape;
  const std::int64_t N = it.N(), K = it.K(), depth = std::min(K, kDepth);
  const Matrix& b = it.b();
  made.direct = can_write_dst(it);
  if (made.by_columns) {
    made.pack_b = b.strides[1] != 1;
    if (made.pack_b) made.panel_bytes = rounded_up(K * size_);
  } else {
    const bool small = K * N * size_ <= kSmallBytes || it.M() <= 4;
    made.pack_b = !native_ || (N > 1 && b.strides[0] != 1) || !small;
    if (made.pack_b) made.panel_bytes = rounded_up(depth * std::min(loops_.panel, N) * size_);
  }
  if (!native_) made.a_bytes = rounded_up(made.block_rows * depth * size_);
  if (!made.direct) made.sums_bytes = rounded_up(made.block_rows * made.block_columns * size_);
  return made;
}

void OwnMatmul::run(const TenonPack& pack, const Plan& plan, std::byte* workspace) const {
  if (plan.parts == 1) {
    alignas(64) std::byte stack[kStack];
    std::byte* const buffer = plan.part_bytes() > kStack ? workspace : stack;
    return run_blocks(pack, plan, buffer, 0, plan.blocks());
  }
  const std::int64_t each = (plan.blocks() + plan.parts - 1) / plan.parts;
  for_parts(plan.parts, [&](int i) {
    std::byte* const buffer = workspace + static_cast<std::uint64_t>(i) * plan.part_bytes();
    run_blocks(pack, plan, buffer, i * each, std::min(plan.blocks(), (i + 1) * each));
  });
}

void OwnMatmul::run_blocks(const TenonPack& pack, const Plan& plan, std::byte* buffer,
                           std::int64_t begin, std::int64_t end) const {
  const ProductShape& it = plan.shape;
  std::byte *const a = buffer + plan.panel_bytes, *const sums = a + plan.a_bytes;
  Block block{pack, plan, {}, 0, 0, 0, 0, buffer, a, sums};
  for (; begin < end; ++begin) {
    std::int64_t left = begin;
    block.column = left % plan.column_blocks * plan.block_columns;
    left /= plan.column_blocks;
    block.row = left % plan.row_blocks * plan.block_rows;
    left /= plan.row_blocks;
    block.rows = std::min(plan.block_rows, it.M() - block.row);
    block.columns = std::min(plan.block_columns, it.N() - block.column);
    std::fill_n(block.offsets.begin(), it.count, 0);
    for (std::size_t d = 2; d < it.rank; ++d) {
      const std::int64_t coordinate = left % it.dst().extents[d];
      left /= it.dst().extents[d];
      for (std::size_t i = 0; i < it.count; ++i) {
        block.offsets[i] += coordinate * it.operands[i].strides[d];
      }
    }
    run_block(block);
  }
}

void OwnMatmul::run_block(const Block& block) const {
  const Plan& plan = block.plan;
  const std::int64_t K = plan.shape.K(),
                     depth = plan.by_columns || !(plan.pack_b || !native_) ? K : kDepth;
  Gemm gemm{};
  gemm.m = block.rows;
  gemm.c = plan.direct ? at(block, 0, block.row, block.column) : block.sums;
  gemm.c_row = plan.direct ? plan.shape.dst().strides[1] : block.columns;
  gemm.add = accumulate_;
  if (accumulate_ && !plan.direct) {
    const Way ways[] = {sums_way(block), way(block, 0)};
    run_over(block, widen_, ways);
  }
  std::int64_t k = 0;
  do {
    gemm.k = std::min(depth, K - k);
    if (plan.direct && added_ != 0 && k + gemm.k == K) {
      gemm.bias = at(block, added_, block.row, block.column);
      gemm.bias_column = plan.shape.operands[added_].strides[0];
    }
    multiply_part(block, gemm, k);
    gemm.add = true;
    k += gemm.k;
  } while (k < K);
  if (plan.direct) return;
  std::array<Way, sdk::kMaxOperands> ways{way(block, 0), sums_way(block)};
  for (std::size_t i = 3; i < plan.shape.count; ++i) ways[i - 1] = way(block, i);
  run_over(block, finish_, std::span(ways).first(plan.shape.count - 1));
}

/// From k on; b panel by panel where it is packed.
void OwnMatmul::multiply_part(const Block& block, Gemm& gemm, std::int64_t k) const {
  const Plan& plan = block.plan;
  const Matrix &a = plan.shape.a(), &b = plan.shape.b();
  gemm.a = at(block, 1, block.row, k);
  gemm.a_row = a.strides[1];
  gemm.a_column = a.strides[0];
  if (!native_) {
    packer_({gemm.a, gemm.a_row, gemm.a_column, block.rows, gemm.k}, block.a, gemm.k);
    gemm.a = block.a;
    gemm.a_row = gemm.k;
    gemm.a_column = 1;
  }
  const auto multiply = plan.by_columns ? loops_.multiply_column : loops_.multiply;
  gemm.n = block.columns;
  gemm.b = at(block, 2, k, block.column);
  gemm.b_row = b.strides[1];
  if (!plan.pack_b) return multiply(gemm);
  Gemm part = gemm;
  part.b = block.panel;
  for (std::int64_t j = 0; j < block.columns; j += loops_.panel) {
    part.n = part.b_row = std::min(loops_.panel, block.columns - j);
    packer_({at(block, 2, k, block.column + j), b.strides[1], b.strides[0], gemm.k, part.n},
            block.panel, part.n);
    part.c = gemm.c + j * size_;
    if (gemm.bias != nullptr) part.bias = gemm.bias + j * gemm.bias_column * size_;
    multiply(part);
  }
}

/// The operand of the description that is operand i of the plan.
std::size_t given(const Plan& plan, std::size_t i) {
  return plan.turned && (i == 1 || i == 2) ? 3 - i : i;
}

std::int64_t place(const Block& block, std::size_t i, std::int64_t row, std::int64_t column) {
  const sdk::Strides& strides = block.plan.shape.operands[i].strides;
  return block.offsets[i] + row * strides[1] + column * strides[0];
}

std::byte* OwnMatmul::at(const Block& block, std::size_t i, std::int64_t row,
                         std::int64_t column) const {
  const std::size_t operand = given(block.plan, i);
  const auto size = static_cast<std::int64_t>(sdk::size_of(op_.view().operands()[operand].dtype));
  return sdk::host_address(block.pack.operands[operand]) + place(block, i, row, column) * size;
}

/// Operand i, dst or the EPILOGUE's, over the block.
Way OwnMatmul::way(const Block& block, std::size_t i) const {
  const sdk::Strides& strides = block.plan.shape.operands[i].strides;
  Way made{op_.view().operands()[i], block.pack.operands[i], {strides[1], strides[0]}};
  const std::int64_t first = place(block, i, block.row, block.column);
  if (made.desc.layout == TENON_LAYOUT_INDEX) {
    made.operand.offset += first;
    return made;
  }
  made.operand.offset += first * static_cast<std::int64_t>(sdk::size_of(made.desc.dtype));
  const bool gapless =
      (block.columns == 1 || strides[0] == 1) && (block.rows == 1 || strides[1] == block.columns);
  made.desc.layout = gapless ? TENON_LAYOUT_CONTIGUOUS : TENON_LAYOUT_STRIDED;
  return made;
}

Way OwnMatmul::sums_way(const Block& block) const {
  const TenonOperand operand{reinterpret_cast<std::uint64_t>(block.sums), 0, nullptr};
  return {{compute_, TENON_LAYOUT_CONTIGUOUS, 2, 0, 0}, operand, {block.columns, 1}};
}

void OwnMatmul::run_over(const Block& block, const Program& program, std::span<const Way> ways) const {
  const std::int64_t dims[] = {block.rows, block.columns};
  run_program(program, block.pack.scalars, dims, ways, 0, block.rows * block.columns);
}

}  // namespace

std::unique_ptr<Kernel> make_own_matmul(const TenonOp& op) {
  const sdk::OpView view(op);
  const std::uint8_t dst = view.operands()[0].dtype, acc = view.acc_dtype();
  const std::uint8_t input = view.operands()[1].dtype;
  const bool is_float = input >= TENON_DTYPE_F16;
  if (input == TENON_DTYPE_BOOL || input != view.operands()[2].dtype) return nullptr;
  if (is_float != (acc >= TENON_DTYPE_F16)) return nullptr;
  // Sums are not rounded to acc_dtype apart from what follows.
  const std::uint8_t compute = compute_dtype(input, acc);
  const bool epilogue = view.attachment(TENON_SLOT_EPILOGUE) != nullptr;
  if (!(same_bits(compute, acc) || (!epilogue && dst == acc))) return nullptr;
  const bool accumulate = view.attrs<TenonMatmulAttrs>().accumulate != 0;
  if (accumulate && sdk::size_of(dst) > sdk::size_of(compute)) return nullptr;
  return std::make_unique<OwnMatmul>(op);
}

}  // namespace cpu
