#include "program.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "source.h"

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
    uniforms_.push_back({find_fill(view.scalar_dtype(i)), false, 0});
  }
  for (std::size_t i = 0; i < view.constant_count(); ++i) {
    uniforms_.push_back({find_fill(view.constant_dtype(i)), true, view.constants()[i]});
  }
  resolve(view);
  place_results();
  find_direct_outputs();
}

Program::Program(std::uint8_t from, std::uint8_t to)
    : input_count_(1),
      instructions_{{find_cast(from, to), {0, 0, 0}, 0, 0}},
      outputs_{{1, to, static_cast<std::uint8_t>(sdk::size_of(to))}},
      slots_(1) {}

namespace {

/// Which instructions are products that the one instruction that reads them adds or subtracts.
std::vector<bool> products_to_fuse(const sdk::ProgramView& view) {
  const auto code = view.instructions();
  std::vector<int> uses(code.size(), 0);
  const auto count = [&](std::uint16_t reference) {
    if (TENON_REF_CLASS(reference) == TENON_REF_INSTRUCTION) ++uses[TENON_REF_INDEX(reference)];
  };
  for (const TenonInstruction& it : code) {
    const std::uint16_t references[] = {it.a, it.b, it.c};
    const int arity = sdk::opcode_info(it.opcode).arity;
    for (int i = 0; i < arity; ++i) count(references[i]);
  }
  for (const std::uint16_t output : view.outputs()) count(output);
  std::vector<bool> fused(code.size(), false);
  const auto fuse = [&](std::uint16_t reference) {
    const std::size_t i = TENON_REF_INDEX(reference);
    if (TENON_REF_CLASS(reference) != TENON_REF_INSTRUCTION) return false;
    fused[i] = code[i].opcode == TENON_OP_MUL && uses[i] == 1;
    return static_cast<bool>(fused[i]);
  };
  for (const TenonInstruction& it : code) {
    const bool is_sum = it.opcode == TENON_OP_ADD || it.opcode == TENON_OP_SUB;
    if (is_sum && it.dtype == TENON_DTYPE_F32 && !fuse(it.a)) fuse(it.b);
  }
  return fused;
}

/// A loop and what it reads, the last reference repeated.
struct Operation {
  Step step;
  std::uint16_t in[3];
};

Operation operation_of(const sdk::ProgramView& view, const TenonInstruction& it,
                       const std::vector<bool>& fused) {
  const auto is_fused = [&](std::uint16_t reference) {
    return TENON_REF_CLASS(reference) == TENON_REF_INSTRUCTION && fused[TENON_REF_INDEX(reference)];
  };
  const int arity = sdk::opcode_info(it.opcode).arity;
  if (const bool first = is_fused(it.a); arity == 2 && (first || is_fused(it.b))) {
    const TenonInstruction& product = view.instructions()[TENON_REF_INDEX(first ? it.a : it.b)];
    return {find_product_step(it.opcode, first), {product.a, product.b, first ? it.b : it.a}};
  }
  const std::uint16_t b = arity > 1 ? it.b : it.a, c = arity > 2 ? it.c : b;
  return {find_step(it.opcode, view.dtype_of(c), it.dtype), {it.a, b, c}};
}

}  // namespace

/// References become values, opcodes loops. A BITCAST is its operand.
void Program::resolve(const sdk::ProgramView& view) {
  const std::size_t scalars_at = input_count_, constants_at = scalars_at + view.scalar_count();
  const std::size_t results_at = constants_at + view.constant_count();
  const std::vector<bool> fused = products_to_fuse(view);
  std::vector<std::uint16_t> results;
  const auto value_of = [&](std::uint16_t reference) {
    // In the order of TENON_REF_INSTRUCTION, _INPUT, _SCALAR, _CONSTANT.
    const std::size_t starts[] = {0, 0, scalars_at, constants_at}, index = TENON_REF_INDEX(reference);
    if (TENON_REF_CLASS(reference) == TENON_REF_INSTRUCTION) return results[index];
    return static_cast<std::uint16_t>(starts[TENON_REF_CLASS(reference)] + index);
  };
  for (std::size_t at = 0; at < view.instructions().size(); ++at) {
    const TenonInstruction& it = view.instructions()[at];
    if (it.opcode == TENON_OP_BITCAST || fused[at]) {
      results.push_back(value_of(it.a));
      continue;
    }
    const Operation operation = operation_of(view, it, fused);
    Instruction made{operation.step, {}, 0, -1};
    for (int i = 0; i < 3; ++i) made.in[i] = value_of(operation.in[i]);
    results.push_back(static_cast<std::uint16_t>(results_at + instructions_.size()));
    instructions_.push_back(made);
  }
  for (std::size_t i = 0; i < view.outputs().size(); ++i) {
    const std::uint8_t dtype = view.output_dtype(i);
    outputs_.push_back(
        {value_of(view.outputs()[i]), dtype, static_cast<std::uint8_t>(sdk::size_of(dtype))});
    if (outputs_.back().value < input_count_) passes_inputs_ = true;
  }
  find_single();
}

void Program::find_single() {
  if (instructions_.size() != 1 || outputs_.size() != 1 || !uniforms_.empty()) return;
  const Instruction& it = instructions_.front();
  const bool is_result = outputs_[0].value == input_count_;
  const bool unary = input_count_ == 1 && it.in[0] == 0 && it.in[1] == 0;
  const bool binary = input_count_ == 2 && it.in[0] == 0 && it.in[1] == 1 && it.in[2] == 1;
  if (is_result && (unary || binary)) single_ = it.step;
}

int Program::tile_length() const {
  constexpr std::size_t kBytes = 40 << 10, kUsual = 4;
  const std::size_t tiles = input_count_ + outputs_.size() + tile_count();
  return tiles * kTile * kUsual <= kBytes ? kTile : kTile / 2;
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

Tile::Tile(const Program& program, const std::uint64_t* scalars, Room room, int n)
    : program_(program), slots_(room.after(program.uniforms_.size())) {
  const std::byte** value = values_ + program.input_count_;
  for (const Program::Uniform& it : program.uniforms_) {
    it.fill(room.at, it.is_constant ? it.bits : *scalars++, std::min(n, kTile));
    *value++ = room.at;
    room = room.after(1);
  }
}

void Tile::run(int n) {
  const std::byte** value = values_ + program_.input_count_ + program_.uniforms_.size();
  for (const Program::Instruction& it : program_.instructions_) {
    const std::byte* const in[3] = {values_[it.in[0]], values_[it.in[1]], values_[it.in[2]]};
    std::byte* out = it.output >= 0 ? outputs_[it.output] : nullptr;
    if (out == nullptr) out = slots_.tile(it.slot);
    it.step(out, in, n);
    *value++ = out;
  }
  for (std::size_t k = 0; k < program_.outputs_.size(); ++k) {
    const Program::Output& output = program_.outputs_[k];
    if (outputs_[k] == nullptr || outputs_[k] == values_[output.value]) continue;
    std::memcpy(outputs_[k], values_[output.value], static_cast<std::size_t>(n) * output.size);
  }
}

namespace {

/// The results of a run, tile after tile.
class Results {
 public:
  Results(std::span<const Way> ways, sdk::Dims dims, std::int64_t begin) : ways_(ways), at_(begin) {
    for (std::size_t i = 0; i < ways.size(); ++i) {
      if (ways[i].is_contiguous()) continue;
      cursors_[i] = sdk::Cursor(ways[i].desc, ways[i].operand, dims, ways[i].strides);
      cursors_[i].seek(begin);
    }
  }
  void place(Tile& tile) const {
    for (std::size_t i = 0; i < ways_.size(); ++i) {
      const auto size = static_cast<std::int64_t>(sdk::size_of(ways_[i].desc.dtype));
      std::byte* const at = sdk::host_address(ways_[i].operand) + at_ * size;
      tile.set_output(i, ways_[i].is_contiguous() ? at : nullptr);
    }
  }
  void take(const Tile& tile, int n) {
    for (std::size_t i = 0; i < ways_.size(); ++i) {
      if (!ways_[i].is_contiguous()) cursors_[i].store(tile.result(i), n);
    }
    at_ += n;
  }

 private:
  std::span<const Way> ways_;
  std::int64_t at_;
  std::array<sdk::Cursor, TENON_MAX_OUTPUTS> cursors_;
};

}  // namespace

void run_program(const Program& program, const std::uint64_t* scalars, sdk::Dims dims,
                 std::span<const Way> ways, std::int64_t begin, std::int64_t end) {
  const std::size_t outputs = program.output_count(), inputs = ways.size() - outputs;
  const int length = program.tile_length();
  const Room room{scratch(inputs + program.tile_count()), tile_bytes(length)};
  Tile tile(program, scalars, room.after(inputs),
            static_cast<int>(std::min<std::int64_t>(end - begin, length)));
  Results results(ways.first(outputs), dims, begin);
  Source* const from = sources();
  for (std::size_t i = 0; i < inputs; ++i) {
    const Way& way = ways[outputs + i];
    from[i] = Source(way.desc, way.operand, dims,
                     way.is_contiguous() ? sdk::row_major(dims) : way.strides, begin);
  }
  while (begin < end) {
    const int n = tile_at(dims, begin, end, length);
    for (std::size_t i = 0; i < inputs; ++i) {
      const std::byte* values = from[i].next(n, room.tile(i));
      if (program.passes_inputs() && values != room.tile(i)) {  // outputs may be written over it
        const std::size_t size = sdk::size_of(ways[outputs + i].desc.dtype);
        std::memcpy(room.tile(i), values, static_cast<std::size_t>(n) * size);
        values = room.tile(i);
      }
      tile.set_input(i, values);
    }
    results.place(tile);
    tile.run(n);
    results.take(tile, n);
    begin += n;
  }
}

}  // namespace cpu
