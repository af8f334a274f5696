// Launches on plugin faulty: copied whole when they are queued, checked against memory, run late.
#include <memory>

#include <gmock/gmock.h>

#include "core/runtime/op_block.h"
#include "tests/plugins/blocks.h"
#include "tests/plugins/faulty_fixture.h"

namespace tenon::test {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kTwo = 0x40000000;  // 2.0f

class FaultyLaunch : public Faulty {
 protected:
  void start() {
    open();
    stream_ = stream();
    const ScaleOp op;
    info_.struct_size = sizeof info_;
    ASSERT_EQ(api->prepare(device_, &op.op, &kernel_, &info_), TENON_OK) << host.error();
    workspace_ = allocate(info_.workspace_bytes);
    x_ = allocate(sizeof values_);
    y_ = allocate(sizeof values_);
    ASSERT_EQ(upload(stream_, x_, values_, sizeof values_), TENON_OK);
  }
  void TearDown() override {
    if (kernel_ != nullptr) api->release(device_, kernel_);
    Faulty::TearDown();
  }

  // y = x · 2, x read from `offset` on in steps of `stride`; all arguments die with the call.
  std::int32_t scale(std::uint64_t x, std::int64_t offset, std::int64_t stride,
                     std::int64_t count = 4) {
    auto strides = std::make_unique<std::int64_t>(stride);
    auto dims = std::make_unique<std::int64_t>(count);
    auto scalars = std::make_unique<std::uint64_t>(kTwo);
    std::vector<TenonOperand> operands = {{y_, 0, nullptr}, {x, offset, strides.get()}};
    std::vector<TenonPack> packs = {{operands.data(), scalars.get(), dims.get()}};
    const TenonLaunch launch{sizeof launch, 1, packs.data(), workspace_, 0, info_.workspace_bytes, 7};
    const std::int32_t code = api->launch(device_, stream_, kernel_, &launch);
    *strides = *dims = 1 << 30;
    *scalars = 0;
    operands.assign(2, {});
    return code;
  }

  std::vector<float> result() {
    std::vector<float> y(4);
    EXPECT_EQ(download(stream_, y.data(), y_, sizeof values_), TENON_OK) << host.error();
    EXPECT_EQ(finish(stream_), TENON_OK) << host.error();
    return y;
  }

  const float values_[4] = {1, 2, 3, 4};
  TenonStream* stream_ = nullptr;
  TenonKernel* kernel_ = nullptr;
  TenonKernelInfo info_{};
  std::uint64_t workspace_ = 0, x_ = 0, y_ = 0;
};

TEST_F(FaultyLaunch, OutlivesItsArgumentsAndItsKernel) {
  host.set("delay_min_us", "5000");
  start();
  ASSERT_EQ(scale(x_, 12, -1), TENON_OK) << host.error();
  api->release(device_, kernel_);
  kernel_ = nullptr;
  EXPECT_EQ(result(), (std::vector<float>{8, 6, 4, 2}));
}

TEST_F(FaultyLaunch, StaysInsideItsMemory) {
  start();
  EXPECT_EQ(scale(x_, 4, 1), TENON_INVALID);
  EXPECT_EQ(host.error(),
            "[faulty] launch: operand 1: offset 4 and 16 bytes leave handle 2 of 16 bytes");
  EXPECT_EQ(scale(x_, 8, -1), TENON_INVALID);
  EXPECT_THAT(host.error(), HasSubstr("negative strides reach 4 bytes before handle 2"));
  EXPECT_EQ(scale(x_, 0, 0, 5), TENON_INVALID);
  EXPECT_THAT(host.error(), HasSubstr("operand 0: offset 0 and 20 bytes leave handle 3"));
  EXPECT_EQ(scale(x_, 12, 0), TENON_OK) << host.error();
  EXPECT_EQ(result(), (std::vector<float>{8, 8, 8, 8}));
}

// y (rows, 2) = x · x (2, 2) over f32; x begins at `offset`, and its rows are `step` elements apart.
// The matrices are said to be aligned.
class FaultyProduct : public FaultyLaunch {
 protected:
  std::int32_t multiply(std::int64_t offset, std::int64_t step, std::int64_t rows = 1) {
    const std::uint64_t x = allocate(256), y = allocate(256);
    const auto matrix = [](std::int64_t height, std::int64_t stride) {
      return runtime::OperandDesc{.layout = TENON_LAYOUT_STRIDED,
                                  .flags = TENON_OPERAND_ALIGNED,
                                  .described = true,
                                  .shape = {height, 2},
                                  .strides = {stride, 1}};
    };
    const runtime::OperandDesc operands[] = {matrix(TENON_DYNAMIC, 4),
                                             matrix(TENON_DYNAMIC, TENON_DYNAMIC), matrix(2, 8)};
    const TenonMatmulAttrs attrs{sizeof(TenonMatmulAttrs), 0};
    const std::string block = runtime::op_block({.kind = TENON_KIND_MATMUL,
                                                 .acc_dtype = TENON_DTYPE_F32,
                                                 .rank = 2,
                                                 .operands = operands,
                                                 .attrs = std::as_bytes(std::span(&attrs, 1))});
    TenonKernelInfo info{};
    info.struct_size = sizeof info;
    api->release(device_, kernel_);
    kernel_ = nullptr;
    const auto* op = reinterpret_cast<const TenonOp*>(block.data());
    EXPECT_EQ(api->prepare(device_, op, &kernel_, &info), TENON_OK) << host.error();
    const std::uint64_t workspace = allocate(info.workspace_bytes);
    const TenonOperand arguments[] = {{y, 0, nullptr}, {x, offset, nullptr}, {x, 0, nullptr}};
    const std::int64_t dims[] = {rows, rows, step};
    const TenonPack pack{arguments, nullptr, dims};
    const TenonLaunch launch{sizeof launch, 1, &pack, workspace, 0, info.workspace_bytes, 7};
    const std::int32_t code = api->launch(device_, stream_, kernel_, &launch);
    return code == TENON_OK ? finish(stream_) : code;
  }
};

TEST_F(FaultyProduct, HoldsAlignedOperandsToIt) {
  start();
  EXPECT_EQ(multiply(16, 8), TENON_OK) << host.error();
  EXPECT_EQ(multiply(8, 8), TENON_INVALID);
  EXPECT_EQ(host.error(), "[faulty] launch: operand 1 is not aligned as it was said to be");
  EXPECT_EQ(multiply(16, 6), TENON_INVALID);
  EXPECT_EQ(host.error(), "[faulty] launch: operand 1 is not aligned as it was said to be");
}

TEST_F(FaultyProduct, RefusesNegativeExtents) {
  start();
  EXPECT_EQ(multiply(0, 8, 0), TENON_OK) << host.error();
  EXPECT_EQ(multiply(0, 8, -1), TENON_INVALID);
  EXPECT_THAT(host.error(), HasSubstr("matmul of extents that do not fit each other"));
}

TEST_F(FaultyLaunch, TakesAnEmptyOperandWithoutMemory) {
  start();
  EXPECT_EQ(scale(0, 0, 1, 0), TENON_OK) << host.error();
  EXPECT_EQ(scale(0, 0, 1, 1), TENON_INVALID);
  EXPECT_THAT(host.error(), HasSubstr("operand 1: handle 0 is no device memory"));
  EXPECT_EQ(finish(stream_), TENON_OK);
}

TEST_F(FaultyLaunch, RefusesAFreedHandle) {
  start();
  ASSERT_EQ(finish(stream_), TENON_OK);
  api->mem_free(device_, x_);
  EXPECT_EQ(scale(x_, 0, 1), TENON_INVALID);
  EXPECT_THAT(host.error(), HasSubstr("operand 1: handle 2 has been freed (offset 0, 16 bytes)"));
}

TEST_F(FaultyLaunch, RefusesMemoryOfTheOtherDevice) {
  start();
  TenonDevice* const first = device_;
  device_ = open(1);
  const std::uint64_t elsewhere = allocate(16);
  device_ = first;
  EXPECT_EQ(scale(elsewhere, 0, 1), TENON_INVALID);
  EXPECT_THAT(host.error(), HasSubstr("is memory of another device than faulty:0"));
}

TEST_F(FaultyLaunch, WantsTheWorkspaceItAskedFor) {
  start();
  info_.workspace_bytes -= 1;
  EXPECT_EQ(scale(x_, 0, 1), TENON_INVALID);
  EXPECT_EQ(host.error(), "[faulty] launch: workspace of 255 bytes, 256 were asked for");
}

TEST_F(FaultyLaunch, TellsABadIndexAtTheNextSyncOnce) {
  start();
  const GatherOp op;
  TenonKernel* gather = nullptr;
  ASSERT_EQ(api->prepare(device_, &op.op, &gather, &info_), TENON_OK) << host.error();
  const std::int32_t indices[4] = {3, 0, 70, -1};
  const std::uint64_t index = allocate(sizeof indices);
  ASSERT_EQ(upload(stream_, index, indices, sizeof indices), TENON_OK);
  const std::int64_t zero = 0, dims[3] = {4, 4, 1};
  const TenonOperand operands[3] = {{y_, 0, nullptr}, {x_, 0, &zero}, {index, 0, nullptr}};
  const TenonPack pack{operands, nullptr, dims};
  const TenonLaunch launch{sizeof launch, 1, &pack, workspace_, 0, info_.workspace_bytes, 41};
  ASSERT_EQ(api->launch(device_, stream_, gather, &launch), TENON_OK) << host.error();
  EXPECT_EQ(host.faults().size(), 0U);
  EXPECT_EQ(finish(stream_), TENON_INDEX);
  const auto faults = host.faults();
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].code, TENON_INDEX);
  EXPECT_EQ(faults[0].corr, 41U);
  EXPECT_EQ(faults[0].value, 70);
  EXPECT_EQ(faults[0].position, 2);
  EXPECT_EQ(result(), (std::vector<float>{4, 1, 0, 0}));
  api->release(device_, gather);
}

}  // namespace
}  // namespace tenon::test
