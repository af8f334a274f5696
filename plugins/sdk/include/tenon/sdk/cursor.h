// An operand's way through memory: elements in logical order, whatever the layout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tenon/plugin.h>
#include <tenon/sdk/arithmetic.h>
#include <tenon/sdk/dtype.h>
#include <tenon/sdk/view.h>
#include <tenon/sdk/walk.h>

namespace tenon::sdk {

/// Reads or writes one operand along an iteration space, some elements at a time.
class Cursor {
 public:
  Cursor() = default;
  Cursor(const TenonOperandDesc& desc, const TenonOperand& operand, Dims dims, const Strides& strides)
      : dtype_(desc.dtype),
        index_(desc.layout == TENON_LAYOUT_INDEX),
        operand_(operand),
        walker_(dims, strides) {}

  /// Goes to an element, counted from the first in logical order.
  void seek(int64_t element) { walker_.seek(element); }
  /// The next n elements, packed.
  void load(std::byte* out, int64_t n);
  void store(const std::byte* from, int64_t n);

 private:
  uint8_t dtype_ = TENON_DTYPE_NONE;
  bool index_ = false;
  TenonOperand operand_{};
  Walker walker_;
};

inline void Cursor::load(std::byte* out, int64_t n) {
  dispatch(Everything{}, dtype_, [&]<class T>() {
    T* to = reinterpret_cast<T*>(out);
    walker_.take(n, [&](int64_t offset, int64_t stride, int64_t count) {
      const std::byte* const from = host_address(operand_);
      if (index_) {
        for (int64_t i = 0; i < count; ++i) {
          to[i] = meaning::cast<T>(meaning::add(operand_.offset, offset + i * stride));
        }
      } else if (stride == 1) {
        for (int64_t i = 0; i < count; ++i) to[i] = sdk::load<T>(from, offset + i);
      } else {
        for (int64_t i = 0; i < count; ++i) to[i] = sdk::load<T>(from, offset + i * stride);
      }
      to += count;
    });
  });
}

inline void Cursor::store(const std::byte* from, int64_t n) {
  dispatch(Everything{}, dtype_, [&]<class T>() {
    const T* values = reinterpret_cast<const T*>(from);
    walker_.take(n, [&](int64_t offset, int64_t stride, int64_t count) {
      std::byte* const to = host_address(operand_);
      if (stride == 1) {
        std::memcpy(to + offset * static_cast<int64_t>(sizeof(T)), values,
                    static_cast<size_t>(count) * sizeof(T));
      } else {
        for (int64_t i = 0; i < count; ++i) sdk::store(to, values[i], offset + i * stride);
      }
      values += count;
    });
  });
}

}  // namespace tenon::sdk
