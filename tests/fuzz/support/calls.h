// A fuzzer's bytes as calls of the public API, on a handful of small tensors.
#pragma once

#include <string>
#include <vector>

#include <tenon/random.h>
#include <tenon/tensor.h>

#include "tests/fuzz/support/bytes.h"

namespace tenon::fuzz {

class Calls {
 public:
  /// New tensors live on `device`; some move to `other`.
  Calls(Bytes in, Device device, Device other);

  /// Makes the calls, up to a limit. Errors of Tenon's are part of them; all else passes through.
  void run();

  /// Whether an index was taken from just any tensor: one out of range may be told late.
  bool used_any_index() const { return used_any_index_; }
  /// What each call came to, and the bytes of the tensors that are left and of their gradients.
  const std::string& trace() const { return trace_; }

 private:
  friend struct CallTable;

  void call();
  void keep(const Tensor& result);
  void trace_values();
  void trace_tensor(const Tensor& x);

  Tensor& any();
  DType any_dtype();
  std::int64_t wild(std::int64_t first, std::int64_t last);
  Shape shape();
  Dims dims();
  int dim() { return in_.between(-5, 4); }
  Scalar scalar();
  TensorOptions options();
  Tensor fresh();
  Tensor index_for(const Tensor& x, int dim, const Shape& shape);

  Bytes in_;
  Device device_, other_;
  random::Generator generator_;
  std::vector<Tensor> tensors_;
  int second_order_left_ = 2;
  bool used_any_index_ = false;
  std::string trace_;
};

}  // namespace tenon::fuzz
