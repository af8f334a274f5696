// Random programs over mixed layouts, against the evaluator that shares no code with core or plugins.
#include <bit>
#include <cstring>

#include "tests/conformance/harness.h"
#include "tests/support/program_generator.h"
#include "tests/support/program_oracle.h"
#include "tests/support/rounds.h"

namespace tenon::conformance {
namespace {

TENON_DEVICE_SUITE(Programs);

const std::uint64_t kPrograms = test::rounds(1000);

// Seven dtypes are generated; a device computes with some of them and can store the same.
std::uint32_t dtypes_of(const Rig& rig) {
  std::uint32_t mask = 0;
  for (const DType dtype : {f32, f64, i32, u32, i64, u64, bool_}) {
    const auto code = static_cast<std::uint8_t>(dtype);
    if (rig.computes(code) && rig.stores(code)) mask |= 1u << code;
  }
  return mask;
}

struct Job {
  test::RandomProgram random;
  std::vector<Array*> operands;  ///< outputs first
  std::size_t outputs = 0;
  Dims dims;

  OpSpec op() const {
    const auto bytes = random.program.bytes();
    Block block((bytes.size() + 7) / 8);
    std::memcpy(block.data(), bytes.data(), bytes.size());
    OpSpec op;
    op.rank = static_cast<std::uint8_t>(dims.size());
    op.output_count = static_cast<std::uint8_t>(outputs);
    for (const Array* each : operands) op.operands.push_back(each->spec());
    op.attachments.push_back({TENON_SLOT_BODY, op.output_count, block});
    return op;
  }
};

Job job(Rig& rig, std::uint64_t seed) {
  const Lay out_lays[] = {Lay::contiguous, Lay::transposed, Lay::slice, Lay::negative};
  const Lay in_lays[] = {Lay::slice,    Lay::contiguous, Lay::broadcast,
                         Lay::negative, Lay::scalar,     Lay::transposed};
  const Dims shapes[] = {{33}, {5, 7}, {3, 2, 4}};
  Job j{test::random_program(seed, {dtypes_of(rig), rig.info().opcodes}), {}, 0, shapes[seed % 3]};
  const program::Program& program = j.random.program;
  j.outputs = static_cast<std::size_t>(program.output_count());
  for (int i = 0; i < program.output_count(); ++i) {
    const auto lay = out_lays[seed % 2 == 0 ? 0 : (seed / 2 + static_cast<std::uint64_t>(i)) % 4];
    j.operands.push_back(rig.array(static_cast<std::uint8_t>(program.output_dtype(i)), j.dims, lay));
  }
  for (int i = 0; i < program.input_count(); ++i) {
    const auto which = (seed / 2 + static_cast<std::uint64_t>(i)) % 6;
    Array* in = rig.array(static_cast<std::uint8_t>(program.input_dtype(i)), j.dims,
                          seed % 2 == 0 ? Lay::contiguous : in_lays[which]);
    in->set(test::random_values(seed + static_cast<std::uint64_t>(i), program.input_dtype(i), 33));
    j.operands.push_back(in);
  }
  return j;
}

void compare(const Job& j) {
  const program::Program& program = j.random.program;
  for (std::int64_t e = 0; e < element_count(j.dims); ++e) {
    std::vector<std::uint64_t> inputs;
    for (std::size_t i = j.outputs; i < j.operands.size(); ++i) inputs.push_back(j.operands[i]->at(e));
    const std::vector<std::uint64_t> want = test::evaluate(program.bytes(), inputs, j.random.scalars);
    for (int o = 0; o < program.output_count(); ++o) {
      const auto at = static_cast<std::size_t>(o);
      const auto dtype = static_cast<std::uint8_t>(program.output_dtype(o));
      const Bits got = j.operands[at]->at(e);
      ASSERT_TRUE(test::close(program.output_dtype(o), got, want[at], test::tolerance(program, o)))
          << "output " << o << " element " << e << ": got " << show(dtype, got) << ", expected "
          << show(dtype, want[at]) << '\n'
          << program.text();
    }
  }
}

bool fits(const TenonDeviceInfo& info, const program::Program& program) {
  const auto most = [](int count, std::uint32_t limit) {
    return static_cast<std::uint32_t>(count) <= limit;
  };
  return most(program.instruction_count(), info.max_instructions) &&
         most(program.input_count(), info.max_inputs) &&
         most(program.output_count(), info.max_outputs) &&
         most(program.scalar_count(), info.max_scalars) &&
         most(program.constant_count(), info.max_constants);
}

TEST_P(Programs, AgreeWithTheEvaluator) {
  if (rig.flushes()) GTEST_SKIP() << "the evaluator keeps denormals, this device flushes them";
  for (std::uint64_t seed = 0; seed < kPrograms; ++seed) {
    SCOPED_TRACE(rig.name() + ": program of seed " + std::to_string(seed));
    const Job j = job(rig, seed);
    if (!fits(rig.info(), j.random.program)) {
      refused("a program beyond the limits");
      continue;
    }
    const Outcome outcome = rig.run(j.op(), {j.operands, j.random.scalars, j.dims});
    ASSERT_TRUE(outcome.ok()) << outcome << '\n' << j.random.program.text();
    compare(j);
    if (HasFatalFailure()) return;
    rig.clear();
  }
}

}  // namespace
}  // namespace tenon::conformance
