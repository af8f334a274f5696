// Data sets and loaders: every row once, in an order that the seed says.
#include <algorithm>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/data.h>

#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using data::DataLoader;
using data::DataLoaderOptions;
using data::TensorDataset;
using testing::ElementsAre;

/// `rows` rows: x is (rows, 2) with 10r and 10r + 1, y is (rows,) with r.
TensorDataset numbered(std::int64_t rows, const std::string& on = default_device().name()) {
  std::vector<float> x;
  std::vector<std::int64_t> y;
  for (std::int64_t r = 0; r < rows; ++r) {
    x.insert(x.end(), {static_cast<float>(10 * r), static_cast<float>(10 * r + 1)});
    y.push_back(r);
  }
  const TensorOptions options{.device = device(on)};
  return {from_values<float>(x, {rows, 2}, options), from_values<std::int64_t>(y, {rows}, options)};
}

using Pass = std::vector<std::vector<std::int64_t>>;

/// The targets of each batch of one pass; the features must belong to them.
Pass pass(DataLoader& loader) {
  Pass batches;
  for (auto [x, y] : loader) {
    const std::vector<float> features = x.to_vector<float>();
    batches.push_back(y.to_vector<std::int64_t>());
    const auto rows = static_cast<std::int64_t>(batches.back().size());
    EXPECT_EQ(x.shape(), (Shape{rows, 2}));
    for (std::size_t r = 0; r < batches.back().size(); ++r) {
      EXPECT_EQ(features[2 * r], static_cast<float>(10 * batches.back()[r]));
      EXPECT_EQ(features[2 * r + 1], static_cast<float>(10 * batches.back()[r] + 1));
    }
  }
  EXPECT_EQ(static_cast<std::int64_t>(batches.size()), loader.size());
  return batches;
}

std::vector<std::int64_t> flat(const Pass& batches) {
  std::vector<std::int64_t> all;
  for (const auto& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

class Data : public testing::TestWithParam<std::string> {};

TEST_P(Data, RowsInTheOrderAsked) {
  const TensorDataset dataset = numbered(4, GetParam());
  EXPECT_EQ(dataset.size(), 4);
  const std::int64_t indices[] = {2, 0, 2};
  const auto [x, y] = dataset.rows(indices);
  EXPECT_EQ(x.device().name(), GetParam());
  EXPECT_EQ(y.device().name(), GetParam());
  EXPECT_EQ(x.shape(), (Shape{3, 2}));
  EXPECT_EQ(y.shape(), Shape{3});
  EXPECT_EQ(x.dtype(), f32);
  EXPECT_EQ(y.dtype(), i64);
  EXPECT_THAT(x.to_vector<float>(), ElementsAre(20, 21, 0, 1, 20, 21));
  EXPECT_THAT(y.to_vector<std::int64_t>(), ElementsAre(2, 0, 2));
}

TEST_P(Data, NoRowsAsked) {
  const auto [x, y] = numbered(4, GetParam()).rows({});
  EXPECT_EQ(x.shape(), (Shape{0, 2}));
  EXPECT_EQ(y.shape(), Shape{0});
}

TEST_P(Data, BatchesInOrder) {
  DataLoader loader(numbered(5, GetParam()), {.batch_size = 2});
  EXPECT_EQ(pass(loader), (Pass{{0, 1}, {2, 3}, {4}}));
  EXPECT_EQ(pass(loader), (Pass{{0, 1}, {2, 3}, {4}}));
}

TEST_P(Data, ShuffledBatches) {
  DataLoader loader(numbered(50, GetParam()), {.batch_size = 7, .shuffle = true, .seed = 3});
  std::vector<std::int64_t> order = flat(pass(loader)), in_order(50);
  std::iota(in_order.begin(), in_order.end(), 0);
  EXPECT_NE(order, in_order);
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, in_order);
}

INSTANTIATE_TEST_SUITE_P(Devices, Data, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Data);

TEST(TensorDataset, FeaturesOfAnyRank) {
  const Tensor x = tensor({{{1.f, 2.f}, {3.f, 4.f}}, {{5.f, 6.f}, {7.f, 8.f}}});
  const TensorDataset dataset(x, zeros({2, 0}));
  const std::int64_t indices[] = {1};
  const auto [features, targets] = dataset.rows(indices);
  EXPECT_EQ(features.shape(), (Shape{1, 2, 2}));
  EXPECT_THAT(features.to_vector<float>(), ElementsAre(5, 6, 7, 8));
  EXPECT_EQ(targets.shape(), (Shape{1, 0}));
}

TEST(TensorDataset, ViewsGiveTheirOwnRows) {
  const Tensor x = tensor({{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}}).transpose(0, 1);
  const TensorDataset dataset(x, tensor({0, 1, 2}));
  const std::int64_t indices[] = {1};
  EXPECT_THAT(dataset.rows(indices).x.to_vector<float>(), ElementsAre(2, 5));
}

TEST(TensorDataset, Errors) {
  const auto error = [](const Tensor& x, const Tensor& y) {
    return thrown([&] { TensorDataset(x, y); });
  };
  EXPECT_EQ(error(zeros({3, 2}), zeros({4, 1})),
            invalid_argument("[TensorDataset] x and y differ in rows: (3, 2) and (4, 1)"));
  EXPECT_EQ(error(zeros({}), zeros({1})), invalid_argument("[TensorDataset] x is 0-d: it has no rows"));
  EXPECT_EQ(error(zeros({1}), zeros({})), invalid_argument("[TensorDataset] y is 0-d: it has no rows"));
  EXPECT_EQ(error(zeros({1}), Tensor()), invalid_argument("[TensorDataset] y is undefined"));
}

TEST(TensorDataset, IndicesOutOfRange) {
  const TensorDataset dataset = numbered(3);
  for (const std::int64_t index :
       {std::int64_t{3}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min()}) {
    const std::int64_t indices[] = {0, index};
    EXPECT_EQ(thrown([&] { dataset.rows(indices); }),
              invalid_argument("[TensorDataset] index " + std::to_string(index) +
                               " is out of range for 3 rows"));
  }
}

TEST(DataLoader, DropLast) {
  DataLoader uneven(numbered(5), {.batch_size = 2, .drop_last = true});
  EXPECT_EQ(pass(uneven), (Pass{{0, 1}, {2, 3}}));
  DataLoader even(numbered(4), {.batch_size = 2, .drop_last = true});
  EXPECT_EQ(pass(even), (Pass{{0, 1}, {2, 3}}));
  DataLoader none(numbered(3), {.batch_size = 4, .drop_last = true});
  EXPECT_EQ(pass(none), Pass{});
}

TEST(DataLoader, BatchLargerThanTheData) {
  DataLoader loader(numbered(3), {.batch_size = std::numeric_limits<std::int64_t>::max()});
  EXPECT_EQ(pass(loader), (Pass{{0, 1, 2}}));
}

TEST(DataLoader, NoRowsGiveNoBatches) {
  DataLoader plain(numbered(0), {.batch_size = 2});
  EXPECT_EQ(pass(plain), Pass{});
  DataLoader shuffled(numbered(0), {.batch_size = 2, .shuffle = true});
  EXPECT_EQ(pass(shuffled), Pass{});
}

TEST(DataLoader, OrdersBySeed) {
  const DataLoaderOptions options{.batch_size = 8, .shuffle = true, .seed = 5};
  DataLoader first(numbered(40), options), second(numbered(40), options);
  DataLoaderOptions other = options;
  other.seed = 6;
  DataLoader third(numbered(40), other);
  const Pass first_pass = pass(first), next_pass = pass(first);
  EXPECT_NE(first_pass, next_pass);
  EXPECT_EQ(pass(second), first_pass);
  EXPECT_EQ(pass(second), next_pass);
  EXPECT_NE(pass(third), first_pass);
}

TEST(DataLoader, ShuffleLeavesTheDefaultGeneratorAlone) {
  const std::uint64_t before = random::Generator(random::default_generator()).next_offset();
  DataLoader loader(numbered(9), {.batch_size = 2, .shuffle = true});
  pass(loader);
  EXPECT_EQ(random::Generator(random::default_generator()).next_offset(), before);
}

TEST(DataLoader, TemporaryInALoop) {
  std::vector<std::int64_t> seen;
  for (auto [x, y] : DataLoader(numbered(3), {.batch_size = 2})) {
    for (const std::int64_t row : y.to_vector<std::int64_t>()) seen.push_back(row);
  }
  EXPECT_THAT(seen, ElementsAre(0, 1, 2));
}

TEST(DataLoader, BatchSizesUnderOne) {
  for (const std::int64_t size : {0, -3}) {
    EXPECT_EQ(thrown([&] { DataLoader(numbered(3), {.batch_size = size}); }),
              invalid_argument("[DataLoader] batch_size is " + std::to_string(size) +
                               ": it must be at least 1"));
  }
}

}  // namespace
}  // namespace tenon::test
