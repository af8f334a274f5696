#include "tests/ops/sweep.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

#include <tenon/autograd.h>
#include <tenon/half.h>

namespace tenon::test {
namespace {

/// The distance of 1 from the next number of a floating dtype; 0 of others.
double epsilon(DType dtype) {
  switch (dtype) {
    case f64:
      return 0x1p-52;
    case f32:
      return 0x1p-23;
    case f16:
      return 0x1p-10;
    case bf16:
      return 0x1p-7;
    case bool_:
    case i8:
    case u8:
    case i16:
    case u16:
    case i32:
    case u32:
    case i64:
    case u64:
      return 0;
  }
  return 0;
}

std::vector<double> edge_values(DType dtype) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  switch (dtype) {
    case f64:
      return {nan, infinity, -infinity, 0.0, -0.0, 0x1p-1074, 1.7976931348623157e308};
    case f32:
      return {nan, infinity, -infinity, 0.0, -0.0, 0x1p-149, 0x1.fffffep127};
    case f16:
      return {nan, infinity, -infinity, 0.0, -0.0, 0x1p-24, 65504};
    case bf16:
      return {nan, infinity, -infinity, 0.0, -0.0, 0x1p-133, 0x1.fep127};
    case i8:
      return {-128, 127, 0};
    case u8:
      return {255, 0};
    case i16:
      return {-32768, 32767, 0};
    case u16:
      return {65535, 0};
    case i32:
      return {-2147483648.0, 2147483647, 0};
    case u32:
      return {4294967295, 0};
    case i64:
      return {-0x1p53, 0x1p53, 0};  // what f64 still counts
    case u64:
      return {0x1p53, 0};
    case bool_:
      return {0, 1};
  }
  return {};
}

template <class T>
std::vector<double> doubles(const Tensor& x) {
  const std::vector<T> values = x.to_vector<T>();
  std::vector<double> result;
  for (const T value : values) result.push_back(static_cast<double>(value));
  return result;
}

bool same(double got, double wanted, double bound) {
  if (std::isnan(wanted)) return std::isnan(got);
  if (std::isinf(wanted) || std::isinf(got)) return got == wanted;
  return std::abs(got - wanted) <= bound;
}

void compare(const Row& row, const Tensor& got, const Reals& wanted) {
  ASSERT_EQ(got.shape(), wanted.shape)
      << to_string(got.shape()) << " is not " << to_string(wanted.shape);
  const Reals found = reals_of(got), rounded = reals_of(tensor_of(wanted, got.dtype(), got.device()));
  double largest = 0;
  for (const double value : rounded.values) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  const double bound = row.tolerance * epsilon(got.dtype()) * largest;
  for (std::size_t i = 0; i < wanted.values.size(); ++i) {
    ASSERT_TRUE(same(found.values[i], rounded.values[i], bound))
        << "element " << i << " of " << to_string(got.shape()) << ' ' << name(got.dtype()) << " is "
        << found.values[i] << ", not " << wanted.values[i] << " within " << bound;
  }
}

std::string describe(const std::vector<Shape>& shapes) {
  std::string text;
  for (const Shape& shape : shapes) text += (text.empty() ? "" : " x ") + to_string(shape);
  return text;
}

void check_values(const Row& row, Device device, const std::vector<Shape>& shapes, DType dtype,
                  Layout layout) {
  std::vector<Tensor> operands;
  std::vector<Reals> reals;
  for (const Shape& shape : shapes) {
    operands.push_back(
        tensor_of(draw(shape, row.values, dtype, operands.size() + 1), dtype, device, layout));
    reals.push_back(reals_of(operands.back()));
  }
  const Tensor got = row.op(operands);
  EXPECT_EQ(got.device(), device);
  compare(row, got, row.oracle(reals));
}

/// Leaves with these values.
std::vector<Tensor> leaves(const std::vector<Reals>& values, Device device, Layout layout) {
  std::vector<Tensor> operands;
  for (const Reals& each : values) {
    operands.push_back(tensor_of(each, f64, device, layout).set_requires_grad());
  }
  return operands;
}

/// The sum of the squares of d(op · weights)/d(operands): what the second order is the gradient of.
Tensor gradient_of(const Row& row, std::span<const Tensor> operands) {
  const Tensor y = row.op({operands.begin(), operands.end()});
  const Tensor weights = tensor_of(draw(y.shape(), {0.5, 1.5}, f64, 9), f64, y.device());
  Tensor total;
  for (const Tensor& dx :
       autograd::grad({&y, 1}, operands, {&weights, 1}, {.create_graph = true, .allow_unused = true})) {
    if (!dx.defined()) continue;
    const Tensor part = (dx * dx).sum();
    total = total.defined() ? total + part : part;
  }
  return total;
}

void check_second_order(const Row& row, Device device, const std::vector<Reals>& values,
                        Layout layout) {
  const std::vector<Tensor> operands = leaves(values, device, layout);
  const Tensor first = gradient_of(row, operands);
  if (!first.defined() || !first.requires_grad()) return;
  const std::vector<Tensor> second = autograd::grad({&first, 1}, operands, {}, {.allow_unused = true});
  constexpr double eps = 1e-5;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::vector<double> found =
        second[i].defined() ? reals_of(second[i]).values : std::vector<double>(values[i].values.size());
    for (std::size_t k = 0; k < found.size(); ++k) {
      double sums[2];
      for (int side = 0; side < 2; ++side) {
        std::vector<Reals> moved = values;
        moved[i].values[k] += side == 0 ? eps : -eps;
        sums[side] = gradient_of(row, leaves(moved, device, layout)).item<double>();
      }
      const double wanted = (sums[0] - sums[1]) / (2 * eps);
      ASSERT_NEAR(found[k], wanted, 1e-5 + 1e-4 * std::abs(wanted))
          << "in the second order, of operand " << i << ", element " << k;
    }
  }
}

void check_gradients(const Row& row, Device device, const std::vector<Shape>& shapes, Layout layout) {
  std::vector<Reals> reals;
  Values values = row.values;
  values.edges = false;
  for (const Shape& shape : shapes) reals.push_back(draw(shape, values, f64, reals.size() + 1));
  const auto f = [&](std::span<const Tensor> x) { return row.op({x.begin(), x.end()}); };
  EXPECT_EQ(autograd::gradcheck(f, leaves(reals, device, layout)), "");
  if (row.second) check_second_order(row, device, reals, layout);
}

}  // namespace

Reals reals_of(const Tensor& x) {
  switch (x.dtype()) {
    case f64:
      return {x.shape(), doubles<double>(x)};
    case f32:
      return {x.shape(), doubles<float>(x)};
    case f16:
      return {x.shape(), doubles<float16>(x)};
    case bf16:
      return {x.shape(), doubles<bfloat16>(x)};
    case i8:
      return {x.shape(), doubles<std::int8_t>(x)};
    case u8:
      return {x.shape(), doubles<std::uint8_t>(x)};
    case i16:
      return {x.shape(), doubles<std::int16_t>(x)};
    case u16:
      return {x.shape(), doubles<std::uint16_t>(x)};
    case i32:
      return {x.shape(), doubles<std::int32_t>(x)};
    case u32:
      return {x.shape(), doubles<std::uint32_t>(x)};
    case i64:
      return {x.shape(), doubles<std::int64_t>(x)};
    case u64:
      return {x.shape(), doubles<std::uint64_t>(x)};
    case bool_:
      return {x.shape(), doubles<bool>(x)};
  }
  return {};
}

Tensor tensor_of(const Reals& values, DType dtype, Device device, Layout layout) {
  return arranged(values, layout, [&](const Reals& x) {
    return from_values(std::span<const double>(x.values), x.shape, {.dtype = dtype, .device = device});
  });
}

Reals draw(const Shape& shape, const Values& values, DType dtype, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Reals x{shape, {}};
  const std::size_t count = element_count(shape);
  const double low = is_unsigned_integer(dtype) ? std::max(values.low, 0.0) : values.low;
  std::vector<double> places(count);
  for (std::size_t i = 0; i < count; ++i) {
    places[i] = values.distinct ? (static_cast<double>(i) + 0.5) / static_cast<double>(count)
                                : static_cast<double>(random() >> 11) * 0x1p-53;
  }
  if (values.distinct) std::shuffle(places.begin(), places.end(), random);
  const std::vector<double> edges = edge_values(dtype);
  for (std::size_t i = 0; i < count; ++i) {
    double value = low + places[i] * (values.high - low);
    if (!is_floating(dtype)) value = std::trunc(value);
    if (dtype == bool_) value = places[i] < 0.5;
    if (values.edges && i % 3 == 0) value = edges[random() % edges.size()];
    x.values.push_back(value);
  }
  return x;
}

void sweep(const Row& row, Device device) {
  for (const std::vector<Shape>& shapes : row.shapes) {
    for (const Layout layout : kLayouts) {
      for (const DType dtype : row.dtypes) {
        SCOPED_TRACE(row.name + " of " + describe(shapes) + ' ' + std::string(name(dtype)) + ", " +
                     testing::PrintToString(layout));
        where_stored([&] { check_values(row, device, shapes, dtype, layout); });
        if (testing::Test::HasFatalFailure()) return;
      }
      if (!row.gradient) continue;
      SCOPED_TRACE("gradient of " + row.name + " of " + describe(shapes) + ", " +
                   testing::PrintToString(layout));
      where_stored([&] { check_gradients(row, device, shapes, layout); });
      if (testing::Test::HasFailure()) return;
    }
  }
}

std::vector<std::string> row_devices() {
  std::vector<std::string> names;
  std::set<std::string> plugins;
  for (const std::string& name : test_devices()) {
    if (plugins.insert(name.substr(0, name.find(':'))).second) names.push_back(name);
  }
  return names;
}

std::string row_test_name(const testing::TestParamInfo<RowOnDevice>& info) {
  const std::string& device = std::get<1>(info.param);
  return std::get<0>(info.param).name + '_' +
         device_test_name(testing::TestParamInfo<std::string>(device, 0));
}

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name;
}

}  // namespace tenon::test
