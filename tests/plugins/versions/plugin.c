/*
 * A whole plugin in C, against the header of the version that it is compiled with and nothing else:
 * what somebody once wrote, or will write. One synchronous device; VERSION_NAME is its kind and the
 * plugin's name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "walk.h"

struct TenonDevice {
  uint64_t launches;
};

static const TenonHost* host;

/* ------------------------------------------------- structs that grow, as the versions rule has it */

static void read_struct(void* known, const void* given, size_t size) {
  uint32_t written;
  memcpy(&written, given, sizeof written);
  memset(known, 0, size);
  memcpy(known, given, written < size ? written : size);
}

static void answer(void* asked, void* given, size_t size) {
  uint32_t room;
  memcpy(&room, asked, sizeof room);
  memcpy(given, &room, sizeof room);
  memcpy(asked, given, room < size ? room : size);
}

static int32_t fail(int32_t code, const char* text) {
  return host->fail(host->ctx, code, text);
}

static int32_t refuse(const char* what, uint64_t value) {
  char text[80];
  snprintf(text, sizeof text, "%s %llu is not known here", what, (unsigned long long)value);
  host->note(host->ctx, text);
  return TENON_UNSUPPORTED;
}

/* ------------------------------------------------------------------------------------ registry */

static int32_t score(void) {
  return -1;
}

static uint32_t device_count(void) {
  return 1;
}

static int32_t device_info(uint32_t index, TenonDeviceInfo* info) {
  if (index != 0) return fail(TENON_INVALID, "there is one device");
  TenonDeviceInfo mine = {.kind = VERSION_NAME,
                          .name = "a plugin in C",
                          .uid = VERSION_NAME "-0",
                          .driver = "",
                          .memory_bytes = 1 << 30,
                          .opcodes = kOpcodes,
                          .storage_dtypes = kDtypes,
                          .compute_dtypes = kDtypes,
                          .max_rank = TENON_MAX_RANK,
                          .max_instructions = TENON_MAX_INSTRUCTIONS,
                          .max_inputs = TENON_MAX_INPUTS,
                          .max_outputs = TENON_MAX_OUTPUTS,
                          .max_scalars = TENON_MAX_SCALARS,
                          .max_constants = TENON_MAX_CONSTANTS,
                          .mem_alignment = 256,
                          .import_alignment = 1};
#if TENON_ABI_MINOR >= 3
  mine.storage_dtypes |= 1u << TENON_DTYPE_F8;
  mine.kinds = 1u << TENON_KIND_SOFTMAX;
  mine.location = "slot 7";
#endif
  answer(info, &mine, sizeof mine);
  return TENON_OK;
}

static int32_t device_open(uint32_t index, TenonDevice** device) {
  if (index != 0) return fail(TENON_INVALID, "there is one device");
  *device = calloc(1, sizeof **device);
  return *device != NULL ? TENON_OK : fail(TENON_OOM, "no memory for a device");
}

static void device_close(TenonDevice* device) {
  free(device);
}

/* -------------------------------------------------------------------------------------- memory */

static int32_t mem_alloc(TenonDevice* device, uint32_t space, uint64_t bytes, TenonMem* mem) {
  (void)device;
  void* memory = aligned_alloc(256, (bytes / 256 + 1) * 256);
  if (memory == NULL) return fail(TENON_OOM, "no memory");
  TenonMem mine = {.space = space,
                   .handle = (uintptr_t)memory,
                   .bytes = bytes,
                   .host_ptr = memory,
                   .device_addr = (uintptr_t)memory};
#if TENON_ABI_MINOR >= 3
  mine.page_bytes = 4096;
#endif
  answer(mem, &mine, sizeof mine);
  return TENON_OK;
}

static void mem_free(TenonDevice* device, uint64_t handle) {
  (void)device;
  free((void*)(uintptr_t)handle);
}

static int32_t copy(TenonDevice* device, TenonStream* stream, const TenonCopy* copies, uint32_t count) {
  (void)device, (void)stream;
  for (uint32_t i = 0; i < count; ++i) {
    const TenonCopy* it = &copies[i];
    if (it->bytes == 0) continue;
    memmove((void*)(uintptr_t)(it->dst + it->dst_offset),
            (const void*)(uintptr_t)(it->src + it->src_offset), it->bytes);
  }
  return TENON_OK;
}

/* ------------------------------------------------------------------------------------- compute */

struct TenonKernel {
  TenonOp* op; /* a copy of the whole block */
};

static int32_t check_program(const TenonProgram* program) {
  const TenonInstruction* code = behind(program, program->instructions_at);
  const uint8_t* dtypes = behind(program, program->dtypes_at);
  const int values = program->input_count + program->scalar_count + program->constant_count;
  for (int i = 0; i < values; ++i) {
    if (!knows_dtype(dtypes[i])) return refuse("dtype", dtypes[i]);
  }
  for (int i = 0; i < program->instruction_count; ++i) {
    if (!knows_opcode(code[i].opcode)) return refuse("opcode", code[i].opcode);
    if (!knows_dtype(code[i].dtype)) return refuse("dtype", code[i].dtype);
  }
  return TENON_OK;
}

/* What this version does not know it refuses. */
static int32_t check_known(const TenonOp* op) {
  if (op->kind < TENON_KIND_ELEMENTWISE || op->kind > TENON_KIND_SCATTER) {
    return refuse("kind", op->kind);
  }
  if ((op->flags & 0xffff) != 0) return refuse("flag", op->flags & 0xffff);
  for (int i = 0; i < op->operand_count; ++i) {
    const TenonOperandDesc* desc = &descs_of(op)[i];
    if (desc->layout == TENON_LAYOUT_ABSENT || desc->layout > TENON_LAYOUT_INDEX) {
      return refuse("layout", desc->layout);
    }
    if (!knows_dtype(desc->dtype)) return refuse("dtype", desc->dtype);
  }
  if (op->acc_dtype != TENON_DTYPE_NONE && !knows_dtype(op->acc_dtype)) {
    return refuse("dtype", op->acc_dtype);
  }
  const TenonAttachment* attachments = behind(op, op->attachments_at);
  for (int i = 0; i < op->attachment_count; ++i) {
    if (attachments[i].slot > TENON_SLOT_EPILOGUE) return refuse("slot", attachments[i].slot);
    const int32_t code = check_program(behind(op, attachments[i].program_at));
    if (code != TENON_OK) return code;
  }
  return TENON_OK;
}

static int32_t prepare(TenonDevice* device, const TenonOp* op, TenonKernel** kernel,
                       TenonKernelInfo* info) {
  (void)device;
  const int32_t code = check_known(op);
  if (code != TENON_OK) return code;
  TenonKernel* made = malloc(sizeof *made);
  TenonOp* block = malloc(op->total_size);
  if (made == NULL || block == NULL) {
    free(made), free(block);
    return fail(TENON_OOM, "no memory for a kernel");
  }
  memcpy(block, op, op->total_size);
  made->op = block;
  TenonKernelInfo mine = {.flags = 0};
#if TENON_ABI_MINOR >= 3
  mine.flops = 1;
#endif
  answer(info, &mine, sizeof mine);
  *kernel = made;
  return TENON_OK;
}

static int32_t launch(TenonDevice* device, TenonStream* stream, TenonKernel* kernel,
                      const TenonLaunch* given) {
  (void)device, (void)stream;
  TenonLaunch what;
  read_struct(&what, given, sizeof what);
#if TENON_ABI_MINOR >= 3
  if (what.priority != 0) return fail(TENON_INVALID, "an older host knows no priorities");
#endif
  TenonFault fault = {.struct_size = sizeof fault, .corr = what.corr};
  for (uint32_t i = 0; i < what.count; ++i) run_pack(kernel->op, &what.packs[i], &fault);
  if (fault.code == TENON_OK) return TENON_OK;
#if TENON_ABI_MINOR >= 3
  fault.time_ns = 1;
#endif
  host->fault(host->ctx, &fault);
  return fail(TENON_INDEX, "an index is out of range");
}

static void release(TenonDevice* device, TenonKernel* kernel) {
  (void)device;
  free(kernel->op);
  free(kernel);
}

#if TENON_ABI_MINOR >= 3
static int32_t profile(TenonDevice* device) {
  (void)device;
  return fail(TENON_INVALID, "an older host knows no profiles");
}
#endif

const TenonPlugin* tenon_plugin_main(const TenonHost* given, const char** why) {
  static TenonPlugin table = {TENON_PLUGIN_STAMP(VERSION_NAME, "1.0"),
                              .score = score,
                              .device_count = device_count,
                              .device_info = device_info,
                              .device_open = device_open,
                              .device_close = device_close,
                              .mem_alloc = mem_alloc,
                              .mem_free = mem_free,
                              .copy = copy,
                              .prepare = prepare,
                              .launch = launch,
                              .release = release,
#if TENON_ABI_MINOR >= 3
                              .profile_start = profile,
                              .profile_stop = profile
#endif
  };
  if (given->abi >> 16 != TENON_ABI_MAJOR) {
    *why = "built for another major version";
    return NULL;
  }
  host = given;
  return &table;
}
