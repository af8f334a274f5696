#include "tests/fuzz/support/launch.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <random>
#include <stdexcept>

#include <tenon/sdk/dtype.h>

#include "plugins/faulty/extent.h"

namespace tenon::fuzz {
namespace {

constexpr std::int64_t kMostExtent = 64, kMostStride = 4096;
constexpr std::int64_t kMostElements = 4096, kMostBytes = 1 << 20;

/// No pack for this description.
struct NoPack : std::runtime_error {
  using std::runtime_error::runtime_error;
};

bool is_indexed(sdk::OpView op) {
  return op.kind() == TENON_KIND_GATHER || op.kind() == TENON_KIND_SCATTER;
}

bool is_index_operand(sdk::OpView op, std::size_t i) {
  return is_indexed(op) && i >= 2;
}

/// MATMUL: the extents that the operands share, each either known from the description or free.
class SharedExtents {
 public:
  explicit SharedExtents(sdk::OpView op) : op_(op) {
    for (std::size_t i = 0; i < op.operands().size(); ++i) {
      const auto extents = op.extents(i);
      for (std::size_t d = 0; d < extents.size(); ++d) {
        if (extents[d] != TENON_DYNAMIC) learn(i, d, extents[d]);
      }
    }
  }

  /// What stands for TENON_DYNAMIC in dimension d of operand i.
  std::int64_t choose(std::size_t i, std::size_t d, Bytes& in) {
    std::int64_t& extent = shared_[key(i, d)];
    if (extent < 0) extent = in.between<std::int64_t>(0, 4);
    return may_stretch(i, d) && in.rarely(8) ? 1 : extent;
  }

 private:
  /// N, M, batches from the last on, and K.
  std::size_t key(std::size_t i, std::size_t d) const {
    const std::size_t from_last = op_.extents(i).size() - 1 - d;
    constexpr std::size_t kDepth = TENON_MAX_RANK;
    if ((i == 1 && from_last == 0) || (i == 2 && from_last == 1)) return kDepth;
    return from_last;
  }
  bool may_stretch(std::size_t i, std::size_t d) const {
    return i >= 3 || (i >= 1 && op_.extents(i).size() - 1 - d >= 2);
  }
  void learn(std::size_t i, std::size_t d, std::int64_t extent) {
    if (extent > kMostExtent) throw NoPack("too large");
    if (may_stretch(i, d) && extent == 1) return;
    std::int64_t& known = shared_[key(i, d)];
    if (known >= 0 && known != extent) throw NoPack("extents contradict each other");
    known = extent;
  }

  sdk::OpView op_;
  std::array<std::int64_t, TENON_MAX_RANK + 1> shared_ = [] {
    std::array<std::int64_t, TENON_MAX_RANK + 1> unknown{};
    unknown.fill(-1);
    return unknown;
  }();
};

std::vector<std::int64_t> matmul_dims(sdk::OpView op, Bytes& in) {
  SharedExtents extents(op);
  std::vector<std::int64_t> dims;
  for (std::size_t i = 0; i < op.operands().size(); ++i) {
    std::size_t d = 0;
    for (const std::int64_t extent : op.extents(i)) {
      if (extent == TENON_DYNAMIC) dims.push_back(extents.choose(i, d, in));
      ++d;
    }
    for (const std::int64_t stride : op.strides(i)) {
      if (stride == TENON_DYNAMIC) {
        dims.push_back(in.between<std::int64_t>(-4, 8));
      } else if (stride < -kMostStride || stride > kMostStride) {
        throw NoPack("too far");
      }
    }
  }
  return dims;
}

std::vector<std::int64_t> make_dims(sdk::OpView op, Bytes& in) {
  if (op.kind() == TENON_KIND_MATMUL) return matmul_dims(op, in);
  std::vector<std::int64_t> dims;
  std::int64_t count = 1;
  for (std::size_t d = 0; d < op.rank(); ++d) {
    dims.push_back(in.rarely() ? in.byte() : in.between<std::int64_t>(0, 4));
    count *= std::max<std::int64_t>(dims.back(), 1);
    if (count > kMostElements) throw NoPack("too large");
  }
  while (dims.size() < faulty::dim_count(op)) {
    dims.push_back(in.between<std::int64_t>(0, 6));
    dims.push_back(in.between<std::int64_t>(-4, 8));
  }
  return dims;
}

std::vector<std::int64_t> make_strides(sdk::OpView op, std::size_t i, Bytes& in) {
  const std::uint8_t layout = op.operands()[i].layout;
  if (op.kind() == TENON_KIND_MATMUL) return {};
  if (layout != TENON_LAYOUT_STRIDED && layout != TENON_LAYOUT_INDEX) return {};
  const bool is_result = op.kind() == TENON_KIND_REDUCE && i < op.output_count();
  const std::uint32_t reduced = is_result ? op.attrs<TenonReduceAttrs>().axes : 0;
  std::vector<std::int64_t> strides(op.rank());
  for (std::size_t d = 0; d < op.rank(); ++d) {
    strides[d] = in.between<std::int64_t>(-8, 20);
    if (layout == TENON_LAYOUT_INDEX && in.rarely()) strides[d] = in.take<std::int32_t>();
    if ((reduced >> d & 1) != 0) strides[d] = 0;
  }
  return strides;
}

std::vector<std::uint64_t> make_scalars(sdk::OpView op, Bytes& in) {
  std::vector<std::uint64_t> scalars;
  for (const TenonAttachment& attachment : op.attachments()) {
    const sdk::ProgramView program = op.program(attachment);
    for (std::size_t i = 0; i < program.scalar_count(); ++i) {
      const std::size_t size = sdk::size_of(program.scalar_dtype(i));
      const std::uint64_t bits = in.take<std::uint64_t>() & (~std::uint64_t{0} >> (64 - 8 * size));
      scalars.push_back(program.scalar_dtype(i) == TENON_DTYPE_BOOL ? bits & 1 : bits);
    }
  }
  return scalars;
}

/// Random elements; bools are 0 or 1, and indices mostly in range.
void fill(std::vector<std::byte>& bytes, std::uint8_t dtype, bool indices, std::uint32_t seed) {
  std::minstd_rand random(seed + 1);
  const std::size_t size = sdk::size_of(dtype);
  for (std::size_t at = 0; at + size <= bytes.size(); at += size) {
    std::uint64_t value = (std::uint64_t{random()} << 40) ^ (std::uint64_t{random()} << 20) ^ random();
    if (dtype == TENON_DTYPE_BOOL) value &= 1;
    if (indices) value = value % 16 == 0 ? ~std::uint64_t{0} : value % 4;
    std::memcpy(bytes.data() + at, &value, size);
  }
}

Memory make_memory(sdk::OpView op, std::uint32_t i, TenonOperand& operand, const TenonPack& pack,
                   Bytes& in) {
  const auto extent = faulty::touched(op, i, pack).value_or(faulty::Extent{0, 0});
  if (extent.end - extent.begin > kMostBytes) throw NoPack("too large");
  Memory memory{std::vector<std::byte>(static_cast<std::size_t>(extent.end - extent.begin)), {}};
  memory.bytes.shrink_to_fit();
  fill(memory.bytes, op.operands()[i].dtype, is_index_operand(op, i), in.byte());
  memory.before = memory.bytes;
  static std::byte nothing[1];  // the address of an operand without elements
  std::byte* const at = memory.bytes.empty() ? nothing + 1 : memory.bytes.data();
  operand.handle = reinterpret_cast<std::uintptr_t>(at);
  operand.offset = -extent.begin;
  return memory;
}

/// Lets the first result share its memory with an input of the same elements.
void alias(sdk::OpView op, Launchable& launchable) {
  const auto descs = op.operands();
  const auto plain = [&](std::size_t i) { return descs[i].layout == TENON_LAYOUT_CONTIGUOUS; };
  for (std::size_t i = op.output_count(); i < descs.size(); ++i) {
    if (!plain(0) || !plain(i) || descs[i].dtype != descs[0].dtype) continue;
    launchable.operands[i] = launchable.operands[0];
    launchable.memory[i] = {};
    return;
  }
}

Launchable make(sdk::OpView op, Bytes& in) {
  Launchable result;
  const auto descs = op.operands();
  result.dims = make_dims(op, in);
  result.scalars = make_scalars(op, in);
  result.operands.resize(descs.size());
  for (std::size_t i = 0; i < descs.size(); ++i) result.strides.push_back(make_strides(op, i, in));
  for (std::size_t i = 0; i < descs.size(); ++i) {
    if (!result.strides[i].empty()) result.operands[i].strides = result.strides[i].data();
  }
  for (std::uint32_t i = 0; i < descs.size(); ++i) {
    const bool has_memory = descs[i].layout != TENON_LAYOUT_INDEX;
    result.memory.push_back(has_memory ? make_memory(op, i, result.operands[i], result.pack(), in)
                                       : Memory{});
    if (!has_memory) result.operands[i].offset = in.rarely() ? in.take<std::int64_t>() : in.byte() % 4;
  }
  if (op.kind() == TENON_KIND_ELEMENTWISE && in.rarely(4)) alias(op, result);
  return result;
}

}  // namespace

std::optional<Launchable> make_pack(sdk::OpView op, Bytes& in) {
  try {
    return make(op, in);
  } catch (const NoPack&) {
    return std::nullopt;
  }
}

}  // namespace tenon::fuzz
