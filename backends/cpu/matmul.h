// What the ways to multiply matrices share: how the operands of a description lie, and who is asked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <tenon/sdk.h>

#include "kernel.h"
#include "program.h"

namespace cpu {

/// A matrix or a batch of them. Dimensions count from the last: 0 are columns, 1 rows, then batches; a
/// missing one has extent 1, and what is stretched has stride 0.
struct Matrix {
  std::array<std::int64_t, TENON_MAX_RANK> extents{1, 1, 1, 1, 1, 1, 1, 1};
  sdk::Strides strides{};

  std::int64_t rows() const { return extents[1]; }
  std::int64_t columns() const { return extents[0]; }
  void transpose() {
    std::swap(extents[0], extents[1]);
    std::swap(strides[0], strides[1]);
  }
};

/// dst, a, b and the inputs of an EPILOGUE, as they lie over dst's dimensions.
struct ProductShape {
  std::size_t rank = 0, count = 0;
  std::array<Matrix, sdk::kMaxOperands> operands{};

  const Matrix& dst() const { return operands[0]; }
  const Matrix& a() const { return operands[1]; }
  const Matrix& b() const { return operands[2]; }
  std::int64_t M() const { return dst().rows(); }
  std::int64_t N() const { return dst().columns(); }
  std::int64_t K() const { return a().columns(); }
  std::int64_t batches() const;
  /// Multiply-adds of one matrix.
  std::int64_t work() const { return M() * N() * K(); }
};

/// Whether an extent or a stride of the description is in the packs.
bool is_dynamic(const sdk::OpView& op);
/// What is dynamic comes from `dims`. Throws Failure where the extents do not fit each other.
ProductShape read_shape(const sdk::OpView& op, const std::int64_t* dims);

/// Operand i's way over dst's elements, row by row, where its layout is given by strides.
Way way_over(const sdk::OpView& op, const TenonPack& pack, const ProductShape& shape, std::size_t i);

/// The EPILOGUE's operand that is added to the sums, where that is all it does in their dtype but for
/// casts; 0 where it does anything else.
std::size_t added_operand(const sdk::OpView& op);

// nullptr: no such kernel.
std::unique_ptr<Kernel> make_own_matmul(const TenonOp& op);
std::unique_ptr<Kernel> make_onednn_matmul(const TenonOp& op);

/// What oneDNN may use of the processor: "sse4", "avx2" or "avx512". Before its first product.
void limit_onednn_isa(std::string_view name);
/// Why the oneDNN that was loaded can't be used, or nullptr.
const char* onednn_refusal();

}  // namespace cpu
