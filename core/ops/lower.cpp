// One table for all devices: they live as long as the process, and ids of programs are never reused.
#include "core/ops/lower.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string_view>

#include <fmt/format.h>

#include "core/program/legalise.h"
#include "core/runtime/device_state.h"

namespace tenon::ops {
namespace {

bool splits_all() {
  static const bool on = [] {
    const char* value = std::getenv("TENON_SPLIT");
    return value != nullptr && std::string_view(value) == "1";
  }();
  return on;
}

/// A device may take more than the ABI's programs have.
program::Limits limits_of(const TenonDeviceInfo& info) {
  const auto least = [](std::uint32_t own, int most) {
    return static_cast<int>(std::min(own, static_cast<std::uint32_t>(most)));
  };
  return {.instructions = least(info.max_instructions, TENON_MAX_INSTRUCTIONS),
          .inputs = least(info.max_inputs, TENON_MAX_INPUTS),
          .outputs = least(info.max_outputs, TENON_MAX_OUTPUTS),
          .scalars = least(info.max_scalars, TENON_MAX_SCALARS),
          .constants = least(info.max_constants, TENON_MAX_CONSTANTS)};
}

bool fits(const program::Program& program, const program::Limits& limits) {
  return program.instruction_count() <= limits.instructions && program.input_count() <= limits.inputs &&
         program.output_count() <= limits.outputs && program.scalar_count() <= limits.scalars &&
         program.constant_count() <= limits.constants;
}

/// What of the program the device does not take, or "".
std::string obstacle(const program::Program& program, const TenonDeviceInfo& info, bool is_legal) {
  if (!is_legal) return "an opcode or a dtype of the program";
  if (fits(program, limits_of(info))) return "";
  return fmt::format("a program of {} instructions, {} inputs and {} outputs in one",
                     program.instruction_count(), program.input_count(), program.output_count());
}

std::unique_ptr<const Lowered> worked_out(const program::Program& program,
                                          const TenonDeviceInfo& info) {
  const program::Target target{info.opcodes, info.storage_dtypes, info.compute_dtypes};
  program::Draft draft = decode(program);
  const bool is_legal = program::is_legal(draft, target);
  const std::string reason = obstacle(program, info, is_legal);
  const bool is_cut = splits_all() && program.instruction_count() > 1;
  if (reason.empty() && !is_cut) return nullptr;
  if (!is_legal) draft = program::legalise(draft, target);
  const auto cut = is_cut ? program::Cut::EachInstruction : program::Cut::FewestParts;
  return std::make_unique<const Lowered>(
      program::split(draft, limits_of(info), {info.storage_dtypes, info.compute_dtypes}, cut), reason);
}

/// Whether a plan's only part takes inputs and scalars, and gives outputs, as the whole does.
bool is_one_part(const program::Plan& plan, const program::Program& whole) {
  const auto& part = plan.parts.front();
  return plan.parts.size() == 1 && part.program.input_count() == whole.input_count() &&
         part.program.scalar_count() == whole.scalar_count() &&
         part.program.output_count() == whole.output_count();
}

}  // namespace

const Lowered* lower(const program::Program& program, runtime::DeviceState& device) {
  using Key = std::pair<const runtime::DeviceState*, std::uint64_t>;
  static std::shared_mutex mutex;
  static auto& table = *new std::map<Key, std::unique_ptr<const Lowered>>;
  const Key key{&device, program.id()};
  {
    const std::shared_lock lock(mutex);
    if (const auto found = table.find(key); found != table.end()) return found->second.get();
  }
  auto lowered = worked_out(program, device.limits());
  const std::unique_lock lock(mutex);
  return table.emplace(key, std::move(lowered)).first->second.get();
}

const program::Program* lower_attachment(const program::Program& program,
                                         runtime::DeviceState& device) {
  const Lowered* lowered = lower(program, device);
  if (lowered == nullptr) return &program;
  return is_one_part(lowered->plan, program) ? &lowered->plan.parts.front().program : nullptr;
}

}  // namespace tenon::ops
