// One opcode over lists of operand values: loaded, applied, stored and compared with the oracle.
#pragma once

#include "tests/conformance/harness.h"

namespace tenon::conformance {

/// An opcode, and the dtypes of its operands and its result.
struct Typed {
  const Opcode* op;
  std::uint8_t result;
  std::vector<std::uint8_t> operands;
};

/// `op` with operands of `dtype`, where its group says the rest; not for CAST and BITCAST.
Typed typed(const Opcode& op, std::uint8_t dtype);

/// A list for each operand, all of one length.
using OperandValues = std::vector<std::vector<Bits>>;

class OpcodesOnDevice : public OnDevice {
 protected:
  /// Applies typed.op to the values; those of a dtype that is not stored are bitcast at the edges.
  void check(const Typed& typed, const OperandValues& values);
  /// The dtypes that the device computes with and has a way to load and store.
  std::vector<std::uint8_t> computed() const;

 private:
  void compare(const Typed& typed, const OperandValues& values, const Array& got);
  std::string describe(const Typed& typed) const;
};

}  // namespace tenon::conformance
