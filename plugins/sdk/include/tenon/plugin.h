/*
 * The Tenon plugin ABI: all that the core and a backend know of each other.
 *
 * A plugin is a shared library that exports one symbol, tenon_plugin_main, and answers with a static
 * table of functions. Ten of them are mandatory. The compute interface is three:
 *
 *     prepare   takes a plain-data description of an op; gives a kernel, or TENON_UNSUPPORTED
 *     launch    runs a kernel over packs of operands; looks nothing up, allocates nothing
 *     release   ends a kernel
 *
 * What every declaration here keeps to:
 * - C11, fixed-width integers, explicit padding that is zero. Strings are UTF-8 and live as long as
 *   their owner's library.
 * - Versions. A struct starts with its struct_size and only ever grows at its end. Majors must be
 *   equal, any minor works with any other. Structs that stand in arrays have no struct_size and are
 *   frozen for the major version. An unknown kind, opcode or flag is "unsupported", never an error.
 * - Errors. A function answers TENON_OK, a benign code (> 0) or a failure (< 0); the reason goes to
 *   host->fail or host->note. No abort, no exit, no exception crosses the border.
 * - Threads. The host serialises registry calls. Memory and compute calls may come from any threads
 *   at once. A stream has one thread at a time for what adds to it; stream_query and stream_sync may
 *   be asked meanwhile by others. A device without streams takes launch and copy from many threads
 *   at once.
 */
#ifndef TENON_PLUGIN_H
#define TENON_PLUGIN_H

#include <assert.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TENON_ABI_MAJOR 0
#define TENON_ABI_MINOR 2
#define TENON_ABI (((uint32_t)TENON_ABI_MAJOR << 16) | TENON_ABI_MINOR)

/* ------------------------------------------------------------------------------ status, dtypes */

enum {
  TENON_OK = 0,
  TENON_UNSUPPORTED = 1,  /* the device does not do this; the core may do it another way */
  TENON_NOT_READY = 2,    /* the point has not been reached yet */
  TENON_INVALID = -1,     /* a call that breaks this contract */
  TENON_INDEX = -2,       /* an index or class out of range; cleared by reporting it */
  TENON_OOM = -3,         /* no memory; the device still works */
  TENON_INTERNAL = -4,    /* anything unforeseen */
  TENON_DEVICE_LOST = -5, /* sticky: every later call on the device answers it, and nothing that was
                           * queued touches host memory any more */
  TENON_TIMEOUT = -6,
  TENON_ABI_MISMATCH = -7
};

/* TENON_DTYPE_F32 and so on; a set of dtypes is a mask with bit 1 << code. */
enum {
#define TENON_DTYPE(name, NAME, code, bytes) TENON_DTYPE_##NAME = code,
#include "dtypes.def"
#undef TENON_DTYPE
  TENON_DTYPE_NONE = 0
};

/* ---------------------------------------------------------------------------------------- host */

/* What went wrong on a timeline, in numbers; reported from inside launch, query or sync. Of several bad
 * indices in a launch it is the first in logical order of the first pack that has one. */
typedef struct TenonFault {
  uint32_t struct_size;
  int32_t code;     /* TENON_INDEX, TENON_DEVICE_LOST, TENON_INTERNAL */
  uint64_t corr;    /* TenonLaunch.corr of the launch at fault, 0 if unknown */
  int64_t value;    /* INDEX: the bad index; of u64 its bits */
  int64_t position; /* INDEX: where it stood, counted in logical order over the iteration space */
  uint32_t pack;    /* INDEX: the pack of the launch, counted from 0 */
  uint32_t operand; /* INDEX: the first bad one there, counted as in the description; 0 if unknown */
} TenonFault;

enum { TENON_LOG_ERROR = 0, TENON_LOG_WARNING = 1, TENON_LOG_INFO = 2, TENON_LOG_DEBUG = 3 };

/* What the core offers to a plugin. Every function is thread-safe and takes ctx first. */
typedef struct TenonHost {
  uint32_t struct_size;
  uint32_t abi;
  void* ctx;
  /* Records the calling thread's error text and returns code, so that a plugin writes
   * `return host->fail(host->ctx, TENON_OOM, "...")`. */
  int32_t (*fail)(void* ctx, int32_t code, const char* msg);
  void (*fault)(void* ctx, const TenonFault* fault);
  /* The reason behind a TENON_UNSUPPORTED, or behind a device count of zero. */
  void (*note)(void* ctx, const char* msg);
  void (*log)(void* ctx, int32_t level, const char* msg);
  /* The user's setting for `key`, or NULL. Key "isa" of plugin cpu is set_option("cpu.isa"), then
   * TENON_CPU_ISA. A plugin reads no environment variable for itself. Lives until the process ends. */
  const char* (*option)(void* ctx, const char* key);
  /* The on-disk cache of compiled kernels. get returns the blob's size, or -1 where there is none,
   * and copies it if capacity is at least that. */
  int64_t (*blob_get)(void* ctx, const char* key, void* bytes, uint64_t capacity);
  int32_t (*blob_put)(void* ctx, const char* key, const void* bytes, uint64_t size);
  /* A span of the plugin's own work for the profiler, in nanoseconds of CLOCK_MONOTONIC. */
  void (*trace)(void* ctx, const char* name, uint64_t begin_ns, uint64_t end_ns);
} TenonHost;

/* ------------------------------------------------------------------------------------- devices */

typedef struct TenonDevice TenonDevice;
typedef struct TenonStream TenonStream;
typedef struct TenonKernel TenonKernel;

enum {
  TENON_DEVICE_UNIFIED = 1,           /* host and device share one physical memory */
  TENON_DEVICE_FLUSHES_DENORMALS = 2, /* denormal operands and results may become zero */
  TENON_DEVICE_SOFTWARE = 4           /* a GPU interface emulated on the host */
};

/* Every device stores f32, i32, bool and computes f32, i32, u32, bool; the rest is declared here. */
typedef struct TenonDeviceInfo {
  uint32_t struct_size;
  uint32_t flags;
  const char* kind;   /* "cuda": the device is called kind:index, or kind where it stands alone */
  const char* name;   /* "NVIDIA H200" */
  const char* uid;    /* the same for the same piece of hardware in every process */
  const char* driver; /* name and version, "" without one */
  uint64_t memory_bytes;
  uint64_t opcodes;        /* bit 1 << opcode for each optional opcode that runs natively */
  uint32_t storage_dtypes; /* may be loaded, stored, cast */
  uint32_t compute_dtypes; /* may be computed with */
  uint32_t max_rank;       /* of an iteration space, at least 4; the core never sends more than 8 */
  /* of a program, at least 4, 2, 1, 3, 3: the core splits what is larger */
  uint32_t max_instructions, max_inputs, max_outputs, max_scalars, max_constants;
  uint32_t mem_alignment;         /* of every allocation in bytes, a power of two, at least 256 */
  uint32_t import_alignment;      /* of imported host memory in bytes, a power of two */
  int32_t dlpack_type, dlpack_id; /* DLDeviceType and device_id; type 0 where DLPack has none */
  uint32_t kinds; /* bit 1 << kind for each optional kind; prepare may still refuse a description */
  uint32_t pad;
} TenonDeviceInfo;

/* -------------------------------------------------------------------------------------- memory */

enum {
  TENON_SPACE_DEVICE = 0,       /* fastest for the device */
  TENON_SPACE_HOST_VISIBLE = 1, /* coherently mapped: host_ptr is set */
  TENON_SPACE_PINNED = 2        /* host memory that the device copies from at full speed */
};

typedef struct TenonMem {
  uint32_t struct_size;
  uint32_t space;
  uint64_t handle; /* never 0, unique within the plugin */
  uint64_t bytes;
  void* host_ptr;       /* where the host reads and writes it, or NULL */
  uint64_t device_addr; /* what DLPack and others call the pointer, or 0 */
} TenonMem;

typedef struct TenonMemInfo {
  uint32_t struct_size;
  uint32_t pad;
  uint64_t free_bytes, total_bytes;
} TenonMemInfo;

enum { TENON_IMPORT_HOST = 0, TENON_IMPORT_DEVICE = 1, TENON_IMPORT_FD = 2 };
enum { TENON_IMPORT_READ_ONLY = 1 }; /* is never written */

/* Memory of somebody else that the device is to use in place; refused where it would need a copy. */
typedef struct TenonImport {
  uint32_t struct_size;
  uint32_t source;
  uint32_t flags;
  uint32_t pad;
  uint64_t address; /* of the host, of the device, or a file descriptor */
  uint64_t bytes;
} TenonImport;

/* Handle 0 is the host: the offset is then an address. Pageable host memory may be reused when the
 * call returns (source), or at the next point (destination); PINNED memory not before the point. */
typedef struct TenonCopy {
  uint64_t src, src_offset;
  uint64_t dst, dst_offset;
  uint64_t bytes;
} TenonCopy;

/* Repeats the low value_bytes (1, 2, 4 or 8) of value over bytes, a multiple of value_bytes. */
typedef struct TenonFill {
  uint32_t struct_size;
  uint32_t value_bytes;
  uint64_t dst, dst_offset;
  uint64_t bytes;
  uint64_t value;
} TenonFill;

/* ------------------------------------------------------------------------ elementwise programs */

/*
 * A program in SSA form computes, for one element, output values from input values, scalars (given
 * at launch) and constants. An operand is a 16-bit reference: its class in the top two bits, an
 * index below. Instruction i may refer to instructions before i only.
 *
 * Values. `dtype` is the dtype of the result, and each result is rounded to it. f16 and bf16
 * arithmetic is f32 arithmetic rounded once: the bounds of opcodes.def are f32's there. No contraction:
 * only FMA fuses. min and max propagate NaN; comparisons with NaN are false, but NE; a bool is a byte 0
 * or 1, NaN casts to true. Integers wrap; SHR is arithmetic on signed dtypes; integer DIV truncates, x
 * / 0 = 0, the least integer / -1 wraps; REM takes the dividend's sign, integer x rem 0 = 0. Float to
 * integer truncates and saturates, NaN gives 0; integer to integer wraps; ROUND is half to even. What
 * is exact to the bit and what is bounded stands in opcodes.def.
 *
 * PHILOX(index, offset, seed) is word `index & 3` of Philox4x32-10 (Salmon et al., SC'11) with the
 * counter {lo, hi of index >> 2, lo, hi of offset} and the key {lo, hi of seed}. A device without u64
 * arithmetic still takes u64 scalars, and INDEX operands of dtype u64, as its operands.
 */
enum {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) TENON_OP_##NAME = code,
#include "opcodes.def"
#undef TENON_OPCODE
  TENON_OP_NONE = 0
};

enum { TENON_REF_INSTRUCTION = 0, TENON_REF_INPUT = 1, TENON_REF_SCALAR = 2, TENON_REF_CONSTANT = 3 };
#define TENON_REF(class_, index) ((uint16_t)(((uint32_t)(class_) << 14) | (uint32_t)(index)))
#define TENON_REF_CLASS(ref) ((uint32_t)(ref) >> 14)
#define TENON_REF_INDEX(ref) ((uint32_t)(ref) & 0x3fffu)

/* The largest program the core ever sends. */
enum {
  TENON_MAX_INSTRUCTIONS = 64,
  TENON_MAX_INPUTS = 16,
  TENON_MAX_OUTPUTS = 8,
  TENON_MAX_SCALARS = 16,
  TENON_MAX_CONSTANTS = 32,
  TENON_MAX_RANK = 8
};

typedef struct TenonInstruction {
  uint8_t opcode, dtype;
  uint16_t a, b, c; /* unused ones are 0 */
} TenonInstruction;

/* The head of a program's block; all offsets count from it. No instructions at all is legal: a copy. */
typedef struct TenonProgram {
  uint32_t struct_size;
  uint32_t total_size; /* of the block, a multiple of 8 */
  uint16_t instruction_count;
  uint8_t input_count, output_count, scalar_count, constant_count;
  uint16_t instructions_at; /* TenonInstruction[instruction_count] */
  uint16_t constants_at;    /* uint64_t[constant_count]: raw bits in the low bytes, the rest zero */
  uint16_t outputs_at;      /* uint16_t[output_count]: references */
  uint16_t dtypes_at;       /* uint8_t[]: dtypes of the inputs, then the scalars, then the constants */
  uint16_t pad;
} TenonProgram;

/* ------------------------------------------------------------------------------ op description */

/*
 * TenonOp is one contiguous block without pointers: this header, operand descriptions (outputs
 * first), attachments, the kind's attributes, extents and strides, programs. Its bytes identify the
 * kernel. All offsets count from the header.
 *
 * ELEMENTWISE   iterates over a shape that only the pack knows, dims = its `rank` extents.
 *     operands  the outputs of the BODY program, then its inputs
 * REDUCE        iterates over the shape of the inputs; `axes` are reduced with one operator for each
 *               result. Strides of an output are 0 along reduced axes; it is CONTIGUOUS if it is so
 *               over the axes that are kept. An empty reduction gives the operator's identity. SUM and
 *               PROD are rounded to acc_dtype, then to the result's dtype.
 *     operands  results, then inputs; without a PROLOGUE there is one of each, its program maps all
 *               inputs to one value for each result
 * MATMUL        dst(..., M, N) = sum over k of a(..., M, K) · b(..., K, N), rounded once more to each
 *               dtype on the way: products are summed in acc_dtype. With `accumulate` what dst held is
 *               one more term of the sum. Extents and strides stand in the description; one that is
 *               TENON_DYNAMIC stands in the pack's dims, in the order of the description: for each
 *               operand its extents, then its strides. An extent of 1 is stretched to dst's, and so
 *               are leading dimensions that an operand lacks (a and b: of the batch). A product of
 *               integers, and DYNAMIC, may be refused.
 *     operands  dst, a, b, then inputs 1.. of an EPILOGUE; its input 0 is the sum in acc_dtype, with
 *               what dst held under `accumulate`, and its output has dst's dtype
 * GATHER        dst[i] = src[i · strides of src + index · axis_stride] for each i of dst's shape.
 *     operands  dst, src of the same dtype, one or more index operands of any integer dtype (i32 and
 *               i64 at least, one operand at least)
 *     dims      the extents, then (extent, axis_stride in elements of src) for each index operand
 * SCATTER       dst[i · strides of dst + index · axis_stride] takes src[i] for each i of src's shape;
 *               dst is read and written. ASSIGN: the last in logical order wins. ADD: added in
 *               logical order to what dst held; 16-bit floats in f32, rounded once at the end. MAX and
 *               MIN as the opcodes.
 *     operands  dst, src, one or more index operands
 *     dims      as GATHER's, with strides of dst
 *
 * An index outside 0 .. extent - 1 touches nothing: GATHER gives 0, SCATTER skips it, and a fault
 * with its value and position is reported, at once on a synchronous device, at the latest at the
 * next sync elsewhere; all else is done as if it were good.
 *
 * The optional kinds, from 16 on, do in one launch what the core else makes of the others. They go over
 * rows: rank is 2, dims = rows, columns, either perhaps 0. An operand has the dtype T of the matrices,
 * any floating one, or acc_dtype where that is said; it has an element for each of the matrix, of a row
 * or of a column, and is CONTIGUOUS, or ABSENT where it is optional (in brackets). Sums are kept in
 * acc_dtype, f32 at least, and as near as its running sums; each result is rounded once, from
 * acc_dtype, and the same bits come of every run.
 *
 * SOFTMAX       along each row: exp(x - max) / sum of exp(x - max); LOG: its logarithm, x - max - log
 *               sum; MASKED: 0 in a row of -infinity only, where the others give NaN. A NaN or
 * +infinity makes all of its row NaN. operands  y, x SOFTMAX_BACKWARD    dx = y (dy - sum of dy y);
 * LOG: dx = dy - exp(y) · sum of dy operands  dx, y, dy NORM          y = (x - mean) · rstd · weight +
 * bias with rstd = 1 / sqrt(mean of (x - mean)² + eps); RMS: mean is 0 operands  y, [mean, rstd]:
 * acc_dtype, of a row; x; [weight, bias]: of a column. RMS: no mean. NORM_BACKWARD       with g = dy ·
 * weight and n = (x - mean) · rstd: dx = rstd · (g - mean of g - n · mean of (g n)), RMS: without the
 * mean of g; dweight = sum over rows of dy n, dbias = sum over rows of dy operands  [dx, dweight,
 * dbias], dy, x, [mean]: RMS: none, rstd, [weight] CROSS_ENTROPY       of logits x and a class for each
 * row, the number of a column. With s = label_smoothing, q of a column = weight · ((1 - s, if it is the
 * row's class) + s / columns), lse = log(sum of exp(x)): loss = sum of q (lse - x), where a q of 0
 * counts as 0. A row whose class is the ignore_index gives 0 everywhere; so does one whose class is out
 * of range, which is a fault as GATHER's, at the position of the row. operands  loss, [own, lse]:
 * acc_dtype, of a row; x; target: i32 or i64, of a row; [weight]: of a column. `own` is the weight of
 * the row's class, 1 without weights. CROSS_ENTROPY_BACKWARD  dx = scale · dloss · (sum of q · exp(x -
 * lse) - q), as near as lse allows operands  dx; dloss: T or acc_dtype, of a row, or SCALAR; lse, x,
 * target, [weight] scalars   scale, of acc_dtype
 */
enum {
  TENON_KIND_ELEMENTWISE = 1,
  TENON_KIND_REDUCE = 2,
  TENON_KIND_MATMUL = 3,
  TENON_KIND_GATHER = 4,
  TENON_KIND_SCATTER = 5,

  TENON_KIND_SOFTMAX = 16,
  TENON_KIND_SOFTMAX_BACKWARD = 17,
  TENON_KIND_NORM = 18,
  TENON_KIND_NORM_BACKWARD = 19,
  TENON_KIND_CROSS_ENTROPY = 20,
  TENON_KIND_CROSS_ENTROPY_BACKWARD = 21
};

/* The low 16 bits must be understood, or prepare refuses; the high 16 may be ignored. */
enum { TENON_FLAG_ALLOW_TF32 = 1 << 16, TENON_FLAG_ALLOW_NONDETERMINISM = 1 << 17 };

/* How an operand lies over the iteration space, after the core broadcast, dropped and coalesced
 * dimensions. Where nothing is STRIDED the rank is 1; REDUCE keeps runs of reduced and of kept
 * dimensions apart, MATMUL all. Outputs are CONTIGUOUS or STRIDED, and so are a and b of MATMUL; dst of
 * SCATTER may be SCALAR too, where only indices move in it. INDEX is for inputs of programs and for
 * index operands. */
enum {
  TENON_LAYOUT_ABSENT = 0,     /* an optional operand that is missing */
  TENON_LAYOUT_CONTIGUOUS = 1, /* row-major over the iteration space */
  TENON_LAYOUT_SCALAR = 2,     /* one element, stretched over the iteration space; has no strides */
  TENON_LAYOUT_STRIDED = 3,    /* signed strides in elements, in the pack (MATMUL: in the table) */
  TENON_LAYOUT_INDEX = 4       /* no memory: offset + sum of coordinate · stride, cast to the dtype */
};

enum { TENON_OPERAND_ALIGNED = 1 }; /* MATMUL: address and non-unit strides are multiples of 16 bytes */

#define TENON_DYNAMIC INT64_MIN /* MATMUL: an extent or stride that is not known yet */

typedef struct TenonOperandDesc {
  uint8_t dtype, layout, rank, flags;
  uint32_t table_at; /* MATMUL: int64_t[rank] extents, then int64_t[rank] strides in elements; else 0 */
} TenonOperandDesc;

enum { TENON_SLOT_BODY = 0, TENON_SLOT_PROLOGUE = 1, TENON_SLOT_EPILOGUE = 2 };

/* A program that is part of an op. Every one but BODY may be refused; the core then runs it apart. */
typedef struct TenonAttachment {
  uint16_t slot;
  uint16_t operand; /* the first operand that is an input of the program */
  uint32_t program_at;
} TenonAttachment;

typedef struct TenonOp {
  uint32_t struct_size;
  uint32_t total_size; /* of the block, a multiple of 8 */
  uint32_t kind;
  uint32_t flags;
  uint8_t acc_dtype; /* REDUCE, MATMUL and from 16 on: what sums are kept in, at least; else not read */
  uint8_t index_width; /* 32 where every offset in elements fits int32_t, else 64 */
  uint8_t rank;        /* of the iteration space; MATMUL: of dst */
  uint8_t output_count, operand_count, attachment_count;
  uint16_t operands_at;    /* TenonOperandDesc[operand_count] */
  uint16_t attachments_at; /* TenonAttachment[attachment_count] */
  uint16_t attrs_at;       /* the kind's attributes, 0 where it has none */
  uint32_t pad;
} TenonOp;

enum {
  TENON_REDUCE_SUM = 1,
  TENON_REDUCE_PROD = 2,
  TENON_REDUCE_MAX = 3,    /* NaN wins; over nothing: -infinity or the least integer */
  TENON_REDUCE_MIN = 4,    /* NaN wins; over nothing: +infinity or the greatest integer */
  TENON_REDUCE_ARGMAX = 5, /* counts in logical order over the reduced axes; the first of equals, */
  TENON_REDUCE_ARGMIN = 6, /* NaN wins; the result is i32 or i64; never over nothing */
  TENON_REDUCE_ANY = 7,    /* of any dtype, as cast to bool; the result is bool */
  TENON_REDUCE_ALL = 8
};

typedef struct TenonReduceAttrs {
  uint32_t struct_size;
  uint32_t axes;        /* bit d: dimension d of the iteration space is reduced */
  uint8_t operators[8]; /* one for each result */
} TenonReduceAttrs;

typedef struct TenonMatmulAttrs {
  uint32_t struct_size;
  uint32_t accumulate; /* 0 or 1 */
} TenonMatmulAttrs;

enum { TENON_SCATTER_ASSIGN = 0, TENON_SCATTER_ADD = 1, TENON_SCATTER_MAX = 2, TENON_SCATTER_MIN = 3 };

typedef struct TenonIndexAttrs {
  uint32_t struct_size;
  uint32_t index_count; /* index operands */
  uint32_t how;         /* SCATTER: TENON_SCATTER_...; GATHER: 0 */
  uint32_t pad;
} TenonIndexAttrs;

enum { TENON_SOFTMAX_PLAIN = 0, TENON_SOFTMAX_LOG = 1, TENON_SOFTMAX_MASKED = 2 };

typedef struct TenonSoftmaxAttrs { /* forward and backward have the same, here and below */
  uint32_t struct_size;
  uint32_t how;
} TenonSoftmaxAttrs;

enum { TENON_NORM_LAYER = 0, TENON_NORM_RMS = 1 };

typedef struct TenonNormAttrs {
  uint32_t struct_size;
  uint32_t how;
  uint64_t eps; /* the bits of an f64 */
} TenonNormAttrs;

typedef struct TenonCrossEntropyAttrs {
  uint32_t struct_size;
  uint32_t ignores; /* 1: there is an ignore_index; else 0 */
  int64_t ignore_index;
  uint64_t label_smoothing; /* the bits of an f64 in 0 .. 1 */
} TenonCrossEntropyAttrs;

/* -------------------------------------------------------------------------------------- launch */

typedef struct TenonOperand {
  uint64_t handle;        /* 0 for INDEX and ABSENT */
  int64_t offset;         /* in bytes; INDEX: the value at coordinate 0 */
  const int64_t* strides; /* per dimension, in elements; NULL unless STRIDED or INDEX */
} TenonOperand;

typedef struct TenonPack {
  const TenonOperand* operands; /* in the order of the description */
  const uint64_t* scalars;      /* raw bits in the low bytes, of all programs in attachment order */
  const int64_t* dims;          /* see the kinds above */
} TenonPack;

/* One kernel over `count` independent packs, in any order or at once. An output of ELEMENTWISE or of an
 * EPILOGUE may alias an input of that program exactly (same address and strides), never partly; no
 * other operands overlap where one is written, nor do packs. All this is read during the call only. */
typedef struct TenonLaunch {
  uint32_t struct_size;
  uint32_t count;
  const TenonPack* packs;
  uint64_t workspace, workspace_offset, workspace_bytes; /* workspace handle 0 where none was asked */
  uint64_t corr;                                         /* names this launch in faults */
} TenonLaunch;

enum { TENON_KERNEL_ASK_WORKSPACE = 1 }; /* `workspace` is to be called before each launch */

typedef struct TenonKernelInfo {
  uint32_t struct_size;
  uint32_t flags;
  uint64_t workspace_bytes;
} TenonKernelInfo;

/* --------------------------------------------------------------------------------------- table */

/* The plugin's answer. Slots marked (optional) may be NULL; the stream slots come all or none, and a
 * device without them is synchronous: its calls get stream NULL and have finished when they return. */
typedef struct TenonPlugin {
  /* identity; the first five fields are written by TENON_PLUGIN_STAMP */
  uint32_t struct_size;
  uint32_t abi;
  const char* name;
  const char* version;
  const char* build; /* differs whenever kernels may; part of the key of cached kernels */

  /* registry: serialised by the host */
  int32_t (*score)(void); /* (optional) the default device has the highest; negative is never default */
  uint32_t (*device_count)(void); /* zero: host->note says why and what to do */
  int32_t (*device_info)(uint32_t index, TenonDeviceInfo* info);
  int32_t (*device_open)(uint32_t index, TenonDevice** device);
  void (*device_close)(TenonDevice* device); /* ends what memory and kernels are left */
  void (*shutdown)(void);                    /* (optional) */
  const void* (*get_ext)(const char* name);  /* (optional) an extension's own table, or NULL */

  /* memory: a raw allocator; the core pools */
  int32_t (*mem_alloc)(TenonDevice* device, uint32_t space, uint64_t bytes, TenonMem* mem);
  void (*mem_free)(TenonDevice* device, uint64_t handle);
  int32_t (*mem_import)(TenonDevice* device, const TenonImport* what, TenonMem* mem); /* (optional) */
  int32_t (*mem_info)(TenonDevice* device, TenonMemInfo* info);                       /* (optional) */

  /* transfer, in stream order */
  int32_t (*copy)(TenonDevice* device, TenonStream* stream, const TenonCopy* copies, uint32_t count);
  int32_t (*fill)(TenonDevice* device, TenonStream* stream, const TenonFill* fill); /* (optional) */

  /* streams: (optional) a timeline each. signal gives an increasing point that completes without
   * further calls; wait and sync take signalled points only; a timeout is in ns, < 0 waits forever.
   * Where sync answers TENON_NOT_READY it is to be asked again */
  int32_t (*stream_create)(TenonDevice* device, TenonStream** stream);
  void (*stream_destroy)(TenonDevice* device, TenonStream* stream);
  int32_t (*stream_signal)(TenonDevice* device, TenonStream* stream, uint64_t* point);
  int32_t (*stream_query)(TenonDevice* device, TenonStream* stream, uint64_t point);
  int32_t (*stream_wait)(TenonDevice* device, TenonStream* stream, TenonStream* other, uint64_t point);
  int32_t (*stream_sync)(TenonDevice* device, TenonStream* stream, uint64_t point, int64_t timeout_ns);
  int32_t (*stream_import)(TenonDevice* device, void* native, TenonStream** stream); /* (optional) */
  int32_t (*stream_native)(TenonDevice* device, TenonStream* stream, void** native); /* (optional) */

  /* compute. prepare keeps no pointer into `op`, and refuses cheaply; after TENON_OK launch may not
   * answer TENON_UNSUPPORTED. A kernel is immutable: several threads and streams launch it at once */
  int32_t (*prepare)(TenonDevice* device, const TenonOp* op, TenonKernel** kernel,
                     TenonKernelInfo* info);
  int32_t (*workspace)(TenonDevice* device, TenonKernel* kernel, const TenonPack* packs, uint32_t count,
                       uint64_t* bytes); /* (optional) */
  int32_t (*launch)(TenonDevice* device, TenonStream* stream, TenonKernel* kernel,
                    const TenonLaunch* launch);
  void (*release)(TenonDevice* device, TenonKernel* kernel);
} TenonPlugin;

/* Changes with every compilation, unless the build system gives something that lasts longer. */
#ifndef TENON_BUILD_ID
#define TENON_BUILD_ID __DATE__ " " __TIME__
#endif
/* The identity fields, first in the initialiser of a table. */
#define TENON_PLUGIN_STAMP(name, version) sizeof(TenonPlugin), TENON_ABI, name, version, TENON_BUILD_ID

#if defined(_WIN32)
#define TENON_PLUGIN_EXPORT __declspec(dllexport)
#else
#define TENON_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif

/* The one exported symbol. No side effects: no driver starts, no thread. NULL with a static reason
 * where the plugin must refuse (another major version, a missing instruction set). */
TENON_PLUGIN_EXPORT const TenonPlugin* tenon_plugin_main(const TenonHost* host, const char** why);

/* ------------------------------------------------- what a 64-bit build of this header looks like */

#define TENON_PIN(type, size) static_assert(sizeof(type) == (size), #type " has changed")
TENON_PIN(TenonFault, 40);
TENON_PIN(TenonHost, 80);
TENON_PIN(TenonDeviceInfo, 112);
TENON_PIN(TenonMem, 40);
TENON_PIN(TenonMemInfo, 24);
TENON_PIN(TenonImport, 32);
TENON_PIN(TenonCopy, 40);
TENON_PIN(TenonFill, 40);
TENON_PIN(TenonInstruction, 8);
TENON_PIN(TenonProgram, 24);
TENON_PIN(TenonOperandDesc, 8);
TENON_PIN(TenonAttachment, 8);
TENON_PIN(TenonOp, 32);
TENON_PIN(TenonReduceAttrs, 16);
TENON_PIN(TenonMatmulAttrs, 8);
TENON_PIN(TenonIndexAttrs, 16);
TENON_PIN(TenonSoftmaxAttrs, 8);
TENON_PIN(TenonNormAttrs, 16);
TENON_PIN(TenonCrossEntropyAttrs, 24);
TENON_PIN(TenonOperand, 24);
TENON_PIN(TenonPack, 24);
TENON_PIN(TenonLaunch, 48);
TENON_PIN(TenonKernelInfo, 16);
TENON_PIN(TenonPlugin, 232);
#undef TENON_PIN

#ifdef __cplusplus
}
#endif
#endif
