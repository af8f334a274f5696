// One row of a table of ops: on every device, in every layout and dtype it takes, the op gives what its
// oracle gives in f64, and its gradients are those of gradcheck.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/arrays.h"
#include "tests/support/devices.h"

namespace tenon::test {

/// What tensors of every dtype are to an oracle.
using Reals = Array<double>;

inline const std::vector<DType> kFloats = {f32, f64, f16, bf16};
inline const std::vector<DType> kIntegers = {i8, u8, i16, u16, i32, u32, i64, u64};
inline const std::vector<DType> kNumbers = {f32, f64, f16, bf16, i8, u8, i16, u16, i32, u32, i64, u64};

/// The values that operands are drawn from, one after the other: `low` to `high`, in integer dtypes
/// whole ones of them.
struct Values {
  double low = -3, high = 3;
  bool edges = false;     ///< every third is NaN, an infinity, a zero, the least or the largest number
  bool distinct = false;  ///< no value twice among the elements of an operand, as far as the dtype goes
};

struct Row {
  std::string name;  ///< a C identifier: what the test is called
  std::function<Tensor(const std::vector<Tensor>&)> op;
  std::function<Reals(const std::vector<Reals>&)> oracle;
  std::vector<std::vector<Shape>> shapes;  ///< of the operands of each call
  std::vector<DType> dtypes = kFloats;     ///< of all operands of a call
  Values values = {};
  bool gradient = true;  ///< first order, in f64
  bool second = true;    ///< second order too
  double tolerance = 4;  ///< in epsilons of the result's dtype, relative to its largest element
};

/// Runs the row on the device. Shown on failure: dtype, layout, shapes, the first wrong element.
void sweep(const Row& row, Device device);

/// The elements of a tensor of any dtype.
Reals reals_of(const Tensor& x);
/// A tensor of `dtype` with these values rounded to it.
Tensor tensor_of(const Reals& values, DType dtype, Device device, Layout layout = Layout::Contiguous);
/// Seeded operands.
Reals draw(const Shape& shape, const Values& values, DType dtype, std::uint64_t seed);

/// Runs `check` as far as it goes without a dtype that the device does not store.
template <class F>
void where_stored(F check) {
  try {
    check();
  } catch (const Error& error) {
    if (std::string(error.what()).find(" does not store ") == std::string::npos) throw;
  }
}

/// The first device of each plugin: the others' kernels are the same.
std::vector<std::string> row_devices();
/// A row on a device.
using RowOnDevice = std::tuple<Row, std::string>;
std::string row_test_name(const testing::TestParamInfo<RowOnDevice>& info);

/// Declares the tests Ops/SUITE.Row/NAME_DEVICE of a std::vector<Row>; once for each suite, which is
/// named as the file is.
#define TENON_ROWS(suite, rows)                                                                \
  class suite : public testing::TestWithParam<tenon::test::RowOnDevice> {};                    \
  TEST_P(suite, Row) {                                                                         \
    sweep(std::get<0>(GetParam()), device(std::get<1>(GetParam())));                           \
  }                                                                                            \
  INSTANTIATE_TEST_SUITE_P(                                                                    \
      Ops, suite, testing::Combine(testing::ValuesIn(rows), testing::ValuesIn(row_devices())), \
      row_test_name)

void PrintTo(const Row& row, std::ostream* out);

}  // namespace tenon::test
