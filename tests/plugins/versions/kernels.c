/* All kinds as walks over an iteration space, one element at a time. */
#include "kernels.h"

#include <string.h>

#include "walk.h"

static void elementwise(const TenonOp* op, const TenonPack* pack) {
  const TenonProgram* body = program_in(op, TENON_SLOT_BODY);
  Walk w = walk(op, pack);
  for (int64_t left = product(w.extents, 0, op->rank); left > 0; --left) {
    Value inputs[TENON_MAX_INPUTS], results[TENON_MAX_OUTPUTS];
    for (int i = 0; i < body->input_count; ++i) inputs[i] = get(&w, op->output_count + i);
    run_program(body, pack->scalars, inputs, results);
    for (int i = 0; i < op->output_count; ++i) put(&w, i, results[i]);
    step(&w, 0, op->rank);
  }
}

/* A result of REDUCE on its way: SUM and PROD in the widest dtype of their class. */
typedef struct Fold {
  uint8_t how, from, kept;
  Value value;
  int64_t seen, best;
} Fold;

static Fold start(uint8_t how, uint8_t from, uint8_t acc) {
  const uint8_t class_ = acc != TENON_DTYPE_NONE && !is_float(from) ? acc : from;
  const uint8_t widest = is_float(class_)    ? TENON_DTYPE_F64
                         : is_signed(class_) ? TENON_DTYPE_I64
                                             : TENON_DTYPE_U64;
  Fold fold = {.how = how, .from = from, .kept = from};
  if (how == TENON_REDUCE_SUM || how == TENON_REDUCE_PROD) {
    fold.kept = widest;
    fold.value = cast(TENON_DTYPE_U64, widest, (Value){.u = how == TENON_REDUCE_PROD});
  } else if (how == TENON_REDUCE_MAX || how == TENON_REDUCE_MIN) {
    fold.value = how == TENON_REDUCE_MAX ? lowest(from) : highest(from);
  } else if (how == TENON_REDUCE_ANY || how == TENON_REDUCE_ALL) {
    fold.kept = TENON_DTYPE_BOOL;
    fold.value.u = how == TENON_REDUCE_ALL;
  }
  return fold;
}

static Value combine(uint8_t opcode, uint8_t dtype, Value a, Value b) {
  const Value x[3] = {a, b, {.u = 0}};
  return eval(opcode, dtype, dtype, x);
}

static bool is_nan(uint8_t dtype, Value value) {
  return is_float(dtype) && value.f != value.f;
}

static void add_to(Fold* fold, Value next) {
  static const uint8_t opcodes[] = {0, TENON_OP_ADD, TENON_OP_MUL, TENON_OP_MAX, TENON_OP_MIN, 0,
                                    0, TENON_OP_OR,  TENON_OP_AND};
  if (opcodes[fold->how] != 0) {
    next = cast(fold->from, fold->kept, next);
    fold->value = combine(opcodes[fold->how], fold->kept, fold->value, next);
    return;
  }
  const Value max[3] = {fold->value, next, {.u = 0}}, min[3] = {next, fold->value, {.u = 0}};
  const Value* order = fold->how == TENON_REDUCE_ARGMAX ? max : min;
  const bool better = eval(TENON_OP_LT, fold->from, TENON_DTYPE_BOOL, order).u != 0;
  const bool wins = !is_nan(fold->from, fold->value) && (is_nan(fold->from, next) || better);
  if (fold->seen == 0 || wins) {
    fold->value = next;
    fold->best = fold->seen;
  }
  ++fold->seen;
}

static Value finish(const Fold* fold, uint8_t to) {
  const bool position = fold->how == TENON_REDUCE_ARGMAX || fold->how == TENON_REDUCE_ARGMIN;
  return position ? cast(TENON_DTYPE_I64, to, (Value){.i = fold->best})
                  : cast(fold->kept, to, fold->value);
}

/* Kept dimensions first; returns how many they are. */
static int put_in_order(Walk* w, uint32_t axes) {
  const Walk given = *w;
  int kept = 0, d = 0;
  for (uint32_t reduced = 0; reduced < 2; ++reduced) {
    for (int from = 0; from < w->op->rank; ++from) {
      if ((axes >> from & 1) != reduced) continue;
      w->extents[d] = given.extents[from];
      for (int i = 0; i < w->op->operand_count; ++i) w->strides[i][d] = given.strides[i][from];
      ++d;
    }
    if (reduced == 0) kept = d;
  }
  for (int i = 0; i < w->op->output_count; ++i) {
    if (descs_of(w->op)[i].layout != TENON_LAYOUT_CONTIGUOUS) continue;
    memset(w->strides[i], 0, sizeof w->strides[i]);
    row_major(w->extents, kept, w->strides[i]);
  }
  return kept;
}

static void reduce(const TenonOp* op, const TenonPack* pack) {
  const TenonReduceAttrs* attrs = behind(op, op->attrs_at);
  const TenonProgram* prologue = program_in(op, TENON_SLOT_PROLOGUE);
  const uint16_t* results = prologue == NULL ? NULL : behind(prologue, prologue->outputs_at);
  const int inputs = op->operand_count - op->output_count;
  Walk w = walk(op, pack);
  const int kept = put_in_order(&w, attrs->axes);
  for (int64_t left = product(w.extents, 0, kept); left > 0; --left) {
    Fold folds[TENON_MAX_OUTPUTS];
    for (int i = 0; i < op->output_count; ++i) {
      const uint8_t from = prologue == NULL ? descs_of(op)[1].dtype : dtype_of(prologue, results[i]);
      folds[i] = start(attrs->operators[i], from, op->acc_dtype);
    }
    Walk inner = w;
    for (int64_t each = product(w.extents, kept, op->rank); each > 0; --each) {
      Value values[TENON_MAX_INPUTS], mapped[TENON_MAX_OUTPUTS];
      for (int i = 0; i < inputs; ++i) values[i] = get(&inner, op->output_count + i);
      if (prologue != NULL) run_program(prologue, pack->scalars, values, mapped);
      for (int i = 0; i < op->output_count; ++i) {
        add_to(&folds[i], prologue == NULL ? values[0] : mapped[i]);
      }
      step(&inner, kept, op->rank);
    }
    for (int i = 0; i < op->output_count; ++i) put(&w, i, finish(&folds[i], descs_of(op)[i].dtype));
    step(&w, 0, kept);
  }
}

/* Extents of dst with the depth behind them, and strides of a (no N) and b (no M) along them. */
static Walk matmul_walk(const TenonOp* op, const TenonPack* pack) {
  Walk w = {.op = op, .pack = pack};
  const int64_t* dynamic = pack->dims;
  const int rank = op->rank;
  for (int i = 0; i < op->operand_count; ++i) {
    const TenonOperandDesc* desc = &descs_of(op)[i];
    const int64_t* table = behind(op, desc->table_at);
    int64_t known[2 * TENON_MAX_RANK];
    for (int k = 0; k < 2 * desc->rank; ++k) {
      known[k] = table[k] == TENON_DYNAMIC ? *dynamic++ : table[k];
    }
    if (i == 0) memcpy(w.extents, known, (size_t)rank * sizeof(int64_t));
    for (int d = 0; d < desc->rank; ++d) {
      const bool stretched = known[d] == 1 || desc->layout == TENON_LAYOUT_SCALAR;
      w.strides[i][rank - desc->rank + d] = stretched ? 0 : known[desc->rank + d];
    }
    if (i == 1) w.at[0] = known[desc->rank - 1]; /* the depth, until the walk begins */
  }
  return w;
}

static Value dot(const Walk* w, int64_t depth, Value sum, uint8_t kept) {
  const int rows = w->op->rank - 2, columns = w->op->rank - 1;
  const TenonOperandDesc* descs = descs_of(w->op);
  int64_t a = 0, b = 0;
  for (int d = 0; d < columns; ++d) a += w->at[d] * w->strides[1][d];
  for (int d = 0; d <= columns; ++d) b += d == rows ? 0 : w->at[d] * w->strides[2][d];
  for (int64_t k = 0; k < depth; ++k) {
    const Value x = load(descs[1].dtype, address(w, 1, a + k * w->strides[1][columns]));
    const Value y = load(descs[2].dtype, address(w, 2, b + k * w->strides[2][rows]));
    sum = combine(TENON_OP_ADD, kept, sum, combine(TENON_OP_MUL, kept, x, y));
  }
  return sum;
}

static void matmul(const TenonOp* op, const TenonPack* pack) {
  const TenonMatmulAttrs* attrs = op->attrs_at == 0 ? NULL : behind(op, op->attrs_at);
  const TenonProgram* epilogue = program_in(op, TENON_SLOT_EPILOGUE);
  const uint8_t from = descs_of(op)[1].dtype, to = descs_of(op)[0].dtype;
  const uint8_t kept = is_float(from)    ? TENON_DTYPE_F64
                       : is_signed(from) ? TENON_DTYPE_I64
                                         : TENON_DTYPE_U64;
  Walk w = matmul_walk(op, pack);
  const int64_t depth = w.at[0];
  w.at[0] = 0;
  for (int64_t left = product(w.extents, 0, op->rank); left > 0; --left) {
    Value inputs[TENON_MAX_INPUTS], result, sum = {.u = 0};
    if (attrs != NULL && attrs->accumulate != 0) sum = cast(to, kept, get(&w, 0));
    inputs[0] = cast(kept, op->acc_dtype, dot(&w, depth, sum, kept));
    for (int i = 3; i < op->operand_count; ++i) inputs[i - 2] = get(&w, i);
    if (epilogue != NULL) {
      run_program(epilogue, pack->scalars, inputs, &result);
    } else {
      result = cast(op->acc_dtype, to, inputs[0]);
    }
    put(&w, 0, result);
    step(&w, 0, op->rank);
  }
}

static void indexed(const TenonOp* op, const TenonPack* pack, TenonFault* fault) {
  static const uint8_t opcodes[] = {0, TENON_OP_ADD, TENON_OP_MAX, TENON_OP_MIN};
  const TenonIndexAttrs* attrs = behind(op, op->attrs_at);
  const int moves = op->kind == TENON_KIND_GATHER;
  const int64_t* axes = pack->dims + op->rank;
  const uint8_t dtype = descs_of(op)[0].dtype;
  Walk w = walk(op, pack);
  const int64_t count = product(w.extents, 0, op->rank);
  for (int64_t position = 0; position < count; ++position, step(&w, 0, op->rank)) {
    int64_t at[] = {steps_from_0(&w, 0), steps_from_0(&w, 1)};
    bool inside = true;
    for (int i = 0; i < (int)attrs->index_count; ++i) {
      const int64_t index = get(&w, 2 + i).i;
      if (index >= 0 && index < axes[2 * i]) {
        at[moves] += index * axes[2 * i + 1];
        continue;
      }
      inside = false;
      if (fault->code != TENON_OK) continue;
      fault->code = TENON_INDEX;
      fault->value = index;
      fault->position = position;
    }
    if (!inside) {
      if (moves == 1) store(dtype, address(&w, 0, at[0]), (Value){.u = 0});
      continue;
    }
    const Value value = load(dtype, address(&w, 1, at[1]));
    char* dst = address(&w, 0, at[0]);
    const uint8_t opcode = opcodes[attrs->how];
    store(dtype, dst, opcode == 0 ? value : combine(opcode, dtype, load(dtype, dst), value));
  }
}

void run_pack(const TenonOp* op, const TenonPack* pack, TenonFault* fault) {
  switch (op->kind) {
    case TENON_KIND_ELEMENTWISE:
      elementwise(op, pack);
      break;
    case TENON_KIND_REDUCE:
      reduce(op, pack);
      break;
    case TENON_KIND_MATMUL:
      matmul(op, pack);
      break;
    default:
      indexed(op, pack, fault);
  }
}
