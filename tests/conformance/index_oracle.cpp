#include "tests/conformance/index_oracle.h"

namespace tenon::conformance {
namespace {

Bits combined(std::uint32_t how, std::uint8_t dtype, Bits old, Bits value) {
  const std::uint8_t codes[] = {0, TENON_OP_ADD, TENON_OP_MAX, TENON_OP_MIN};
  if (how == TENON_SCATTER_ASSIGN) return value;
  return expected({&opcode(codes[how]), dtype, dtype, old, value});
}

bool is_small_float(std::uint8_t dtype) {
  return dtype == TENON_DTYPE_F16 || dtype == TENON_DTYPE_BF16;
}

}  // namespace

std::vector<Bits> gathered(const std::vector<Bits>& table, const Places& places) {
  std::vector<Bits> result;
  for (const std::int64_t place : places) {
    result.push_back(place < 0 ? 0 : table[static_cast<std::size_t>(place)]);
  }
  return result;
}

std::vector<Bits> scattered(std::uint32_t how, std::uint8_t dtype, std::vector<Bits> table,
                            const Places& places, const std::vector<Bits>& values) {
  // Sums of small floats are kept in f32 to the end; untouched elements keep every bit.
  const bool widened = how == TENON_SCATTER_ADD && is_small_float(dtype);
  const std::uint8_t kept = widened ? std::uint8_t{TENON_DTYPE_F32} : dtype;
  std::vector<bool> touched(table.size());
  std::vector<Bits> wide;
  for (const Bits bits : table) wide.push_back(widened ? cast(kept, dtype, bits) : bits);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i] < 0) continue;
    const auto at = static_cast<std::size_t>(places[i]);
    touched[at] = true;
    wide[at] = combined(how, kept, wide[at], widened ? cast(kept, dtype, values[i]) : values[i]);
  }
  for (std::size_t at = 0; at < table.size(); ++at) {
    if (touched[at]) table[at] = widened ? cast(dtype, kept, wide[at]) : wide[at];
  }
  return table;
}

}  // namespace tenon::conformance
