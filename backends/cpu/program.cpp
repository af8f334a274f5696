#include "program.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

namespace cpu {

std::byte* scratch(std::size_t count) {
  struct Free {
    void operator()(std::byte* at) const { ::operator delete(at, std::align_val_t{64}); }
  };
  thread_local std::unique_ptr<std::byte, Free> memory;
  thread_local std::size_t held = 0;
  if (count > held) {
    memory.reset(static_cast<std::byte*>(::operator new(count * kTileBytes, std::align_val_t{64})));
    held = count;
  }
  return memory.get();
}

Program::Program(const sdk::ProgramView& view) : input_count_(view.input_count()) {
  for (std::size_t i = 0; i < view.scalar_count(); ++i) {
    uniforms_.push_back({view.scalar_dtype(i), false, 0});
  }
  for (std::size_t i = 0; i < view.constant_count(); ++i) {
    uniforms_.push_back({view.constant_dtype(i), true, view.constants()[i]});
  }
  resolve(view);
  place_results();
  find_direct_outputs();
}

Program::Program(std::uint8_t from, std::uint8_t to)
    : input_count_(1),
      instructions_{{find_cast(from, to), {0, 0, 0}, 0, 0}},
      outputs_{{1, to}},
      slots_(1) {}

/// References become values, opcodes loops.
void Program::resolve(const sdk::ProgramView& view) {
  // In the order of TENON_REF_INSTRUCTION, _INPUT, _SCALAR, _CONSTANT.
  const std::size_t scalars_at = input_count_, constants_at = scalars_at + view.scalar_count();
  const std::size_t results_at = constants_at + view.constant_count();
  const std::size_t starts[] = {results_at, 0, scalars_at, constants_at};
  const auto value_of = [&](std::uint16_t reference) {
    return static_cast<std::uint16_t>(starts[TENON_REF_CLASS(reference)] + TENON_REF_INDEX(reference));
  };
  for (const TenonInstruction& it : view.instructions()) {
    const std::uint16_t references[] = {it.a, it.b, it.c};
    const int arity = sdk::opcode_info(it.opcode).arity;
    Instruction made{find_step(it.opcode, view.dtype_of(references[arity - 1]), it.dtype), {}, 0, -1};
    for (int i = 0; i < 3; ++i) made.in[i] = value_of(references[std::min(i, arity - 1)]);
    instructions_.push_back(made);
  }
  for (std::size_t i = 0; i < view.outputs().size(); ++i) {
    outputs_.push_back({value_of(view.outputs()[i]), view.output_dtype(i)});
    if (outputs_.back().value < input_count_) passes_inputs_ = true;
  }
  const auto& first = instructions_.empty() ? Instruction{} : instructions_.front();
  const bool plain = instructions_.size() == 1 && outputs_.size() == 1 &&
                     outputs_[0].value == results_at && uniforms_.empty();
  if (plain && input_count_ == 1 && first.in[0] == 0 && first.in[1] == 0) single_ = first.step;
  if (plain && input_count_ == 2 && first.in[0] == 0 && first.in[1] == 1 && first.in[2] == 1) {
    single_ = first.step;
  }
}

/// The tile of each result: one that nothing reads any more, or a new one.
void Program::place_results() {
  const std::size_t results_at = input_count_ + uniforms_.size(), count = instructions_.size();
  std::vector<std::size_t> last_use(count, 0);
  for (std::size_t i = 0; i < count; ++i) {
    last_use[i] = i;
    for (const std::uint16_t value : instructions_[i].in) {
      if (value >= results_at) last_use[value - results_at] = i;
    }
  }
  for (const Output& output : outputs_) {
    if (output.value >= results_at) last_use[output.value - results_at] = count;
  }
  std::vector<std::uint16_t> free;
  for (std::size_t i = 0; i < count; ++i) {
    // Taken before its operands' tiles are free: a result is never written over an operand.
    if (free.empty()) free.push_back(static_cast<std::uint16_t>(slots_++));
    instructions_[i].slot = free.back();
    free.pop_back();
    for (std::size_t k = 0; k <= i; ++k) {
      if (last_use[k] == i) free.push_back(instructions_[k].slot);
    }
  }
}

/// An output may be written at once where no input is read after its instruction, since it may be that
/// input's memory.
void Program::find_direct_outputs() {
  if (passes_inputs_) return;
  const std::size_t results_at = input_count_ + uniforms_.size();
  std::size_t last_read = 0;
  for (std::size_t i = 0; i < instructions_.size(); ++i) {
    for (const std::uint16_t value : instructions_[i].in) {
      if (value < input_count_) last_read = i;
    }
  }
  for (std::size_t k = 0; k < outputs_.size(); ++k) {
    if (outputs_[k].value < results_at) continue;
    const std::size_t at = outputs_[k].value - results_at;
    if (at < last_read || instructions_[at].output >= 0) continue;
    instructions_[at].output = static_cast<std::int16_t>(k);
  }
}

Tile::Tile(const Program& program, const std::uint64_t* scalars, std::byte* room, int n)
    : program_(program) {
  const int used = std::min(n, kTile);
  const std::byte** value = values_ + program.input_count_;
  for (const Program::Uniform& it : program.uniforms_) {
    sdk::spread(room, it.dtype, it.is_constant ? it.bits : *scalars++, used);
    *value++ = room;
    room += kTileBytes;
  }
  slots_ = room;
}

void Tile::run(int n) {
  const std::byte** value = values_ + program_.input_count_ + program_.uniforms_.size();
  for (const Program::Instruction& it : program_.instructions_) {
    const std::byte* const in[3] = {values_[it.in[0]], values_[it.in[1]], values_[it.in[2]]};
    std::byte* out = it.output >= 0 ? outputs_[it.output] : nullptr;
    if (out == nullptr) out = slots_ + it.slot * kTileBytes;
    it.step(out, in, n);
    *value++ = out;
  }
  for (std::size_t k = 0; k < program_.outputs_.size(); ++k) {
    const Program::Output& output = program_.outputs_[k];
    if (outputs_[k] == nullptr || outputs_[k] == values_[output.value]) continue;
    std::memcpy(outputs_[k], values_[output.value],
                static_cast<std::size_t>(n) * sdk::size_of(output.dtype));
  }
}

void run_program(const Program& program, const std::uint64_t* scalars, sdk::Dims dims,
                 std::span<const Way> ways, std::int64_t begin, std::int64_t end) {
  const std::size_t outputs = program.output_count();
  std::byte* const room = scratch(ways.size() + program.tile_count());
  const auto buffer = [&](std::size_t i) { return room + i * kTileBytes; };
  Tile tile(program, scalars, buffer(ways.size()),
            static_cast<int>(std::min<std::int64_t>(end - begin, kTile)));
  std::array<sdk::Cursor, sdk::kMaxOperands> cursors;
  std::array<bool, sdk::kMaxOperands> in_place{};
  for (std::size_t i = 0; i < ways.size(); ++i) {
    in_place[i] = ways[i].is_contiguous() && (i < outputs || !program.passes_inputs());
    if (in_place[i]) continue;
    cursors[i] = sdk::Cursor(ways[i].desc, ways[i].operand, dims, ways[i].strides);
    cursors[i].seek(begin);
    if (i >= outputs) tile.set_input(i - outputs, buffer(i));
  }
  const auto at = [&](std::size_t i) {
    const auto size = static_cast<std::int64_t>(sdk::size_of(ways[i].desc.dtype));
    return sdk::host_address(ways[i].operand) + begin * size;
  };
  for (; begin < end; begin += kTile) {
    const int n = static_cast<int>(std::min<std::int64_t>(kTile, end - begin));
    for (std::size_t i = outputs; i < ways.size(); ++i) {
      if (in_place[i]) {
        tile.set_input(i - outputs, at(i));
      } else {
        cursors[i].load(buffer(i), n);
      }
    }
    for (std::size_t i = 0; i < outputs; ++i) tile.set_output(i, in_place[i] ? at(i) : nullptr);
    tile.run(n);
    for (std::size_t i = 0; i < outputs; ++i) {
      if (!in_place[i]) cursors[i].store(tile.result(i), n);
    }
  }
}

}  // namespace cpu
