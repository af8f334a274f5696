// Several threads at once: each on a stream of its own, or all on a synchronous device.
#include <thread>

#include "tests/conformance/harness.h"

namespace tenon::conformance {
namespace {

TENON_DEVICE_SUITE(Threads);

constexpr int kThreads = 4;

template <class Body>
void in_threads(const Body& body) {
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) threads.emplace_back(body, t);
  for (std::thread& thread : threads) thread.join();
}

Program affine() {
  const std::uint8_t i32 = TENON_DTYPE_I32;
  Program program;
  const auto product = program.emit(TENON_OP_MUL, i32, program.input(i32), program.scalar(i32));
  program.output(program.emit(TENON_OP_ADD, i32, product, program.constant(i32, 1)));
  return program;
}

// Rounds of x = 3 x + 1 in place.
void iterate(Rig& own, const Kernel& kernel, int thread, int rounds) {
  Array* x = own.array(TENON_DTYPE_I32, {4001});
  x->set({static_cast<Bits>(thread)});
  own.upload();
  const Pack pack{{x, x}, {3}, {4001}};
  std::uint32_t want = static_cast<std::uint32_t>(thread);
  for (int i = 0; i < rounds; ++i) {
    ASSERT_TRUE(own.launch(kernel, {pack}).ok());
    want = 3 * want + 1;
  }
  EXPECT_TRUE(own.finish().ok());
  own.download_and_check({pack}, 1);
  for (std::int64_t i = 0; i < x->count(); ++i)
    ASSERT_EQ(x->at(i), want) << "thread " << thread << " element " << i;
}

OpSpec affine_op() {
  OpSpec op;
  op.operands = {{TENON_DTYPE_I32}, {TENON_DTYPE_I32}};
  op.index_width = 32;
  op.attachments = {{TENON_SLOT_BODY, 1, affine().block()}};
  return op;
}

TEST_P(Threads, LaunchOneKernelAtOnce) {
  Kernel kernel;
  const Outcome prepared = rig.prepare(affine_op().block(), &kernel);
  ASSERT_TRUE(prepared.ok()) << prepared;
  in_threads([&](int thread) {
    Rig own(GetParam());
    iterate(own, kernel, thread, 20);
  });
  rig.release(kernel);
}

TEST_P(Threads, PrepareAllocateAndCopyAtOnce) {
  in_threads([&](int thread) {
    for (int round = 0; round < 5; ++round) {
      Rig own(GetParam());
      Kernel kernel;
      const Outcome prepared = own.prepare(affine_op().block(), &kernel);
      ASSERT_TRUE(prepared.ok()) << prepared;
      iterate(own, kernel, thread, 2);
      own.release(kernel);
    }
  });
}

// A stream has one thread at a time, which may change between calls.
TEST_P(Threads, AStreamMovesFromThreadToThread) {
  Kernel kernel;
  ASSERT_TRUE(rig.prepare(affine_op().block(), &kernel).ok());
  for (int t = 0; t < kThreads; ++t) {
    std::thread([&] { iterate(rig, kernel, t, 2); }).join();
  }
  rig.release(kernel);
}

}  // namespace
}  // namespace tenon::conformance
