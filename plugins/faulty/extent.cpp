#include "plugins/faulty/extent.h"

#include <algorithm>
#include <vector>

#include <tenon/sdk/dtype.h>

namespace faulty {
namespace {

using tenon::sdk::OpView;

struct Axis {
  std::int64_t extent, stride;
};

bool takes_indices(OpView op) {
  return op.kind() == TENON_KIND_GATHER || op.kind() == TENON_KIND_SCATTER;
}

// The operand of GATHER or SCATTER that the indices point into.
std::uint32_t indexed_operand(OpView op) {
  return op.kind() == TENON_KIND_GATHER ? 1 : 0;
}

// The operand's table, with what is dynamic taken from the pack.
std::vector<Axis> matmul_axes(OpView op, std::uint32_t operand, const std::int64_t* dynamic) {
  const auto known = [&](std::int64_t value) { return value == TENON_DYNAMIC ? *dynamic++ : value; };
  std::vector<Axis> axes;
  for (std::uint32_t i = 0; i <= operand; ++i) {
    axes.clear();
    for (const std::int64_t extent : op.extents(i)) axes.push_back({known(extent), 0});
    std::size_t d = 0;
    for (const std::int64_t stride : op.strides(i)) axes[d++].stride = known(stride);
  }
  if (op.operands()[operand].layout == TENON_LAYOUT_SCALAR) {
    for (Axis& axis : axes) axis.stride = 0;
  }
  return axes;
}

std::vector<Axis> axes_of(OpView op, std::uint32_t operand, const TenonPack& pack) {
  if (op.kind() == TENON_KIND_MATMUL) return matmul_axes(op, operand, pack.dims);
  const std::uint8_t layout = op.operands()[operand].layout;
  const bool result_of_reduce = op.kind() == TENON_KIND_REDUCE && operand < op.output_count();
  const std::uint32_t reduced = result_of_reduce ? op.attrs<TenonReduceAttrs>().axes : 0;
  std::vector<Axis> axes;
  for (std::size_t d = 0; d < op.rank(); ++d) {
    axes.push_back({(reduced >> d & 1) != 0 ? 1 : pack.dims[d], 0});
  }
  std::int64_t row_major = 1;
  for (std::size_t d = op.rank(); d-- > 0; row_major *= axes[d].extent) {
    if (layout == TENON_LAYOUT_STRIDED) axes[d].stride = pack.operands[operand].strides[d];
    if (layout == TENON_LAYOUT_CONTIGUOUS) axes[d].stride = row_major;
  }
  if (takes_indices(op) && operand == indexed_operand(op)) {
    for (std::size_t d = op.rank(); d < dim_count(op); d += 2) {
      axes.push_back({pack.dims[d], pack.dims[d + 1]});
    }
  }
  return axes;
}

}  // namespace

std::size_t dim_count(OpView op) {
  if (takes_indices(op)) return op.rank() + 2 * op.attrs<TenonIndexAttrs>().index_count;
  if (op.kind() != TENON_KIND_MATMUL) return op.rank();
  std::ptrdiff_t count = 0;
  for (std::size_t i = 0; i < op.operands().size(); ++i) {
    const auto extents = op.extents(i), strides = op.strides(i);
    count += std::count(extents.begin(), extents.end(), TENON_DYNAMIC);
    count += std::count(strides.begin(), strides.end(), TENON_DYNAMIC);
  }
  return static_cast<std::size_t>(count);
}

std::size_t scalar_count(OpView op) {
  std::size_t count = 0;
  for (const TenonAttachment& attachment : op.attachments()) {
    count += op.program(attachment).scalar_count();
  }
  return count;
}

std::optional<Extent> touched(OpView op, std::uint32_t operand, const TenonPack& pack) {
  std::int64_t lowest = 0, highest = 0;
  for (const auto& [extent, stride] : axes_of(op, operand, pack)) {
    if (extent <= 0) return std::nullopt;
    const std::int64_t reach = (extent - 1) * stride;
    (reach < 0 ? lowest : highest) += reach;
  }
  const auto bytes = static_cast<std::int64_t>(tenon::sdk::size_of(op.operands()[operand].dtype));
  return Extent{lowest * bytes, (highest + 1) * bytes};
}

bool keeps_alignment(OpView op, std::uint32_t operand, const TenonPack& pack) {
  const TenonOperandDesc& desc = op.operands()[operand];
  if ((desc.flags & TENON_OPERAND_ALIGNED) == 0) return true;
  const auto bytes = static_cast<std::int64_t>(tenon::sdk::size_of(desc.dtype));
  return pack.operands[operand].offset % 16 == 0 &&
         std::ranges::all_of(axes_of(op, operand, pack), [&](const Axis& axis) {
           return axis.stride == 1 || axis.stride * bytes % 16 == 0;
         });
}

}  // namespace faulty
