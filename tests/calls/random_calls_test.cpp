// Every public function with arguments from a seed: what comes out is a result, the same bits on the
// hostile device, or an error that says what is wrong, in the same words.
#include <algorithm>
#include <array>
#include <random>
#include <string_view>

#include <gtest/gtest.h>

#include <tenon/memory.h>

#include "tests/fuzz/support/calls.h"
#include "tests/fuzz/support/devices.h"
#include "tests/support/devices.h"
#include "tests/support/rounds.h"

namespace tenon {
namespace {

using fuzz::Arguments, fuzz::Bytes, fuzz::Calls, fuzz::Line;

std::vector<std::uint8_t> random_bytes(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<std::uint8_t> bytes(count);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() >> 32);
  return bytes;
}

Bytes view(const std::vector<std::uint8_t>& bytes) {
  return {bytes.data(), bytes.size()};
}

class RandomCalls : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fuzz::find_devices());
    set_memory_limit(device(GetParam()), 64 << 20);
    set_memory_limit(device("reference"), 64 << 20);
  }
};

/// How a call with arguments that agree ends; nothing where they were wrong.
struct Outcome {
  bool succeeded = false;
  int tensors = 0;
  std::string text;
  ErrorKind kind = ErrorKind::DeviceError;
};

Outcome outcome(const Line& line, std::uint64_t seed, Device here, Device other, int spoiled,
                bool undefined) {
  const auto bytes = random_bytes(seed, 400);
  Bytes in = view(bytes);
  Arguments arguments(in, here, other, {});
  arguments.agree(true);
  arguments.spoil(spoiled, undefined);
  Outcome result;
  try {
    line.call(arguments);
    result.succeeded = true;
  } catch (const Error& error) {
    result.text = error.what();
    result.kind = error.kind();
  }
  result.tensors = arguments.tensors();
  for (const Device device : {here, other}) {
    try {
      device.synchronize();
    } catch (const Error&) {
      result.succeeded = false;
    }
  }
  return result;
}

/// Whether some arguments are right, for lines of which few are.
bool can_succeed(const Line& line, Device here, Device other) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    if (outcome(line, seed, here, other, -1, false).succeeded) return true;
  }
  return false;
}

TEST_P(RandomCalls, GiveTheSameOnEachDevice) {
  constexpr std::size_t kChain = 30;  // calls that share tensors
  const fuzz::Table& table = fuzz::call_table();
  const Device here = device(GetParam()), reference = device("reference");
  const DeviceInfo& info = here.info();
  const bool takes_all = info.storage_dtypes.size() == 13 && info.compute_dtypes.size() == 13;
  const bool same_kernels = GetParam().starts_with("faulty") && takes_all;
  std::vector<int> succeeded(table.size());
  for (std::uint64_t round = 0; round < test::rounds(25); ++round) {
    for (std::size_t first = 0; first < table.size(); first += kChain) {
      SCOPED_TRACE(testing::Message() << "round " << round << " from line " << first);
      const auto bytes = random_bytes(1000 * round + first, 400 * kChain);
      Calls calls(view(bytes), here, reference), again(view(bytes), reference, here);
      for (std::size_t i = first; i < std::min(first + kChain, table.size()); ++i) {
        succeeded[i] += calls.call(table[i]);
        again.call(table[i]);
      }
      calls.finish();
      again.finish();
      if (same_kernels) {
        EXPECT_EQ(fuzz::difference(calls, again), "");
      }
    }
  }
  for (std::size_t i = 0; takes_all && i < table.size(); ++i) {
    EXPECT_TRUE(succeeded[i] > 0 || can_succeed(table[i], here, reference))
        << "line " << i << ", " << table[i].name << ", is never a right call";
  }
}

/// Whether it says which op was called: f_ and f_out say f.
bool names_op(const Outcome& wrong, std::string name) {
  for (const std::string_view form : {"_out", "_"}) {
    if (name.ends_with(form)) name.resize(name.size() - form.size());
  }
  return wrong.kind == ErrorKind::InvalidArgument && wrong.text.starts_with('[' + name);
}

TEST_P(RandomCalls, AnUndefinedTensorIsNamedWithTheOp) {
  const Device here = device(GetParam()), other = device("reference");
  for (const Line& line : fuzz::call_table()) {
    for (std::uint64_t seed = 0; seed < test::rounds(6); ++seed) {
      const Outcome right = outcome(line, seed, here, other, -1, true);
      for (int i = 0; right.succeeded && i < right.tensors; ++i) {
        const Outcome wrong = outcome(line, seed, here, other, i, true);
        EXPECT_TRUE(names_op(wrong, line.name)) << line.name << ", tensor " << i << ": " << wrong.text;
      }
    }
  }
}

/// What takes tensors of several devices: copies, views of each, what only asks for gradients.
bool joins_devices(const Line& line) {
  constexpr std::array kNames = {"copy_", "set_data", "broadcast_tensors", "meshgrid", "sum", "grad"};
  return std::find(kNames.begin(), kNames.end(), line.name) != kNames.end();
}

TEST_P(RandomCalls, AnOperandOnAnotherDeviceIsNamedWithTheOp) {
  const Device here = device(GetParam()), other = device("reference");
  if (here == other) GTEST_SKIP() << "needs another device than reference";
  for (const Line& line : fuzz::call_table()) {
    if (joins_devices(line)) continue;
    for (std::uint64_t seed = 0; seed < test::rounds(6); ++seed) {
      const Outcome right = outcome(line, seed, here, other, -1, false);
      for (int i = 0; right.succeeded && right.tensors > 1 && i < right.tensors; ++i) {
        const Outcome wrong = outcome(line, seed, here, other, i, false);
        EXPECT_TRUE(names_op(wrong, line.name)) << line.name << ", tensor " << i << ": " << wrong.text;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, RandomCalls, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

}  // namespace
}  // namespace tenon
