// GATHER and SCATTER: a walk over the iteration space; at each coordinate the indices say where in the
// indexed operand (src of GATHER, dst of SCATTER) the element lies.
#include <array>
#include <cstring>
#include <span>

#include "arithmetic.h"
#include "kinds.h"
#include "program.h"

namespace reference {

namespace {

using Combine = void (*)(std::byte* dst, const std::byte* src);

template <class List, class Meaning>
Combine combine(uint8_t dtype, Meaning) {
  return sdk::dispatch(List{}, dtype, []<class T>() -> Combine {
    return [](std::byte* dst, const std::byte* src) {
      sdk::store<T>(dst, Meaning{}(sdk::load<T>(dst), sdk::load<T>(src)));
    };
  });
}

/// What becomes of an element of dst.
Combine combine_for(uint32_t how, uint8_t dtype) {
  switch (how) {
    case TENON_SCATTER_ADD:
      return combine<sdk::Numbers>(dtype, [](auto x, auto y) { return meaning::add(x, y); });
    case TENON_SCATTER_MAX:
      return combine<sdk::Numbers>(dtype, [](auto x, auto y) { return meaning::max(x, y); });
    case TENON_SCATTER_MIN:
      return combine<sdk::Numbers>(dtype, [](auto x, auto y) { return meaning::min(x, y); });
    default:
      return combine<sdk::Everything>(dtype, [](auto, auto y) { return y; });
  }
}

class Indexed final : public Kernel {
 public:
  explicit Indexed(const TenonOp& op)
      : op_(op),
        indexed_(op.kind == TENON_KIND_GATHER ? 1 : 0),
        index_count_(op_.view().attrs<TenonIndexAttrs>().index_count),
        element_bytes_(static_cast<int64_t>(sdk::size_of(op_.view().operands()[0].dtype))),
        combine_(combine_for(op_.view().attrs<TenonIndexAttrs>().how, op_.view().operands()[0].dtype)) {
  }

  int32_t run(const TenonHost& host, const TenonLaunch& launch) const override {
    TenonFault first{};
    for (uint32_t i = 0; i < launch.count; ++i) {
      const bool fine = first.code == TENON_OK;
      run(launch.packs[i], first);
      if (fine) first.pack = i;
    }
    if (first.code == TENON_OK) return TENON_OK;
    first.struct_size = sizeof first;
    first.corr = launch.corr;
    host.fault(host.ctx, &first);
    return host.fail(host.ctx, TENON_INDEX, "an index is out of range");
  }

 private:
  void run(const TenonPack& given, TenonFault& first) const {
    const sdk::OpView op = op_.view();
    const sdk::PackView pack(op, given);
    std::array<sdk::Strides, sdk::kMaxOperands> strides{};
    for (size_t i = 0; i < op.operands().size(); ++i) strides[i] = pack.strides(i);
    int64_t position = 0;
    sdk::for_each_offset(
        pack.dims(), std::span(strides).first(op.operands().size()),
        [&](const int64_t* offsets) { element(pack, given, offsets, position++, first); });
  }

  /// One coordinate of the iteration space.
  void element(const sdk::PackView& pack, const TenonPack& given, const int64_t* offsets,
               int64_t position, TenonFault& first) const {
    int64_t at[] = {offsets[0], offsets[1]};
    const int64_t* const axes = given.dims + op_.view().rank();  // (extent, axis_stride) each
    bool inside = true;
    for (size_t i = 0; i < index_count_; ++i) {
      const int64_t value = index(pack, 2 + i, offsets[2 + i]);
      if (value >= 0 && value < axes[2 * i]) {
        at[indexed_] += value * axes[2 * i + 1];
        continue;
      }
      inside = false;
      if (first.code == TENON_OK) {
        first = {0, TENON_INDEX, 0, value, position, 0, static_cast<uint32_t>(2 + i)};
      }
    }
    std::byte* const dst = sdk::host_address(pack.operand(0)) + at[0] * element_bytes_;
    if (inside) {
      combine_(dst, sdk::host_address(pack.operand(1)) + at[1] * element_bytes_);
    } else if (indexed_ == 1) {
      std::memset(dst, 0, static_cast<size_t>(element_bytes_));
    }
  }

  int64_t index(const sdk::PackView& pack, size_t i, int64_t offset) const {
    const TenonOperandDesc& desc = op_.view().operands()[i];
    if (desc.layout == TENON_LAYOUT_INDEX) return meaning::add(pack.operand(i).offset, offset);
    return sdk::dispatch(sdk::Integers{}, desc.dtype, [&]<class T>() {
      return static_cast<int64_t>(sdk::load<T>(sdk::host_address(pack.operand(i)), offset));
    });
  }

  sdk::OpCopy op_;
  size_t indexed_;  // the operand that the indices move in
  size_t index_count_;
  int64_t element_bytes_;
  Combine combine_;
};

}  // namespace

std::unique_ptr<Kernel> make_indexed(const TenonOp& op) {
  const sdk::OpView view(op);
  require_only_slot(view, UINT16_MAX);
  for (size_t i = 2; i < view.operands().size(); ++i) {
    sdk::dispatch(sdk::Integers{}, view.operands()[i].dtype, []<class T>() {});
  }
  return std::make_unique<Indexed>(op);
}

}  // namespace reference
