#include "plugins/faulty/launch.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <string>

#include "plugins/faulty/extent.h"
#include "plugins/faulty/stream.h"
#include "plugins/faulty/text.h"

namespace faulty {
namespace {

constexpr std::uint64_t kScribbleBytes = 256;

struct PackCopy {
  std::vector<TenonOperand> operands;
  std::vector<std::vector<std::int64_t>> strides;
  std::vector<Pin> pins;
  std::vector<std::uint64_t> scalars;
  std::vector<std::int64_t> dims;
};

struct Job {
  std::shared_ptr<const Kernel> kernel;
  std::vector<PackCopy> packs;
  Pin workspace;
  std::uint64_t workspace_offset = 0;
  std::uint64_t corr = 0;
  std::string reason_to_fail;
};

template <class T>
std::vector<T> copied(const char* what, const T* values, std::size_t count) {
  if (count == 0) return {};
  if (values == nullptr) throw Failure(TENON_INVALID, text("[faulty] launch: ", what, " are missing"));
  return {values, values + count};
}

bool has_memory(const TenonOperandDesc& desc) {
  return desc.layout != TENON_LAYOUT_ABSENT && desc.layout != TENON_LAYOUT_INDEX;
}

void check_owner(const TenonDevice& device, const std::string& who, const Block& block) {
  if (block.owner() == &device) return;
  throw Failure(TENON_INVALID, text(who, ": handle ", block.handle(),
                                    " is memory of another device than ", device.name()));
}

// Nothing is held for an operand that touches no element and has no handle.
Pin hold_operand(const TenonDevice& device, tenon::sdk::OpView op, std::uint32_t index,
                 const TenonPack& pack) {
  const TenonOperand& operand = pack.operands[index];
  const std::string who = text("[faulty] launch: operand ", index);
  if (!keeps_alignment(op, index, pack)) {
    throw Failure(TENON_INVALID, text(who, " is not aligned as it was said to be"));
  }
  const auto extent = touched(op, index, pack);
  if (!extent && operand.handle == 0) return {};
  const Extent bytes = extent.value_or(Extent{0, 0});
  const std::int64_t begin = operand.offset + bytes.begin;
  const auto size = static_cast<std::uint64_t>(bytes.end - bytes.begin);
  Pin pin = heap().pin(who, operand.handle, static_cast<std::uint64_t>(operand.offset), size);
  check_owner(device, who, pin.block());
  if (begin < 0) {
    throw Failure(TENON_INVALID, text(who, ": offset ", operand.offset, " and negative strides reach ",
                                      -begin, " bytes before handle ", operand.handle));
  }
  check_range(who, pin.block(), static_cast<std::uint64_t>(begin), size);
  return pin;
}

PackCopy copy_pack(const TenonDevice& device, tenon::sdk::OpView op, const TenonPack& pack) {
  const bool in_table = op.kind() == TENON_KIND_MATMUL;
  const auto descs = op.operands();
  PackCopy copy{.operands = copied("operands", pack.operands, descs.size()),
                .strides = {},
                .pins = {},
                .scalars = copied("scalars", pack.scalars, scalar_count(op)),
                .dims = copied("dims", pack.dims, dim_count(op))};
  for (std::uint32_t i = 0; i < descs.size(); ++i) {
    const bool strided =
        descs[i].layout == TENON_LAYOUT_STRIDED || descs[i].layout == TENON_LAYOUT_INDEX;
    copy.strides.push_back(
        copied("strides", pack.operands[i].strides, strided && !in_table ? op.rank() : 0));
    copy.operands[i].strides = strided && !in_table ? copy.strides[i].data() : nullptr;
    copy.pins.push_back(has_memory(descs[i]) ? hold_operand(device, op, i, pack) : Pin());
  }
  return copy;
}

std::shared_ptr<Job> copy_launch(const TenonDevice& device, std::shared_ptr<const Kernel> kernel,
                                 const TenonLaunch& launch) {
  auto job = std::make_shared<Job>();
  job->corr = launch.corr;
  if (const std::uint64_t bytes = kernel->workspace_bytes(); bytes != 0) {
    const std::string who = "[faulty] launch: workspace";
    if (launch.workspace_bytes < bytes) {
      throw Failure(TENON_INVALID,
                    text(who, " of ", launch.workspace_bytes, " bytes, ", bytes, " were asked for"));
    }
    job->workspace = heap().pin(who, launch.workspace, launch.workspace_offset, bytes);
    job->workspace_offset = launch.workspace_offset;
    check_owner(device, who, job->workspace.block());
    check_range(who, job->workspace.block(), launch.workspace_offset, bytes);
  }
  for (const TenonPack& pack : std::span(launch.packs, launch.count)) {
    job->packs.push_back(copy_pack(device, kernel->op(), pack));
  }
  job->kernel = std::move(kernel);
  return job;
}

// The host that a kernel meets in a worker: it keeps what the real one must hear on its own thread.
class WorkerHost {
 public:
  explicit WorkerHost(const TenonHost& real) : real_(real) {
    table_.struct_size = sizeof table_;
    table_.abi = real.abi;
    table_.ctx = this;
    table_.fail = [](void* self, std::int32_t code, const char* msg) {
      of(self).late_.text = msg;
      return code;
    };
    table_.fault = [](void* self, const TenonFault* fault) {
      LateFault& late = of(self).late_;
      if (late.fault.code != TENON_OK && late.fault.pack < of(self).pack_) return;
      late.fault = *fault;
      late.fault.pack = of(self).pack_;
    };
    table_.note = [](void* self, const char* msg) { of(self).late_.text = msg; };
    table_.log = [](void* self, std::int32_t level, const char* msg) {
      of(self).real_.log(of(self).real_.ctx, level, msg);
    };
    table_.option = [](void* self, const char* key) {
      return of(self).real_.option(of(self).real_.ctx, key);
    };
    table_.blob_get = [](void*, const char*, void*, std::uint64_t) -> std::int64_t { return -1; };
    table_.blob_put = [](void*, const char*, const void*, std::uint64_t) -> std::int32_t {
      return TENON_UNSUPPORTED;
    };
    table_.trace = [](void*, const char*, std::uint64_t, std::uint64_t) {};
  }

  const TenonHost& table() const { return table_; }

  /// What is told from now on is this pack's; of several packs' faults the first pack's is kept.
  void enter(std::uint32_t pack) { pack_ = pack; }

  /// What the kernel said before it answered `code`.
  LateFault late(std::int32_t code, std::uint64_t corr) const {
    LateFault late = late_;
    late.fault.struct_size = sizeof late.fault;
    if (late.fault.code == TENON_OK) late.fault.code = code < 0 ? code : TENON_INTERNAL;
    if (late.fault.corr == 0) late.fault.corr = corr;
    if (late.text.empty()) late.text = text("[faulty] a launch failed late with code ", code);
    return late;
  }

 private:
  static WorkerHost& of(void* self) { return *static_cast<WorkerHost*>(self); }

  const TenonHost& real_;
  TenonHost table_{};
  std::uint32_t pack_ = 0;
  LateFault late_{};
};

std::vector<TenonPack> translate(Job& job) {
  std::vector<TenonPack> packs;
  for (PackCopy& pack : job.packs) {
    for (std::size_t i = 0; i < pack.pins.size(); ++i) {
      if (pack.pins[i]) {
        pack.operands[i].handle = reinterpret_cast<std::uintptr_t>(pack.pins[i].block().data());
      }
    }
    packs.push_back({pack.operands.data(), pack.scalars.data(), pack.dims.data()});
  }
  return packs;
}

// Packs may run in any order, so they do.
std::vector<std::uint32_t> any_order(std::size_t count, std::mt19937_64& random) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

// A pattern in the workspace that is gone afterwards was overwritten by another launch.
class Scribble {
 public:
  Scribble(std::byte* at, std::uint64_t bytes, std::mt19937_64& random) : at_(at), bytes_(bytes) {
    for (std::uint64_t i = 0; i < bytes; ++i) {
      pattern_.push_back(static_cast<std::byte>(random() & 0xFF));
    }
    std::copy(pattern_.begin(), pattern_.end(), at);
  }
  bool whole() const { return std::equal(pattern_.begin(), pattern_.end(), at_, at_ + bytes_); }

 private:
  std::byte* at_;
  std::uint64_t bytes_;
  std::vector<std::byte> pattern_;
};

void run(TenonStream& stream, Job& job) {
  if (!job.reason_to_fail.empty()) {
    stream.keep({{sizeof(TenonFault), TENON_INTERNAL, job.corr, 0, 0, 0, 0}, job.reason_to_fail});
    return;
  }
  const Kernel& kernel = *job.kernel;
  WorkerHost host(stream.device().host());
  try {
    const auto packs = translate(job);
    TenonLaunch launch{.struct_size = sizeof launch,
                       .count = 1,
                       .packs = nullptr,
                       .workspace = 0,
                       .workspace_offset = 0,
                       .workspace_bytes = kernel.inner_bytes(),
                       .corr = job.corr};
    std::byte* work = job.workspace ? job.workspace.block().data() + job.workspace_offset : nullptr;
    if (kernel.inner_bytes() != 0) launch.workspace = reinterpret_cast<std::uintptr_t>(work);
    const Scribble scribble(work + kernel.inner_bytes(), kernel.scribble_bytes(), stream.random());
    std::int32_t failed = TENON_OK;
    for (const std::uint32_t pack : any_order(packs.size(), stream.random())) {
      host.enter(pack);
      launch.packs = &packs[pack];
      const std::int32_t code = kernels::run(host.table(), kernel.inner(), launch);
      if (code != TENON_OK) failed = code;
    }
    if (failed != TENON_OK) stream.keep(host.late(failed, job.corr));
    if (!scribble.whole()) {
      stream.device().lose(text("launch: workspace handle ", job.workspace.block().handle(),
                                " was written to by two launches at once"));
    }
  } catch (const std::exception& error) {
    LateFault late = host.late(TENON_INTERNAL, job.corr);
    late.text = error.what();
    stream.keep(late);
  }
}

}  // namespace

Kernel::Kernel(const TenonHost& host, const TenonOp& op) : op_(op) {
  kernels::Kernel* inner = nullptr;
  TenonKernelInfo info{.struct_size = sizeof info, .flags = 0, .workspace_bytes = 0};
  status_ = kernels::prepare(host, op, &inner, info);
  if (status_ != TENON_OK) return;
  inner_.reset(inner);
  inner_bytes_ = (info.workspace_bytes + kAlignment - 1) / kAlignment * kAlignment;
  scribble_bytes_ = option(host, "workspace_bytes", kScribbleBytes);
}

void enqueue(TenonStream& stream, std::shared_ptr<const Kernel> kernel, const TenonLaunch& launch,
             std::string reason_to_fail) {
  const auto job = copy_launch(stream.device(), std::move(kernel), launch);
  job->reason_to_fail = std::move(reason_to_fail);
  stream.push([&stream, job] { run(stream, *job); });
}

}  // namespace faulty
