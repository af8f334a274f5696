// Kernels for shapes that vary: a MATMUL is asked for with its exact extents when it is first seen, and
// with TENON_DYNAMIC ones as soon as a dimension has had two values (a last batch, a growing context).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/runtime/kernel_cache.h"

namespace tenon::runtime {

class VaryingShapes {
 public:
  struct Found {
    std::shared_ptr<const Kernel> kernel;  // nullptr where the device refuses the op
    std::vector<std::int64_t> dims;        // what is DYNAMIC in it, in the description's order
  };

  explicit VaryingShapes(KernelCache& kernels) : kernels_(kernels) {}

  /// The kernel for a MATMUL. Where the device refuses DYNAMIC, one for the exact extents.
  Found find(const OpDesc& matmul);

 private:
  /// All extents and strides of an op, TENON_DYNAMIC where they have varied.
  struct Pattern {
    std::vector<std::int64_t> values;
    bool refused = false;
  };
  /// The values with which this op is like one seen before but for one dimension; empty if there is
  /// none.
  std::vector<std::int64_t> match(const OpDesc& matmul, const std::vector<std::int64_t>& values,
                                  std::vector<std::string>& keys);
  void mark_refused(const std::vector<std::string>& keys);

  KernelCache& kernels_;
  std::mutex mutex_;
  std::unordered_map<std::string, Pattern> patterns_;  // by all that is known but one dimension
};

}  // namespace tenon::runtime
