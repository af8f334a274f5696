#include "source.h"

#include <array>
#include <cstring>

namespace cpu {

namespace {

template <class T>
void pack(std::byte* out, const std::byte* from, std::int64_t stride, int n) {
  T* to = reinterpret_cast<T*>(out);
  const T* x = reinterpret_cast<const T*>(from);
  if (stride == 1) {
    std::memcpy(to, x, static_cast<std::size_t>(n) * sizeof(T));
  } else if (stride == 0) {
    std::fill_n(to, n, *x);
  } else {
    for (int i = 0; i < n; ++i) to[i] = x[i * stride];
  }
}

/// A bool is any byte that is not 0.
void pack_bool(std::byte* out, const std::byte* from, std::int64_t stride, int n) {
  for (int i = 0; i < n; ++i) out[i] = std::byte{from[i * stride] != std::byte{0}};
}

std::uint64_t bits_at(const std::byte* at, std::int64_t size) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, at, static_cast<std::size_t>(size));
  return bits;
}

}  // namespace

Pack find_pack(std::uint8_t dtype) {
  if (dtype == TENON_DTYPE_BOOL) return pack_bool;
  switch (sdk::size_of(dtype)) {
    case 1:
      return pack<std::uint8_t>;
    case 2:
      return pack<std::uint16_t>;
    case 4:
      return pack<std::uint32_t>;
    default:
      return pack<std::uint64_t>;
  }
}

Source::Source(const TenonOperandDesc& desc, const TenonOperand& operand, sdk::Dims dims,
               const sdk::Strides& strides, std::int64_t begin)
    : size_(static_cast<std::int64_t>(sdk::size_of(desc.dtype))),
      is_bool_(desc.dtype == TENON_DTYPE_BOOL),
      walker_(dims, strides) {
  walker_.seek(begin);
  if (desc.layout == TENON_LAYOUT_INDEX) {
    sequence_ = find_sequence(desc.dtype);
    first_ = operand.offset;
    return;
  }
  memory_ = sdk::host_address(operand);
  pack_ = find_pack(desc.dtype);
  if (desc.layout == TENON_LAYOUT_SCALAR) fill_ = find_fill(desc.dtype);
}

const std::byte* Source::next(int n, std::byte* buffer) {
  if (fill_ != nullptr) {
    if (filled_ < n) fill_(buffer, bits_at(memory_, size_), filled_ = n);
    return buffer;
  }
  const std::byte* found = buffer;
  std::byte* to = buffer;
  walker_.take(n, [&](std::int64_t offset, std::int64_t stride, std::int64_t count) {
    const std::byte* const from = memory_ + offset * size_;
    if (sequence_ != nullptr) {
      sequence_(to, sdk::meaning::add(first_, offset), stride, static_cast<int>(count));
    } else if (stride == 1 && count == n && !is_bool_) {
      found = from;
    } else {
      pack_(to, from, stride, static_cast<int>(count));
    }
    to += count * size_;
  });
  return found;
}

Source* sources() {
  thread_local std::array<Source, sdk::kMaxOperands> all;
  return all.data();
}

}  // namespace cpu
