// MATMUL: small products of f32 by own loops, larger ones and those of bf16 by oneDNN, and what oneDNN
// does not take by own loops again.
#include "matmul.h"

#include <algorithm>

namespace cpu {

namespace {

/// Up to so many multiply-adds of a matrix own loops are faster than oneDNN, whose call alone takes a
/// third of a microsecond, in any layout. Those over a vector are faster at any size: up to four times.
constexpr std::int64_t kOwn = 64 * 64 * 64;

bool is_own(const ProductShape& shape) {
  return shape.work() <= kOwn || shape.M() == 1 || shape.N() == 1;
}

bool fits(const ProductShape& shape) {
  const Matrix &dst = shape.dst(), &a = shape.a(), &b = shape.b();
  bool fit = dst.rows() == a.rows() && dst.columns() == b.columns() && a.columns() == b.rows();
  for (std::size_t i = 1; i < shape.count; ++i) {
    for (std::size_t d = i < 3 ? 2 : 0; d < shape.rank; ++d) {
      const std::int64_t extent = shape.operands[i].extents[d];
      fit = fit && (extent == dst.extents[d] || extent == 1);
    }
  }
  return fit && std::ranges::min(dst.extents) >= 0 && a.columns() >= 0;
}

}  // namespace

std::int64_t ProductShape::batches() const {
  return sdk::element_count({dst().extents.data() + 2, dst().extents.size() - 2});
}

bool is_dynamic(const sdk::OpView& op) {
  for (std::size_t i = 0; i < op.operands().size(); ++i) {
    const auto hidden = [](std::int64_t value) { return value == TENON_DYNAMIC; };
    if (std::ranges::any_of(op.extents(i), hidden)) return true;
    if (std::ranges::any_of(op.strides(i), hidden)) return true;
  }
  return false;
}

ProductShape read_shape(const sdk::OpView& op, const std::int64_t* dims) {
  ProductShape shape;
  shape.rank = op.rank();
  shape.count = op.operands().size();
  const auto known = [&](std::int64_t value) { return value == TENON_DYNAMIC ? *dims++ : value; };
  for (std::size_t i = 0; i < shape.count; ++i) {
    Matrix& matrix = shape.operands[i];
    const std::size_t rank = op.operands()[i].rank;
    const bool scalar = op.operands()[i].layout == TENON_LAYOUT_SCALAR;
    for (std::size_t d = 0; d < rank; ++d) matrix.extents[rank - 1 - d] = known(op.extents(i)[d]);
    for (std::size_t d = 0; d < rank; ++d) {
      const std::int64_t stride = known(op.strides(i)[d]);
      matrix.strides[rank - 1 - d] = scalar || matrix.extents[rank - 1 - d] == 1 ? 0 : stride;
    }
  }
  if (!fits(shape)) throw sdk::Failure(TENON_INVALID, "matmul of extents that do not fit each other");
  return shape;
}

Way way_over(const sdk::OpView& op, const TenonPack& pack, const ProductShape& shape, std::size_t i) {
  Way way{op.operands()[i], pack.operands[i], {}};
  for (std::size_t d = 0; d < shape.rank; ++d) {
    way.strides[d] = shape.operands[i].strides[shape.rank - 1 - d];
  }
  if (way.desc.layout != TENON_LAYOUT_INDEX) way.desc.layout = TENON_LAYOUT_STRIDED;
  return way;
}

std::size_t added_operand(const sdk::OpView& op) {
  const TenonAttachment* attachment = op.attachment(TENON_SLOT_EPILOGUE);
  if (attachment == nullptr) return 0;
  const sdk::ProgramView program = op.program(*attachment);
  const auto code = program.instructions();
  if (program.input_count() != 2 || code.empty() || program.outputs().size() != 1) return 0;
  const std::uint16_t sum = TENON_REF(TENON_REF_INPUT, 0), term = TENON_REF(TENON_REF_INPUT, 1);
  std::size_t at = 0;
  std::uint16_t added = term;
  if (code[at].opcode == TENON_OP_CAST && code[at].a == term && code.size() > 1) {
    added = TENON_REF(TENON_REF_INSTRUCTION, at++);
  }
  const TenonInstruction& add = code[at];
  if (add.opcode != TENON_OP_ADD || add.dtype != op.acc_dtype()) return 0;
  if (!(add.a == sum && add.b == added) && !(add.a == added && add.b == sum)) return 0;
  std::uint16_t result = TENON_REF(TENON_REF_INSTRUCTION, at++);
  if (at < code.size() && code[at].opcode == TENON_OP_CAST && code[at].a == result) {
    result = TENON_REF(TENON_REF_INSTRUCTION, at++);
  }
  return at == code.size() && program.outputs()[0] == result ? 3 : 0;
}

std::unique_ptr<Kernel> make_matmul(const TenonOp& op) {
  const sdk::OpView view(op);
  const bool single = view.operands()[1].dtype == TENON_DTYPE_F32;
  const bool own = is_dynamic(view) || (single && is_own(read_shape(view, nullptr)));
  if (!own) {
    if (auto kernel = make_onednn_matmul(op)) return kernel;
  }
  return make_own_matmul(op);
}

}  // namespace cpu
