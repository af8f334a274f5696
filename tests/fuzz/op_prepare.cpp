// Descriptions of ops, many of them damaged, before the SDK's kernels. One that they take is
// launched on memory that ends where the description says; one that they refuse comes with a reason.
#include <cstring>
#include <memory>

#include <tenon/sdk/kernels.h>

#include "tests/fuzz/support/check.h"
#include "tests/fuzz/support/launch.h"
#include "tests/fuzz/support/op_description.h"

namespace {

using namespace tenon;
namespace kernels = sdk::kernels;
using fuzz::check;

/// What a kernel tells its host.
struct Told {
  int failures = 0, notes = 0, faults = 0;
};

Told& told(void* ctx) {
  return *static_cast<Told*>(ctx);
}

TenonHost make_host(Told& ctx) {
  TenonHost host{};
  host.struct_size = sizeof host;
  host.abi = TENON_ABI;
  host.ctx = &ctx;
  host.fail = [](void* self, std::int32_t code, const char* text) {
    check(code < 0 && text != nullptr, "a failure has a code and a text");
    ++told(self).failures;
    return code;
  };
  host.note = [](void* self, const char* text) {
    check(text != nullptr, "a note has a text");
    ++told(self).notes;
  };
  host.fault = [](void* self, const TenonFault* fault) {
    check(fault->code == TENON_INDEX && fault->position >= 0, "a fault is of an index");
    ++told(self).faults;
  };
  return host;
}

/// Its bytes alone, so that reading past them is seen.
std::unique_ptr<std::uint64_t[]> place(const conformance::Block& block) {
  auto words = std::make_unique<std::uint64_t[]>(block.size());
  std::memcpy(words.get(), block.data(), 8 * block.size());
  auto& head = *reinterpret_cast<TenonOp*>(words.get());
  // Of all that a description may lie about, its size is the one that nobody could find out.
  head.total_size = std::min(head.total_size, static_cast<std::uint32_t>(8 * block.size()));
  return words;
}

void check_memory(sdk::OpView op, const fuzz::Launchable& pack, bool honest) {
  for (std::size_t i = 0; i < pack.memory.size(); ++i) {
    const auto& [bytes, before] = pack.memory[i];
    if (i >= op.output_count()) check(bytes == before, "an input is not written");
    if (!honest || op.operands()[i].dtype != TENON_DTYPE_BOOL) continue;
    for (const std::byte byte : bytes) check(byte <= std::byte{1}, "a bool is 0 or 1");
  }
}

void launch(const TenonHost& host, Told& ctx, const kernels::Kernel& kernel, std::uint64_t workspace,
            sdk::OpView op, fuzz::Bytes& in, bool honest) {
  std::vector<fuzz::Launchable> packs;
  for (int left = in.between(1, 3); left > 0; --left) {
    if (auto pack = fuzz::make_pack(op, in)) packs.push_back(std::move(*pack));
  }
  std::vector<TenonPack> given;
  for (const fuzz::Launchable& pack : packs) given.push_back(pack.pack());
  const auto room = std::make_unique<std::byte[]>(workspace);
  const TenonLaunch launch{.struct_size = sizeof launch,
                           .count = static_cast<std::uint32_t>(given.size()),
                           .packs = given.data(),
                           .workspace = reinterpret_cast<std::uintptr_t>(room.get()),
                           .workspace_offset = 0,
                           .workspace_bytes = workspace,
                           .corr = 1};
  ctx = {};
  const std::int32_t code = kernels::run(host, kernel, launch);
  check(code == TENON_OK || code == TENON_INDEX, "a launch of what was prepared succeeds");
  check((code == TENON_INDEX) == (ctx.faults > 0), "an index out of range is reported");
  for (const fuzz::Launchable& pack : packs) check_memory(op, pack, honest);
}

/// Asks for one op, and launches it where it is to be had.
void prepare(fuzz::Bytes& in) {
  const conformance::Block whole = fuzz::describe_op(in).block(in.one_of<std::uint32_t>({0, 0, 0, 8}));
  const conformance::Block block = fuzz::damaged(whole, in);
  const bool honest = block == whole;
  const auto words = place(block);
  const auto& op = *reinterpret_cast<const TenonOp*>(words.get());

  Told ctx;
  const TenonHost host = make_host(ctx);
  kernels::Kernel* kernel = nullptr;
  TenonKernelInfo info{.struct_size = sizeof info, .flags = 0, .workspace_bytes = 0};
  const std::int32_t code = kernels::prepare(host, op, &kernel, info);
  check(code == TENON_OK || code == TENON_UNSUPPORTED || code == TENON_INVALID, "prepare's answer");
  check(code != TENON_INVALID || !honest, "a description that fits is taken or unsupported");
  check((code == TENON_UNSUPPORTED) == (ctx.notes == 1) && (code < 0) == (ctx.failures == 1),
        "a refusal has a reason");
  check((code == TENON_OK) == (kernel != nullptr), "a kernel comes with TENON_OK");
  if (kernel == nullptr) return;
  const std::unique_ptr<kernels::Kernel, void (*)(kernels::Kernel*)> owner(kernel, kernels::release);
  launch(host, ctx, *kernel, info.workspace_bytes, sdk::OpView(op), in, honest);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  fuzz::Bytes in(bytes, size);
  do prepare(in);
  while (!in.empty());
  return 0;
}
