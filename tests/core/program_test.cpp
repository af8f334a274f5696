// Programs: canonical form, text, limits, dtype rules, interning, the block's bytes.
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <latch>
#include <limits>
#include <map>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include <tenon/error.h>
#include <tenon/plugin.h>
#include <tenon/program.h>

#include "tests/support/program_generator.h"
#include "tests/support/program_oracle.h"

namespace tenon::program {
namespace {

/// A program of inputs x, y (f32), z (i32) and a scalar s (f32).
Program make(const std::function<void(Builder&, Value x, Value y, Value z, Value s)>& body) {
  Builder b;
  const Value x = b.input(f32), y = b.input(f32), z = b.input(i32), s = b.scalar(f32);
  body(b, x, y, z, s);
  return b.build();
}

std::string error_of(const std::function<void()>& f, ErrorKind kind = ErrorKind::InvalidArgument) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "no error";
}

// --- Canonical form ---

TEST(CanonicalForm, DropsDeadInstructionsAndConstants) {
  const Program p = make([](Builder& b, Value x, Value y, Value, Value) {
    b.output(x + y);
    exp(x * 3);
  });
  EXPECT_EQ(p.text(), "in0: f32, in1: f32, in2: i32, s0: f32\n%0: f32 = add in0, in1\nreturn %0");
}

TEST(CanonicalForm, MergesEqualInstructionsAndConstants) {
  const Program p =
      make([](Builder& b, Value x, Value, Value, Value) { b.output((x * 2 + 1) / (x * 2 + 1)); });
  EXPECT_EQ(p.instruction_count(), 3);
  EXPECT_EQ(p.text(),
            "in0: f32, in1: f32, in2: i32, s0: f32\n"
            "%0: f32 = mul in0, 2: f32\n"
            "%1: f32 = add %0, 1: f32\n"
            "%2: f32 = div %1, %1\n"
            "return %2");
}

TEST(CanonicalForm, MergesThroughCommutativity) {
  const Program p =
      make([](Builder& b, Value x, Value y, Value, Value) { b.output((x * y + x) - (x + y * x)); });
  EXPECT_EQ(p.instruction_count(), 3);
}

TEST(CanonicalForm, CommutativeOpcodesTakeOperandsInOneOrder) {
  for (const Opcode opcode : {Opcode::add, Opcode::mul, Opcode::min, Opcode::max}) {
    EXPECT_EQ(
        make([&](Builder& b, Value x, Value y, Value, Value) { b.output(b.apply(opcode, f32, x, y)); }),
        make([&](Builder& b, Value x, Value y, Value, Value) { b.output(b.apply(opcode, f32, y, x)); }))
        << name(opcode);
  }
  for (const Opcode opcode : {Opcode::eq, Opcode::ne}) {
    EXPECT_EQ(make([&](Builder& b, Value x, Value y, Value, Value) {
                b.output(b.apply(opcode, bool_, x, y));
              }),
              make([&](Builder& b, Value x, Value y, Value, Value) {
                b.output(b.apply(opcode, bool_, y, x));
              }))
        << name(opcode);
  }
  for (const Opcode opcode : {Opcode::and_, Opcode::or_, Opcode::xor_, Opcode::mulhi}) {
    const auto build = [&](bool swapped) {
      Builder b;
      const Value x = b.input(u32), y = b.input(u32);
      b.output(swapped ? b.apply(opcode, u32, y, x) : b.apply(opcode, u32, x, y));
      return b.build();
    };
    EXPECT_EQ(build(false), build(true)) << name(opcode);
  }
  EXPECT_EQ(make([](Builder& b, Value x, Value y, Value, Value s) {
              b.output(b.apply(Opcode::fma, f32, x, y, s));
            }),
            make([](Builder& b, Value x, Value y, Value, Value s) {
              b.output(b.apply(Opcode::fma, f32, y, x, s));
            }));
}

TEST(CanonicalForm, OtherOpcodesKeepTheirOrder) {
  for (const Opcode opcode : {Opcode::sub, Opcode::div, Opcode::pow, Opcode::rem}) {
    EXPECT_NE(
        make([&](Builder& b, Value x, Value y, Value, Value) { b.output(b.apply(opcode, f32, x, y)); }),
        make([&](Builder& b, Value x, Value y, Value, Value) { b.output(b.apply(opcode, f32, y, x)); }))
        << name(opcode);
  }
  EXPECT_NE(make([](Builder& b, Value x, Value y, Value, Value) { b.output(x < y); }),
            make([](Builder& b, Value x, Value y, Value, Value) { b.output(y < x); }));
  EXPECT_EQ(make([](Builder& b, Value x, Value y, Value, Value) { b.output(x < y); }),
            make([](Builder& b, Value x, Value y, Value, Value) { b.output(y > x); }));
}

TEST(CanonicalForm, DoesNotSeeTheOrderOfBuilding) {
  const Program first = make([](Builder& b, Value x, Value y, Value, Value s) {
    const Value square = x * x, scaled = y * s, root = sqrt(square + 1);
    b.output(root + scaled);
    b.output(scaled - root);
  });
  const Program second = make([](Builder& b, Value x, Value y, Value, Value s) {
    const Value scaled = s * y;
    const Value unused = exp(scaled) * 7;
    const Value root = sqrt(b.constant(f32, 1) + x * x);
    (void)unused;
    b.output(scaled + root);
    b.output(s * y - root);
  });
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.text(), second.text());
}

TEST(CanonicalForm, DistinguishesSymmetricSubtreesByWhatTheyRead) {
  const auto build = [](bool swapped) {
    return make([&](Builder& b, Value x, Value y, Value, Value) {
      const Value first = exp(swapped ? y : x), second = exp(swapped ? x : y);
      b.output(first + second);
      b.output(exp(x) - exp(y));
    });
  };
  EXPECT_EQ(build(false), build(true));
}

TEST(CanonicalForm, KeepsTheOrderOfOutputsAndRepeatedOnes) {
  const auto build = [](bool swapped) {
    return make([&](Builder& b, Value x, Value y, Value, Value) {
      b.output(swapped ? x - y : x + y);
      b.output(swapped ? x + y : x - y);
    });
  };
  EXPECT_NE(build(false), build(true));
  const Program p = make([](Builder& b, Value x, Value, Value, Value) {
    b.output(-x);
    b.output(-x);
  });
  EXPECT_EQ(p.output_count(), 2);
  EXPECT_EQ(p.instruction_count(), 1);
}

TEST(CanonicalForm, KeepsConstantsApartByBitsAndDType) {
  const Program p = make([](Builder& b, Value, Value, Value, Value) {
    b.output(b.constant(f32, 0.0));
    b.output(b.constant(f32, -0.0));
    b.output(b.constant(i32, 0));
    b.output(b.constant(f32, 0.0));
  });
  EXPECT_EQ(p.text(), "in0: f32, in1: f32, in2: i32, s0: f32\nreturn 0: f32, -0: f32, 0: i32, 0: f32");
}

TEST(CanonicalForm, DropsCastsToTheOwnDType) {
  const Program p =
      make([](Builder& b, Value x, Value, Value, Value) { b.output(bitcast(cast(x, f32), f32)); });
  EXPECT_EQ(p.instruction_count(), 0);
}

TEST(CanonicalForm, IsTheSameWhenBuiltAgainInAnotherOrder) {
  // Rebuilds random programs from their own instructions, in reverse wherever operands allow it.
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Program p = test::random_program(seed, {.optional_opcodes = ~std::uint64_t{0}}).program;
    const auto& head = *reinterpret_cast<const TenonProgram*>(p.bytes().data());
    const auto* code =
        reinterpret_cast<const TenonInstruction*>(p.bytes().data() + head.instructions_at);
    const auto* constants =
        reinterpret_cast<const std::uint64_t*>(p.bytes().data() + head.constants_at);
    const auto* outputs = reinterpret_cast<const std::uint16_t*>(p.bytes().data() + head.outputs_at);
    const auto* dtypes = reinterpret_cast<const std::uint8_t*>(p.bytes().data() + head.dtypes_at);
    Builder b;
    std::vector<Value> inputs, scalars;
    std::map<int, Value> made;
    for (int i = 0; i < p.input_count(); ++i) inputs.push_back(b.input(p.input_dtype(i)));
    for (int i = 0; i < p.scalar_count(); ++i) scalars.push_back(b.scalar(p.scalar_dtype(i)));
    std::function<Value(std::uint16_t)> value = [&](std::uint16_t ref) -> Value {
      const auto index = TENON_REF_INDEX(ref);
      if (TENON_REF_CLASS(ref) == TENON_REF_INPUT) return inputs[index];
      if (TENON_REF_CLASS(ref) == TENON_REF_SCALAR) return scalars[index];
      if (TENON_REF_CLASS(ref) == TENON_REF_CONSTANT) {
        const auto dtype = dtypes[head.input_count + head.scalar_count + index];
        return b.constant_bits(static_cast<DType>(dtype), constants[index]);
      }
      if (made.contains(ref)) return made[ref];
      const TenonInstruction& i = code[index];
      const int count = arity(static_cast<Opcode>(i.opcode));
      const Value last = count > 2 ? value(i.c) : Value(), middle = count > 1 ? value(i.b) : Value();
      return made[ref] = b.apply(static_cast<Opcode>(i.opcode), static_cast<DType>(i.dtype), value(i.a),
                                 middle, last);
    };
    for (int i = head.instruction_count; i-- > 0;) value(TENON_REF(TENON_REF_INSTRUCTION, i));
    for (int i = 0; i < p.output_count(); ++i) b.output(value(outputs[i]));
    EXPECT_EQ(b.build().text(), p.text()) << "seed " << seed;
    EXPECT_EQ(b.build(), p) << "seed " << seed;
  }
}

// --- Constants ---

TEST(Constants, AreConvertedAsCastDoesIt) {
  const auto bits = [](DType dtype, double value) {
    Builder b;
    b.output(b.constant(dtype, value));
    return test::evaluate(b.build().bytes(), {})[0];
  };
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  EXPECT_EQ(bits(f32, 0.1), std::bit_cast<std::uint32_t>(0.1f));
  EXPECT_EQ(bits(i32, -1.9), 0xffffffffu);
  EXPECT_EQ(bits(i32, 1e10), 0x7fffffffu);
  EXPECT_EQ(bits(i32, -inf), 0x80000000u);
  EXPECT_EQ(bits(i64, 1e30), 0x7fffffffffffffffu);
  EXPECT_EQ(bits(u64, 18446744073709551616.0), ~std::uint64_t{0});
  EXPECT_EQ(bits(u64, 9223372036854775808.0), std::uint64_t{1} << 63);
  EXPECT_EQ(bits(u32, -3), 0u);
  EXPECT_EQ(bits(i64, nan), 0u);
  EXPECT_EQ(bits(bool_, nan), 1u);
  EXPECT_EQ(bits(bool_, -0.0), 0u);
}

TEST(Constants, KeepOnlyTheBytesOfTheirDType) {
  Builder b;
  b.output(b.constant_bits(i32, 0x1234567890abcdef));
  b.output(b.constant_bits(bool_, 0x0102));
  b.output(b.constant_bits(bool_, 0x0100));
  EXPECT_EQ(b.build().text(), "return -1867788817: i32, true: bool, false: bool");
}

// --- Limits ---

TEST(Limits, CountWhatTheCanonicalFormKeeps) {
  const auto chain = [](int length) {
    return make([&](Builder& b, Value x, Value, Value, Value) {
      Value y = x;
      for (int i = 0; i < length; ++i) y = exp(y);
      for (int i = 0; i < 100; ++i) exp(x * i);  // dead
      b.output(y);
    });
  };
  EXPECT_EQ(chain(512).instruction_count(), 512);
  EXPECT_EQ(error_of([&] { chain(513); }, ErrorKind::Unsupported),
            "[program] 513 instructions, the most is 512");
}

TEST(Limits, OfTheInterface) {
  const auto with = [](int inputs, int scalars, int outputs, int constants) {
    return [=] {
      Builder b;
      std::vector<Value> values{b.constant(f32, -1)};
      for (int i = 0; i < inputs; ++i) b.input(f32);
      for (int i = 0; i < scalars; ++i) b.scalar(f32);
      Value sum = values[0];
      for (int i = 1; i < constants; ++i) sum = sum + i;
      b.output(sum);
      for (int i = 1; i < outputs; ++i) b.output(values[0]);
      b.build();
    };
  };
  EXPECT_EQ(error_of(with(16, 16, 8, 255)), "no error");
  const auto error = [&](const std::function<void()>& f) {
    return error_of(f, ErrorKind::Unsupported);
  };
  EXPECT_EQ(error(with(17, 0, 1, 1)), "[program] 17 inputs, the most is 16");
  EXPECT_EQ(error(with(0, 17, 1, 1)), "[program] 17 scalars, the most is 16");
  EXPECT_EQ(error(with(0, 0, 9, 1)), "[program] 9 outputs, the most is 8");
  EXPECT_EQ(error(with(0, 0, 1, 256)), "[program] 256 constants, the most is 255");
  EXPECT_EQ(error_of([] { Builder().build(); }), "[program] no outputs");
}

TEST(Limits, WhileBuilding) {
  EXPECT_EQ(error_of(
                [] {
                  Builder b;
                  Value x = b.input(f32);
                  for (int i = 0; i < 20000; ++i) x = -x;
                },
                ErrorKind::Unsupported),
            "[program] more than 16384 instructions while building");
}

// --- Dtype rules ---

TEST(DTypeRules, ErrorsNameTheOpcodeAndTheDTypes) {
  Builder b, other;
  const Value x = b.input(f32), d = b.input(f64), n = b.input(i32), w = b.input(u64),
              t = b.input(bool_);
  const Value foreign = other.input(f32);
  const auto text = [](const std::function<void()>& f) { return error_of(f); };
  EXPECT_EQ(text([&] { return x + d; }),
            "[program] add takes operands of one dtype, not f32 and f64 (cast one)");
  EXPECT_EQ(text([&] { return t + t; }), "[program] add takes numbers, not bool");
  EXPECT_EQ(text([&] { return exp(n); }), "[program] exp takes floating values, not i32");
  EXPECT_EQ(text([&] { return x & x; }), "[program] and takes integers or bool, not f32");
  EXPECT_EQ(text([&] { return t << 1; }), "[program] shl takes integers, not bool");
  EXPECT_EQ(text([&] { return x < n; }),
            "[program] lt takes operands of one dtype, not f32 and i32 (cast one)");
  EXPECT_EQ(text([&] { return select(x, x, x); }), "[program] select takes a bool condition, not f32");
  EXPECT_EQ(text([&] { return select(t, x, d); }),
            "[program] select takes operands of one dtype, not f32 and f64 (cast one)");
  EXPECT_EQ(text([&] { return b.apply(Opcode::select, f64, t, x, x); }),
            "[program] select of f32 gives f32, not f64");
  EXPECT_EQ(text([&] { return bitcast(x, f64); }),
            "[program] bitcast of f32 to f64: sizes are 4 and 8");
  EXPECT_EQ(text([&] { return bitcast(t, u8); }), "[program] bitcast takes no bool (cast instead)");
  EXPECT_EQ(text([&] { return philox(w, w, n); }),
            "[program] philox takes operands of one dtype, not u64 and i32 (cast one)");
  EXPECT_EQ(text([&] { return philox(n, w, w); }), "[program] philox takes u64 operands, not i32");
  EXPECT_EQ(text([&] { return b.apply(Opcode::philox, u64, w, w, w); }),
            "[program] philox of u64 gives u32, not u64");
  EXPECT_EQ(text([&] { return b.apply(Opcode::lt, f32, x, x); }),
            "[program] lt of f32 gives bool, not f32");
  EXPECT_EQ(text([&] { return b.apply(Opcode::add, f64, x, x); }),
            "[program] add of f32 gives f32, not f64");
  EXPECT_EQ(text([&] { return b.apply(Opcode::add, f32, x); }), "[program] add takes 2 operands");
  EXPECT_EQ(text([&] { return b.apply(Opcode::neg, f32, x, x); }), "[program] neg takes 1 operand");
  EXPECT_EQ(text([&] { return x + foreign; }), "[program] operand 1 of add belongs to another builder");
  EXPECT_EQ(text([&] { return b.output(foreign); }), "[program] an output belongs to another builder");
  EXPECT_EQ(text([&] { return Value() + x; }), "[program] a value of no builder");
}

TEST(DTypeRules, WhatIsLegal) {
  Builder b;
  const Value x = b.input(f16), n = b.input(u32), t = b.input(bool_);
  b.output(exp(x));
  b.output(-n);
  b.output(~t);
  b.output(t == t);
  b.output(cast(t, f32) + bitcast(n, f32));
  b.output(bitcast(x, bf16));
  const Program p = b.build();
  EXPECT_EQ(p.output_dtype(0), f16);
  EXPECT_EQ(p.output_dtype(1), u32);
  EXPECT_EQ(p.output_dtype(2), bool_);
  EXPECT_EQ(p.output_dtype(3), bool_);
  EXPECT_EQ(p.output_dtype(4), f32);
  EXPECT_EQ(p.output_dtype(5), bf16);
  EXPECT_EQ(error_of([&] { p.input_dtype(3); }), "[program] input 3 of 3");
  EXPECT_EQ(error_of([&] { p.output_dtype(-1); }), "[program] output -1 of 6");
}

// --- The block and interning ---

TEST(Block, IsTheAbisWithZeroPadding) {
  Builder b;
  const Value x = b.input(f32), s = b.scalar(f32);
  b.output(x * s + 1);
  const Program p = b.build();
  const auto* head = reinterpret_cast<const TenonProgram*>(p.bytes().data());
  EXPECT_EQ(head->struct_size, sizeof(TenonProgram));
  EXPECT_EQ(head->total_size, p.bytes().size());
  EXPECT_EQ(head->total_size % 8, 0u);
  EXPECT_EQ(head->instructions_at, 24);
  EXPECT_EQ(head->constants_at, 24 + 2 * 8);
  EXPECT_EQ(head->outputs_at, 24 + 3 * 8);
  EXPECT_EQ(head->dtypes_at, 24 + 3 * 8 + 2);
  EXPECT_EQ(head->pad, 0);
  const std::uint8_t expected[8] = {1, 0, 12, 12, 12, 0, 0, 0};  // output %1, three f32, padding
  EXPECT_EQ(std::memcmp(p.bytes().data() + head->outputs_at, expected, 8), 0);
  const auto* code = reinterpret_cast<const TenonInstruction*>(p.bytes().data() + 24);
  EXPECT_EQ(code[1].opcode, TENON_OP_ADD);
  EXPECT_EQ(code[1].a, TENON_REF(TENON_REF_INSTRUCTION, 0));
  EXPECT_EQ(code[1].b, TENON_REF(TENON_REF_CONSTANT, 0));
  EXPECT_EQ(code[1].c, 0);
}

TEST(Interning, EqualProgramsAreOneAcrossThreads) {
  constexpr std::size_t kThreads = 4, kPrograms = 3000;
  std::vector<std::vector<Program>> built(kThreads);
  {
    std::latch start(kThreads);
    std::vector<std::jthread> threads;
    for (auto& mine : built) {
      threads.emplace_back([&mine, &start] {
        start.arrive_and_wait();
        for (std::size_t i = 0; i < kPrograms; ++i) {
          Builder b;
          b.output(b.input(f64) + 5000.5 + static_cast<double>(i));
          mine.push_back(b.build());
        }
      });
    }
  }
  std::set<std::uint64_t> ids;
  for (std::size_t i = 0; i < kPrograms; ++i) {
    ids.insert(built[0][i].id());
    for (const auto& others : built) {
      EXPECT_EQ(others[i].id(), built[0][i].id());
      EXPECT_EQ(others[i].bytes().data(), built[0][i].bytes().data());
    }
  }
  EXPECT_EQ(ids.size(), kPrograms);
}

TEST(Interning, IdsOutliveTheProgram) {
  std::uint64_t id = 0;
  const auto build = [](double c) {
    Builder b;
    b.output(b.input(f32) * c);
    return b.build();
  };
  {
    id = build(123.25).id();
  }
  EXPECT_NE(build(124.25).id(), id);
  EXPECT_EQ(build(123.25).id(), id);
}

}  // namespace
}  // namespace tenon::program
