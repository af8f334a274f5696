// One answer, one error. An answer is a code, and what the plugin told the host in the same call.
#include "core/runtime/status.h"

#include <optional>
#include <string>

#include "core/base/fail.h"
#include "core/runtime/device_state.h"
#include "core/runtime/host.h"
#include "core/runtime/stream.h"

namespace tenon::runtime {
namespace {

struct Answer {
  std::string_view call;
  std::int32_t code;
  std::optional<TenonFault> fault;
  std::string text;
};

/// A fault speaks where the code does not; a lost device is lost whoever says so.
Answer take_answer(std::string_view call, std::int32_t code) {
  Answer answer{call, code, take_fault(), {}};
  if (answer.fault) {
    const std::int32_t reported = answer.fault->code;
    if (code >= 0) answer.code = reported < 0 ? reported : TENON_INTERNAL;
    if (reported == TENON_DEVICE_LOST) answer.code = reported;
  }
  const std::string note = take_note(), error = take_error();
  answer.text = (code > 0 && !note.empty()) || error.empty() ? note : error;
  return answer;
}

const char* meaning(std::int32_t code) {
  switch (code) {
    case TENON_UNSUPPORTED:
      return "unsupported";
    case TENON_INVALID:
      return "a call that breaks the plugin contract";
    case TENON_INDEX:
      return "an index is out of range";
    case TENON_OOM:
      return "out of memory";
    case TENON_INTERNAL:
      return "an internal error";
    case TENON_DEVICE_LOST:
      return "it gives no reason";
    case TENON_TIMEOUT:
      return "timed out";
    case TENON_ABI_MISMATCH:
      return "another version of the plugin ABI";
  }
  return nullptr;
}

/// What an error begins with: the op, else the number of the launch at fault, else the device.
std::string who(const DeviceState& device, const Answer& answer, const LaunchRecord* launch) {
  if (launch != nullptr) return std::string(launch->op);
  if (answer.fault && answer.fault->corr != 0) return launch_name(answer.fault->corr);
  return device.name();
}

/// The index operand of a fault, counted from 0; the first that the value does not fit where the
/// plugin does not say.
std::size_t index_operand(const TenonFault& fault, const LaunchRecord& launch,
                          const std::int64_t* extents) {
  if (fault.operand >= 2 && fault.operand - 2 < launch.axes) return fault.operand - 2;
  for (std::size_t k = 0; k < launch.axes; ++k) {
    if (fault.value < 0 || fault.value >= extents[k]) return k;
  }
  return 0;
}

std::string index_text(const DeviceState& device, const TenonFault& fault, const LaunchRecord* launch) {
  std::string range, place = fmt::format("at position {}", fault.position);
  if (launch != nullptr && !launch->extents.empty()) {
    const std::size_t packs = launch->extents.size() / launch->axes;
    const std::size_t pack = fault.pack < packs ? fault.pack : 0;
    const std::int64_t* extents = launch->extents.data() + pack * launch->axes;
    const std::size_t k = index_operand(fault, *launch, extents);
    range = fmt::format(" for {} rows", extents[k]);
    if (k < launch->dims.size()) {
      if (launch->dims[k] >= 0) range += fmt::format(" of dimension {}", launch->dims[k]);
    } else if (launch->axes > 1) {
      place += fmt::format(" of index {}", k);
    }
    if (packs > 1) place += fmt::format(" of pack {}", pack);
  }
  return fmt::format("index {} is out of range{} ({}, on {}){}", fault.value, range, place,
                     device.name(), launch != nullptr ? "" : "; TENON_SYNC=1 tells which op it was");
}

[[noreturn]] void fail_index(const DeviceState& device, const Answer& answer,
                             const LaunchRecord* launch) {
  const std::string text = answer.fault
                               ? index_text(device, *answer.fault, launch)
                               : fmt::format("an index is out of range (on {})", device.name());
  fail(ErrorKind::InvalidArgument, "[{}] {}", who(device, answer, launch), text);
}

[[noreturn]] void fail_lost(DeviceState& device, const Answer& answer, const LaunchRecord* launch) {
  std::string reason = answer.text.empty() ? meaning(TENON_DEVICE_LOST) : answer.text;
  if (launch != nullptr) reason += fmt::format(", in {} ({})", launch->op, launch_name(launch->corr));
  device.lose(reason);
}

[[noreturn]] void fail_contract(const DeviceState& device, const Answer& answer,
                                const LaunchRecord* launch) {
  const std::string head = who(device, answer, launch);
  if (answer.code == TENON_UNSUPPORTED) {
    fail(ErrorKind::DeviceError,
         "[{}] {} refused a launch that its prepare had accepted{}{}; this is a defect of plugin {}",
         head, device.name(), answer.text.empty() ? "" : ": ", answer.text, device.info().plugin);
  }
  const std::string code =
      answer.code == TENON_NOT_READY ? "NOT_READY" : fmt::format("code {}", answer.code);
  fail(ErrorKind::DeviceError,
       "[{}] {} was answered with {}{}, which is no answer to that{}{}; this is a defect of plugin {}",
       head, answer.call, code, head == device.name() ? "" : " on " + device.name(),
       answer.text.empty() ? "" : ": ", answer.text, device.info().plugin);
}

[[noreturn]] void fail_answer(DeviceState& device, const Answer& answer, const LaunchRecord* launch) {
  const char* known = meaning(answer.code);
  const bool launched = answer.call == "launch";
  if (answer.code == TENON_DEVICE_LOST) fail_lost(device, answer, launch);
  if (answer.code == TENON_INDEX) fail_index(device, answer, launch);
  if (known == nullptr || (launched && answer.code == TENON_UNSUPPORTED))
    fail_contract(device, answer, launch);
  const ErrorKind kind = answer.code == TENON_OOM           ? ErrorKind::OutOfMemory
                         : answer.code == TENON_UNSUPPORTED ? ErrorKind::Unsupported
                                                            : ErrorKind::DeviceError;
  const std::string text = answer.text.empty() ? known : answer.text;
  const std::string head = who(device, answer, launch);
  if (head != device.name()) fail(kind, "[{}] failed on {}: {}", head, device.name(), text);
  fail(kind, "[{}] {} failed: {}", head, answer.call, text);
}

/// The launch that the fault names, where it is remembered.
std::optional<LaunchRecord> find_launch(DeviceState& device, const Answer& answer) {
  if (!answer.fault || answer.fault->corr == 0) return {};
  return device.streams().find_launch(answer.fault->corr);
}

}  // namespace

void check_status(DeviceState& device, std::string_view call, std::int32_t code) {
  if (code == TENON_OK && !fault_pending()) return;
  const Answer answer = take_answer(call, code);
  const auto launch = find_launch(device, answer);
  fail_answer(device, answer, launch ? &*launch : nullptr);
}

void check_launch(DeviceState& device, const Launch& launch, std::int32_t code) {
  if (code == TENON_OK && !fault_pending()) return;
  const Answer answer = take_answer("launch", code);
  auto found = find_launch(device, answer);  // an asynchronous device may tell of an earlier one here
  if (!answer.fault || answer.fault->corr == 0 || answer.fault->corr == launch.corr)
    found.emplace().assign(launch, 0);
  fail_answer(device, answer, found ? &*found : nullptr);
}

}  // namespace tenon::runtime
