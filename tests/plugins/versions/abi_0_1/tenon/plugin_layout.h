/*
 * The ABI's memory layout, field by field: what a binding in another language has to match, and what
 * the compiler holds plugin.h to. Sizes are pinned there. For 64-bit targets; C11 and C++20.
 *
 * A line of this file changes only together with TENON_ABI_MAJOR; a field appended to a struct adds
 * a line, with TENON_ABI_MINOR.
 */
#ifndef TENON_PLUGIN_LAYOUT_H
#define TENON_PLUGIN_LAYOUT_H

#include <stddef.h>

#include <tenon/plugin.h>

#define TENON_AT(type, field, offset) \
  static_assert(offsetof(type, field) == (offset), #type "." #field " has moved")

TENON_AT(TenonFault, struct_size, 0);
TENON_AT(TenonFault, code, 4);
TENON_AT(TenonFault, corr, 8);
TENON_AT(TenonFault, value, 16);
TENON_AT(TenonFault, position, 24);

TENON_AT(TenonHost, struct_size, 0);
TENON_AT(TenonHost, abi, 4);
TENON_AT(TenonHost, ctx, 8);
TENON_AT(TenonHost, fail, 16);
TENON_AT(TenonHost, fault, 24);
TENON_AT(TenonHost, note, 32);
TENON_AT(TenonHost, log, 40);
TENON_AT(TenonHost, option, 48);
TENON_AT(TenonHost, blob_get, 56);
TENON_AT(TenonHost, blob_put, 64);
TENON_AT(TenonHost, trace, 72);

TENON_AT(TenonDeviceInfo, struct_size, 0);
TENON_AT(TenonDeviceInfo, flags, 4);
TENON_AT(TenonDeviceInfo, kind, 8);
TENON_AT(TenonDeviceInfo, name, 16);
TENON_AT(TenonDeviceInfo, uid, 24);
TENON_AT(TenonDeviceInfo, driver, 32);
TENON_AT(TenonDeviceInfo, memory_bytes, 40);
TENON_AT(TenonDeviceInfo, opcodes, 48);
TENON_AT(TenonDeviceInfo, storage_dtypes, 56);
TENON_AT(TenonDeviceInfo, compute_dtypes, 60);
TENON_AT(TenonDeviceInfo, max_rank, 64);
TENON_AT(TenonDeviceInfo, max_instructions, 68);
TENON_AT(TenonDeviceInfo, max_inputs, 72);
TENON_AT(TenonDeviceInfo, max_outputs, 76);
TENON_AT(TenonDeviceInfo, max_scalars, 80);
TENON_AT(TenonDeviceInfo, max_constants, 84);
TENON_AT(TenonDeviceInfo, mem_alignment, 88);
TENON_AT(TenonDeviceInfo, import_alignment, 92);
TENON_AT(TenonDeviceInfo, dlpack_type, 96);
TENON_AT(TenonDeviceInfo, dlpack_id, 100);

TENON_AT(TenonMem, struct_size, 0);
TENON_AT(TenonMem, space, 4);
TENON_AT(TenonMem, handle, 8);
TENON_AT(TenonMem, bytes, 16);
TENON_AT(TenonMem, host_ptr, 24);
TENON_AT(TenonMem, device_addr, 32);

TENON_AT(TenonMemInfo, struct_size, 0);
TENON_AT(TenonMemInfo, pad, 4);
TENON_AT(TenonMemInfo, free_bytes, 8);
TENON_AT(TenonMemInfo, total_bytes, 16);

TENON_AT(TenonImport, struct_size, 0);
TENON_AT(TenonImport, source, 4);
TENON_AT(TenonImport, flags, 8);
TENON_AT(TenonImport, pad, 12);
TENON_AT(TenonImport, address, 16);
TENON_AT(TenonImport, bytes, 24);

TENON_AT(TenonCopy, src, 0);
TENON_AT(TenonCopy, src_offset, 8);
TENON_AT(TenonCopy, dst, 16);
TENON_AT(TenonCopy, dst_offset, 24);
TENON_AT(TenonCopy, bytes, 32);

TENON_AT(TenonFill, struct_size, 0);
TENON_AT(TenonFill, value_bytes, 4);
TENON_AT(TenonFill, dst, 8);
TENON_AT(TenonFill, dst_offset, 16);
TENON_AT(TenonFill, bytes, 24);
TENON_AT(TenonFill, value, 32);

TENON_AT(TenonInstruction, opcode, 0);
TENON_AT(TenonInstruction, dtype, 1);
TENON_AT(TenonInstruction, a, 2);
TENON_AT(TenonInstruction, b, 4);
TENON_AT(TenonInstruction, c, 6);

TENON_AT(TenonProgram, struct_size, 0);
TENON_AT(TenonProgram, total_size, 4);
TENON_AT(TenonProgram, instruction_count, 8);
TENON_AT(TenonProgram, input_count, 10);
TENON_AT(TenonProgram, output_count, 11);
TENON_AT(TenonProgram, scalar_count, 12);
TENON_AT(TenonProgram, constant_count, 13);
TENON_AT(TenonProgram, instructions_at, 14);
TENON_AT(TenonProgram, constants_at, 16);
TENON_AT(TenonProgram, outputs_at, 18);
TENON_AT(TenonProgram, dtypes_at, 20);
TENON_AT(TenonProgram, pad, 22);

TENON_AT(TenonOperandDesc, dtype, 0);
TENON_AT(TenonOperandDesc, layout, 1);
TENON_AT(TenonOperandDesc, rank, 2);
TENON_AT(TenonOperandDesc, flags, 3);
TENON_AT(TenonOperandDesc, table_at, 4);

TENON_AT(TenonAttachment, slot, 0);
TENON_AT(TenonAttachment, operand, 2);
TENON_AT(TenonAttachment, program_at, 4);

TENON_AT(TenonOp, struct_size, 0);
TENON_AT(TenonOp, total_size, 4);
TENON_AT(TenonOp, kind, 8);
TENON_AT(TenonOp, flags, 12);
TENON_AT(TenonOp, acc_dtype, 16);
TENON_AT(TenonOp, index_width, 17);
TENON_AT(TenonOp, rank, 18);
TENON_AT(TenonOp, output_count, 19);
TENON_AT(TenonOp, operand_count, 20);
TENON_AT(TenonOp, attachment_count, 21);
TENON_AT(TenonOp, operands_at, 22);
TENON_AT(TenonOp, attachments_at, 24);
TENON_AT(TenonOp, attrs_at, 26);
TENON_AT(TenonOp, pad, 28);

TENON_AT(TenonReduceAttrs, struct_size, 0);
TENON_AT(TenonReduceAttrs, axes, 4);
TENON_AT(TenonReduceAttrs, operators, 8);

TENON_AT(TenonMatmulAttrs, struct_size, 0);
TENON_AT(TenonMatmulAttrs, accumulate, 4);

TENON_AT(TenonIndexAttrs, struct_size, 0);
TENON_AT(TenonIndexAttrs, index_count, 4);
TENON_AT(TenonIndexAttrs, how, 8);
TENON_AT(TenonIndexAttrs, pad, 12);

TENON_AT(TenonOperand, handle, 0);
TENON_AT(TenonOperand, offset, 8);
TENON_AT(TenonOperand, strides, 16);

TENON_AT(TenonPack, operands, 0);
TENON_AT(TenonPack, scalars, 8);
TENON_AT(TenonPack, dims, 16);

TENON_AT(TenonLaunch, struct_size, 0);
TENON_AT(TenonLaunch, count, 4);
TENON_AT(TenonLaunch, packs, 8);
TENON_AT(TenonLaunch, workspace, 16);
TENON_AT(TenonLaunch, workspace_offset, 24);
TENON_AT(TenonLaunch, workspace_bytes, 32);
TENON_AT(TenonLaunch, corr, 40);

TENON_AT(TenonKernelInfo, struct_size, 0);
TENON_AT(TenonKernelInfo, flags, 4);
TENON_AT(TenonKernelInfo, workspace_bytes, 8);

TENON_AT(TenonPlugin, struct_size, 0);
TENON_AT(TenonPlugin, abi, 4);
TENON_AT(TenonPlugin, name, 8);
TENON_AT(TenonPlugin, version, 16);
TENON_AT(TenonPlugin, build, 24);
TENON_AT(TenonPlugin, score, 32);
TENON_AT(TenonPlugin, device_count, 40);
TENON_AT(TenonPlugin, device_info, 48);
TENON_AT(TenonPlugin, device_open, 56);
TENON_AT(TenonPlugin, device_close, 64);
TENON_AT(TenonPlugin, shutdown, 72);
TENON_AT(TenonPlugin, get_ext, 80);
TENON_AT(TenonPlugin, mem_alloc, 88);
TENON_AT(TenonPlugin, mem_free, 96);
TENON_AT(TenonPlugin, mem_import, 104);
TENON_AT(TenonPlugin, mem_info, 112);
TENON_AT(TenonPlugin, copy, 120);
TENON_AT(TenonPlugin, fill, 128);
TENON_AT(TenonPlugin, stream_create, 136);
TENON_AT(TenonPlugin, stream_destroy, 144);
TENON_AT(TenonPlugin, stream_signal, 152);
TENON_AT(TenonPlugin, stream_query, 160);
TENON_AT(TenonPlugin, stream_wait, 168);
TENON_AT(TenonPlugin, stream_sync, 176);
TENON_AT(TenonPlugin, stream_import, 184);
TENON_AT(TenonPlugin, stream_native, 192);
TENON_AT(TenonPlugin, prepare, 200);
TENON_AT(TenonPlugin, workspace, 208);
TENON_AT(TenonPlugin, launch, 216);
TENON_AT(TenonPlugin, release, 224);

#undef TENON_AT

#endif
