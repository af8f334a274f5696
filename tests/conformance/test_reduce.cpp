// Reductions over all combinations of axes and layouts, against exact integers and long double.
#include <cmath>
#include <limits>

#include "tests/conformance/harness.h"
#include "tests/conformance/reduce_oracle.h"

namespace tenon::conformance {
namespace {

constexpr std::uint8_t f32 = TENON_DTYPE_F32;

class Reduce : public OnDevice {
 protected:
  struct Case {
    std::uint8_t how = TENON_REDUCE_SUM, from = f32, to = f32, acc = f32;
    Dims dims;
    std::uint32_t axes = 1;
    Lay in = Lay::contiguous, out = Lay::contiguous;
    bool optional = false;
  };

  std::string describe(const Case& c) {
    return rig.name() + ": " + operator_name(c.how) + " of " + name_of(c.from) + " as " +
           name_of(c.to) + " over " + show(c.dims) + " axes " + std::to_string(c.axes) + ", " +
           name_of(c.in) + " to " + name_of(c.out);
  }

  // A result over the kept extents: 1 along reduced axes, where the stride is 0.
  Array* result_array(const Case& c) {
    Dims kept = c.dims;
    for (std::size_t d = 0; d < kept.size(); ++d) {
      if ((c.axes >> d & 1) != 0) kept[d] = 1;
    }
    Dims strides = strides_of(kept, c.out);
    for (std::size_t d = 0; d < kept.size(); ++d) {
      if ((c.axes >> d & 1) != 0) strides[d] = 0;
    }
    return rig.array(c.to, kept, strides,
                     c.out == Lay::contiguous ? TENON_LAYOUT_CONTIGUOUS : TENON_LAYOUT_STRIDED);
  }

  static OpSpec op_of(const Case& c, const std::vector<Array*>& operands, std::size_t results) {
    OpSpec op;
    op.kind = TENON_KIND_REDUCE;
    op.acc_dtype = c.acc;
    op.rank = static_cast<std::uint8_t>(c.dims.size());
    op.output_count = static_cast<std::uint8_t>(results);
    for (const Array* each : operands) op.operands.push_back(each->spec());
    TenonReduceAttrs attrs{sizeof attrs, c.axes, {}};
    for (std::size_t i = 0; i < results; ++i) attrs.operators[i] = c.how;
    op.attrs = as_block(attrs);
    return op;
  }

  // For each element of the result: the values that meet there, in logical order.
  static std::vector<std::vector<Bits>> groups(const Array& in, const Array& out, std::uint32_t axes,
                                               const std::vector<Bits>& values) {
    std::vector<std::vector<Bits>> all(static_cast<std::size_t>(out.count()));
    for (std::int64_t i = 0; i < in.count(); ++i) {
      std::int64_t rest = i, at = 0, scale = 1;
      for (std::size_t d = in.dims.size(); d-- > 0;) {
        if ((axes >> d & 1) == 0) {
          at += rest % in.dims[d] * scale;
          scale *= in.dims[d];
        }
        rest /= in.dims[d];
      }
      all[static_cast<std::size_t>(at)].push_back(values[static_cast<std::size_t>(i)]);
    }
    return all;
  }

  void check(const Case& c, const std::vector<Bits>& values) {
    SCOPED_TRACE(describe(c));
    Array* out = result_array(c);
    Array* in = rig.array(c.from, c.dims, c.in);
    in->set(values);
    const Outcome outcome = rig.run(op_of(c, {out, in}, 1), {{out, in}, {}, c.dims});
    if (outcome.refused() && c.optional) return refused(outcome.text);
    ASSERT_TRUE(outcome.ok()) << outcome;
    compare(c, *out, groups(*in, *out, c.axes, in->values()));
    rig.clear();
  }
  void check(const Case& c) {
    check(c,
          random_values(c.from,
                        static_cast<std::size_t>(std::max<std::int64_t>(element_count(c.dims), 1)), 5));
  }

  static void compare(const Case& c, const Array& out, const std::vector<std::vector<Bits>>& all) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Reduced want = reduce(c.how, c.acc, c.to, c.from, all[i]);
      const Bits got = out.at(static_cast<std::int64_t>(i));
      ASSERT_TRUE(matches(c.how, c.to, got, want))
          << "element " << i << ": got " << show(c.to, got) << ", expected " << show(c.to, want.bits)
          << " within " << want.bound;
    }
  }

  void every_axis(Case c) {
    for (c.axes = 1; c.axes < 1u << c.dims.size(); ++c.axes) {
      check(c);
      if (HasFatalFailure()) return;
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, Reduce, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

TEST_P(Reduce, EveryCombinationOfAxes) {
  for (const Dims& dims : std::vector<Dims>{{257}, {7, 33}, {5, 3, 9}, {2, 5, 3, 4}})
    every_axis({.dims = dims});
}

TEST_P(Reduce, EveryLayout) {
  for (const Lay in : {Lay::transposed, Lay::slice, Lay::negative, Lay::broadcast}) {
    for (const Lay out : {Lay::contiguous, Lay::slice, Lay::transposed}) {
      every_axis({.dims = {5, 3, 4}, .in = in, .out = out});
      every_axis({.dims = {6, 7}, .in = in, .out = out});
    }
  }
}

TEST_P(Reduce, EveryDtype) {
  for (const std::uint8_t dtype : all_dtypes()) {
    if (!rig.computes(dtype) || !rig.stores(dtype) || dtype == TENON_DTYPE_BOOL) continue;
    const bool wide = size_of(dtype) >= 4;
    for (const std::uint8_t how :
         {TENON_REDUCE_SUM, TENON_REDUCE_MAX, TENON_REDUCE_MIN, TENON_REDUCE_PROD}) {
      const bool optional = !wide || how == TENON_REDUCE_PROD || how == TENON_REDUCE_MIN;
      const std::uint8_t acc = wide ? dtype : is_float(dtype) ? f32 : std::uint8_t{TENON_DTYPE_I32};
      check({.how = how,
             .from = dtype,
             .to = dtype,
             .acc = acc,
             .dims = {19, 21},
             .axes = 2,
             .optional = optional});
      check({.how = how,
             .from = dtype,
             .to = dtype,
             .acc = acc,
             .dims = {19, 21},
             .axes = 1,
             .optional = optional});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(Reduce, IntegersWrap) {
  for (const std::uint8_t dtype :
       {TENON_DTYPE_I32, TENON_DTYPE_U32, TENON_DTYPE_I64, TENON_DTYPE_U64}) {
    if (!rig.computes(dtype) || !rig.stores(dtype)) continue;
    const Case c{.from = dtype, .to = dtype, .acc = dtype, .dims = {100}, .axes = 1};
    check(c, edge_values(dtype));
  }
}

TEST_P(Reduce, SumsIntoAWiderDtype) {
  const std::uint8_t i64 = TENON_DTYPE_I64;
  for (const std::uint8_t from : {TENON_DTYPE_I32, TENON_DTYPE_BOOL}) {
    if (!rig.stores(i64) || !rig.computes(i64)) return;
    check({.from = from, .to = i64, .acc = i64, .dims = {11, 100}, .axes = 2, .optional = true});
  }
}

TEST_P(Reduce, NothingGivesTheIdentity) {
  for (const std::uint8_t how :
       {TENON_REDUCE_SUM, TENON_REDUCE_MAX, TENON_REDUCE_MIN, TENON_REDUCE_PROD}) {
    for (const std::uint8_t dtype : {TENON_DTYPE_F32, TENON_DTYPE_I32}) {
      const bool optional = how == TENON_REDUCE_PROD || how == TENON_REDUCE_MIN;
      check({.how = how,
             .from = dtype,
             .to = dtype,
             .acc = dtype,
             .dims = {3, 0},
             .axes = 2,
             .optional = optional});
      check({.how = how,
             .from = dtype,
             .to = dtype,
             .acc = dtype,
             .dims = {0},
             .axes = 1,
             .optional = optional});
      check({.how = how,
             .from = dtype,
             .to = dtype,
             .acc = dtype,
             .dims = {0, 4},
             .axes = 2,
             .optional = optional});
    }
  }
}

TEST_P(Reduce, MaxAndMinOfEdgeValues) {
  for (const std::uint8_t dtype : all_dtypes()) {
    if (!rig.computes(dtype) || !rig.stores(dtype) || size_of(dtype) < 4) continue;
    std::vector<Bits> values = edge_values(dtype);
    if (rig.flushes())
      std::erase_if(values, [&](Bits b) { return std::fabs(to_real(dtype, b)) < 1e-30L; });
    const auto n = static_cast<std::int64_t>(values.size());
    for (const std::uint8_t how : {TENON_REDUCE_MAX, TENON_REDUCE_MIN}) {
      const bool optional = how == TENON_REDUCE_MIN;
      const Case c{
          .how = how, .from = dtype, .to = dtype, .acc = dtype, .dims = {n}, .optional = optional};
      check(c, values);
      values.back() = values[0];  // without the NaN
      check(c, values);
      check({.how = how,
             .from = dtype,
             .to = dtype,
             .acc = dtype,
             .dims = {n, 1},
             .axes = 2,
             .optional = optional},
            edge_values(dtype));
    }
  }
}

TEST_P(Reduce, SumsOfNaNAndInfinity) {
  const std::vector<Bits> plain = random_values(f32, 100, 1);
  const Bits infinity = from_real(f32, std::numeric_limits<long double>::infinity());
  for (const std::vector<Bits>& odd :
       {std::vector<Bits>{infinity}, {infinity, infinity ^ 0x80000000}, {0x7fc00000}}) {
    std::vector<Bits> values = plain;
    for (std::size_t i = 0; i < odd.size(); ++i) values[40 * i + 3] = odd[i];
    check({.dims = {100}}, values);
  }
}

// Bounds that a running f32 sum just meets; pairwise or f64 sums are far inside.
TEST_P(Reduce, LongSumsStayWithinTheirBound) {
  check({.dims = {100003}});
  check({.dims = {40, 2503}, .axes = 2});
  check({.dims = {2503, 40}, .axes = 1});
  check({.dims = {2503, 40}, .axes = 1, .in = Lay::transposed});
}

TEST_P(Reduce, AnyAndAll) {
  const std::uint8_t boolean = TENON_DTYPE_BOOL;
  for (const std::uint8_t how : {TENON_REDUCE_ANY, TENON_REDUCE_ALL}) {
    const std::vector<Bits> values = {0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 1, 1};
    for (const std::uint32_t axes : {1u, 2u, 3u}) {
      check({.how = how,
             .from = boolean,
             .to = boolean,
             .acc = boolean,
             .dims = {3, 4},
             .axes = axes,
             .optional = true},
            values);
    }
    check({.how = how,
           .from = boolean,
           .to = boolean,
           .acc = boolean,
           .dims = {3, 0},
           .axes = 2,
           .optional = true});
  }
}

TEST_P(Reduce, ArgmaxAndArgmin) {
  for (const std::uint8_t how : {TENON_REDUCE_ARGMAX, TENON_REDUCE_ARGMIN}) {
    for (const std::uint8_t to : {TENON_DTYPE_I32, TENON_DTYPE_I64}) {
      if (!rig.stores(to)) continue;
      const std::vector<Bits> ties = {from_real(f32, 1),  from_real(f32, 3),  from_real(f32, 3),
                                      from_real(f32, -1), from_real(f32, -1), from_real(f32, 2),
                                      0x7fc00000};
      Case c{.how = how, .to = to, .dims = {7, 5, 9}, .optional = true};
      every_axis(c);
      c.dims = {7};
      c.axes = 1;
      check(c, ties);
      c.dims = {6};
      check(c, ties);
    }
  }
}

// sum(x · y) and sum of x · x, two results of one pass.
TEST_P(Reduce, APrologueWithTwoResults) {
  Case c{.dims = {13, 29}, .axes = 2};
  Array* dot = result_array(c);
  Array* squares = result_array(c);
  Array* x = rig.array(f32, c.dims, Lay::transposed);
  Array* y = rig.array(f32, c.dims, Lay::scalar);
  x->set(random_values(f32, 377, 1));
  y->set({from_real(f32, 1.25L)});
  Program program;
  const auto in = program.input(f32), other = program.input(f32);
  program.output(program.emit(TENON_OP_MUL, f32, in, other));
  program.output(program.emit(TENON_OP_MUL, f32, in, in));
  const std::vector<Array*> operands{dot, squares, x, y};
  OpSpec op = op_of(c, operands, 2);
  op.attachments.push_back({TENON_SLOT_PROLOGUE, 2, program.block()});
  const Outcome outcome = rig.run(op, {operands, {}, c.dims});
  if (outcome.refused()) return refused(outcome.text);
  ASSERT_TRUE(outcome.ok()) << outcome;
  std::vector<Bits> products, powers;
  const Opcode& mul = opcode(TENON_OP_MUL);
  for (const Bits bits : x->values()) {
    products.push_back(expected({&mul, f32, f32, bits, y->at(0)}));
    powers.push_back(expected({&mul, f32, f32, bits, bits}));
  }
  compare(c, *dot, groups(*x, *dot, c.axes, products));
  compare(c, *squares, groups(*x, *squares, c.axes, powers));
}

TEST_P(Reduce, PacksOfSeveralSizes) {
  const Case c{.dims = {1, 1}, .axes = 2};
  std::vector<Pack> packs;
  for (const std::int64_t n : std::vector<std::int64_t>{1, 100, 7, 0, 257}) {
    Case each = c;
    each.dims = {3, n};
    Array* out = result_array(each);
    Array* in = rig.array(f32, each.dims);
    in->set(random_values(f32, static_cast<std::size_t>(3 * n + 1), 2));
    packs.push_back({{out, in}, {}, each.dims});
  }
  const Outcome outcome = rig.run(op_of(c, packs[0].operands, 1), packs);
  ASSERT_TRUE(outcome.ok()) << outcome;
  for (const Pack& pack : packs) {
    const Array& in = *pack.operands[1];
    compare(c, *pack.operands[0], groups(in, *pack.operands[0], c.axes, in.values()));
  }
}

TEST_P(Reduce, TwoRunsGiveTheSameBits) {
  const Case c{.dims = {300, 41}, .axes = 3};
  std::vector<Bits> first;
  for (int run = 0; run < 5; ++run) {
    Array* out = result_array(c);
    Array* in = rig.array(f32, c.dims);
    in->set(random_values(f32, 12300, 6));
    ASSERT_TRUE(rig.run(op_of(c, {out, in}, 1), {{out, in}, {}, c.dims}).ok());
    if (run == 0) first = out->values();
    EXPECT_EQ(out->values(), first);
  }
}

}  // namespace
}  // namespace tenon::conformance
