// parse of any text; a program that it makes is what its own text means, and can be differentiated and
// cut into parts, or is refused.
#include <numeric>

#include <tenon/error.h>
#include <tenon/program.h>

#include "core/program/legalise.h"
#include "core/program/split.h"
#include "tests/fuzz/support/check.h"

namespace {

using namespace tenon;
using namespace tenon::program;
using fuzz::check;

template <class F>
void refusable(F&& call) {
  try {
    call();
  } catch (const Error&) {
  }
}

template <class Dtype>
std::vector<int> floating(int count, Dtype dtype) {
  std::vector<int> found;
  for (int i = 0; i < count; ++i) {
    if (is_floating(dtype(i))) found.push_back(i);
  }
  return found;
}

void differentiate(const Program& p) {
  const auto wanted = floating(p.input_count(), [&](int i) { return p.input_dtype(i); });
  const auto given = floating(p.output_count(), [&](int i) { return p.output_dtype(i); });
  if (wanted.empty() || given.empty()) return;
  const Derivative derivative = derive(p, wanted, given);
  check(derivative.program.output_count() == static_cast<int>(wanted.size()),
        "a derivative has an output for each input wanted");
  check(parse(derivative.program.text()) == derivative.program, "a derivative's text means itself");
}

void cut(const Draft& draft, const Limits& limits, DTypeMasks dtypes, Cut how) {
  for (const Part& part : split(draft, limits, dtypes, how).parts) {
    const Program& p = part.program;
    check(p.instruction_count() <= limits.instructions && p.input_count() <= limits.inputs &&
              p.output_count() <= limits.outputs && p.scalar_count() <= limits.scalars &&
              p.constant_count() <= limits.constants,
          "a part keeps to the limits");
  }
}

/// For the device that has the least.
void lower(const Program& p) {
  constexpr std::uint32_t kStored = ~0u;
  constexpr std::uint32_t kComputed =
      1u << TENON_DTYPE_F32 | 1u << TENON_DTYPE_I32 | 1u << TENON_DTYPE_U32 | 1u << TENON_DTYPE_BOOL;
  const Target target{.opcodes = 0, .storage_dtypes = kStored, .compute_dtypes = kComputed};
  const Draft legal = legalise(decode(p), target);
  check(is_legal(legal, target), "what was legalised is legal");
  cut(legal, {4, 2, 1, 3, 3}, {kStored, kComputed}, Cut::FewestParts);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  refusable([&] {
    const Program p = parse({reinterpret_cast<const char*>(bytes), size});
    check(parse(p.text()) == p, "a program's text means the program");
    refusable([&] { differentiate(p); });
    refusable([&] { cut(decode(p), {}, {~0u, ~0u}, Cut::EachInstruction); });
    refusable([&] { cut(decode(p), {4, 2, 1, 3, 3}, {~0u, ~0u}, Cut::FewestParts); });
    refusable([&] { lower(p); });
  });
  return 0;
}
