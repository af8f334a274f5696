// Elementwise programs, interpreted over blocks of elements: each instruction is one plain loop over a
// block, so that finding the loop costs nothing per element.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <tenon/sdk.h>

namespace tenon::sdk::kernels {

/// Elements in a block.
inline constexpr int kBlock = 256;

/// A program, its instructions resolved to loops over numbered registers.
class Program {
 public:
  explicit Program(const sdk::ProgramView& view);
  /// One input of dtype `from`, cast.
  Program(uint8_t from, uint8_t to);

  size_t input_count() const { return input_count_; }
  size_t output_count() const { return outputs_.size(); }
  uint8_t output_dtype(size_t i) const { return output_dtypes_[i]; }

 private:
  friend class Block;
  struct Instruction {
    sdk::Step step;
    size_t out, in[3];
  };
  /// A scalar or a constant: the same value for all elements.
  struct Uniform {
    size_t at;
    uint8_t dtype;
    uint64_t bits;
  };

  size_t input_count_;  // registers 0 and on
  std::vector<Uniform> scalars_, constants_;
  std::vector<Instruction> instructions_;
  std::vector<size_t> outputs_;
  std::vector<uint8_t> output_dtypes_;
};

/// The values of one program for up to kBlock elements at a time. Load every input, run, then store:
/// so an output may alias an input.
class Block {
 public:
  /// For blocks of at most `n` elements.
  Block(const Program& program, const uint64_t* scalars, int64_t n);

  std::byte* input(size_t i) { return registers_[i]; }
  void run(int n);
  const std::byte* output(size_t i) const { return registers_[program_.outputs_[i]]; }

 private:
  static constexpr int kRegisters =
      TENON_MAX_INPUTS + TENON_MAX_SCALARS + TENON_MAX_CONSTANTS + TENON_MAX_INSTRUCTIONS;

  const Program& program_;
  alignas(64) std::byte registers_[kRegisters][kBlock * 8];
};

}  // namespace tenon::sdk::kernels
