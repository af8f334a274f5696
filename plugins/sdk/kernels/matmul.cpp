// MATMUL: dst = a · b by tiles of the result, each summed over k in ascending order; then the EPILOGUE,
// row by row of a tile.
#include <algorithm>
#include <array>
#include <span>
#include <type_traits>

#include "kinds.h"
#include "program.h"

namespace tenon::sdk::kernels {

namespace {

constexpr int kRows = 16, kColumns = 64, kDepth = 64;
static_assert(kColumns <= kBlock);

/// Extents and strides of an operand, all of them known.
struct Table {
  size_t rank = 0;
  std::array<int64_t, TENON_MAX_RANK> extents{};
  sdk::Strides strides{};

  /// Dimension d counted from the last, which is 0; an operand of lower rank is stretched.
  int64_t extent(size_t d) const { return d < rank ? extents[rank - 1 - d] : 1; }
  int64_t stride(size_t d) const { return extent(d) == 1 ? 0 : strides[rank - 1 - d]; }
};

using Tables = std::array<Table, sdk::kMaxOperands>;

/// Reads the tables; what is TENON_DYNAMIC comes from the pack, in the order of the description.
Tables resolve(const sdk::OpView& op, const TenonPack& pack) {
  Tables tables;
  const int64_t* dynamic = pack.dims;
  const auto known = [&](int64_t value) { return value == TENON_DYNAMIC ? *dynamic++ : value; };
  for (size_t i = 0; i < op.operands().size(); ++i) {
    tables[i].rank = op.operands()[i].rank;
    std::ranges::transform(op.extents(i), tables[i].extents.begin(), known);
    std::ranges::transform(op.strides(i), tables[i].strides.begin(), known);
    if (op.operands()[i].layout == TENON_LAYOUT_SCALAR) tables[i].strides = {};
  }
  return tables;
}

/// The extents of a, b and the EPILOGUE's inputs fit dst's; what is stretched has extent 1.
void require_fit(const Tables& tables, size_t count) {
  const auto &dst = tables[0], &a = tables[1], &b = tables[2];
  bool fit = dst.extent(1) == a.extent(1) && dst.extent(0) == b.extent(0) && a.extent(0) == b.extent(1);
  for (size_t i = 1; i < count; ++i) {
    for (size_t d = i < 3 ? 2 : 0; d < dst.rank; ++d) {
      fit = fit && (tables[i].extent(d) == dst.extent(d) || tables[i].extent(d) == 1);
    }
  }
  fit = fit && std::ranges::min(dst.extents) >= 0 && a.extent(0) >= 0;
  if (!fit) throw sdk::Failure(TENON_INVALID, "matmul of extents that do not fit each other");
}

/// Where a matrix begins and how it goes on, in elements.
struct Matrix {
  const std::byte* data;
  int64_t row_stride, column_stride;
};

struct TileSize {
  int rows, columns;
  int64_t depth;
};

/// Sums of one tile: kRows x kColumns of f64, i64 or u64.
struct Tile {
  alignas(64) std::byte rows[kRows][kColumns * 8];
};

/// tile += a · b for matrices of T, summed in A. The part of b in use is packed, since every row of a
/// goes over it.
template <class T, class A>
void multiply(Tile& tile, const Matrix& a, const Matrix& b, TileSize size) {
  A packed[kDepth][kColumns];
  const auto at = [](const Matrix& m, int64_t i, int64_t j) {
    return static_cast<A>(sdk::load<T>(m.data, i * m.row_stride + j * m.column_stride));
  };
  for (int64_t begin = 0; begin < size.depth; begin += kDepth) {
    const int depth = static_cast<int>(std::min<int64_t>(kDepth, size.depth - begin));
    for (int k = 0; k < depth; ++k) {
      for (int j = 0; j < size.columns; ++j) packed[k][j] = at(b, begin + k, j);
    }
    for (int i = 0; i < size.rows; ++i) {
      A* const sums = reinterpret_cast<A*>(tile.rows[i]);
      for (int k = 0; k < depth; ++k) {
        const A x = at(a, i, begin + k);
        for (int j = 0; j < size.columns; ++j) {
          sums[j] = meaning::add(sums[j], meaning::mul(x, packed[k][j]));
        }
      }
    }
  }
}

/// How matrices of one dtype are multiplied, and the dtype of the sums.
struct Arithmetic {
  void (*multiply)(Tile& tile, const Matrix& a, const Matrix& b, TileSize size);
  uint8_t sum;
};

Arithmetic arithmetic_for(uint8_t dtype) {
  return sdk::dispatch(sdk::Numbers{}, dtype, []<class T>() -> Arithmetic {
    using Integer = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
    using A = std::conditional_t<std::is_integral_v<T>, Integer, double>;
    return {multiply<T, A>, sdk::dtype_of<A>()};
  });
}

/// The EPILOGUE, or the cast to dst's dtype.
Program epilogue_of(const sdk::OpView& op) {
  const TenonAttachment* attachment = op.attachment(TENON_SLOT_EPILOGUE);
  if (attachment != nullptr) return Program(op.program(*attachment));
  return Program(op.acc_dtype(), op.operands()[0].dtype);
}

/// One product of a batch.
struct Product {
  const TenonPack& pack;
  const Tables& tables;
  const int64_t* offsets;  // of each operand's matrix, in elements
};

class Matmul final : public Kernel {
 public:
  explicit Matmul(const TenonOp& op)
      : op_(op),
        accumulate_(op_.view().attrs<TenonMatmulAttrs>().accumulate != 0),
        arithmetic_(arithmetic_for(operand(1).dtype)),
        epilogue_(epilogue_of(op_.view())),
        widen_dst_(sdk::cast_step(operand(0).dtype, arithmetic_.sum)),
        round_sum_(sdk::cast_step(arithmetic_.sum, op_.view().acc_dtype())) {}

  void run(const TenonPack& pack, Context&) const override {
    const Tables tables = resolve(op_.view(), pack);
    const Table& dst = tables[0];
    const size_t count = op_.view().operands().size();
    require_fit(tables, count);
    std::array<sdk::Strides, sdk::kMaxOperands> steps{};
    for (size_t i = 0; i < count; ++i) {
      for (size_t d = 2; d < dst.rank; ++d) steps[i][dst.rank - 1 - d] = tables[i].stride(d);
    }
    Block block(epilogue_, pack.scalars, kColumns);
    sdk::for_each_offset(sdk::Dims(dst.extents.data(), dst.rank - 2), std::span(steps).first(count),
                         [&](const int64_t* offsets) { run_product({pack, tables, offsets}, block); });
  }

 private:
  const TenonOperandDesc& operand(size_t i) const { return op_.view().operands()[i]; }

  void run_product(const Product& it, Block& block) const {
    const int64_t M = it.tables[0].extent(1), N = it.tables[0].extent(0), K = it.tables[1].extent(0);
    for (int64_t row = 0; row < M; row += kRows) {
      for (int64_t column = 0; column < N; column += kColumns) {
        const TileSize size{static_cast<int>(std::min<int64_t>(kRows, M - row)),
                            static_cast<int>(std::min<int64_t>(kColumns, N - column)), K};
        Tile tile{};
        for (int i = 0; i < size.rows && accumulate_; ++i) {
          alignas(8) std::byte before[kColumns * 8];
          row_of(it, 0, row + i, column, size.columns).load(before, size.columns);
          const std::byte* const in[] = {before};
          widen_dst_(tile.rows[i], in, size.columns);
        }
        arithmetic_.multiply(tile, matrix(it, 1, row, 0), matrix(it, 2, 0, column), size);
        for (int i = 0; i < size.rows; ++i) {
          finish_row(it, block, tile.rows[i], row + i, column, size.columns);
        }
      }
    }
  }

  /// The EPILOGUE over part of a row of dst.
  void finish_row(const Product& it, Block& block, const std::byte* sums, int64_t row, int64_t column,
                  int columns) const {
    const std::byte* const in[] = {sums};
    round_sum_(block.input(0), in, columns);
    for (size_t i = 1; i < epilogue_.input_count(); ++i) {
      row_of(it, 2 + i, row, column, columns).load(block.input(i), columns);
    }
    block.run(columns);
    row_of(it, 0, row, column, columns).store(block.output(0), columns);
  }

  /// Operand i from (row, column) of its matrix on.
  TenonOperand from(const Product& it, size_t i, int64_t row, int64_t column) const {
    const Table& table = it.tables[i];
    const int64_t elements = it.offsets[i] + row * table.stride(1) + column * table.stride(0);
    const bool index = operand(i).layout == TENON_LAYOUT_INDEX;
    TenonOperand moved = it.pack.operands[i];
    moved.offset += elements * (index ? 1 : static_cast<int64_t>(sdk::size_of(operand(i).dtype)));
    return moved;
  }

  Matrix matrix(const Product& it, size_t i, int64_t row, int64_t column) const {
    return {sdk::host_address(from(it, i, row, column)), it.tables[i].stride(1),
            it.tables[i].stride(0)};
  }

  Cursor row_of(const Product& it, size_t i, int64_t row, int64_t column, int64_t columns) const {
    const sdk::Strides strides{it.tables[i].stride(0)};
    return Cursor(operand(i), from(it, i, row, column), sdk::Dims(&columns, 1), strides);
  }

  sdk::OpCopy op_;
  bool accumulate_;
  Arithmetic arithmetic_;
  Program epilogue_;
  sdk::Step widen_dst_, round_sum_;
};

}  // namespace

std::unique_ptr<Kernel> make_matmul(const TenonOp& op) {
  const sdk::OpView view(op);
  const uint8_t a = view.operands()[1].dtype, b = view.operands()[2].dtype;
  if (a != b) throw sdk::Unsupported("matmul of " + sdk::name_of(a) + " and " + sdk::name_of(b));
  if ((a >= TENON_DTYPE_F16) != (view.acc_dtype() >= TENON_DTYPE_F16)) {
    throw sdk::Unsupported("sums of " + sdk::name_of(a) + " in " + sdk::name_of(view.acc_dtype()));
  }
  return std::make_unique<Matmul>(op);
}

}  // namespace tenon::sdk::kernels
