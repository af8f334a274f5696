// Powers: an opcode of floating numbers, and squaring for integers.
#include <bit>
#include <optional>

#include "core/base/fail.h"
#include "core/ops/program_table.h"
#include "core/ops/rule.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace ops {
namespace {

constexpr Rule kPower{"pow", Computes::wide, TENON_FORMULA(pow(a, b))};

/// Binary digits of the exponent that one launch takes.
constexpr int kDigits = 8;

/// From (result, factor, exponent) to (result · factor^digits, factor^256), where digits are those of
/// the exponent from the scalar on.
program::Program step_program(DType dtype) {
  program::Builder b;
  Value result = b.input(dtype), factor = b.input(dtype);
  const Value exponent = b.input(dtype), from = b.scalar(dtype);
  const Value digits = b.apply(program::Opcode::shr, dtype, exponent, from);
  for (int digit = 0; digit < kDigits; ++digit) {
    const Value one = b.constant(dtype, 1);
    result = select(((digits >> digit) & one) == one, result * factor, result);
    factor = factor * factor;
  }
  b.output(result);
  b.output(factor);
  return b.build();
}

/// (result, base, exponent): the whole part of a negative power.
program::Program negative_program(DType dtype) {
  program::Builder b;
  const Value result = b.input(dtype), base = b.input(dtype), exponent = b.input(dtype);
  const Value odd = (exponent & b.constant(dtype, 1)) == 1, zero = b.constant(dtype, 0);
  const Value of_minus_one = select(odd, base, -base);
  const Value part = select(base == 1, base, select(base == -1, of_minus_one, zero));
  b.output(select(exponent < 0, part, result));
  return b.build();
}

const program::Program& table(DType dtype, bool step) {
  static ProgramTable<std::pair<DType, bool>>& programs = *new ProgramTable<std::pair<DType, bool>>;
  return programs.get({dtype, step},
                      [&] { return step ? step_program(dtype) : negative_program(dtype); });
}

/// Integers to integers; of `digits` at most the exponents are made, without a sign.
Tensor integer_power(const Tensor& x, const Tensor& y, int digits) {
  const DType common = promote(x.dtype(), y.dtype()), dtype = common == bool_ ? i64 : common;
  const Tensor base = x.to(dtype), exponent = y.to(dtype);
  Tensor result = ones({}, {.dtype = dtype, .device = x.device()}), factor = base;
  for (int from = 0; from < digits; from += kDigits) {
    const Tensor inputs[] = {result, factor, exponent};
    const std::uint64_t scalar = Scalar(from).bits(dtype);
    const std::vector<Tensor> next = run("pow", table(dtype, true), inputs, {&scalar, 1});
    result = next[0];
    factor = next[1];
  }
  if (!is_signed_integer(dtype)) return result;
  const Tensor inputs[] = {result, base, exponent};
  return run("pow", table(dtype, false), inputs).front();
}

/// The result where both are integers or bools.
std::optional<Tensor> whole_power(const Operand& x, const Operand& y) {
  const auto is_whole = [](const Operand& operand) {
    return operand.is_tensor() ? !is_floating(impl_of(operand.tensor(), "pow").dtype)
                               : !operand.number().is_floating();
  };
  if (!is_whole(x) || !is_whole(y)) return {};
  const Tensor& partner = x.is_tensor() ? x.tensor() : y.tensor();
  const auto as_tensor = [&](const Operand& operand) {
    if (operand.is_tensor()) return operand.tensor();
    const DType dtype = partner.dtype() == bool_ ? i64 : partner.dtype();
    require_fits("pow", operand.number(), dtype);
    return full({}, operand.number(), {.dtype = dtype, .device = partner.device()});
  };
  const auto digits = [&]() -> int {
    if (y.is_tensor()) return static_cast<int>(8 * size_of(promote(i8, y.tensor().dtype())));
    const std::int64_t power = y.number().to_int64();
    return power < 0 ? 0 : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(power)));
  };
  const Tensor operands[] = {as_tensor(x), as_tensor(y)};
  common_device("pow", operands);
  return integer_power(operands[0], operands[1], digits());
}

Tensor power(const Operand& x, const Operand& y) {
  if (const std::optional<Tensor> whole = whole_power(x, y)) return *whole;
  return evaluate(kPower, {x, y});
}

Tensor& power_in_place(Tensor& x, const Operand& y) {
  if (const std::optional<Tensor> whole = whole_power(x, y)) {
    require(promote(whole->dtype(), x.dtype()) == x.dtype() || is_integer(x.dtype()),
            "[pow] the result is {}, which {} can't hold; convert first", name(whole->dtype()),
            name(x.dtype()));
    return x.copy_(*whole);
  }
  return evaluate_in_place(kPower, x, {x, y});
}

}  // namespace
}  // namespace ops

Tensor pow(const Tensor& x, const Tensor& y) {
  return ops::power(x, y);
}
Tensor pow(const Tensor& x, Scalar y) {
  return ops::power(x, y);
}
Tensor pow(Scalar x, const Tensor& y) {
  return ops::power(x, y);
}
Tensor& pow_(Tensor& x, const Tensor& y) {
  return ops::power_in_place(x, y);
}
Tensor& pow_(Tensor& x, Scalar y) {
  return ops::power_in_place(x, y);
}
Tensor& pow_out(Tensor& out, const Tensor& x, const Tensor& y) {
  if (const std::optional<Tensor> whole = ops::whole_power(x, y)) {
    impl_of(out, "pow");
    require(out.device() == whole->device(), "[pow] out is on {}, the operands are on {}",
            out.device().name(), whole->device().name());
    require(out.shape() == whole->shape() && is_integer(out.dtype()),
            "[pow] the result is {} {}, not as out: {} {}", whole->shape(), name(whole->dtype()),
            out.shape(), name(out.dtype()));
    return out.copy_(*whole);
  }
  return ops::evaluate_out(ops::kPower, out, {x, y});
}

}  // namespace tenon
