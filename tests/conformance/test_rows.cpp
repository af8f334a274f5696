// The optional kinds over rows, on devices that say they have them.
#include <bit>
#include <cmath>

#include "tests/conformance/harness.h"
#include "tests/conformance/row_oracle.h"
#include "tests/support/pairwise.h"

namespace tenon::conformance {
namespace {

constexpr Real kInf = INFINITY;
const std::vector<std::uint8_t> kFloats = {TENON_DTYPE_F32, TENON_DTYPE_F64, TENON_DTYPE_F16,
                                           TENON_DTYPE_BF16};
/// Around the lengths of vectors, and long.
const std::vector<std::int64_t> kColumns = {1, 2, 7, 10, 16, 17, 33, 64, 100, 301};

std::uint8_t acc_of(std::uint8_t dtype) {
  return dtype == TENON_DTYPE_F64 ? TENON_DTYPE_F64 : TENON_DTYPE_F32;
}

/// Row `row` of a matrix; an absent operand gives nothing.
Reals row_of(const Array& array, std::int64_t row) {
  if (array.layout == TENON_LAYOUT_ABSENT) return {};
  const std::int64_t columns = array.dims.back();
  Reals all;
  for (std::int64_t i = 0; i < columns; ++i)
    all.push_back(to_real(array.dtype, array.at(row * columns + i)));
  return all;
}

class RowKinds : public OnDevice {
 protected:
  struct Size {
    std::int64_t rows, columns;
  };

  bool has(std::uint32_t kind) const { return (rig.info().kinds >> kind & 1) != 0; }

  Array* filled(std::uint8_t dtype, const Dims& dims, std::uint64_t seed) {
    Array* made = rig.array(dtype, dims);
    if (made->count() > 0) made->set(random_values(dtype, 997, seed));
    return made;
  }
  Array* matrix(std::uint8_t dtype, Size size, std::uint64_t seed) {
    return filled(dtype, {size.rows, size.columns}, seed);
  }
  Array* absent() {
    Array* made = rig.index(0, {1}, 0, {0});
    made->layout = TENON_LAYOUT_ABSENT;
    return made;
  }

  template <class Attrs>
  static OpSpec op_of(std::uint32_t kind, std::uint8_t outputs, const Pack& pack, std::uint8_t acc,
                      const Attrs& attrs) {
    OpSpec op;
    op.kind = kind;
    op.acc_dtype = acc;
    op.rank = 2;
    op.output_count = outputs;
    for (const Array* each : pack.operands) op.operands.push_back(each->spec());
    op.attrs = as_block(attrs);
    return op;
  }

  /// Each row of `got` is near the wanted one: within `steps` roundings in acc_dtype of `scale`, the
  /// size of what went into it, and one to its own dtype.
  void expect_near(const Array& got, std::int64_t row, const Reals& want, Real steps, Real scale) {
    const Real error = steps * scale * epsilon(acc_of(got.dtype));
    const Real least = got.dtype == TENON_DTYPE_F16 ? 0x1p-24L : 1e-37L;
    const Reals found = row_of(got, row);
    for (std::size_t i = 0; i < want.size(); ++i) {
      if (std::isnan(want[i]) ? std::isnan(found[i]) : found[i] == want[i]) continue;
      ASSERT_LE(std::fabs(found[i] - want[i]),
                error + epsilon(got.dtype) * (std::fabs(want[i]) + error) + least)
          << rig.name() << ": " << name_of(got.dtype) << ", row " << row << ", column " << i << ": got "
          << found[i] << ", expected " << want[i];
    }
  }

  static void expect_one(std::uint8_t dtype, Bits got, Real want, Real bound) {
    EXPECT_LE(std::fabs(to_real(dtype, got) - want), bound) << show(dtype, got) << " for " << want;
  }

  bool ran(const OpSpec& op, const Pack& pack) {
    const Outcome outcome = rig.run(op, pack);
    if (outcome.refused()) refused(outcome.text);
    EXPECT_TRUE(outcome.ok() || outcome.refused()) << outcome;
    return outcome.ok();
  }

  void check_softmax(std::uint8_t dtype, Size size, std::uint32_t how, const Array* values = nullptr) {
    Array *x = matrix(dtype, size, 3), *y = matrix(dtype, size, 4);
    if (values != nullptr) x->set(values->values());
    const TenonSoftmaxAttrs attrs{sizeof attrs, how};
    const Pack pack{{y, x}, {}, {size.rows, size.columns}};
    if (!ran(op_of(TENON_KIND_SOFTMAX, 1, pack, acc_of(dtype), attrs), pack)) return;
    const auto steps = static_cast<Real>(size.columns) + 40;
    for (std::int64_t row = 0; row < size.rows; ++row) {
      expect_near(*y, row, softmax(row_of(*x, row), how), steps, how == TENON_SOFTMAX_LOG ? 16 : 1);
    }
  }

  void check_softmax_backward(std::uint8_t dtype, Size size, std::uint32_t how) {
    Array *dx = matrix(dtype, size, 5), *y = matrix(dtype, size, 6), *dy = matrix(dtype, size, 7);
    for (std::int64_t i = 0; i < y->count(); ++i) {
      const Real value = to_real(dtype, y->at(i));
      y->set(i, from_real(dtype, how == TENON_SOFTMAX_LOG ? -std::fabs(value) : std::fabs(value) / 8));
    }
    const TenonSoftmaxAttrs attrs{sizeof attrs, how};
    const Pack pack{{dx, y, dy}, {}, {size.rows, size.columns}};
    if (!ran(op_of(TENON_KIND_SOFTMAX_BACKWARD, 1, pack, acc_of(dtype), attrs), pack)) return;
    const auto n = static_cast<Real>(size.columns);
    for (std::int64_t row = 0; row < size.rows; ++row) {
      expect_near(*dx, row, softmax_backward(row_of(*y, row), row_of(*dy, row), how), n + 10,
                  8 * n + 8);
    }
  }

  struct NormCase {
    std::uint8_t dtype;
    Size size;
    bool centered, has_weight, has_bias, keeps;
  };

  void check_norm(const NormCase& c) {
    const std::uint8_t acc = acc_of(c.dtype);
    const Dims row{c.size.columns}, column{c.size.rows};
    Array *y = matrix(c.dtype, c.size, 1), *x = matrix(c.dtype, c.size, 2);
    Array* mean = c.keeps && c.centered ? filled(acc, column, 3) : absent();
    Array* rstd = c.keeps ? filled(acc, column, 4) : absent();
    Array* weight = c.has_weight ? filled(c.dtype, row, 5) : absent();
    Array* bias = c.has_bias ? filled(c.dtype, row, 6) : absent();
    const Real eps = 1e-3;
    const Pack pack{{y, mean, rstd, x, weight, bias}, {}, {c.size.rows, c.size.columns}};
    if (!ran(op_of(TENON_KIND_NORM, 3, pack, acc, norm_attrs(c.centered, 1e-3)), pack)) return;
    const Reals w = row_of(*weight, 0), b = row_of(*bias, 0);
    const auto n = static_cast<Real>(c.size.columns);
    for (std::int64_t i = 0; i < c.size.rows; ++i) {
      const Reals given = row_of(*x, i);
      const Moments of = moments(given, c.centered, eps);
      Reals want;
      for (std::size_t k = 0; k < given.size(); ++k) {
        want.push_back((given[k] - of.mean) * of.rstd * (w.empty() ? 1 : w[k]) +
                       (b.empty() ? 0 : b[k]));
      }
      expect_near(*y, i, want, n + 20, 16 * of.rstd * 8);
      if (!c.keeps) continue;
      const Real per = 1 + 64 * of.rstd * of.rstd;
      expect_one(acc, rstd->at(i), of.rstd, (4 * n + 20) * epsilon(acc) * per * of.rstd);
      if (c.centered) expect_one(acc, mean->at(i), of.mean, (n + 4) * 8 * epsilon(acc));
    }
  }

  static TenonNormAttrs norm_attrs(bool centered, double eps) {
    return {sizeof(TenonNormAttrs),
            centered ? std::uint32_t{TENON_NORM_LAYER} : std::uint32_t{TENON_NORM_RMS},
            std::bit_cast<std::uint64_t>(eps)};
  }

  /// `keeps`: whether dx is wanted.
  void check_norm_backward(const NormCase& c) {
    const std::uint8_t acc = acc_of(c.dtype);
    const Dims row{c.size.columns}, column{c.size.rows};
    Array* dx = c.keeps ? matrix(c.dtype, c.size, 1) : absent();
    Array* dweight = c.has_weight ? filled(c.dtype, row, 2) : absent();
    Array* dbias = c.has_bias ? filled(c.dtype, row, 3) : absent();
    Array *dy = matrix(c.dtype, c.size, 4), *x = matrix(c.dtype, c.size, 5);
    Array *mean = c.centered ? filled(acc, column, 6) : absent(), *rstd = filled(acc, column, 7);
    for (std::int64_t i = 0; i < c.size.rows; ++i) {
      rstd->set(i, from_real(acc, to_real(acc, rstd->at(i)) / 8));
    }
    Array* weight = c.has_weight ? filled(c.dtype, row, 8) : absent();
    const Pack pack{{dx, dweight, dbias, dy, x, mean, rstd, weight}, {}, {c.size.rows, c.size.columns}};
    if (!ran(op_of(TENON_KIND_NORM_BACKWARD, 3, pack, acc, norm_attrs(c.centered, 1e-3)), pack)) return;
    const auto n = static_cast<Real>(c.size.columns), m = static_cast<Real>(c.size.rows);
    Reals dw(static_cast<std::size_t>(c.size.columns), 0), db = dw;
    for (std::int64_t i = 0; i < c.size.rows; ++i) {
      const Moments of{c.centered ? to_real(acc, mean->at(i)) : 0, to_real(acc, rstd->at(i))};
      const Reals want =
          norm_backward(row_of(*dy, i), row_of(*x, i), of, row_of(*weight, 0), c.centered, dw, db);
      if (c.keeps) expect_near(*dx, i, want, n + 20, 64 + 64 * 16 * 16);
    }
    if (c.has_weight) expect_near(*dweight, 0, dw, m + 20, 8 * 16 * m);
    if (c.has_bias) expect_near(*dbias, 0, db, m + 20, 8 * m);
  }

  struct LossCase {
    std::uint8_t dtype;
    Size size;
    double smoothing = 0;
    bool weighed = false, ignores = false, is_long = true, bad = false;
    bool one = true, wide = false;  // dloss
  };
  static constexpr std::int64_t kIgnored = -7, kBad = 1000003;

  /// The class of each row; -1 where it counts as none.
  static std::int64_t class_of(const LossCase& c, std::int64_t row) {
    if ((c.ignores && row % 5 == 2) || (c.bad && row % 4 >= 2)) return -1;
    return row * 7 % c.size.columns;
  }
  Array* targets(const LossCase& c) {
    Array* made = rig.array(c.is_long ? TENON_DTYPE_I64 : TENON_DTYPE_I32, {c.size.rows});
    for (std::int64_t row = 0; row < c.size.rows; ++row) {
      const bool ignored = c.ignores && row % 5 == 2;
      const std::int64_t at = class_of(c, row);
      made->set(row, from_integer(made->dtype, ignored ? kIgnored : at < 0 ? kBad + row : at));
    }
    return made;
  }
  static TenonCrossEntropyAttrs loss_attrs(const LossCase& c) {
    return {sizeof(TenonCrossEntropyAttrs), c.ignores ? 1u : 0u, c.ignores ? kIgnored : 0,
            std::bit_cast<std::uint64_t>(c.smoothing)};
  }
  Array* class_weights(const LossCase& c) {
    if (!c.weighed) return absent();
    Array* made = filled(c.dtype, {c.size.columns}, 8);
    if (c.size.columns > 1) made->set(1, 0);
    return made;
  }

  bool expect_told(const LossCase& c, const Outcome& outcome) {
    std::int64_t first = 0;
    while (first < c.size.rows && !(class_of(c, first) < 0 && !(c.ignores && first % 5 == 2))) ++first;
    if (outcome.refused()) refused(outcome.text);
    if (first == c.size.rows) {
      EXPECT_TRUE(outcome.ok() || outcome.refused()) << outcome;
      return outcome.ok();
    }
    if (outcome.refused()) return false;
    EXPECT_EQ(outcome.code, TENON_INDEX) << outcome;
    EXPECT_TRUE(outcome.fault.has_value());
    if (!outcome.fault) return false;
    EXPECT_EQ(outcome.fault->value, kBad + first);
    EXPECT_EQ(outcome.fault->position, first);
    EXPECT_EQ(outcome.fault->operand, 4U);
    EXPECT_EQ(outcome.fault->corr, rig.last_corr());
    return true;
  }

  void check_loss(const LossCase& c) {
    const std::uint8_t acc = acc_of(c.dtype);
    const Dims column{c.size.rows};
    Array *loss = filled(acc, column, 1), *own = filled(acc, column, 2), *lse = filled(acc, column, 3);
    Array *x = matrix(c.dtype, c.size, 4), *target = targets(c), *weight = class_weights(c);
    const Pack pack{{loss, own, lse, x, target, weight}, {}, {c.size.rows, c.size.columns}};
    const Outcome outcome = rig.run(op_of(TENON_KIND_CROSS_ENTROPY, 3, pack, acc, loss_attrs(c)), pack);
    if (!expect_told(c, outcome)) return;
    const Real bound = (static_cast<Real>(c.size.columns) + 40) * 200 * epsilon(acc);
    for (std::int64_t row = 0; row < c.size.rows; ++row) {
      const std::int64_t at = class_of(c, row);
      const RowLoss want = at < 0 ? RowLoss{}
                                  : cross_entropy(row_of(*x, row), static_cast<std::size_t>(at),
                                                  row_of(*weight, 0), c.smoothing);
      expect_one(acc, loss->at(row), want.loss, bound);
      expect_one(acc, own->at(row), want.own, 0);
      expect_one(acc, lse->at(row), want.lse, bound);
      if (HasFailure()) return;
    }
  }

  void check_loss_backward(const LossCase& c) {
    const std::uint8_t acc = acc_of(c.dtype);
    Array *dx = matrix(c.dtype, c.size, 1), *x = matrix(c.dtype, c.size, 4), *target = targets(c);
    Array* dloss = rig.array(c.wide ? acc : c.dtype, c.one ? Dims{1} : Dims{c.size.rows},
                             c.one ? Lay::scalar : Lay::contiguous);
    dloss->set(random_values(dloss->dtype, 31, 2));
    Array *lse = filled(acc, {c.size.rows}, 3), *weight = class_weights(c);
    std::vector<Reals> want;
    for (std::int64_t row = 0; row < c.size.rows; ++row) {
      const std::int64_t at = class_of(c, row);
      want.emplace_back(static_cast<std::size_t>(c.size.columns), 0);
      if (at < 0) continue;
      const Reals given = row_of(*x, row), w = row_of(*weight, 0);
      const auto own = static_cast<std::size_t>(at);
      lse->set(row, from_real(acc, cross_entropy(given, own, w, c.smoothing).lse));
      want.back() = cross_entropy_backward(given, own, w, c.smoothing);
      for (Real& value : want.back())
        value *= 0.25L * to_real(dloss->dtype, dloss->at(c.one ? 0 : row));
    }
    const Pack pack{
        {dx, dloss, lse, x, target, weight}, {from_real(acc, 0.25L)}, {c.size.rows, c.size.columns}};
    const Outcome outcome =
        rig.run(op_of(TENON_KIND_CROSS_ENTROPY_BACKWARD, 1, pack, acc, loss_attrs(c)), pack);
    if (!expect_told(c, outcome)) return;
    for (std::int64_t row = 0; row < c.size.rows; ++row) {
      expect_near(*dx, row, want[static_cast<std::size_t>(row)], static_cast<Real>(c.size.columns) + 60,
                  32);
    }
  }

  std::vector<std::uint8_t> floats() const {
    std::vector<std::uint8_t> all = kFloats;
    std::erase_if(all, [&](std::uint8_t dtype) { return !rig.stores(dtype) || !rig.computes(dtype); });
    return all;
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, RowKinds, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

#define TENON_NEEDS(kind) \
  if (!has(kind)) GTEST_SKIP() << rig.name() << " does not offer " #kind

TEST_P(RowKinds, Softmax) {
  TENON_NEEDS(TENON_KIND_SOFTMAX);
  for (const std::uint8_t dtype : floats()) {
    for (const std::int64_t columns : kColumns) {
      for (const std::uint32_t how : {TENON_SOFTMAX_PLAIN, TENON_SOFTMAX_LOG, TENON_SOFTMAX_MASKED}) {
        check_softmax(dtype, {11, columns}, how);
      }
      if (HasFailure()) return;
      rig.clear();
    }
    for (const Size empty : {Size{0, 5}, Size{3, 0}}) check_softmax(dtype, empty, TENON_SOFTMAX_PLAIN);
  }
}

TEST_P(RowKinds, SoftmaxOfInfinityAndNaN) {
  TENON_NEEDS(TENON_KIND_SOFTMAX);
  const std::vector<Reals> rows = {{-kInf, -kInf, -kInf}, {kInf, 1, 2},       {NAN, 1, -kInf},
                                   {-kInf, 1, NAN},       {-kInf, 3, 3},      {NAN, NAN, NAN},
                                   {1e4, -1e4, 0},        {-kInf, -kInf, NAN}};
  for (const std::uint8_t dtype : floats()) {
    for (const std::int64_t columns : {3, 37}) {
      const Size size{static_cast<std::int64_t>(rows.size()), columns};
      Array* values = matrix(dtype, size, 1);
      for (std::int64_t i = 0; i < values->count(); ++i) {
        const Reals& row = rows[static_cast<std::size_t>(i / columns)];
        values->set(i, from_real(dtype, row[static_cast<std::size_t>(i % columns % 3)]));
      }
      for (const std::uint32_t how : {TENON_SOFTMAX_PLAIN, TENON_SOFTMAX_LOG, TENON_SOFTMAX_MASKED}) {
        SCOPED_TRACE(how);
        check_softmax(dtype, size, how, values);
      }
    }
  }
}

TEST_P(RowKinds, SoftmaxBackward) {
  TENON_NEEDS(TENON_KIND_SOFTMAX_BACKWARD);
  for (const std::uint8_t dtype : floats()) {
    for (const std::int64_t columns : kColumns) {
      for (const std::uint32_t how : {TENON_SOFTMAX_PLAIN, TENON_SOFTMAX_LOG, TENON_SOFTMAX_MASKED}) {
        check_softmax_backward(dtype, {11, columns}, how);
      }
      if (HasFailure()) return;
      rig.clear();
    }
  }
}

TEST_P(RowKinds, Norm) {
  TENON_NEEDS(TENON_KIND_NORM);
  const auto dtypes = floats();
  for (const test::Choice& pick : test::choices({dtypes.size(), kColumns.size(), 2, 2, 2, 2, 3})) {
    const Size size{std::vector<std::int64_t>{1, 9, 70}[pick[6]], kColumns[pick[1]]};
    check_norm({dtypes[pick[0]], size, pick[2] == 0, pick[3] == 0, pick[4] == 0, pick[5] == 0});
    if (HasFailure()) return;
    rig.clear();
  }
}

TEST_P(RowKinds, NormBackward) {
  TENON_NEEDS(TENON_KIND_NORM_BACKWARD);
  const auto dtypes = floats();
  for (const test::Choice& pick : test::choices({dtypes.size(), kColumns.size(), 2, 2, 2, 2, 4})) {
    const Size size{std::vector<std::int64_t>{1, 17, 70, 700}[pick[6]], kColumns[pick[1]]};
    const bool any = pick[3] == 0 || pick[4] == 0;
    check_norm_backward(
        {dtypes[pick[0]], size, pick[2] == 0, pick[3] == 0, pick[4] == 0, pick[5] == 0 || !any});
    if (HasFailure()) return;
    rig.clear();
  }
  check_norm_backward({TENON_DTYPE_F32, {0, 5}, true, true, true, true});
}

TEST_P(RowKinds, CrossEntropy) {
  TENON_NEEDS(TENON_KIND_CROSS_ENTROPY);
  const auto dtypes = floats();
  for (const test::Choice& pick :
       test::choices({dtypes.size(), kColumns.size(), 2, 2, 2, 2, 2, 3, 2})) {
    LossCase c{dtypes[pick[0]], {pick[7] == 0 ? 70 : 13, kColumns[pick[1]]}};
    c.smoothing = pick[2] == 0 ? 0 : 0.3;
    c.weighed = pick[3] == 1;
    c.ignores = pick[4] == 1;
    c.is_long = pick[5] == 1;
    c.bad = pick[6] == 1;
    c.one = pick[7] != 0;
    c.wide = pick[8] == 1;
    check_loss(c);
    if (has(TENON_KIND_CROSS_ENTROPY_BACKWARD)) check_loss_backward(c);
    if (HasFailure()) return;
    rig.clear();
  }
  check_loss({TENON_DTYPE_F32, {0, 5}});
}

}  // namespace
}  // namespace tenon::conformance
