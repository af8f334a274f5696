// Elementwise programs, interpreted over tiles that fit the first-level cache: each instruction is one
// vectorised loop over a tile. Operands that lie in memory without gaps are used where they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tenon/sdk.h>

#include "steps.h"

namespace cpu {

namespace sdk = tenon::sdk;

/// The most elements in a tile.
inline constexpr int kTile = 512;
/// No multiple of a page: places that are equal but for their page share a few lines of the cache.

constexpr std::size_t tile_bytes(int elements) {
  return static_cast<std::size_t>(elements) * 8 + 64;
}
inline constexpr std::size_t kTileBytes = tile_bytes(kTile);

/// `count` tiles of the calling thread's own, valid until its next call.
std::byte* scratch(std::size_t count);

/// A program, its instructions resolved to loops, their results to tiles that are used again once they
/// are read no more.
class Program {
 public:
  explicit Program(const sdk::ProgramView& view);
  /// One input, cast.
  Program(std::uint8_t from, std::uint8_t to);

  std::size_t input_count() const { return input_count_; }
  std::size_t output_count() const { return outputs_.size(); }
  std::uint8_t output_dtype(std::size_t i) const { return outputs_[i].dtype; }
  std::size_t instruction_count() const { return instructions_.size(); }
  /// Tiles that a run takes beside those for its inputs.
  std::size_t tile_count() const { return uniforms_.size() + slots_; }
  /// Elements in a tile, so that all that a run touches stays in the first-level cache.
  int tile_length() const;
  /// Whether an input goes to an output as it is: it is to be copied before outputs are written.
  bool passes_inputs() const { return passes_inputs_; }
  /// The loop of a program that is one instruction over its inputs in their order, else nullptr.
  Step single_step() const { return single_; }

 private:
  friend class Tile;
  struct Instruction {
    Step step;
    std::uint16_t in[3];  // values: inputs, then uniforms, then results
    std::uint16_t slot;
    std::int16_t output;  // where its result may be written at once, else -1
  };
  /// A scalar or a constant: one value for all elements.
  struct Uniform {
    Fill fill;
    bool is_constant;
    std::uint64_t bits;
  };
  struct Output {
    std::uint16_t value;
    std::uint8_t dtype;
    std::uint8_t size;
  };

  void resolve(const sdk::ProgramView& view);
  void find_single();
  void place_results();
  void find_direct_outputs();

  std::size_t input_count_;
  std::vector<Uniform> uniforms_;
  std::vector<Instruction> instructions_;
  std::vector<Output> outputs_;
  std::size_t slots_ = 0;
  bool passes_inputs_ = false;
  Step single_ = nullptr;
};

/// Tiles of equal size.
struct Room {
  std::byte* at;
  std::size_t tile_bytes = kTileBytes;

  std::byte* tile(std::size_t i) const { return at + i * tile_bytes; }
  Room after(std::size_t count) const { return {tile(count), tile_bytes}; }
};

/// One run of a program after the other, for up to kTile elements each. An output may be an input's
/// memory, of the same dtype, at the same place.
class Tile {
 public:
  /// `room` has program.tile_count() tiles; runs have at most n elements.
  Tile(const Program& program, const std::uint64_t* scalars, Room room, int n);

  void set_input(std::size_t i, const std::byte* at) { values_[i] = at; }
  void set_output(std::size_t i, std::byte* at) { outputs_[i] = at; }
  /// Where output i is after a run that it was not given a place for (nullptr).
  const std::byte* result(std::size_t i) const { return values_[program_.outputs_[i].value]; }
  void run(int n);

 private:
  const Program& program_;
  Room slots_;
  const std::byte*
      values_[TENON_MAX_INPUTS + TENON_MAX_SCALARS + TENON_MAX_CONSTANTS + TENON_MAX_INSTRUCTIONS];
  std::byte* outputs_[TENON_MAX_OUTPUTS] = {};
};

/// An operand of a program's run over an iteration space.
struct Way {
  TenonOperandDesc desc;  // dtype and layout
  TenonOperand operand;
  sdk::Strides strides;  // not read where it is CONTIGUOUS

  /// Its elements follow each other in memory.
  bool is_contiguous() const { return desc.layout == TENON_LAYOUT_CONTIGUOUS; }
};

/// Runs a program over the elements begin .. end of an iteration space, in the calling thread; `ways`
/// are its outputs, then its inputs.
void run_program(const Program& program, const std::uint64_t* scalars, sdk::Dims dims,
                 std::span<const Way> ways, std::int64_t begin, std::int64_t end);

}  // namespace cpu
