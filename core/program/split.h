// Cuts a program into parts that fit a device's limits. Values that cross from one part to another are
// temporaries of their own dtype, so parts and whole give the same bits.
#pragma once

#include <cstdint>
#include <vector>

#include "core/program/draft.h"

namespace tenon::program {

/// The most that one program of a device may have.
struct Limits {
  int instructions = TENON_MAX_INSTRUCTIONS;
  int inputs = TENON_MAX_INPUTS;
  int outputs = TENON_MAX_OUTPUTS;
  int scalars = TENON_MAX_SCALARS;
  int constants = TENON_MAX_CONSTANTS;
};

/// Dtypes of a device: bits 1 << code.
struct DTypeMasks {
  std::uint32_t storage, compute;
};

/// Where an operand of a part lies: among the whole's inputs or outputs, or the temporaries.
struct Place {
  enum class Kind : std::uint8_t { Input, Output, Temporary };
  Kind kind;
  int index;
};

struct Part {
  Program program;
  std::vector<Place> inputs, outputs;
  std::vector<int> scalars;     // which of the whole's
  std::vector<int> last_reads;  // temporaries that no later part reads
};

/// Parts that give, one after the other, what the whole gives.
struct Plan {
  std::vector<DType> temporaries;
  std::vector<Part> parts;

  /// Whether a part that writes the output comes before one that reads the input.
  bool overwrites(int output, int input) const;
};

enum class Cut { FewestParts, EachInstruction };

/// The plan for a draft of any size without dead instructions. A device that takes 4 instructions, 2
/// inputs, 1 output, 3 scalars and 3 constants, or more, is sure to have one (philox of three inputs
/// apart); Unsupported names the instruction for which a limit is too small.
Plan split(const Draft& draft, const Limits& limits, DTypeMasks dtypes, Cut cut = Cut::FewestParts);

}  // namespace tenon::program
