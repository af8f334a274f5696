// REDUCE. Where the innermost dimension is reduced, rows are folded to one value each; where it is
// kept, rows are folded element by element. The order of additions depends on the shape alone, never on
// the threads.
#include "reduce.h"

#include <algorithm>
#include <cstring>

#include "team.h"

namespace cpu {

namespace {

std::optional<Program> prologue_of(const sdk::OpView& op) {
  const TenonAttachment* attachment = op.attachment(TENON_SLOT_PROLOGUE);
  if (attachment == nullptr) return {};
  return Program(op.program(*attachment));
}

class Reduce final : public Kernel {
 public:
  explicit Reduce(const TenonOp& op) : reduction_(op) {
    const sdk::OpView view = reduction_.op.view();
    for (const Operator& it : reduction_.operators) {
      has_positions_ = has_positions_ || is_position(it.code);
    }
    const std::size_t rank = view.rank();
    last_is_kept_ = rank > 0 && (reduction_.kept == rank || reduction_.order.back() != rank - 1);
    is_plain_ = !reduction_.prologue && reduction_.operators[0].folds.row != nullptr &&
                std::ranges::is_sorted(reduction_.order);
    for (const TenonOperandDesc& desc : view.operands()) {
      is_plain_ = is_plain_ && desc.layout == TENON_LAYOUT_CONTIGUOUS;
    }
  }

  std::int32_t launch(const TenonLaunch& launch) const override {
    for (std::uint32_t i = 0; i < launch.count; ++i) run(launch.packs[i]);
    return TENON_OK;
  }

 private:
  void run(const TenonPack& pack) const {
    if (is_plain_ && run_plain(pack)) return;
    const Space space(reduction_, pack);
    const bool is_wide = space.kept > 0 && space.extents[space.kept - 1] >= 8;
    if (last_is_kept_ && is_wide && !has_positions_ && space.each > 0) {
      reduce_columns(reduction_, space);
    } else {
      reduce_rows(reduction_, space);
    }
  }

  /// Rows of at most a tile, one behind the other: without a walk, and without widening, since a tile
  /// is one sum.
  bool run_plain(const TenonPack& pack) const {
    const std::int64_t rows = sdk::element_count({pack.dims, reduction_.kept});
    const std::int64_t each =
        sdk::element_count({pack.dims + reduction_.kept, reduction_.order.size() - reduction_.kept});
    if (each == 0 || each > kTile) return false;
    parallel(rows, std::max<std::int64_t>(1, 32768 / each), [&](std::int64_t begin, std::int64_t end) {
      for (; begin < end; ++begin) fold_plain(pack, begin, static_cast<int>(each));
    });
    return true;
  }

  void fold_plain(const TenonPack& pack, std::int64_t row, int each) const {
    const Operator& it = reduction_.operators[0];
    const auto from_size = static_cast<std::int64_t>(sdk::size_of(it.value));
    const std::byte* const values = sdk::host_address(pack.operands[1]) + row * each * from_size;
    const std::size_t size = sdk::size_of(reduction_.operand(0).dtype);
    std::byte* const to = sdk::host_address(pack.operands[0]) + row * static_cast<std::int64_t>(size);
    if (it.is_direct && !is_position(it.code)) return it.folds.row(values, each, to);
    alignas(8) std::byte narrow[8], wide[8], first[8], second[8];
    it.folds.row(values, each, narrow);
    const std::byte* from = narrow;
    std::int64_t position = 0;
    if (is_position(it.code)) {
      position = it.find(values, each, narrow);
      from = reinterpret_cast<const std::byte*>(&position);
    } else if (it.to_wide != nullptr) {
      it.to_wide(wide, &from, 1);
      from = wide;
    }
    std::memcpy(to, finish(it, from, first, second, 1), size);
  }

  Reduction reduction_;
  bool has_positions_ = false, last_is_kept_ = false;
  bool is_plain_ = false;  // one operator over rows without gaps
};

}  // namespace

Reduction::Reduction(const TenonOp& given) : op(given), prologue(prologue_of(op.view())) {
  const sdk::OpView view = op.view();
  const auto attrs = view.attrs<TenonReduceAttrs>();
  results = view.output_count();
  inputs = view.operands().size() - results;
  for (std::size_t i = 0; i < results; ++i) {
    const std::uint8_t value = prologue ? prologue->output_dtype(i) : operand(results).dtype;
    operators.push_back(make_operator(attrs.operators[i], value, view.acc_dtype(), operand(i).dtype));
  }
  for (const bool reduced : {false, true}) {
    for (std::size_t d = 0; d < view.rank(); ++d) {
      if ((attrs.axes >> d & 1) == reduced) order.push_back(d);
    }
    if (!reduced) kept = order.size();
  }
}

Space::Space(const Reduction& reduction, const TenonPack& pack)
    : given(pack), kept(reduction.kept), rank(reduction.order.size()) {
  const sdk::PackView view(reduction.op.view(), pack);
  for (std::size_t d = 0; d < rank; ++d) {
    extents[d] = view.dims()[reduction.order[d]];
    (d < kept ? rows : each) *= extents[d];
  }
  for (std::size_t i = 0; i < reduction.results + reduction.inputs; ++i) {
    if (i < reduction.results && reduction.operand(i).layout == TENON_LAYOUT_CONTIGUOUS) {
      strides[i] = sdk::row_major(kept_dims());
      continue;
    }
    const sdk::Strides own = view.strides(i);
    for (std::size_t d = 0; d < rank; ++d) strides[i][d] = own[reduction.order[d]];
  }
}

const std::byte* finish(const Operator& it, const std::byte* wide, std::byte* first, std::byte* second,
                        int n) {
  if (it.round != nullptr) {
    it.round(first, &wide, n);
    wide = first;
  }
  if (it.finish != nullptr) {
    it.finish(second, &wide, n);
    wide = second;
  }
  return wide;
}

std::unique_ptr<Kernel> make_reduce(const TenonOp& op) {
  return std::make_unique<Reduce>(op);
}

}  // namespace cpu
