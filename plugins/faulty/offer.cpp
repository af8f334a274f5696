#include "plugins/faulty/offer.h"

#include <algorithm>
#include <iterator>

#include <tenon/sdk/dtype.h>
#include <tenon/sdk/opcode.h>

#include <tenon/sdk/kernels.h>
#include "plugins/faulty/device.h"
#include "plugins/faulty/options.h"
#include "plugins/faulty/text.h"

namespace faulty {
namespace {

using tenon::sdk::name_of;
using tenon::sdk::OpView;
using tenon::sdk::ProgramView;

constexpr std::uint32_t bit(std::uint32_t dtype) {
  return 1u << dtype;
}

bool holds(std::uint32_t mask, std::uint8_t dtype) {
  return (mask >> dtype & 1) != 0;
}

void restrict_to_mandatory(TenonDeviceInfo& info) {
  info.opcodes = 0;
  info.storage_dtypes = bit(TENON_DTYPE_F32) | bit(TENON_DTYPE_I32) | bit(TENON_DTYPE_BOOL);
  info.compute_dtypes = info.storage_dtypes | bit(TENON_DTYPE_U32);
}

void restrict_programs(TenonDeviceInfo& info) {
  info.max_rank = 4;
  info.max_instructions = 4;
  info.max_inputs = 2;
  info.max_outputs = 1;
  info.max_scalars = 3;
  info.max_constants = 3;
}

bool is_bare(const TenonHost& host) {
  return option(host, "bare", 0) != 0;
}

void require(bool offered, const char* what, std::uint64_t value) {
  if (!offered) throw Unsupported(text("[faulty] not offered: ", what, ' ', value));
}

void require_dtype(std::uint32_t offered, std::uint8_t dtype, const char* use) {
  if (!holds(offered, dtype)) {
    throw Unsupported(text("[faulty] not offered: to ", use, ' ', name_of(dtype)));
  }
}

void require_limits(const TenonDeviceInfo& info, const ProgramView& program) {
  require(program.instructions().size() <= info.max_instructions,
          "a program's instructions:", program.instructions().size());
  require(program.input_count() <= info.max_inputs, "a program's inputs:", program.input_count());
  require(program.outputs().size() <= info.max_outputs,
          "a program's outputs:", program.outputs().size());
  require(program.scalar_count() <= info.max_scalars, "a program's scalars:", program.scalar_count());
  require(program.constant_count() <= info.max_constants,
          "a program's constants:", program.constant_count());
}

// A u64 that only philox takes, from a scalar or an INDEX operand, is no u64 arithmetic.
void require_instruction(const TenonDeviceInfo& info, const ProgramView& program,
                         const TenonInstruction& it) {
  const std::uint32_t known = info.storage_dtypes | info.compute_dtypes;
  const bool moves = it.opcode == TENON_OP_CAST;
  require(it.opcode < 32 || (info.opcodes >> it.opcode & 1) != 0, "opcode", it.opcode);
  require_dtype(moves ? known : info.compute_dtypes, it.dtype, "compute");
  const std::uint16_t references[] = {it.a, it.b, it.c};
  for (int i = 0; i < tenon::sdk::opcode_info(it.opcode).arity; ++i) {
    const std::uint32_t from = TENON_REF_CLASS(references[i]);
    const bool given = from == TENON_REF_INPUT || from == TENON_REF_SCALAR;
    if (it.opcode == TENON_OP_PHILOX && given) continue;
    require_dtype(moves ? known : info.compute_dtypes, program.dtype_of(references[i]), "compute");
  }
}

void require_operand(const TenonDeviceInfo& info, const TenonOperandDesc& desc) {
  const bool index = desc.layout == TENON_LAYOUT_INDEX;
  const std::uint32_t known = info.storage_dtypes | info.compute_dtypes | bit(TENON_DTYPE_U64);
  require_dtype(index ? known : info.storage_dtypes, desc.dtype, index ? "count in" : "store");
}

bool has_dynamic(OpView op) {
  if (op.kind() != TENON_KIND_MATMUL) return false;
  const auto dynamic = [](auto values) { return std::ranges::count(values, TENON_DYNAMIC) != 0; };
  for (std::size_t i = 0; i < op.operands().size(); ++i) {
    if (dynamic(op.extents(i)) || dynamic(op.strides(i))) return true;
  }
  return false;
}

void refuse_choices(OpView op) {
  for (const TenonAttachment& it : op.attachments()) {
    require(it.slot == TENON_SLOT_BODY, "attachment", it.slot);
  }
  if (op.kind() == TENON_KIND_GATHER || op.kind() == TENON_KIND_SCATTER) {
    const std::uint32_t count = op.attrs<TenonIndexAttrs>().index_count;
    require(count == 1, "index operands:", count);
  }
  if (op.kind() == TENON_KIND_MATMUL && op.operands()[1].dtype < TENON_DTYPE_F16) {
    throw Unsupported("[faulty] not offered: products of integers");
  }
  if (has_dynamic(op)) throw Unsupported("[faulty] not offered: dynamic extents or strides");
}

}  // namespace

bool is_minimal(const TenonHost& host) {
  return option(host, "minimal", 0) != 0;
}

TenonDeviceInfo describe(const TenonHost& host, std::uint32_t index) {
  constexpr const char* kUids[] = {"faulty-0", "faulty-1"};
  static_assert(std::size(kUids) == kDeviceCount);
  TenonDeviceInfo info{};
  tenon::sdk::kernels::describe(info);
  info.flags = 0;
  info.kind = "faulty";
  info.name = "hostile test device";
  info.uid = kUids[index];
  info.driver = "faulty 1";
  info.memory_bytes = memory_bytes(host);
  info.mem_alignment = kAlignment;
  info.import_alignment = 4096;
  info.dlpack_type = 0;
  info.dlpack_id = 0;
  if (is_minimal(host)) restrict_to_mandatory(info);
  if (is_bare(host)) info.opcodes = 0;
  if (chosen(host, "limits", "tiny")) restrict_programs(info);
  return info;
}

void require_offered(const TenonHost& host, OpView op) {
  const TenonDeviceInfo info = describe(host, 0);
  require(op.rank() <= info.max_rank, "rank", op.rank());
  for (const TenonOperandDesc& desc : op.operands()) require_operand(info, desc);
  if (op.acc_dtype() != TENON_DTYPE_NONE) {
    require_dtype(info.compute_dtypes, op.acc_dtype(), "accumulate in");
  }
  for (const TenonAttachment& attachment : op.attachments()) {
    const ProgramView program = op.program(attachment);
    require_limits(info, program);
    for (const TenonInstruction& it : program.instructions()) require_instruction(info, program, it);
  }
  if (is_minimal(host) || is_bare(host)) refuse_choices(op);
}

}  // namespace faulty
