// Tensors as text; the expected strings are those of NumPy 2.4's str().
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/ops.h>

#include "tests/figures/print.h"
#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

std::string text(const Tensor& x) {
  return x.to_string();
}

TEST(Print, FloatsInOneColumn) {
  EXPECT_EQ(text(tensor({1.0, 2.0, 3.0})), "[1. 2. 3.]");
  EXPECT_EQ(text(tensor({1.5, -2.25, 3.0})), "[ 1.5  -2.25  3.  ]");
  EXPECT_EQ(text(tensor({{1.5}, {-10.25}})), "[[  1.5 ]\n [-10.25]]");
  EXPECT_EQ(text(tensor({123.456, 0.5})), "[123.456   0.5  ]");
  EXPECT_EQ(text(tensor({0.1, 1.0 / 3})), "[0.1        0.33333334]");
  EXPECT_EQ(text(tensor({0.0001})), "[0.0001]");
  EXPECT_EQ(text(tensor(2.5)), "2.5");
  EXPECT_EQ(text(tensor({-0.0})), "[-0.]");
}

TEST(Print, NanAndInfinities) {
  EXPECT_EQ(text(tensor({kNan, 1.5, kInf})), "[nan 1.5 inf]");
  EXPECT_EQ(text(tensor({kNan, 1.0})), "[nan  1.]");
  EXPECT_EQ(text(tensor({-kInf, -0.0})), "[-inf  -0.]");
}

TEST(Print, IntegersAndBools) {
  EXPECT_EQ(text(tensor({{1, -20}, {300, 4}})), "[[  1 -20]\n [300   4]]");
  EXPECT_EQ(text(tensor({{{1, 2}}, {{3, 4}}})), "[[[1 2]]\n\n [[3 4]]]");
  EXPECT_EQ(text(tensor(7)), "7");
  EXPECT_EQ(text(tensor({true, false})), "[ true false]") << "as C++ writes them";
  EXPECT_EQ(text(arange(2).reshape({1, 1, 1, 2}).expand({2, 1, 2, 2})),
            "[[[[0 1]\n   [0 1]]]\n\n\n [[[0 1]\n   [0 1]]]]");
}

TEST(Print, DTypesThatAreNotTheUsualOnesAreNamed) {
  EXPECT_EQ(text(tensor({1.0 / 3, 2.0}, {.dtype = f64})), "[0.33333333 2.        ], dtype=f64");
  EXPECT_EQ(text(tensor({123456.789}, {.dtype = f64})), "[123456.789], dtype=f64");
  EXPECT_EQ(text(tensor({1, 2}, {.dtype = i32})), "[1 2], dtype=i32");
  EXPECT_EQ(text(full({1}, ~std::uint64_t{0}, {.dtype = u64})), "[18446744073709551615], dtype=u64");
  EXPECT_EQ(text(full({1}, 4294967295, {.dtype = u32})), "[4294967295], dtype=u32");
}

TEST(Print, EmptyOnesShowTheirShape) {
  EXPECT_EQ(text(zeros({0})), "[], shape=(0,), dtype=f32");
  EXPECT_EQ(text(zeros({std::int64_t{1} << 40, 0})), "[], shape=(1099511627776, 0), dtype=f32");
  EXPECT_EQ(text(zeros({2, 0, 3}, {.dtype = i32})), "[], shape=(2, 0, 3), dtype=i32");
  EXPECT_EQ(text(Tensor()), "undefined");
}

TEST(Print, LongOnesAreSummarised) {
  EXPECT_EQ(text(arange(1001)), "[   0    1    2 ...  998  999 1000]");
  EXPECT_THAT(text(arange(1000)), testing::HasSubstr(" 500 ")) << "a thousand are shown in full";
  EXPECT_EQ(text(arange(2000).reshape({40, 50})),
            "[[   0    1    2 ...   47   48   49]\n [  50   51   52 ...   97   98   99]\n"
            " [ 100  101  102 ...  147  148  149]\n ...\n [1850 1851 1852 ... 1897 1898 1899]\n"
            " [1900 1901 1902 ... 1947 1948 1949]\n [1950 1951 1952 ... 1997 1998 1999]]");
  EXPECT_EQ(text(arange(1200).reshape({2, 600}).slice(1, {.step = -1})),
            "[[ 599  598  597 ...    2    1    0]\n [1199 1198 1197 ...  602  601  600]]");
}

TEST(Print, LargeAndSmallMagnitudesUseExponents) {
  EXPECT_EQ(text(tensor({1e8})), "[1.e+08]");
  EXPECT_EQ(text(tensor({1e-5, 1.0})), "[1.e-05 1.e+00]");
  EXPECT_EQ(text(tensor({1e10, -1.25, 0.1}, {.dtype = f64})),
            "[ 1.00e+10 -1.25e+00  1.00e-01], dtype=f64");
  EXPECT_EQ(text(tensor({1e-10, 1.0 / 3})), "[1.0000000e-10 3.3333334e-01]");
  EXPECT_EQ(text(tensor({1e16, 1.0 / 3}, {.dtype = f64})),
            "[1.00000000e+16 3.33333333e-01], dtype=f64");
}

bool stored(DType dtype) {
  const std::vector<DType> all = default_device().info().storage_dtypes;
  return std::find(all.begin(), all.end(), dtype) != all.end();
}

TEST(Print, SmallDTypes) {
  if (!stored(f16) || !stored(bf16) || !stored(i8)) GTEST_SKIP() << "not stored here";
  const auto halves = [](std::vector<double> values) {
    std::vector<float16> elements;
    for (const double value : values) elements.push_back(float16(value));
    return text(tensor(elements));
  };
  EXPECT_EQ(halves({0.1, 1.0 / 3}), "[0.1    0.3333], dtype=f16") << "no more digits than f16 has";
  EXPECT_EQ(halves({1, -2.5, 3.140625}), "[ 1.   -2.5   3.14], dtype=f16");
  EXPECT_EQ(halves({6e-8, 1}), "[6.e-08 1.e+00], dtype=f16");
  EXPECT_EQ(halves({1e5, 0.5}), "[inf 0.5], dtype=f16");
  EXPECT_EQ(halves({kNan, kInf, -0.0}), "[nan inf -0.], dtype=f16");
  EXPECT_EQ(halves({1e-4}), "[0.0001], dtype=f16");
  EXPECT_EQ(text(tensor(std::vector{bfloat16(0.1), bfloat16(3.14159)})), "[0.1  3.14], dtype=bf16");
  EXPECT_EQ(text(tensor(std::vector<std::int8_t>{127, -128})), "[ 127 -128], dtype=i8");
  EXPECT_EQ(text(tensor(std::vector<std::uint8_t>{0, 255})), "[  0 255], dtype=u8");
  EXPECT_EQ(text(tensor(std::vector<std::int16_t>{-32768, 5})), "[-32768      5], dtype=i16");
  EXPECT_EQ(text(tensor(std::vector<std::uint16_t>{65535})), "[65535], dtype=u16");
}

/// Every bit pattern of a 16-bit float, in rows of 256, is a number that reads back as it was.
template <class H>
void expect_all_read_back() {
  for (std::uint32_t first = 0; first < 0x10000; first += 256) {
    std::vector<H> row;
    for (std::uint32_t i = 0; i < 256; ++i)
      row.push_back(H::from_bits(static_cast<std::uint16_t>(first + i)));
    const std::string printed = text(tensor(row));
    const char* next = printed.c_str() + 1;
    for (const H x : row) {
      char* end = nullptr;
      const H read(std::strtod(next, &end));
      ASSERT_NE(end, next) << printed;
      ASSERT_TRUE(x == x ? read.bits() == x.bits() : read != read) << printed;
      next = end + (*end == '.' ? 1 : 0);
    }
  }
}

TEST(Print, EveryHalfReadsBack) {
  if (!stored(f16) || !stored(bf16)) GTEST_SKIP() << "not stored here";
  expect_all_read_back<float16>();
  expect_all_read_back<bfloat16>();
}

/// What is printed under options that end with the test.
class PrintWith : public testing::Test {
 protected:
  ~PrintWith() override { set_print_options({}); }
  static std::string text_with(const PrintOptions& options, const Tensor& x) {
    set_print_options(options);
    return text(x);
  }
};

TEST_F(PrintWith, WhatNumPyPrints) {
  for (const figures::Printed& row : figures::kPrinted) {
    if (!stored(row.dtype)) continue;
    std::vector<double> values;
    const auto count = static_cast<std::size_t>(numel(row.shape));
    for (std::size_t i = 0; i < count; ++i) values.push_back(row.values[i % row.values.size()]);
    const Tensor x = from_values(std::span<const double>(values), row.shape, {.dtype = row.dtype});
    const bool usual = row.dtype == f32 || row.dtype == i64 || row.dtype == bool_;
    EXPECT_EQ(text_with(row.options, x),
              row.text + (usual ? "" : ", dtype=" + std::string(name(row.dtype))));
  }
}

TEST_F(PrintWith, ExponentsAlwaysOrNever) {
  EXPECT_EQ(text_with({.sci = true}, tensor({1.5, -20.0})), "[ 1.5e+00 -2.0e+01]");
  EXPECT_EQ(text_with({.sci = true}, tensor(1.5)), "1.5e+00");
  EXPECT_EQ(text_with({.sci = false}, tensor({1e-5, 2e9})), "[         0.00001 2000000000.     ]");
  EXPECT_EQ(text_with({.precision = 2, .sci = false}, tensor({1e-5, 1.0})), "[0. 1.]");
  EXPECT_EQ(text_with({.sci = false}, tensor(1e-5)), "0.00001");
}

TEST_F(PrintWith, OptionsOutOfRangeAreRefused) {
  set_print_options({.precision = 3});
  EXPECT_EQ(thrown([] { set_print_options({.precision = -1}); }),
            invalid_argument("[set_print_options] precision is -1, must be at least 0"));
  EXPECT_EQ(thrown([] { set_print_options({.threshold = -5}); }),
            invalid_argument("[set_print_options] threshold is -5, must be at least 0"));
  EXPECT_EQ(thrown([] { set_print_options({.edge_items = 0}); }),
            invalid_argument("[set_print_options] edge_items is 0, must be at least 1"));
  EXPECT_EQ(thrown([] { set_print_options({.line_width = 0}); }),
            invalid_argument("[set_print_options] line_width is 0, must be at least 1"));
  EXPECT_EQ(print_options().precision, 3) << "they stay as they were";
}

class PrintOn : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Devices, PrintOn, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(PrintOn, NamesADeviceThatIsNotTheDefault) {
  const Device here = device(GetParam());
  const std::string suffix = here == default_device() ? "" : ", device=" + GetParam();
  const Tensor x = tensor({{1, 2}, {3, 4}}, {.device = here});
  EXPECT_EQ(text(x.transpose(0, 1)), "[[1 3]\n [2 4]]" + suffix);
  EXPECT_EQ(text(x.slice(1, {.step = -1}).to(f64)), "[[2. 1.]\n [4. 3.]], dtype=f64" + suffix);
  std::ostringstream out;
  out << x.select(0, 0);
  EXPECT_EQ(out.str(), "[1 2]" + suffix);
}

TEST_P(PrintOn, ShowsTheCornersOfAnyLayout) {
  const Tensor x = arange(1200, {.device = device(GetParam())}).reshape({30, 40}).transpose(0, 1);
  const std::string printed = text(x);
  EXPECT_EQ(printed.substr(0, printed.find('\n')), "[[   0   40   80 ... 1080 1120 1160]");
  EXPECT_THAT(printed, testing::HasSubstr("\n [  39   79  119 ... 1119 1159 1199]]"));
}

TEST_P(PrintOn, PrintsTensorsOfAGraph) {
  Tensor x = tensor({1.5}, {.device = device(GetParam()), .requires_grad = true});
  EXPECT_EQ(text(x * 2).substr(0, 4), "[3.]");
}

}  // namespace
}  // namespace tenon::test
