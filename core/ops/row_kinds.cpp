// From rows to a description, and to one launch of it.
#include "core/ops/row_kinds.h"

#include "core/ops/run.h"
#include "core/runtime/device_state.h"
#include "core/runtime/host.h"
#include "core/runtime/launch.h"
#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

/// The operands of a work as they are described and given.
struct RowOperands {
  std::vector<runtime::OperandDesc> descs;
  std::vector<TenonOperand> arguments;
  std::vector<runtime::Access> accesses;

  void add(const Tensor& x, bool is_written) {
    if (!x.defined()) {
      descs.push_back({.dtype = static_cast<DType>(TENON_DTYPE_NONE), .layout = TENON_LAYOUT_ABSENT});
      arguments.push_back({0, 0, nullptr});
      return;
    }
    const bool stretched = x.rank() == 0;
    descs.push_back({.dtype = x.dtype(),
                     .layout = stretched ? std::uint8_t{TENON_LAYOUT_SCALAR}
                                         : std::uint8_t{TENON_LAYOUT_CONTIGUOUS}});
    arguments.push_back(argument(x));
    accesses.push_back({x.impl()->storage.get(), is_written});
  }
};

}  // namespace

bool has_row_kind(const Tensor& x, std::uint32_t kind) {
  return (x.device().state().limits().kinds >> kind & 1) != 0 && x.numel() > 0;
}

bool run(std::string_view op, const RowWork& work) {
  RowOperands operands;
  for (const Tensor& x : work.outputs) operands.add(x, true);
  for (const Tensor& x : work.inputs) operands.add(x, false);
  const DType acc = accumulator(work.dtype);
  const runtime::OpDesc desc{
      .kind = work.kind,
      .acc_dtype = static_cast<std::uint8_t>(acc),
      .index_width = static_cast<std::uint8_t>((work.rows * work.columns) >> 31 == 0 ? 32 : 64),
      .rank = 2,
      .output_count = static_cast<int>(work.outputs.size()),
      .operands = operands.descs,
      .attrs = work.attrs};
  runtime::DeviceState& device = work.inputs.front().device().state();
  const auto kernel = device.kernels().find(desc);
  if (kernel == nullptr) {
    runtime::take_note();
    return false;
  }
  const std::int64_t dims[] = {work.rows, work.columns};
  const std::uint64_t scale = Scalar(work.scale.value_or(1)).bits(acc);
  const TenonPack pack{operands.arguments.data(), &scale, dims};
  runtime::launch(op, device, *kernel, {&pack, 1}, operands.accesses, {&work.class_dim, 1});
  return true;
}

std::int64_t row_length(const Tensor& x, int dim) {
  if (x.rank() == 0) return 0;
  for (int d = dim + 1; d < x.rank(); ++d) {
    if (x.size(d) != 1) return 0;
  }
  return x.size(dim);
}

}  // namespace tenon::ops
