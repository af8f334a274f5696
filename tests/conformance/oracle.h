// What one value of a program has to be: plain loops and long double, after the text of
// tenon/plugin.h. Values are raw bits in the low bytes of 64.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tenon/plugin.h>

namespace tenon::conformance {

using Bits = std::uint64_t;

/// The opcodes.def row of an opcode.
struct Opcode {
  enum Group { ARITH, FLOAT, BITS, SHIFT, COMPARE, SELECT, CAST, BITCAST, PHILOX };
  const char* name;
  std::uint8_t code;
  int arity;
  Group group;
  double ulp;
  bool optional() const { return code >= 32; }
};
const std::vector<Opcode>& all_opcodes();
const Opcode& opcode(std::uint8_t code);

/// In the order of their codes.
const std::vector<std::uint8_t>& all_dtypes();
const char* name_of(std::uint8_t dtype);
std::size_t size_of(std::uint8_t dtype);
bool is_float(std::uint8_t dtype);
bool is_signed(std::uint8_t dtype);  ///< a signed integer
bool is_integer(std::uint8_t dtype);
/// Whether an instruction of this opcode takes operands of this dtype.
bool applies(const Opcode& op, std::uint8_t dtype);

long double to_real(std::uint8_t dtype, Bits bits);
/// Rounded once to a floating dtype, half to even; truncated, saturated and NaN to 0 for an integer.
Bits from_real(std::uint8_t dtype, long double value);
/// The low bytes of an integer; for a floating dtype the nearest value.
Bits from_integer(std::uint8_t dtype, std::int64_t value);
bool is_nan(std::uint8_t dtype, Bits bits);
Bits cast(std::uint8_t to, std::uint8_t from, Bits bits);

/// "-1.5 (0xbfc00000)"
std::string show(std::uint8_t dtype, Bits bits);

/// One instruction with operands a, b, c; `from` is the dtype of a (of b for SELECT).
struct Application {
  const Opcode* op;
  std::uint8_t dtype;  ///< of the result
  std::uint8_t from;
  Bits a = 0, b = 0, c = 0;
};
/// Whether `got` may be its result on a device that flushes denormals, or does not.
bool accepts(const Application& what, Bits got, bool flushes);
/// The result, correctly rounded.
Bits expected(const Application& what);

/// Equal bits, or NaN both.
bool same(std::uint8_t dtype, Bits a, Bits b);
/// Whether a floating `got` is within `ulp` units in the last place of `real`; a 16-bit one is what is
/// within so many units of f32, rounded.
bool within(std::uint8_t dtype, Bits got, long double real, double ulp);
/// The relative error of one rounding to a floating dtype.
long double epsilon(std::uint8_t dtype);

/// Values where opcodes go wrong, and a stream of ordinary ones.
std::vector<Bits> edge_values(std::uint8_t dtype);
std::vector<Bits> random_values(std::uint8_t dtype, std::size_t count, std::uint64_t seed);

/// Philox4x32-10: the counter becomes the words.
void philox4x32(std::uint32_t (&counter)[4], const std::uint32_t (&key)[2]);
/// The opcode: word index & 3.
std::uint32_t philox(std::uint64_t index, std::uint64_t offset, std::uint64_t seed);

}  // namespace tenon::conformance
