// Plugin cpu beyond the contract of all plugins: threads, denormals, memory.
#include <algorithm>
#include <chrono>
#include <cstring>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/tenon.h>

#include "tests/support/new_process.h"
#include "tests/support/rounds.h"
#include "tests/support/threads.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

bool has_cpu() {
  const auto all = devices();
  return std::ranges::any_of(all, [](Device device) { return device.name() == "cpu"; });
}

class Cpu : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_cpu()) GTEST_SKIP() << "plugin cpu is not built here";
    set_default_device(device("cpu"));
  }
};

std::vector<float> values(const Tensor& x) {
  return x.to(f32).contiguous().to_vector<float>();
}

bool same(const Tensor& x, const Tensor& y) {
  return all(x == y).item<bool>();
}

/// The product, eight rows at a time: each of these is too small for a second thread.
Tensor product_by_rows(const Tensor& a, const Tensor& b) {
  std::vector<Tensor> parts;
  for (std::int64_t row = 0; row < a.size(0); row += 8) {
    parts.push_back(matmul(a.narrow(0, row, std::min<std::int64_t>(8, a.size(0) - row)), b));
  }
  return cat(parts, 0);
}

void expect_same_bits_in_parts(DType dtype) {
  const Tensor a = random::uniform({301, 257}, {.low = -9, .high = 9}).to(dtype);
  const Tensor b = random::uniform({257, 190}, {.low = -9, .high = 9}).to(dtype);
  const Tensor turned = b.transpose(0, 1).contiguous().transpose(0, 1);
  const Tensor whole = matmul(a, b), parts = product_by_rows(a, b), other = matmul(a, turned);
  EXPECT_TRUE(same(whole, parts)) << "sums depend on the number of threads";
  EXPECT_TRUE(same(whole, other)) << "sums depend on how b lies";
}

TEST_F(Cpu, OwnProductsHaveTheSameBitsOnAnyNumberOfThreads) {
  in_new_process({"TENON_CPU_NUM_THREADS=3"}, [] {
    for (const DType dtype : {f64, f16, i32, i64}) {
      SCOPED_TRACE(fmt::format("dtype {}", static_cast<int>(dtype)));
      expect_same_bits_in_parts(dtype);
    }
  });
}

TEST_F(Cpu, SmallProductsSumInOneOrderWhateverTheirNeighbours) {
  const Tensor a = random::uniform({61, 13}), b = random::uniform({13, 1});
  EXPECT_TRUE(same(matmul(a, b), product_by_rows(a, b)));
  const Tensor c = random::uniform({64, 30}), w = random::uniform({64, 30}).transpose(0, 1);
  EXPECT_TRUE(same(matmul(c, w), product_by_rows(c, w)));
}

/// Each of these is a work of another kernel.
void expect_denormals(float expected) {
  const float tiny = 1e-39f;
  for (const std::int64_t size : {8, 64, 200}) {
    const Tensor x = full({size, size}, tiny);
    EXPECT_THAT(values(matmul(x, eye(size))), testing::Each(expected)) << size;
    EXPECT_THAT(values(matmul(x, eye(size)[0])).front(), expected) << size;
  }
  const Tensor many = full({1 << 18}, tiny);
  EXPECT_THAT(values(where(many + many == 0, 0, many)), testing::Each(expected));
  const volatile float mine = tiny;
  EXPECT_NE(mine * 0.5f, 0.0f) << "the caller's own arithmetic has changed";
}

TEST_F(Cpu, DenormalsAreNumbers) {
  in_new_process({}, [] { expect_denormals(1e-39f); });
}

TEST_F(Cpu, DenormalsAreZeroWhereThatIsAskedFor) {
  in_new_process({"TENON_CPU_FLUSH_DENORMALS=1", "TENON_CPU_NUM_THREADS=2"},
                 [] { expect_denormals(0); });
}

/// What opening the device says.
std::string refusal() {
  return thrown([] { ones({2}, {.device = device("cpu")}); }).text;
}

TEST_F(Cpu, DenormalsAreFlushedOrNot) {
  in_new_process({"TENON_CPU_FLUSH_DENORMALS=maybe"}, [] {
    EXPECT_THAT(refusal(), testing::HasSubstr("cpu.flush_denormals is 'maybe', not 0 or 1"));
  });
}

TEST_F(Cpu, TheNumberOfThreadsIsANumber) {
  in_new_process({"TENON_CPU_NUM_THREADS=2x"}, [] {
    EXPECT_THAT(refusal(), testing::HasSubstr("cpu.num_threads is '2x', not a number from 1 on"));
  });
}

TEST_F(Cpu, TenonNumThreadsIsForAllPlugins) {
  in_new_process({"TENON_NUM_THREADS=none"},
                 [] { EXPECT_THAT(refusal(), testing::HasSubstr("cpu.num_threads is 'none'")); });
}

TEST_F(Cpu, APluginsOwnSettingComesBeforeTheOneForAll) {
  in_new_process({"TENON_NUM_THREADS=none", "TENON_CPU_NUM_THREADS=2"},
                 [] { EXPECT_EQ(refusal(), "nothing was thrown"); });
}

// oneDNN takes no matrix of one element: the copy of this one would take four terabytes.
TEST_F(Cpu, AWorkspaceThatIsTooLargeIsAnError) {
  const std::int64_t many = 1 << 20;
  const Tensor wide = ones({1, 1}).expand({many, many}), column = ones({many, 3});
  EXPECT_EQ(thrown([&] { matmul(wide, column); }).kind, ErrorKind::OutOfMemory);
  EXPECT_EQ(matmul(ones({2, 3}), ones({3, 1})).sum().item<float>(), 6) << "the device has gone with it";
}

/// A round of most kinds of kernels, all results known.
void work(int thread) {
  const float x = static_cast<float>(thread + 1);
  const Tensor a = full({64, 48}, x), b = ones({48, 80});
  EXPECT_EQ(matmul(a, b).max().item<float>(), 48 * x);
  EXPECT_EQ(matmul(full({200, 150}, x), ones({150, 120})).min().item<float>(), 150 * x);
  EXPECT_EQ(matmul(full({130, 130}, x).to(f64), ones({130, 130}).to(f64)).sum().item<double>(),
            130.0 * 130 * 130 * x);
  const Tensor many = full({70'000}, x);
  EXPECT_EQ((many * 2 + 1).max().item<float>(), 2 * x + 1);
  EXPECT_EQ(many.sum().item<float>(), 70'000 * x);
  const Tensor w = full({30, 8}, x, {.requires_grad = true});
  const Tensor y = embedding(w, full({500}, 7, {.dtype = i64}));
  y.sum().backward();
  EXPECT_EQ(w.grad().sum().item<float>(), 500 * 8);
}

TEST_F(Cpu, EightThreadsWorkOnOneDevice) {
  const auto time = full_run() ? std::chrono::milliseconds(30'000) : std::chrono::milliseconds(300);
  const auto end = std::chrono::steady_clock::now() + time;
  on_threads(8, [&](int thread) {
    do {
      work(thread);
    } while (std::chrono::steady_clock::now() < end && !testing::Test::HasFailure());
  });
}

}  // namespace
}  // namespace tenon::test
