// Elementwise programs: what one kernel computes for one element, as data.
//
//   program::Builder b;
//   auto x = b.input(f32), y = b.input(f32);
//   b.output(x * y + b.constant(f32, 1));
//   Program p = b.build();
//
// A built program is in canonical form (dead and repeated instructions gone, operands of commutative
// ones in order), so equal computations have equal bytes. Numerics: see tenon/plugin.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/dtype.h>

#pragma GCC visibility push(default)
namespace tenon::program {

enum class Opcode : std::uint8_t {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) name = code,
#include <tenon/opcodes.def>
#undef TENON_OPCODE
};

/// "add", "and" and so on.
std::string_view name(Opcode opcode);
/// How many operands it takes, 1 to 3.
int arity(Opcode opcode);

class Builder;
struct Derivative;
struct Draft;
struct Target;

/// A value of a program that is being built.
class Value {
 public:
  Value() = default;
  DType dtype() const { return dtype_; }
  /// The builder that it belongs to; InvalidArgument for a value of none.
  Builder& builder() const;

 private:
  friend class Builder;
  Value(Builder* builder, std::uint16_t ref, DType dtype)
      : builder_(builder), ref_(ref), dtype_(dtype) {}
  Builder* builder_ = nullptr;
  std::uint16_t ref_ = 0;
  DType dtype_ = f32;
};

/// An immutable program; copies share one object, and equal programs share it too (interned).
class Program {
 public:
  int input_count() const;
  int output_count() const;
  int scalar_count() const;
  int constant_count() const;
  int instruction_count() const;
  DType input_dtype(int i) const;
  DType scalar_dtype(int i) const;
  DType output_dtype(int i) const;

  /// The ABI's block: a TenonProgram with all that its offsets name.
  std::span<const std::byte> bytes() const;
  /// Never reused; equal exactly for equal programs.
  std::uint64_t id() const;
  /// What `parse` reads.
  std::string text() const;

  bool operator==(const Program& other) const { return id() == other.id(); }

 private:
  friend Program seal(const Draft& draft);
  struct Data;
  explicit Program(const Data* data) : data_(data) {}
  const Data* data_;  // interned: it lives as long as the process
};

/// The program that a text describes; parse(p.text()) is p. Lines, in which # begins a comment:
///
///   in0: f32, in1: i32, s0: f32        inputs and scalars, each kind numbered from 0
///   %0: f32 = mul in0, 0.5: f32        instructions, numbered from 0
///   return %0, in1                     outputs
///
/// An operand is a name from a line above or a constant with its dtype: a decimal number, inf, nan,
/// true, false, or the raw bits as in 0x7fc00001. InvalidArgument names the line and the column.
Program parse(std::string_view text);

/// The longest program. What is beyond the ABI's TENON_MAX_INSTRUCTIONS and TENON_MAX_CONSTANTS goes to
/// a device in several launches.
inline constexpr std::size_t kMaxInstructions = 512, kMaxConstants = 255;

/// Builds one program; values of different builders don't mix. Throws InvalidArgument where dtypes
/// don't fit the opcode, and Unsupported beyond the limits above or the ABI's of inputs, outputs and
/// scalars.
class Builder {
 public:
  Builder();
  ~Builder();
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  Value input(DType dtype);
  /// A value given at launch.
  Value scalar(DType dtype);
  /// `value` converted to dtype as CAST does it: integers truncate and saturate, NaN gives 0.
  Value constant(DType dtype, double value);
  /// The low bytes of `bits`.
  Value constant_bits(DType dtype, std::uint64_t bits);
  /// `opcode` applied; `dtype` is the result's. Constant operands are not folded; a cast or bitcast to
  /// a's own dtype is a.
  Value apply(Opcode opcode, DType dtype, Value a, Value b = {}, Value c = {});
  void output(Value value);

  /// All inputs and scalars stay, used or not: they are the interface.
  Program build() const;

 private:
  friend Derivative derive(const Program& forward, std::span<const int> wanted,
                           std::span<const int> given);
  friend Draft legalise(const Draft& draft, const Target& target);
  std::unique_ptr<Draft> draft_;
};

// Both operands of a binary function have one dtype; a plain number takes its partner's.
#define TENON_VALUE_BINARY(name) \
  Value name(Value a, Value b);  \
  Value name(Value a, double b); \
  Value name(double a, Value b);
TENON_VALUE_BINARY(operator+)
TENON_VALUE_BINARY(operator-)
TENON_VALUE_BINARY(operator*)
TENON_VALUE_BINARY(operator/)
TENON_VALUE_BINARY(operator<)
TENON_VALUE_BINARY(operator<=)
TENON_VALUE_BINARY(operator>)
TENON_VALUE_BINARY(operator>=)
TENON_VALUE_BINARY(operator==)
TENON_VALUE_BINARY(operator!=)
TENON_VALUE_BINARY(min)
TENON_VALUE_BINARY(max)
TENON_VALUE_BINARY(pow)
TENON_VALUE_BINARY(rem)  ///< C's fmod: the sign is a's
#undef TENON_VALUE_BINARY
Value operator&(Value a, Value b);
Value operator|(Value a, Value b);
Value operator^(Value a, Value b);
Value operator~(Value a);
Value operator<<(Value a, int bits);
Value operator>>(Value a, int bits);
Value operator-(Value a);
Value abs(Value a);
Value floor(Value a);
Value ceil(Value a);
Value trunc(Value a);
Value round(Value a);  ///< ties to even
Value sqrt(Value a);
Value rsqrt(Value a);
Value exp(Value a);
Value exp2(Value a);
Value expm1(Value a);
Value log(Value a);
Value log2(Value a);
Value log1p(Value a);
Value sin(Value a);
Value cos(Value a);
Value tanh(Value a);
Value erf(Value a);
Value sigmoid(Value a);
/// a · b + c, rounded once.
Value fma(Value a, Value b, Value c);
Value select(Value condition, Value a, Value b);
Value cast(Value a, DType dtype);
Value bitcast(Value a, DType dtype);
/// Word `index & 3` of Philox4x32-10; u64 operands, a u32 result.
Value philox(Value index, Value offset, Value seed);

/// The gradient of a program, as a program.
struct Derivative {
  /// Inputs: those inputs of the forward program that `saved` lists, then the gradient of each
  /// output in `given`; scalars: the forward's; outputs: the gradient of each input in `wanted`.
  Program program;
  std::vector<int> saved;
};

/// Reverse-mode derivative of `forward`: for each input in `wanted` (floating), the sum over the
/// outputs in `given` (floating) of dy · ∂output/∂input. The derivative of a step function (floor,
/// comparison, integer cast) is zero; of min and max it goes to the chosen operand, half to each
/// of two equals; of abs at 0 it is 0. An operation on the way whose own derivative is infinite or NaN
/// (sqrt at 0) makes the gradient NaN even behind a branch that select doesn't take.
Derivative derive(const Program& forward, std::span<const int> wanted, std::span<const int> given);

}  // namespace tenon::program
#pragma GCC visibility pop
