// A program that is no instruction but one copy, of a transposed operand: whole matrices at a time.
#include <algorithm>
#include <array>

#include "kernel.h"
#include "team.h"
#include "transpose.h"

namespace cpu {

namespace {

class TransposedCopy final : public Kernel {
 public:
  TransposedCopy(const TenonOp& op, std::unique_ptr<Kernel> other)
      : op_(op),
        other_(std::move(other)),
        size_(sdk::size_of(op_.view().operands()[0].dtype)),
        transpose_(find_transpose(size_)) {}

  std::int32_t launch(const TenonLaunch& launch) const override {
    for (std::uint32_t i = 0; i < launch.count; ++i) {
      TenonLaunch one = launch;
      one.packs += i;
      one.count = 1;
      if (run(launch.packs[i])) continue;
      const std::int32_t status = other_->launch(one);
      if (status != TENON_OK) return status;
    }
    return TENON_OK;
  }

 private:
  /// The dimension along which the input's elements follow each other, or -1.
  static int unit_dimension(sdk::Dims dims, const std::int64_t* strides) {
    for (int d = static_cast<int>(dims.size()) - 2; d >= 0; --d) {
      const auto at = static_cast<std::size_t>(d);
      if (strides[at] == 1 && dims[at] > 1) return d;
    }
    return -1;
  }

  /// False where the input is not transposed.
  bool run(const TenonPack& pack) const {
    const sdk::Dims dims(pack.dims, op_.view().rank());
    const std::int64_t* const strides = pack.operands[1].strides;
    const int unit = unit_dimension(dims, strides);
    if (unit < 0 || strides[dims.size() - 1] == 1) return false;
    const auto at = static_cast<std::size_t>(unit);
    const std::int64_t total = sdk::element_count(dims);
    if (total == 0) return true;
    const std::int64_t columns = dims.back(), band = rows_of_a_line(size_);
    const std::int64_t bands = (dims[at] + band - 1) / band, outer = total / columns / dims[at];
    const sdk::Strides results = sdk::row_major(dims);
    const auto bytes = static_cast<std::int64_t>(size_);
    parallel(outer * bands, std::max<std::int64_t>(1, 16384 / (band * columns)),
             [&](std::int64_t begin, std::int64_t end) {
               for (; begin < end; ++begin) {
                 const std::int64_t row = begin % bands * band;
                 std::int64_t to = row * results[at], from = row, rest = begin / bands;
                 for (std::size_t d = dims.size() - 1; d-- > 0;) {
                   if (d == at) continue;
                   to += rest % dims[d] * results[d];
                   from += rest % dims[d] * strides[d];
                   rest /= dims[d];
                 }
                 transpose_(sdk::host_address(pack.operands[0]) + to * bytes, results[at],
                            sdk::host_address(pack.operands[1]) + from * bytes,
                            strides[dims.size() - 1], std::min(band, dims[at] - row), columns);
               }
             });
    return true;
  }

  sdk::OpCopy op_;
  std::unique_ptr<Kernel> other_;
  std::size_t size_;
  Transpose transpose_;
};

}  // namespace

std::unique_ptr<Kernel> make_copy(const TenonOp& op, std::unique_ptr<Kernel> other) {
  const sdk::OpView view(op);
  const auto operands = view.operands();
  const sdk::ProgramView body = view.program(*view.attachment(TENON_SLOT_BODY));
  const bool is_copy = operands.size() == 2 && body.instructions().empty() && body.input_count() == 1 &&
                       TENON_REF_CLASS(body.outputs()[0]) == TENON_REF_INPUT;
  // A bool is any byte that is not 0, which a copy would keep.
  if (!is_copy || view.rank() < 2 || operands[0].layout != TENON_LAYOUT_CONTIGUOUS ||
      operands[1].layout != TENON_LAYOUT_STRIDED || operands[0].dtype == TENON_DTYPE_BOOL) {
    return other;
  }
  return std::make_unique<TransposedCopy>(op, std::move(other));
}

}  // namespace cpu
