// Reductions by every operator over all dtypes, layouts and axes: exact values that no order of
// evaluation rounds, edges, and ordinary values within the bounds of summation.
#include <cmath>
#include <limits>

#include "tests/conformance/reductions.h"
#include "tests/support/pairwise.h"

namespace tenon::conformance {
namespace {

constexpr std::uint8_t f32 = TENON_DTYPE_F32;
constexpr std::uint8_t boolean = TENON_DTYPE_BOOL;

bool is_small(std::uint8_t dtype) {
  return size_of(dtype) < 4;
}
bool is_arg(std::uint8_t how) {
  return how == TENON_REDUCE_ARGMAX || how == TENON_REDUCE_ARGMIN;
}
bool is_truth(std::uint8_t how) {
  return how == TENON_REDUCE_ANY || how == TENON_REDUCE_ALL;
}

// A space and what of it is reduced.
struct Space {
  Dims dims;
  std::uint32_t axes;
};

std::vector<Space> spaces(std::size_t max_rank) {
  std::vector<Space> all = {{{1}, 1}, {{257}, 1}, {{600}, 1}, {{3, 0}, 2}, {{0, 4}, 2}, {{0}, 1}};
  for (const Dims& dims : std::vector<Dims>{{7, 33}, {33, 7}, {5, 3, 9}}) {
    for (std::uint32_t axes = 1; axes < 1u << dims.size(); ++axes) all.push_back({dims, axes});
  }
  for (const std::uint32_t axes : {1u, 4u, 5u, 6u, 10u, 15u}) all.push_back({{2, 5, 3, 4}, axes});
  Dims high(max_rank, 2);
  high[0] = 3;
  all.push_back({high, 0x55u & ((1u << max_rank) - 1)});
  return all;
}

// Values whose sums and products are exact in f32 in any order, and that are equal here and there.
std::vector<Bits> exact_values(std::uint8_t how, std::uint8_t dtype, bool with_nan) {
  std::vector<Bits> values;
  if (!is_float(dtype)) return random_values(dtype, 499, how);
  const bool product = how == TENON_REDUCE_PROD;
  for (const Bits bits : random_values(TENON_DTYPE_U64, 499, how)) {
    const auto whole = static_cast<int>(bits % 7) - 3;
    const long double power = bits % 4 == 0 ? -1 : bits % 4 == 1 ? 1 : bits % 4 == 2 ? 2 : 0.5L;
    values.push_back(from_real(dtype, product ? power : whole));
  }
  const auto nan = from_real(dtype, std::numeric_limits<long double>::quiet_NaN());
  if (with_nan) values[11] = values[12] = values[170] = nan;
  return values;
}

class Reduce : public ReduceOnDevice {
 protected:
  // What the reduction is kept in and gives: the operand's own dtype, or a wider one of its class.
  void choose_dtypes(Reduction& c, bool wide) const {
    const bool sums = c.how == TENON_REDUCE_SUM || c.how == TENON_REDUCE_PROD;
    std::uint8_t wider = c.from;
    if (is_float(c.from)) wider = is_small(c.from) ? f32 : c.from;
    if (is_integer(c.from) && is_small(c.from)) wider = TENON_DTYPE_I32;
    if (c.from == TENON_DTYPE_I32 || c.from == boolean) wider = TENON_DTYPE_I64;
    c.acc = is_float(c.from) ? wider : c.from;
    c.to = c.from;
    if (sums && (wide || c.from == boolean)) c.to = c.acc = wider;
    if (is_arg(c.how)) c.to = wide ? TENON_DTYPE_I64 : TENON_DTYPE_I32;
    if (is_truth(c.how)) c.to = boolean;
    c.optional = c.from == boolean ? !is_truth(c.how) : sums && c.to != c.from;
  }
  bool makes_sense(const Reduction& c) const {
    const bool numbers = c.how == TENON_REDUCE_SUM || c.how == TENON_REDUCE_PROD || is_truth(c.how);
    const bool empty = element_count(c.dims) == 0;
    return (c.from != boolean || numbers) && rig.stores(c.from) && rig.computes(c.from) &&
           rig.stores(c.to) && rig.computes(c.acc) && !(is_arg(c.how) && empty);
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, Reduce, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

TEST_P(Reduce, Combinations) {
  const Lay lays[] = {Lay::contiguous, Lay::transposed, Lay::slice,
                      Lay::negative,   Lay::broadcast,  Lay::scalar};
  const std::vector<Space> all = spaces(rig.max_rank());
  for (const test::Choice& pick : test::choices({8, all_dtypes().size(), all.size(), 6, 4, 2, 2})) {
    Reduction c{.how = static_cast<std::uint8_t>(pick[0] + 1), .from = all_dtypes()[pick[1]]};
    c.dims = all[pick[2]].dims;
    c.axes = all[pick[2]].axes;
    c.in = lays[pick[3]];
    c.out = lays[pick[4]];
    c.exact = true;
    choose_dtypes(c, pick[5] == 1);
    if (!makes_sense(c)) continue;
    check(c, exact_values(c.how, c.from, pick[6] == 1));
    if (HasFatalFailure()) return;
  }
}

TEST_P(Reduce, EveryOperatorOverEveryDtype) {
  for (std::uint8_t how = TENON_REDUCE_SUM; how <= TENON_REDUCE_ALL; ++how) {
    for (const std::uint8_t dtype : all_dtypes()) {
      for (const std::uint32_t axes : {1u, 2u}) {
        Reduction c{.how = how, .from = dtype, .dims = {19, 21}, .axes = axes};
        choose_dtypes(c, axes == 1);
        if (makes_sense(c)) check(c);
      }
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(Reduce, IntegersWrap) {
  for (const std::uint8_t dtype : full_dtypes(rig)) {
    if (!is_integer(dtype)) continue;
    for (const std::uint8_t how : {TENON_REDUCE_SUM, TENON_REDUCE_PROD}) {
      check({.how = how, .from = dtype, .to = dtype, .acc = dtype, .dims = {100}}, edge_values(dtype));
      check({.how = how, .from = dtype, .to = dtype, .acc = dtype, .dims = {101}}, {3});
    }
  }
}

TEST_P(Reduce, MaxAndMinOfEdgeValues) {
  for (const std::uint8_t dtype : full_dtypes(rig)) {
    if (dtype == boolean) continue;
    std::vector<Bits> values = edge_values(dtype);
    if (rig.flushes())
      std::erase_if(values, [&](Bits b) { return std::fabs(to_real(dtype, b)) < 1e-30L; });
    const auto n = static_cast<std::int64_t>(values.size());
    for (const std::uint8_t how : {TENON_REDUCE_MAX, TENON_REDUCE_MIN}) {
      const Reduction c{.how = how, .from = dtype, .to = dtype, .acc = dtype, .dims = {n}};
      check(c, values);
      values.back() = values[0];  // without the NaN
      check(c, values);
      Reduction each = c;
      each.dims = {n, 1};
      each.axes = 2;
      check(each, edge_values(dtype));
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

// Bounds that a running f32 sum just meets; a running sum in 16 bits stands still long before.
TEST_P(Reduce, LongSumsStayWithinTheirBound) {
  check({.dims = {100003}});
  check({.dims = {40, 2503}, .axes = 2});
  check({.dims = {2503, 40}, .axes = 1});
  check({.dims = {2503, 40}, .axes = 1, .in = Lay::transposed});
  for (const std::uint8_t small : {TENON_DTYPE_F16, TENON_DTYPE_BF16}) {
    if (!rig.stores(small) || !rig.computes(small)) continue;
    check({.from = small, .to = small, .dims = {5003}}, {from_real(small, 0.7L)});
    check({.from = small, .to = f32, .dims = {5003}, .optional = true}, {from_real(small, 0.7L)});
  }
}

// Ties, NaN among numbers, infinities from the first element on: the first of the best.
TEST_P(Reduce, PositionsOfTheFirst) {
  const long double infinity = std::numeric_limits<long double>::infinity();
  const long double nan = std::numeric_limits<long double>::quiet_NaN();
  const std::vector<std::vector<long double>> rows = {
      {1, 3, 3, -1, -1, 2, nan}, {1, 3, 3, -1, -1, 2}, {nan, 1, nan}, {1, nan, 2, nan, 9, -9},
      {-infinity, -infinity},    {infinity, infinity}, {0, -0.0L, 0}, {5}};
  for (const std::uint8_t how : {TENON_REDUCE_ARGMAX, TENON_REDUCE_ARGMIN}) {
    for (const std::uint8_t dtype : full_dtypes(rig)) {
      for (const std::vector<long double>& row : rows) {
        std::vector<Bits> values;
        for (const long double x : row) values.push_back(from_real(dtype, x));
        const auto n = static_cast<std::int64_t>(row.size());
        if (dtype != boolean) {
          check({.how = how, .from = dtype, .to = TENON_DTYPE_I32, .acc = dtype, .dims = {n}}, values);
        }
      }
    }
  }
}

TEST_P(Reduce, PacksOfSeveralSizes) {
  const Reduction c{.dims = {1, 1}, .axes = 2};
  std::vector<Pack> packs;
  for (const std::int64_t n : std::vector<std::int64_t>{1, 100, 7, 0, 257}) {
    Reduction each = c;
    each.dims = {3, n};
    Array* out = result_array(each);
    Array* in = rig.array(f32, each.dims);
    in->set(random_values(f32, static_cast<std::size_t>(3 * n + 1), 2));
    packs.push_back({{out, in}, {}, each.dims});
  }
  const Outcome outcome = rig.run(op_of(c, packs[0].operands), packs);
  ASSERT_TRUE(outcome.ok()) << outcome;
  for (const Pack& pack : packs) {
    compare(c, *pack.operands[0], groups(pack.dims, c.axes, pack.operands[1]->values()));
  }
}

TEST_P(Reduce, TwoRunsGiveTheSameBits) {
  const Reduction c{.dims = {300, 41}, .axes = 3};
  std::vector<Bits> first;
  for (int run = 0; run < 5; ++run) {
    Array* out = result_array(c);
    Array* in = rig.array(f32, c.dims);
    in->set(random_values(f32, 12300, 6));
    ASSERT_TRUE(rig.run(op_of(c, {out, in}), {{out, in}, {}, c.dims}).ok());
    if (run == 0) first = out->values();
    EXPECT_EQ(out->values(), first);
  }
}

}  // namespace
}  // namespace tenon::conformance
