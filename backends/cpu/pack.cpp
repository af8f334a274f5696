#include "pack.h"

#include <algorithm>
#include <cstring>

#include <tenon/sdk.h>

namespace cpu {

namespace {

namespace sdk = tenon::sdk;

constexpr std::int64_t kLine = 256;

template <class T>
void gather(const std::byte* from, std::int64_t stride, std::int64_t n, std::byte* to) {
  for (std::int64_t i = 0; i < n; ++i) sdk::store(to, sdk::load<T>(from, i * stride), i);
}

void gather(std::int64_t size, const std::byte* from, std::int64_t stride, std::int64_t n,
            std::byte* to) {
  if (size == 1) return gather<std::uint8_t>(from, stride, n, to);
  if (size == 2) return gather<std::uint16_t>(from, stride, n, to);
  if (size == 4) return gather<std::uint32_t>(from, stride, n, to);
  gather<std::uint64_t>(from, stride, n, to);
}

}  // namespace

Packer::Packer(std::uint8_t from, std::uint8_t to)
    : from_size_(static_cast<std::int64_t>(sdk::size_of(from))),
      to_size_(static_cast<std::int64_t>(sdk::size_of(to))),
      cast_(from == to ? nullptr : find_cast(from, to)),
      loops_(gemm_loops(to)) {}

void Packer::operator()(const Part& part, std::byte* to, std::int64_t to_row) const {
  if (part.row == 1 && part.columns > 1 && part.column != 1) {
    pack_columns(part, to, to_row);
  } else {
    pack_rows(part, to, to_row);
  }
}

void Packer::pack_rows(const Part& part, std::byte* to, std::int64_t to_row) const {
  for (std::int64_t i = 0; i < part.rows; ++i) {
    pack_line(part.data + i * part.row * from_size_, part.column, part.columns,
              to + i * to_row * to_size_);
  }
}

/// Columns without gaps: cast some at a time, then turned.
void Packer::pack_columns(const Part& part, std::byte* to, std::int64_t to_row) const {
  if (cast_ == nullptr) {
    return loops_.transpose(part.data, part.column, to, to_row, part.rows, part.columns);
  }
  constexpr std::int64_t kColumns = 16;
  alignas(64) std::byte lines[kColumns * kLine * 8];
  for (std::int64_t j = 0; j < part.columns; j += kColumns) {
    const std::int64_t columns = std::min(kColumns, part.columns - j);
    for (std::int64_t i = 0; i < part.rows; i += kLine) {
      const std::int64_t rows = std::min(kLine, part.rows - i);
      for (std::int64_t c = 0; c < columns; ++c) {
        pack_line(part.data + (i + (j + c) * part.column) * from_size_, 1, rows,
                  lines + c * kLine * to_size_);
      }
      loops_.transpose(lines, kLine, to + (i * to_row + j) * to_size_, to_row, rows, columns);
    }
  }
}

void Packer::pack_line(const std::byte* from, std::int64_t stride, std::int64_t n,
                       std::byte* to) const {
  if (n > 1 && stride != 1 && cast_ == nullptr) return gather(from_size_, from, stride, n, to);
  if (cast_ == nullptr) {
    std::memcpy(to, from, static_cast<std::size_t>(n * from_size_));
    return;
  }
  alignas(64) std::byte line[kLine * 8];
  for (std::int64_t i = 0; i < n; i += kLine) {
    const std::int64_t count = std::min(kLine, n - i);
    const std::byte* source = from + i * stride * from_size_;
    if (stride != 1) {
      gather(from_size_, source, stride, count, line);
      source = line;
    }
    const std::byte* const in[3] = {source, source, source};
    cast_(to + i * to_size_, in, static_cast<int>(count));
  }
}

}  // namespace cpu
