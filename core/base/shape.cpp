// Arithmetic on shapes.
#include <tenon/shape.h>

#include <ostream>

#include <fmt/ranges.h>

#include "core/base/fail.h"

namespace tenon {

namespace {

// Apart, so that no text is made where there is nothing to say.
[[noreturn]] void fail_for(std::string_view op, const Shape& shape, std::string_view problem) {
  fail(ErrorKind::InvalidArgument, "[{}] {} has {}", op, to_string(shape), problem);
}
[[noreturn]] void fail_to_broadcast(std::string_view op, const Shape& a, const Shape& b) {
  fail(ErrorKind::InvalidArgument, "[{}] shapes do not broadcast: {} and {}", op, to_string(a),
       to_string(b));
}

}  // namespace

void Dims::too_many(std::size_t size) {
  fail(ErrorKind::InvalidArgument, "[shape] {} dimensions, the most is {}", size, kMaxRank);
}

std::int64_t numel(const Shape& shape, std::string_view op) {
  std::int64_t count = 1;
  bool empty = false, overflow = false;
  for (const std::int64_t extent : shape) {
    if (extent < 0) fail_for(op, shape, "a negative extent");
    empty |= extent == 0;
    // Of an empty shape too, so that its strides can be counted.
    overflow |= __builtin_mul_overflow(count, std::max<std::int64_t>(extent, 1), &count);
  }
  if (overflow) fail_for(op, shape, "more elements than 64 bits can count");
  return empty ? 0 : count;
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides = Dims::filled(shape.size(), 1);
  for (int d = shape.size() - 2; d >= 0; --d) {
    strides[d] = strides[d + 1] * std::max<std::int64_t>(shape[d + 1], 1);
  }
  return strides;
}

Shape broadcast(std::string_view op, const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  const int lead = longer.size() - shorter.size();
  for (int d = 0; d < shorter.size(); ++d) {
    const std::int64_t x = longer[lead + d], y = shorter[d];
    if (x != y && x != 1 && y != 1) fail_to_broadcast(op, a, b);
    result[lead + d] = x == 1 ? y : x;
  }
  return result;
}

std::string to_string(const Dims& dims) {
  return fmt::format("({}{})", fmt::join(dims.begin(), dims.end(), ", "), dims.size() == 1 ? "," : "");
}

std::ostream& operator<<(std::ostream& out, const Dims& dims) {
  return out << to_string(dims);
}

}  // namespace tenon
