#include "core/ops/destination.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/elementwise.h"
#include "core/ops/run.h"
#include "core/runtime/hazard.h"
#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

/// What the thread's op is to write to.
class Destination {
 public:
  Destination(const Tensor& x, std::span<const Tensor> operands, bool over) : over_(over) {
    const auto shares = [&](const Tensor& y) { return share_memory(x, y); };
    if (std::ranges::none_of(operands, shares)) tensor_ = x;
    outer_ = std::exchange(current, this);
  }
  ~Destination() { current = outer_; }
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;

  bool fits(const Shape& shape, DType dtype, Device device, const Tensor& over) const {
    return tensor_.defined() && (!over_ || tensor_.is_same(over)) && tensor_.shape() == shape &&
           tensor_.dtype() == dtype && tensor_.device() == device;
  }
  Tensor take() { return std::exchange(tensor_, {}).detach(); }

  static thread_local Destination* current;

 private:
  Tensor tensor_;
  bool over_;
  Destination* outer_;
};

thread_local Destination* Destination::current = nullptr;

}  // namespace

Tensor result(std::string_view op, const Shape& shape, DType dtype, Device device, const Tensor& over) {
  Destination* const destination = Destination::current;
  if (destination == nullptr || !destination->fits(shape, dtype, device, over)) {
    return allocate(shape, dtype, device, op);
  }
  return destination->take();
}

Tensor& write_out(std::string_view op, Tensor& out, std::span<const Tensor> operands,
                  const std::function<Tensor()>& compute) {
  check_out(op, out, Refs(operands));
  const Tensor y = [&] {
    const Destination destination(out, operands, false);
    return compute();
  }();
  try {
    check_holds(op, out.dtype(), y.dtype());
    check_shape(op, out, y.shape());
  } catch (const Error&) {
    runtime::wait_for_all(*y.impl()->storage);  // a bad index is told first, on every device
    throw;
  }
  if (!same_elements(out, y)) assign(op, out, y);
  mark_written(out);
  return out;
}

Tensor& write_out(std::string_view op, Tensor& out, std::initializer_list<Tensor> operands,
                  const std::function<Tensor()>& compute) {
  return write_out(op, out, std::span(operands.begin(), operands.size()), compute);
}

Tensor& write_over(std::string_view op, Tensor& x, std::initializer_list<Tensor> operands,
                   const std::function<Tensor()>& compute) {
  std::vector<Tensor> inputs{x};
  inputs.insert(inputs.end(), operands.begin(), operands.end());
  common_device(op, inputs);
  const bool recorded = autograd::needs_record(inputs);
  autograd::check_in_place(op, x, recorded);
  require_writable(op, x);
  const Tensor y = [&] {
    const Destination destination(x, std::span(operands.begin(), operands.size()), true);
    return compute();
  }();
  require(y.shape() == x.shape(), "[{}] the result has shape {}, which does not fit {} in place", op,
          y.shape(), x.shape());
  autograd::Edges edges;
  if (recorded) edges = autograd::edges_to({&y, 1});
  if (!same_elements(x, y)) assign(op, x, y);
  mark_written(x);
  if (recorded) {
    autograd::record(op, std::move(edges), {&x, 1}, [dtype = y.dtype()](std::span<const Tensor> dy) {
      return std::vector<Tensor>{dy[0].to(dtype)};
    });
  }
  return x;
}

Tensor kept(const Tensor& x, std::initializer_list<Tensor> operands) {
  const bool recorded = autograd::needs_record({&x, 1}) ||
                        autograd::needs_record(std::span(operands.begin(), operands.size()));
  return recorded ? x.clone() : x;
}

}  // namespace tenon::ops
