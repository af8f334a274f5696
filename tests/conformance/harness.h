// One device under test: operands in its memory with guard zones around and between their elements,
// and ops that are prepared, launched and checked for writes outside their results.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/runtime/device_state.h"
#include "tests/conformance/op_block.h"
#include "tests/conformance/oracle.h"
#include "tests/support/devices.h"

namespace tenon::conformance {

enum class Lay { contiguous, transposed, slice, negative, broadcast, scalar };
const char* name_of(Lay lay);
std::string show(const Dims& dims);
std::int64_t element_count(const Dims& dims);
Dims row_major(const Dims& dims);
Dims strides_of(const Dims& dims, Lay lay);

/// An operand: where its elements lie within an allocation of its own, and the host's picture of all
/// bytes of the allocation.
class Array {
 public:
  std::uint8_t dtype = 0, layout = 0;
  Dims dims, strides;  ///< strides in elements
  std::uint64_t handle = 0;
  std::int64_t offset = 0;  ///< in bytes, of coordinate 0; INDEX: the value there
  std::vector<std::uint8_t> bytes;
  bool dirty = true;  ///< the device has not got `bytes` yet

  std::int64_t count() const { return element_count(dims); }
  /// Element i in row-major order.
  Bits at(std::int64_t i) const;
  std::vector<Bits> values() const;
  void set(std::int64_t i, Bits bits);
  /// Values for all elements; where elements share a place, the last one stays.
  void set(const std::vector<Bits>& values);
  /// Steps of element i from coordinate 0, in elements.
  std::int64_t step(std::int64_t i) const;
  std::size_t place(std::int64_t i) const;  ///< its first byte in `bytes`
  OperandSpec spec() const { return {dtype, layout, 0, {}, {}}; }
};

struct Pack {
  std::vector<Array*> operands;
  std::vector<Bits> scalars;
  Dims dims;
  /// GATHER, SCATTER: of each STRIDED or INDEX operand over the iteration space; else the arrays' own.
  std::vector<Dims> strides = {};
};

struct Kernel {
  TenonKernel* handle = nullptr;
  TenonKernelInfo info{};
};

/// What came of an op: TENON_OK, or the code and text of the call that answered otherwise, and the
/// fault that was reported.
struct Outcome {
  std::int32_t code = TENON_OK;
  std::string text;
  std::optional<TenonFault> fault = std::nullopt;
  bool ok() const { return code == TENON_OK; }
  bool refused() const { return code == TENON_UNSUPPORTED; }
};
std::ostream& operator<<(std::ostream& out, const Outcome& outcome);

/// A thread's view of a device: its own stream, memory and kernels. Frees all it made.
class Rig {
 public:
  explicit Rig(const std::string& device);
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  const TenonPlugin& api() const { return state_.api(); }
  TenonDevice* device() const { return device_; }
  TenonStream* stream() const { return stream_; }
  const TenonDeviceInfo& info() const { return state_.limits(); }
  const std::string& name() const { return state_.name(); }
  bool synchronous() const { return state_.synchronous(); }
  std::uint64_t last_corr() const { return launches_; }
  bool flushes() const { return (info().flags & TENON_DEVICE_FLUSHES_DENORMALS) != 0; }
  bool stores(std::uint8_t dtype) const { return (info().storage_dtypes >> dtype & 1) != 0; }
  bool computes(std::uint8_t dtype) const { return (info().compute_dtypes >> dtype & 1) != 0; }
  bool offers(const Opcode& op) const { return !op.optional() || (info().opcodes >> op.code & 1) != 0; }
  std::uint8_t max_rank() const;

  /// An operand over `dims`, all its allocation filled with a pattern. A SCALAR has one element.
  Array* array(std::uint8_t dtype, const Dims& dims, Lay lay = Lay::contiguous);
  Array* array(std::uint8_t dtype, const Dims& dims, const Dims& strides, std::uint8_t layout);
  /// An operand without memory: offset + sum of coordinate · stride.
  Array* index(std::uint8_t dtype, const Dims& dims, std::int64_t offset, const Dims& strides);
  /// Frees all arrays.
  void clear();

  /// Uploads what is dirty, prepares, launches, waits, downloads; a byte that changed outside the
  /// elements of the first op.output_count operands is a test failure.
  Outcome run(const OpSpec& op, const std::vector<Pack>& packs);
  Outcome run(const OpSpec& op, const Pack& pack) { return run(op, std::vector<Pack>{pack}); }

  /// The steps of run, for tests of their own order.
  Outcome prepare(const Block& op, Kernel* kernel);
  Outcome launch(const Kernel& kernel, const std::vector<Pack>& packs, std::uint32_t grown = 0);
  void release(const Kernel& kernel) { api().release(device_, kernel.handle); }
  void upload();
  void download_and_check(const std::vector<Pack>& packs, std::size_t output_count);
  /// Waits for all work of this rig's stream.
  Outcome finish();
  /// The plugin's word on `call`, and its text.
  Outcome outcome(const char* call, std::int32_t code) const;

  TenonMem allocate(std::uint64_t bytes);
  void write(std::uint64_t handle, std::uint64_t offset, const void* bytes, std::uint64_t size);
  void read(std::uint64_t handle, std::uint64_t offset, void* bytes, std::uint64_t size);

 private:
  void ask_workspace(const Kernel& kernel, TenonLaunch* launch);
  void check_guards(const Array& array, const std::vector<std::uint8_t>& now,
                    const std::vector<bool>& writable);

  runtime::DeviceState& state_;
  TenonDevice* device_ = nullptr;
  TenonStream* stream_ = nullptr;
  std::uint64_t launches_ = 0;
  std::vector<std::unique_ptr<Array>> arrays_;
  std::vector<std::uint64_t> handles_;
};

/// The dtypes that the device stores and computes with.
std::vector<std::uint8_t> full_dtypes(const Rig& rig);
/// The dtype a value of `dtype` is stored in on this device: itself, or one of the same size.
std::uint8_t stored_as(const Rig& rig, std::uint8_t dtype);

/// An ELEMENTWISE op of this program over these operands (outputs first).
OpSpec elementwise(const Program& program, const std::vector<Array*>& operands);

/// The fixture: a rig on the device that the test is instantiated for.
class OnDevice : public testing::TestWithParam<std::string> {
 protected:
  OnDevice() : rig(GetParam()) {}
  void TearDown() override;
  /// Counts a case that the device refused and may refuse; shown at the end of the test.
  void refused(const std::string& what);
  Rig rig;

 private:
  int refusals_ = 0;
  std::string first_refusal_;
};

/// Declares a suite that runs on every device; at namespace level, once for each name.
#define TENON_DEVICE_SUITE(suite)                                                              \
  class suite : public tenon::conformance::OnDevice {};                                        \
  INSTANTIATE_TEST_SUITE_P(Conformance, suite, testing::ValuesIn(tenon::test::test_devices()), \
                           tenon::test::device_test_name)

}  // namespace tenon::conformance
