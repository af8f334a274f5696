// The op kinds on tensors, beside the elementwise one (run.h). Each function describes its work to the
// device; what the device refuses is taken apart (attachments run as ops of their own, several results
// one by one), and then it is the policy's turn (tenon/fallback.h). Nothing is recorded.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <tenon/plugin.h>
#include <tenon/program.h>
#include <tenon/tensor.h>

#include "core/ops/policy.h"
#include "core/ops/run.h"

namespace tenon::ops {

/// results[i] = the fold of the prologue's output i with operators[i] (TENON_REDUCE_...) over the axes.
struct Reduction {
  Shape shape;                  // what is folded: inputs broadcast to it
  std::uint32_t axes = 0;       // bit d: dimension d of `shape` goes
  std::vector<Tensor> results;  // apart from the inputs, of `shape` with extent 1 along the axes
  std::vector<std::uint8_t> operators;
  std::vector<Input> inputs;
  std::optional<program::Program> prologue = {};  // without: the one input as it is
  std::vector<std::uint64_t> scalars = {};        // of the prologue, raw bits

  Device device() const { return results.front().device(); }
  void each_tensor(const Visit& visit);
};
void run(std::string_view op, const Reduction& work);

/// dst = epilogue(a · b), or dst += a · b; products are summed in accumulator(dtype of a).
struct Product {
  Tensor dst;   // (..., M, N)
  Tensor a, b;  // (..., M, K) and (..., K, N) of one dtype; leading dimensions broadcast to dst's
  bool accumulate = false;
  std::optional<program::Program> epilogue =
      {};                          // its input 0 is the sum; without: a cast to dst's dtype
  std::vector<Input> inputs = {};  // of the epilogue, from input 1 on
  std::vector<std::uint64_t> scalars = {};

  Device device() const { return dst.device(); }
  void each_tensor(const Visit& visit);
};
void run(std::string_view op, const Product& work);

/// Index tensor of one dimension of the indexed operand.
struct Pick {
  Tensor index;  // any integers, broadcast to the shape of the work
  int dim;
  int named;  // what an error calls the dimension: its number in the user's tensor; -1: it is none of
              // it
};

/// For each coordinate i of `shape`: GATHER: dst[i] = src[place of i]; SCATTER: dst[place of i] takes
/// src[i], in the way that `how` (TENON_SCATTER_...) says. The place of i in the indexed operand is
/// index[i] along the dimension of each pick; dimension d of `shape` runs along its dimension along[d],
/// or along none (-1).
struct Indexing {
  Shape shape;
  Tensor dst, src;
  std::vector<Pick> picks;
  std::vector<int> along;
  std::optional<std::uint32_t> how = {};  // without: GATHER

  Device device() const { return dst.device(); }
  void each_tensor(const Visit& visit);
};
/// Throws InvalidArgument for an index out of range: at once on a synchronous device, at the next wait
/// on others.
void run(std::string_view op, const Indexing& work);

}  // namespace tenon::ops
