#include "fold.h"

#include <cstring>
#include <limits>
#include <string>

namespace cpu {

namespace {

bool is_sum(std::uint8_t code) {
  return code == TENON_REDUCE_SUM || code == TENON_REDUCE_PROD;
}

/// The raw bits of what an empty reduction gives.
std::uint64_t identity(std::uint8_t code, std::uint8_t dtype) {
  std::uint64_t bits = 0;
  sdk::dispatch(sdk::Everything{}, dtype, [&]<class T>() {
    using C = sdk::Compute<T>;
    C value{};
    if (code == TENON_REDUCE_PROD || code == TENON_REDUCE_ALL) value = static_cast<C>(1);
    if (code == TENON_REDUCE_MAX || code == TENON_REDUCE_MIN) {
      const bool greatest = code == TENON_REDUCE_MIN;
      if constexpr (std::is_floating_point_v<C>) {
        value = greatest ? std::numeric_limits<C>::infinity() : -std::numeric_limits<C>::infinity();
      } else {
        value = greatest ? std::numeric_limits<C>::max() : std::numeric_limits<C>::lowest();
      }
    }
    sdk::store(reinterpret_cast<std::byte*>(&bits), static_cast<T>(value));
  });
  return bits;
}

std::uint8_t fold_opcode(std::uint8_t code) {
  switch (code) {
    case TENON_REDUCE_SUM:
      return TENON_OP_ADD;
    case TENON_REDUCE_PROD:
      return TENON_OP_MUL;
    case TENON_REDUCE_MAX:
    case TENON_REDUCE_ARGMAX:
      return TENON_OP_MAX;
    case TENON_REDUCE_MIN:
    case TENON_REDUCE_ARGMIN:
      return TENON_OP_MIN;
    case TENON_REDUCE_ANY:
      return TENON_OP_OR;
    case TENON_REDUCE_ALL:
      return TENON_OP_AND;
    default:
      throw sdk::Unsupported("reduction " + std::to_string(code) + " is not known here");
  }
}

Step cast_unless_same(std::uint8_t from, std::uint8_t to) {
  return from == to ? nullptr : find_cast(from, to);
}

std::uint8_t narrow_dtype(std::uint8_t code, std::uint8_t value, std::uint8_t acc_dtype) {
  if (code == TENON_REDUCE_ANY || code == TENON_REDUCE_ALL) return TENON_DTYPE_BOOL;
  return is_sum(code) ? acc_dtype : value;
}

std::uint8_t wide_dtype(std::uint8_t code, std::uint8_t narrow) {
  return is_sum(code) && narrow >= TENON_DTYPE_F16 ? std::uint8_t{TENON_DTYPE_F64} : narrow;
}

template <class T>
int plain_find(const std::byte* values, int n, const std::byte* best) {
  using C = sdk::Compute<T>;
  const C wanted = sdk::load<T>(best);
  for (int i = 0; i < n; ++i) {
    const C x = sdk::load<T>(values, i);
    if (x == wanted || (sdk::meaning::is_nan(x) && sdk::meaning::is_nan(wanted))) return i;
  }
  return 0;
}

Find finder(std::uint8_t dtype) {
  const Find found = find_finder(dtype);
  if (found != nullptr) return found;
  return sdk::dispatch(sdk::Numbers{}, dtype, []<class T>() -> Find { return plain_find<T>; });
}

}  // namespace

Operator make_operator(std::uint8_t code, std::uint8_t value, std::uint8_t acc_dtype,
                       std::uint8_t result) {
  Operator it{};
  const std::uint8_t opcode = fold_opcode(code);
  it.code = code;
  it.value = value;
  it.narrow = narrow_dtype(code, value, acc_dtype);
  it.wide = wide_dtype(code, it.narrow);
  it.folds = find_folds(opcode, value, it.narrow);
  it.find = is_position(code) ? finder(value) : nullptr;
  it.to_narrow = cast_unless_same(value, it.narrow);
  it.fold_narrow = find_step(opcode, it.narrow, it.narrow);
  it.to_wide = cast_unless_same(it.narrow, it.wide);
  it.fold_wide = find_step(opcode, it.wide, it.wide);
  it.rounded = is_position(code) ? std::uint8_t{TENON_DTYPE_I64} : is_sum(code) ? acc_dtype : it.wide;
  if (!is_position(code)) it.round = cast_unless_same(it.wide, it.rounded);
  it.finish = cast_unless_same(it.rounded, result);
  it.is_direct = it.narrow == it.rounded && it.narrow == result;
  it.narrow_start = identity(code, it.narrow);
  it.wide_start = identity(code, it.wide);
  return it;
}

/// In halves.
void Operator::fold(const std::byte* values, int n, std::byte* work, std::byte* result) const {
  if (folds.row != nullptr) return folds.row(values, n, result);
  if (to_narrow != nullptr) {
    to_narrow(work, &values, n);
  } else {
    std::memcpy(work, values, static_cast<std::size_t>(n) * narrow_size());
  }
  while (n > 1) {
    const int half = n / 2, rest = n - half;
    const std::byte* const in[] = {work, work + static_cast<std::size_t>(rest) * narrow_size()};
    fold_narrow(work, in, half);
    n = rest;
  }
  std::memcpy(result, work, narrow_size());
}

bool is_better(std::uint8_t code, std::uint8_t dtype, const std::byte* found, const std::byte* best) {
  return sdk::dispatch(sdk::Numbers{}, dtype, [&]<class T>() {
    using C = sdk::Compute<T>;
    const C x = sdk::load<T>(found), y = sdk::load<T>(best);
    if (sdk::meaning::is_nan(y)) return false;
    if (sdk::meaning::is_nan(x)) return true;
    return code == TENON_REDUCE_ARGMAX ? x > y : x < y;
  });
}

}  // namespace cpu
