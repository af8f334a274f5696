// Runs elementwise programs on tensors: from operands to packs to one launch. Records nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <tenon/plugin.h>
#include <tenon/program.h>
#include <tenon/tensor.h>

#include "core/base/small.h"
#include "core/ops/policy.h"

namespace tenon::ops {

struct Lowered;

/// A call's operands where they are.
using TensorRefs = std::span<const Tensor* const>;

/// Those of a list.
class Refs {
 public:
  explicit Refs(std::span<const Tensor> tensors) {
    for (const Tensor& x : tensors) all_.push_back(&x);
  }
  operator TensorRefs() const { return all_; }

 private:
  Small<const Tensor*, 8> all_;
};

/// An input of a program: a tensor, or an index that needs no memory.
struct Input {
  Tensor tensor;            // undefined: an index over the whole shape,
  std::int64_t offset = 0;  // offset + Σ coordinate · stride
  Strides strides = {};
};

/// The operands of one pack. Outputs are written in place; their shape is the loop's, and inputs
/// broadcast to it.
struct Operands {
  std::vector<Tensor> outputs;
  std::vector<Input> inputs;
  std::vector<std::uint64_t> scalars = {};  // raw bits
};

/// One launch for all packs of one layout; all on one device. An input that partly overlaps an output
/// is copied first.
void run(std::string_view op, const program::Program& program, std::span<const Operands> packs);

/// The same in the way that is given (nullptr: the program as it is), whatever the device's limits ask
/// for; a refusal where the device takes the program of some layout not at all.
Refusal run_lowered(std::string_view op, const program::Program& program, const Lowered* lowered,
                    std::span<const Operands> packs);

/// The common case: new outputs of the shape that the inputs broadcast to.
std::vector<Tensor> run(std::string_view op, const program::Program& program,
                        std::span<const Tensor> inputs, std::span<const std::uint64_t> scalars = {});
void run(std::string_view op, const program::Program& program, TensorRefs inputs,
         std::span<const std::uint64_t> scalars, std::span<Tensor> outputs);

/// Where a tensor's elements start, as a launch names it; strides are the caller's to add.
TenonOperand argument(const detail::TensorImpl& x);
TenonOperand argument(const Tensor& x);

/// What sums of elements of `dtype` are kept in: 16-bit floats in f32.
DType accumulator(DType dtype);

/// Whether both are the same elements in the same order.
bool same_elements(const Tensor& a, const Tensor& b);
/// Whether elements of both may lie in one place.
bool share_memory(const Tensor& a, const Tensor& b);

/// The device of all inputs; InvalidArgument where they differ.
Device common_device(std::string_view op, TensorRefs inputs);
Device common_device(std::string_view op, std::span<const Tensor> inputs);

}  // namespace tenon::ops
