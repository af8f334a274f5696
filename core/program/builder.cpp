// Builds programs: each opcode's operands are checked by its group in opcodes.def.

#include <tenon/scalar.h>

#include "core/base/fail.h"
#include "core/program/draft.h"

namespace tenon::program {
namespace {

enum class Group { ARITH, FLOAT, BITS, SHIFT, COMPARE, SELECT, CAST, BITCAST, PHILOX };

Group group(Opcode opcode) {
  switch (opcode) {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) \
  case Opcode::name:                                      \
    return Group::group;
#include <tenon/opcodes.def>
#undef TENON_OPCODE
  }
  return Group::ARITH;
}

/// What one opcode is given.
struct Operation {
  Opcode opcode;
  DType result;
  DType a, b, c;
};

void expect(bool ok, const Operation& op, std::string_view wanted) {
  require(ok, "[program] {} takes {}, not {}", name(op.opcode), wanted, name(op.a));
}

void expect_same(const Operation& op, DType x, DType y) {
  require(x == y, "[program] {} takes operands of one dtype, not {} and {} (cast one)", name(op.opcode),
          name(x), name(y));
}

void expect_result(const Operation& op, DType dtype) {
  require(op.result == dtype, "[program] {} of {} gives {}, not {}", name(op.opcode), name(op.a),
          name(dtype), name(op.result));
}

void expect_uniform(const Operation& op) {
  if (arity(op.opcode) > 1) expect_same(op, op.a, op.b);
  if (arity(op.opcode) > 2) expect_same(op, op.a, op.c);
}

void check_bitcast(const Operation& op) {
  require(op.a != bool_ && op.result != bool_, "[program] bitcast takes no bool (cast instead)");
  require(size_of(op.a) == size_of(op.result), "[program] bitcast of {} to {}: sizes are {} and {}",
          name(op.a), name(op.result), size_of(op.a), size_of(op.result));
}

void check(const Operation& op) {
  switch (group(op.opcode)) {
    case Group::ARITH:
      expect(op.a != bool_, op, "numbers");
      expect_uniform(op);
      return expect_result(op, op.a);
    case Group::FLOAT:
      expect(is_floating(op.a), op, "floating values");
      expect_uniform(op);
      return expect_result(op, op.a);
    case Group::BITS:
      expect(!is_floating(op.a), op, "integers or bool");
      expect_uniform(op);
      return expect_result(op, op.a);
    case Group::SHIFT:
      expect(is_integer(op.a), op, "integers");
      expect_uniform(op);
      return expect_result(op, op.a);
    case Group::COMPARE:
      expect_uniform(op);
      return expect_result(op, bool_);
    case Group::SELECT:
      expect(op.a == bool_, op, "a bool condition");
      expect_same(op, op.b, op.c);
      require(op.result == op.b, "[program] select of {} gives {}, not {}", name(op.b), name(op.b),
              name(op.result));
      return;
    case Group::CAST:
      return;
    case Group::BITCAST:
      return check_bitcast(op);
    case Group::PHILOX:
      expect(op.a == u64, op, "u64 operands");
      expect_uniform(op);
      return expect_result(op, u32);
  }
}

/// The reference of the next element; a draft may hold more than a program, until it is canonical.
std::uint16_t next_ref(std::uint32_t kind, std::size_t count, std::string_view what) {
  if (count > TENON_REF_INDEX(0xffff)) {
    fail(ErrorKind::Unsupported, "[program] more than {} {} while building", count, what);
  }
  return TENON_REF(kind, count);
}

}  // namespace

std::string_view name(Opcode opcode) {
  std::string_view result;
  switch (opcode) {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) \
  case Opcode::name:                                      \
    result = #name;                                       \
    break;
#include <tenon/opcodes.def>
#undef TENON_OPCODE
  }
  if (result.ends_with('_')) result.remove_suffix(1);
  return result;
}

int arity(Opcode opcode) {
  switch (opcode) {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) \
  case Opcode::name:                                      \
    return arity;
#include <tenon/opcodes.def>
#undef TENON_OPCODE
  }
  return 0;
}

Builder& Value::builder() const {
  require(builder_ != nullptr, "[program] a value of no builder");
  return *builder_;
}

Builder::Builder() : draft_(std::make_unique<Draft>()) {}
Builder::~Builder() = default;

Value Builder::input(DType dtype) {
  const std::uint16_t ref = next_ref(TENON_REF_INPUT, draft_->inputs.size(), "inputs");
  draft_->inputs.push_back(dtype);
  return {this, ref, dtype};
}

Value Builder::scalar(DType dtype) {
  const std::uint16_t ref = next_ref(TENON_REF_SCALAR, draft_->scalars.size(), "scalars");
  draft_->scalars.push_back(dtype);
  return {this, ref, dtype};
}

Value Builder::constant(DType dtype, double value) {
  return constant_bits(dtype, Scalar(value).bits(dtype));
}

Value Builder::constant_bits(DType dtype, std::uint64_t bits) {
  const std::uint16_t ref = next_ref(TENON_REF_CONSTANT, draft_->constants.size(), "constants");
  const std::uint64_t kept = bits & (~std::uint64_t{0} >> (64 - 8 * size_of(dtype)));
  draft_->constants.push_back({dtype, dtype == bool_ ? kept != 0 : kept});
  return {this, ref, dtype};
}

Value Builder::apply(Opcode opcode, DType dtype, Value a, Value b, Value c) {
  const Value operands[] = {a, b, c};
  const int count = arity(opcode);
  for (int i = 0; i < 3; ++i) {
    const Builder* owner = operands[i].builder_;
    require((owner != nullptr) == (i < count), "[program] {} takes {} operand{}", name(opcode), count,
            count == 1 ? "" : "s");
    require(owner == nullptr || owner == this, "[program] operand {} of {} belongs to another builder",
            i, name(opcode));
  }
  check({opcode, dtype, a.dtype(), b.dtype(), c.dtype()});
  if ((opcode == Opcode::cast || opcode == Opcode::bitcast) && a.dtype() == dtype) return a;

  const std::uint16_t ref =
      next_ref(TENON_REF_INSTRUCTION, draft_->instructions.size(), "instructions");
  draft_->instructions.push_back({static_cast<std::uint8_t>(opcode), static_cast<std::uint8_t>(dtype),
                                  a.ref_, count > 1 ? b.ref_ : std::uint16_t{0},
                                  count > 2 ? c.ref_ : std::uint16_t{0}});
  return {this, ref, dtype};
}

void Builder::output(Value value) {
  require(value.builder_ == this, "[program] an output belongs to another builder");
  draft_->outputs.push_back(value.ref_);
}

Program Builder::build() const {
  return seal(canonical(*draft_));
}

}  // namespace tenon::program
