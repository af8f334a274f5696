// Memory that is shared with others: from_blob, DLPack both ways, the host's view of a tensor.
#include <algorithm>
#include <cstdint>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/dlpack.h>
#include <tenon/ops.h>

#include "tests/core/fake_device.h"
#include "tests/support/arrays.h"
#include "tests/support/devices.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::ElementsAre;

Thrown unsupported(std::string text) {
  return {ErrorKind::Unsupported, std::move(text)};
}

class Shared : public testing::TestWithParam<std::string> {
 protected:
  bool shares() const { return device_.info().synchronous; }
  const Device device_ = device(GetParam());
  const TensorOptions here_ = {.device = device_};
};

INSTANTIATE_TEST_SUITE_P(Devices, Shared, testing::ValuesIn(test_devices()), device_test_name);

TEST_P(Shared, BlobsAreTheCallersMemory) {
  std::vector<float> values{1, 2, 3, 4, 5, 6};
  int done = 0;
  const auto count = [&](void* data) { done += data == values.data(); };
  if (!shares()) {
    EXPECT_EQ(thrown([&] { from_blob(values.data(), {6}, here_, count); }),
              unsupported("[from_blob] " + GetParam() +
                          " works asynchronously and can't share memory of the host; copy with "
                          "from_bytes()"));
    EXPECT_EQ(done, 0) << "it stays the caller's";
    return;
  }
  {
    Tensor x = from_blob(values.data(), {2, 3}, here_, count);
    EXPECT_EQ(x.data<float>().data(), values.data());
    values[1] = 20;
    expect_equals(x, Array<float>{{2, 3}, {1, 20, 3, 4, 5, 6}});
    x += 1;
    EXPECT_THAT(values, ElementsAre(2, 21, 4, 5, 6, 7));
    const Tensor row = x.select(0, 1);
    x = Tensor();
    EXPECT_EQ(done, 0) << "a view is left";
    expect_equals(row, Array<float>{{3}, {5, 6, 7}});
  }
  EXPECT_EQ(done, 1);
}

TEST_P(Shared, BlobsHaveAnyStrides) {
  if (!shares()) GTEST_SKIP() << "shares no memory";
  std::vector<std::int64_t> values{0, 1, 2, 3, 4, 5, 6, 7};
  const TensorOptions whole = {.dtype = i64, .device = device_};
  const Tensor backwards = from_blob(&values[7], {2, 3}, {-4, -1}, whole);
  expect_equals(backwards, Array<std::int64_t>{{2, 3}, {7, 6, 5, 3, 2, 1}});
  const Tensor column = from_blob(&values[1], {2}, {4}, whole);
  Tensor written = column;
  written.fill_(9);
  EXPECT_THAT(values, ElementsAre(0, 9, 2, 3, 4, 9, 6, 7));
  const Tensor same = from_blob(values.data(), {2, 2}, {0, 1}, whole);
  expect_equals(same, Array<std::int64_t>{{2, 2}, {0, 9, 0, 9}});
  EXPECT_EQ(thrown([&] { Tensor(same).fill_(0); }).kind, ErrorKind::InvalidArgument);
}

TEST_P(Shared, WrongBlobsAreRefusedAndStayTheCallers) {
  if (!shares()) GTEST_SKIP() << "shares no memory";
  std::vector<float> values(8);
  int done = 0;
  const auto refused = [&](void* data, const Shape& shape, const Strides& strides) {
    return thrown([&] { from_blob(data, shape, strides, here_, [&](void*) { ++done; }); });
  };
  EXPECT_EQ(refused(nullptr, {2}, {1}), invalid_argument("[from_blob] the address of (2,) is null"));
  EXPECT_EQ(refused(values.data(), {2}, {1, 1}),
            invalid_argument("[from_blob] (2,) has not as many dimensions as strides (1, 1)"));
  EXPECT_THAT(refused(reinterpret_cast<std::byte*>(values.data()) + 1, {1}, {1}).text,
              testing::HasSubstr(" is no address of f32, which take 4 bytes"));
  EXPECT_EQ(
      refused(values.data(), {3}, {std::int64_t{1} << 62}),
      invalid_argument("[from_blob] (3,) with strides (4611686018427387904,) reaches farther than "
                       "62 bits can count"));
  EXPECT_EQ(refused(values.data(), {-3}, {1}),
            invalid_argument("[from_blob] (-3,) has a negative extent"));
  EXPECT_EQ(done, 0);
  EXPECT_EQ(from_blob(nullptr, {0, 3}, here_, [&](void*) { ++done; }).numel(), 0);
  EXPECT_EQ(done, 1) << "of no elements nothing is kept";
}

TEST_P(Shared, OverlapsAreFoundAcrossBlobs) {
  if (!shares()) GTEST_SKIP() << "shares no memory";
  std::vector<float> values{1, 2, 3, 4, 5};
  Tensor low = from_blob(&values[0], {4}, here_), high = from_blob(&values[1], {4}, here_);
  high += low;
  EXPECT_THAT(values, ElementsAre(1, 3, 5, 7, 9));
  low.copy_(from_blob(&values[4], {4}, {-1}, here_));
  EXPECT_THAT(values, ElementsAre(9, 7, 5, 3, 9));
}

TEST_P(Shared, DlpackGoesBothWays) {
  Tensor x = tensor({{1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}}, here_);
  if (!shares()) {
    EXPECT_EQ(thrown([&] { to_dlpack(x); }),
              unsupported("[to_dlpack] memory of " + GetParam() +
                          " can't be shared; copy to a device of the host's with to()"));
    return;
  }
  const Tensor view = x.transpose(0, 1).slice(0, {.step = -1});
  DLManagedTensorVersioned* const exported = to_dlpack(view);
  EXPECT_EQ(exported->version.major, 1u);
  EXPECT_EQ(exported->flags, 0u);
  const DLTensor& t = exported->dl_tensor;
  EXPECT_EQ(static_cast<float*>(t.data), x.data<float>().data() + 2);
  EXPECT_EQ(t.byte_offset, 0u);
  EXPECT_EQ(t.device.device_type, kDLCPU);
  ASSERT_EQ(t.ndim, 2);
  EXPECT_EQ((Shape{t.shape[0], t.shape[1], t.strides[0], t.strides[1]}), (Shape{3, 2, -1, 3}));
  Tensor back = from_dlpack(exported, device_);
  expect_equals(back, Array<float>{{3, 2}, {3, 6, 2, 5, 1, 4}});
  back += 10;
  EXPECT_EQ(x.select(0, 0).select(0, 2).item<float>(), 13);
  x = Tensor();
  expect_equals(back, Array<float>{{3, 2}, {13, 16, 12, 15, 11, 14}});
}

TEST_P(Shared, DlpackKnowsEveryDType) {
  if (!shares()) GTEST_SKIP() << "shares no memory";
  struct Row {
    DType dtype;
    int code, bits;
  };
  for (const auto& [dtype, code, bits] : std::vector<Row>{{bool_, 6, 8},
                                                          {u8, 1, 8},
                                                          {i8, 0, 8},
                                                          {u16, 1, 16},
                                                          {i16, 0, 16},
                                                          {u32, 1, 32},
                                                          {i32, 0, 32},
                                                          {u64, 1, 64},
                                                          {i64, 0, 64},
                                                          {f16, 2, 16},
                                                          {bf16, 4, 16},
                                                          {f32, 2, 32},
                                                          {f64, 2, 64}}) {
    SCOPED_TRACE(name(dtype));
    const std::vector<DType>& stored = device_.info().storage_dtypes;
    if (std::find(stored.begin(), stored.end(), dtype) == stored.end()) continue;
    DLManagedTensorVersioned* const exported =
        to_dlpack(ones({2}, {.dtype = dtype, .device = device_}));
    EXPECT_EQ(exported->dl_tensor.dtype.code, code);
    EXPECT_EQ(exported->dl_tensor.dtype.bits, bits);
    EXPECT_EQ(exported->dl_tensor.dtype.lanes, 1);
    const Tensor back = from_dlpack(exported, device_);
    EXPECT_EQ(back.dtype(), dtype);
    EXPECT_EQ(back.to(f32).sum().item<float>(), 2);
  }
}

/// Somebody else's tensor; counts how often it is deleted.
struct Foreign {
  Foreign() {
    managed.version = {1, 1};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensorVersioned* self) {
      ++static_cast<Foreign*>(self->manager_ctx)->deleted;
    };
    managed.dl_tensor = {values, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, nullptr, 4};
  }
  float values[7] = {0, 1, 2, 3, 4, 5, 6};
  std::int64_t shape[2] = {2, 3};
  DLManagedTensorVersioned managed{};
  int deleted = 0;
};

TEST_P(Shared, ForeignTensorsAreDeletedOnce) {
  if (!shares()) GTEST_SKIP() << "shares no memory";
  Foreign foreign;
  {
    Tensor x = from_dlpack(&foreign.managed, device_);
    EXPECT_EQ(x.data<float>().data(), foreign.values + 1) << "the offset is in bytes";
    expect_equals(x, Array<float>{{2, 3}, {1, 2, 3, 4, 5, 6}});
    const Tensor same = x, part = x.select(0, 1);
    x.fill_(8);
    EXPECT_EQ(foreign.values[6], 8);
    EXPECT_EQ(foreign.deleted, 0);
  }
  EXPECT_EQ(foreign.deleted, 1);
  foreign.managed.deleter = nullptr;
  from_dlpack(&foreign.managed, device_);
  foreign.shape[0] = 0;
  foreign.managed.dl_tensor.data = nullptr;
  EXPECT_EQ(from_dlpack(&foreign.managed, device_).shape(), (Shape{0, 3}));
}

TEST_P(Shared, ReadOnlyTensorsAreNotWritten) {
  if (!shares()) GTEST_SKIP() << "shares no memory";
  Foreign foreign;
  foreign.managed.flags = DLPACK_FLAG_BITMASK_READ_ONLY;
  Tensor x = from_dlpack(&foreign.managed, device_), row = x.select(0, 0);
  EXPECT_TRUE(x.is_read_only());
  const auto refusal = [](const std::string& op) {
    return invalid_argument("[" + op +
                            "] the tensor was imported read-only, so it can't be written in place; "
                            "clone() it first");
  };
  EXPECT_EQ(thrown([&] { x += 1; }), refusal("add"));
  EXPECT_EQ(thrown([&] { row.fill_(0); }), refusal("fill_"));
  EXPECT_EQ(thrown([&] { x.copy_(ones({3}, here_)); }), refusal("copy_"));
  const Thrown pointer =
      invalid_argument("[data] the tensor was imported read-only: read a const one, or clone() it");
  EXPECT_EQ(thrown([&] { x.data<float>(); }), pointer);
  EXPECT_EQ(thrown([&] { x.host().data<float>(); }).text.substr(0, 7), "[host] ");
  EXPECT_EQ(std::as_const(x).data<float>()[5], 6);
  Tensor copy = x.clone();
  EXPECT_FALSE(copy.is_read_only());
  copy += 1;
  EXPECT_EQ((x * 2).sum().item<float>(), 42);
  DLManagedTensorVersioned* const exported = to_dlpack(row);
  EXPECT_EQ(exported->flags, DLPACK_FLAG_BITMASK_READ_ONLY);
  exported->deleter(exported);
}

TEST_P(Shared, WrongForeignTensorsAreRefusedAndNotDeleted) {
  if (!shares()) GTEST_SKIP() << "shares no memory";
  const auto refused = [&](auto change) {
    Foreign foreign;
    change(foreign.managed);
    const Thrown error = thrown([&] { from_dlpack(&foreign.managed, device_); });
    EXPECT_EQ(foreign.deleted, 0);
    return error;
  };
  using Managed = DLManagedTensorVersioned;
  EXPECT_EQ(thrown([&] { from_dlpack(nullptr); }),
            invalid_argument("[from_dlpack] the tensor is null"));
  EXPECT_EQ(refused([](Managed& m) { m.version.major = 2; }),
            unsupported("[from_dlpack] the tensor is of DLPack 2.1, not of 1.x"));
  EXPECT_EQ(refused([](Managed& m) { m.dl_tensor.dtype.lanes = 4; }),
            invalid_argument("[from_dlpack] elements of 4 lanes are not supported, only of one"));
  EXPECT_EQ(refused([](Managed& m) { m.dl_tensor.dtype = {5, 64, 1}; }),
            unsupported("[from_dlpack] no dtype has type code 5 of 64 bits"));
  EXPECT_EQ(refused([](Managed& m) { m.dl_tensor.dtype.bits = 4; }),
            unsupported("[from_dlpack] no dtype has type code 2 of 4 bits"));
  EXPECT_EQ(refused([](Managed& m) { m.dl_tensor.device = {2, 1}; }),
            unsupported("[from_dlpack] memory of DLPack device (2, 1) can't be shared, only the host's "
                        "(1, 0); copy it there first"));
  EXPECT_EQ(refused([](Managed& m) { m.dl_tensor.ndim = 9; }),
            invalid_argument("[from_dlpack] 9 dimensions, the most is 8"));
  EXPECT_EQ(refused([](Managed& m) { m.dl_tensor.ndim = -1; }),
            invalid_argument("[from_dlpack] -1 dimensions, the most is 8"));
  EXPECT_EQ(refused([](Managed& m) { m.dl_tensor.shape = nullptr; }),
            invalid_argument("[from_dlpack] the shape of 2 dimensions is null"));
  EXPECT_EQ(refused([](Managed& m) { m.dl_tensor.data = nullptr; }),
            invalid_argument("[from_dlpack] the address of (2, 3) is null"));
  EXPECT_THAT(refused([](Managed& m) { m.dl_tensor.byte_offset = 2; }).text,
              testing::HasSubstr("is no address of f32"));
  Tensor leaf = ones({2}, here_).set_requires_grad();
  EXPECT_EQ(thrown([&] { to_dlpack(leaf); }),
            invalid_argument("[to_dlpack] the tensor requires a gradient, which is lost; detach() it"));
}

TEST_P(Shared, TheHostsViewIsTheElements) {
  Tensor x = tensor({1.0f, 2.0f}, here_);
  if (!shares()) {
    EXPECT_EQ(thrown([&] { x.host(); }),
              unsupported("[host] " + GetParam() +
                          " does not map its memory for the host; copy with to_vector()"));
    return;
  }
  const std::uint64_t version = x.version();
  {
    const auto view = x.host();
    EXPECT_THAT(view.data<float>(), ElementsAre(1, 2));
    EXPECT_EQ(thrown([&] { view.data<double>(); }),
              invalid_argument("[data] the tensor holds f32, not f64"));
  }
  EXPECT_EQ(x.version(), version) << "nothing was written";
  {
    auto view = x.host();
    view.data<float>()[1] = 5;
  }
  EXPECT_EQ(x.version(), version + 1);
  expect_equals(x, Array<float>{{2}, {1, 5}});
  EXPECT_EQ(
      thrown([&] { zeros({2, 2}, here_).transpose(0, 1).host(); }),
      invalid_argument("[host] the elements of (2, 2) with strides (1, 2) are not contiguous; take "
                       "contiguous()"));
}

TEST_P(Shared, BackwardKnowsOfWhatTheHostWrote) {
  if (!shares()) GTEST_SKIP() << "shares no memory";
  const Tensor x = ones({2}, here_).set_requires_grad();
  Tensor y = x * 2;
  {
    y.host().data<float>()[0] = 7;
  }
  EXPECT_EQ(thrown([&] { y* y; }),
            invalid_argument("[mul] its result was changed in place through another tensor; clone() "
                             "before the change"));
}

TEST(Mapped, TheViewWaitsForAllWorkOnTheTensor) {
  FakeDevice fake;
  fake->maps_memory = true;
  int waited = 0;
  fake->on_sync = [&](std::int64_t) {
    ++waited;
    return TENON_OK;
  };
  Tensor x = empty({4}, {.device = fake.device()});
  {
    x.host();
  }
  EXPECT_EQ(waited, 0) << "nothing was given to the device";
  x.fill_(1);
  {
    auto view = x.host();
    EXPECT_EQ(waited, 1);
    view.data<float>()[3] = 4;
  }
  EXPECT_EQ(x.version(), 2u);
  x.fill_(1);
  fake->on_sync = [&](std::int64_t) { return fake_fail(TENON_INTERNAL, "it broke"); };
  EXPECT_THAT(thrown([&] { x.host(); }).text, testing::HasSubstr("it broke"));
}

TEST(Imported, WhatBreaksTheContractIsRefused) {
  FakeDevice fake(FakeDevice::Synchronous);
  alignas(256) float values[128] = {};
  const TensorOptions there = {.device = fake.device()};
  int done = 0;
  const auto refused = [&](void* data) {
    return thrown([&] { from_blob(data, {4}, there, [&](void*) { ++done; }); }).text;
  };
  EXPECT_EQ(refused(values),
            "[from_blob] " + fake.name() + " can't share memory of the host; copy with from_bytes()");
  EXPECT_THAT(refused(values + 1),
              testing::HasSubstr(" shares memory at multiples of 256 bytes only, not at 0x"));
  fake->on_import = [&](const TenonImport& what, TenonMem& memory) {
    memory.handle = reinterpret_cast<std::uintptr_t>(::operator new(16, std::align_val_t{256}));
    memory.bytes = what.bytes;
    memory.host_ptr = values + 64;  // a copy
    return TENON_OK;
  };
  EXPECT_THAT(refused(values),
              testing::HasSubstr("mem_import breaks the plugin contract: of 16 bytes"));
  fake->on_import = [&](const TenonImport&, TenonMem&) { return fake_fail(TENON_INTERNAL, "no"); };
  EXPECT_THAT(refused(values), testing::HasSubstr("no"));
  EXPECT_EQ(done, 0);
}

}  // namespace
}  // namespace tenon::test
