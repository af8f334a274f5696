// Reverse mode: the forward instructions are replayed, then walked backwards; each hands its gradient g
// on to its operands. What the gradient doesn't need falls away in the canonical form.
#include <numbers>
#include <optional>

#include "core/base/fail.h"
#include "core/program/draft.h"
#include "core/program/slopes.h"
#include "core/program/view.h"

namespace tenon::program {
namespace {

class Reverse {
 public:
  Reverse(Builder& builder, const Program& forward)
      : builder_(builder),
        view_(forward),
        gradients_(view_.instructions.size()),
        input_gradients_(view_.inputs.size()) {
    for (const std::uint8_t dtype : view_.inputs)
      inputs_.push_back(builder.input(static_cast<DType>(dtype)));
    for (const std::uint8_t dtype : view_.scalars) {
      scalars_.push_back(builder.scalar(static_cast<DType>(dtype)));
    }
    for (std::size_t i = 0; i < view_.constants.size(); ++i) {
      constants_.push_back(
          builder.constant_bits(static_cast<DType>(view_.constant_dtypes[i]), view_.constants[i]));
    }
    for (const TenonInstruction& i : view_.instructions) {
      Value operands[3];
      int count = 0;
      each_operand(i, [&](std::uint16_t ref) { operands[count++] = value(ref); });
      values_.push_back(builder.apply(static_cast<Opcode>(i.opcode), static_cast<DType>(i.dtype),
                                      operands[0], operands[1], operands[2]));
    }
  }

  /// Adds to the gradient of a forward value; integers, bools and what is given have none.
  void add(std::uint16_t ref, Value gradient) {
    if (!is_floating(view_.dtype(ref))) return;
    const std::uint32_t kind = TENON_REF_CLASS(ref), index = TENON_REF_INDEX(ref);
    if (kind != TENON_REF_INSTRUCTION && kind != TENON_REF_INPUT) return;
    auto& sum = kind == TENON_REF_INPUT ? input_gradients_[index] : gradients_[index];
    sum = sum ? *sum + gradient : gradient;
  }

  void run() {
    for (std::size_t i = values_.size(); i-- > 0;) {
      if (gradients_[i]) step(view_.instructions[i], values_[i], *gradients_[i]);
    }
  }

  Value input_gradient(std::size_t input) const {
    const auto& gradient = input_gradients_[input];
    return gradient ? *gradient : builder_.constant(static_cast<DType>(view_.inputs[input]), 0);
  }

 private:
  Value value(std::uint16_t ref) const {
    const std::uint32_t kind = TENON_REF_CLASS(ref), index = TENON_REF_INDEX(ref);
    if (kind == TENON_REF_INSTRUCTION) return values_[index];
    if (kind == TENON_REF_INPUT) return inputs_[index];
    return kind == TENON_REF_SCALAR ? scalars_[index] : constants_[index];
  }

  Value call(Opcode opcode, Value a) { return builder_.apply(opcode, a.dtype(), a); }

  Value zero(Value like) { return builder_.constant(like.dtype(), 0); }

  /// Masks by select, so that an infinite or NaN gradient doesn't leak through a product with 0.
  Value zero_where(Value condition, Value gradient) {
    return select(condition, zero(gradient), gradient);
  }

  /// min and max: all of g, but none for the one that loses (`loses`) and half where both are equal.
  /// With a NaN both get g, so that it does not vanish.
  Value share(Value loses, Value equal, Value g) {
    return zero_where(loses, select(equal, g * 0.5, g));
  }

  /// y = opcode(a, b, c), g = the gradient of y.
  void step(const TenonInstruction& instruction, Value y, Value g) {
    const auto opcode = static_cast<Opcode>(instruction.opcode);
    const int count = arity(opcode);
    const std::uint16_t to_a = instruction.a, to_b = instruction.b, to_c = instruction.c;
    const Value a = value(to_a);
    const Value b = count > 1 ? value(to_b) : Value();
    switch (opcode) {
      // da = g, db = g
      case Opcode::add:
        add(to_a, g);
        return add(to_b, g);
      // da = g, db = -g
      case Opcode::sub:
        add(to_a, g);
        return add(to_b, -g);
      // da = g b, db = g a
      case Opcode::mul:
        add(to_a, g * b);
        return add(to_b, g * a);
      // da = g / b, db = -g a / b² = -(g / b) y
      case Opcode::div:
        add(to_a, g / b);
        return add(to_b, -(g / b * y));
      // da = -g
      case Opcode::neg:
        return add(to_a, -g);
      // da = g sign(a)
      case Opcode::abs:
        return add(to_a, select(a < 0, -g, zero_where(a == 0, g)));
      // da = g [a < b] + g/2 [a = b], db the other way round
      case Opcode::min:
        add(to_a, share(b < a, a == b, g));
        return add(to_b, share(a < b, a == b, g));
      // da = g [a > b] + g/2 [a = b], db the other way round
      case Opcode::max:
        add(to_a, share(a < b, a == b, g));
        return add(to_b, share(b < a, a == b, g));
      // db = g [a], dc = g [not a]
      case Opcode::select:
        add(to_b, select(a, g, zero(g)));
        return add(to_c, select(a, zero(g), g));
      // da = g, in a's dtype
      case Opcode::cast:
        return add(to_a, cast(g, a.dtype()));
      // da = g / (2 y)
      case Opcode::sqrt:
        return add(to_a, g * 0.5 / y);
      // da = g y
      case Opcode::exp:
        return add(to_a, g * y);
      // da = g / a
      case Opcode::log:
        return add(to_a, g / a);
      // y = a b + c: da = g b, db = g a, dc = g
      case Opcode::fma:
        add(to_a, g * b);
        add(to_b, g * a);
        return add(to_c, g);
      // y = a - q b with the whole number q = trunc(a / b): da = g, db = -g q
      case Opcode::rem:
        add(to_a, g);
        return add(to_b, -(g * ((a - y) / b)));
      // da = g b a^(b - 1), 0 where b is 0; db = g y log(a), 0 where a is 0
      case Opcode::pow:
        add(to_a, zero_where(b == 0, g * b * pow(a, b - 1)));
        return add(to_b, zero_where(a == 0, g * y * log(a)));
      // da = g cos(a)
      case Opcode::sin:
        return add(to_a, g * call(Opcode::cos, a));
      // da = -g sin(a)
      case Opcode::cos:
        return add(to_a, -(g * call(Opcode::sin, a)));
      // da = g (1 - y²)
      case Opcode::tanh:
        return add(to_a, g * (1 - y * y));
      // da = g 2/√π exp(-a²)
      case Opcode::erf:
        return add(to_a, g * (2 * std::numbers::inv_sqrtpi * exp(-(a * a))));
      // da = g y ln 2
      case Opcode::exp2:
        return add(to_a, g * (y * std::numbers::ln2));
      // da = g / (a ln 2)
      case Opcode::log2:
        return add(to_a, g / (a * std::numbers::ln2));
      // da = -g a^(-3/2) / 2 = -g y / (2 a)
      case Opcode::rsqrt:
        return add(to_a, g * -0.5 * (y / a));
      // da = g / (1 + a)
      case Opcode::log1p:
        return add(to_a, g / (a + 1));
      // da = g exp(a)
      case Opcode::expm1:
        return add(to_a, g * exp(a));
      // da = g y (1 - y)
      case Opcode::sigmoid:
        return add(to_a, g * (y * (1 - y)));
      // Steps: da = 0
      case Opcode::floor:
      case Opcode::round:
      case Opcode::trunc:
        return;
      // Bits, or a result that has no gradient
      case Opcode::bitcast:
      case Opcode::and_:
      case Opcode::or_:
      case Opcode::xor_:
      case Opcode::not_:
      case Opcode::shl:
      case Opcode::shr:
      case Opcode::lt:
      case Opcode::le:
      case Opcode::eq:
      case Opcode::ne:
      case Opcode::mulhi:
      case Opcode::philox:
        return;
    }
  }

  Builder& builder_;
  View view_;
  std::vector<Value> inputs_, scalars_, constants_, values_;
  std::vector<std::optional<Value>> gradients_, input_gradients_;
};

void check(int index, int count, std::string_view what) {
  require(index >= 0 && index < count, "[derive] {} {} of {}", what, index, count);
}
void check_floating(int index, DType dtype, std::string_view what) {
  require(is_floating(dtype), "[derive] {} {} is {}: only floating values have a gradient", what, index,
          name(dtype));
}

/// Takes those of the first `count` inputs out that nothing uses; returns the others.
std::vector<int> drop_unused_inputs(Draft& draft, int count) {
  std::vector<bool> used(draft.inputs.size());
  const auto mark = [&](std::uint16_t ref) {
    if (TENON_REF_CLASS(ref) == TENON_REF_INPUT) used[TENON_REF_INDEX(ref)] = true;
  };
  for (const TenonInstruction& instruction : draft.instructions) each_operand(instruction, mark);
  for (const std::uint16_t ref : draft.outputs) mark(ref);

  std::vector<int> saved;
  std::vector<DType> kept;
  std::vector<std::uint16_t> renamed(used.size());
  for (std::size_t i = 0; i < used.size(); ++i) {
    const bool forward = static_cast<int>(i) < count;
    if (forward && !used[i]) continue;
    if (forward) saved.push_back(static_cast<int>(i));
    renamed[i] = TENON_REF(TENON_REF_INPUT, kept.size());
    kept.push_back(draft.inputs[i]);
  }
  const auto rename = [&](std::uint16_t& ref) {
    if (TENON_REF_CLASS(ref) == TENON_REF_INPUT) ref = renamed[TENON_REF_INDEX(ref)];
  };
  for (TenonInstruction& instruction : draft.instructions) each_operand(instruction, rename);
  for (std::uint16_t& ref : draft.outputs) rename(ref);
  draft.inputs = kept;
  return saved;
}

}  // namespace

Derivative derive(const Program& forward, std::span<const int> wanted, std::span<const int> given) {
  for (const int i : wanted) {
    check(i, forward.input_count(), "input");
    check_floating(i, forward.input_dtype(i), "input");
  }
  Builder builder;
  Reverse reverse(builder, forward);
  const View view(forward);
  for (const int i : given) {
    check(i, forward.output_count(), "output");
    check_floating(i, forward.output_dtype(i), "output");
    reverse.add(view.outputs[static_cast<std::size_t>(i)], builder.input(forward.output_dtype(i)));
  }
  reverse.run();
  for (const int i : wanted) builder.output(reverse.input_gradient(static_cast<std::size_t>(i)));

  Draft draft = canonical(*builder.draft_);
  std::vector<int> saved = drop_unused_inputs(draft, forward.input_count());
  return {seal(draft), std::move(saved)};
}

Derivative derive(const Program& forward, std::span<const int> wanted, const Slopes& slopes) {
  Builder builder;
  std::vector<Value> inputs, scalars;
  for (int i = 0; i < forward.input_count(); ++i)
    inputs.push_back(builder.input(forward.input_dtype(i)));
  for (int i = 0; i < forward.scalar_count(); ++i) {
    scalars.push_back(builder.scalar(forward.scalar_dtype(i)));
  }
  const std::vector<Value> all = slopes(inputs, scalars);
  const Value g = builder.input(forward.output_dtype(0));
  for (const int i : wanted) {
    const Value slope = all[static_cast<std::size_t>(i)];
    builder.output(cast(cast(g, slope.dtype()) * slope, forward.input_dtype(i)));
  }
  Draft draft = decode(builder.build());
  std::vector<int> saved = drop_unused_inputs(draft, forward.input_count());
  return {seal(draft), std::move(saved)};
}

}  // namespace tenon::program
