// Elements from place to place: devices, dtypes, layouts, the host.
#include <array>

#include <tenon/ops.h>
#include <tenon/tensor.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/base/read_scalar.h"
#include "core/ops/elementwise.h"
#include "core/ops/run.h"
#include "core/runtime/device_state.h"
#include "core/runtime/launch.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

std::int64_t byte_offset(const Tensor& x) {
  return x.impl()->offset * size_of(x.dtype());
}
std::int64_t byte_size(std::string_view op, const Tensor& x) {
  return byte_count(op, x.shape(), x.dtype());
}

/// A row-major copy of x's elements on another device.
Tensor moved(const Tensor& x, Device device) {
  const Tensor from = x.contiguous();
  Tensor to = allocate(x.shape(), x.dtype(), device, "to");
  if (x.numel() == 0) return to;
  const auto bytes = static_cast<std::size_t>(byte_size("to", from));
  const runtime::Storage& storage = *from.impl()->storage;
  if (storage.device->synchronous() && storage.memory.host_ptr != nullptr) {
    const auto* first = static_cast<const std::byte*>(storage.memory.host_ptr) + byte_offset(from);
    runtime::copy_from_host(*to.impl()->storage, 0, {first, bytes});
  } else {
    std::vector<std::byte> staging(bytes);
    runtime::copy_to_host(storage, byte_offset(from), staging);
    runtime::copy_from_host(*to.impl()->storage, 0, staging);
  }
  return to;
}

}  // namespace

void assign(std::string_view op, const Tensor& dst, const Tensor& src) {
  program::Builder b;
  b.output(cast(b.input(src.dtype()), dst.dtype()));
  const ops::Operands operands{{dst}, {{src, 0, {}}}};
  ops::run(op, b.build(), {&operands, 1});
}

Tensor Tensor::contiguous() const {
  impl_of(*this, "contiguous");
  return is_contiguous() ? *this : clone();
}

Tensor Tensor::clone() const {
  impl_of(*this, "clone");
  return ops::convert(*this, dtype());
}

Tensor Tensor::to(DType dtype) const {
  return dtype == impl_of(*this, "to").dtype ? *this : ops::convert(*this, dtype);
}

Tensor Tensor::to(Device device) const {
  impl_of(*this, "to");
  if (device == this->device()) return *this;
  Tensor y = moved(detach(), device);
  if (autograd::needs_record({this, 1})) {
    autograd::record("to", {this, 1}, {&y, 1}, [home = this->device()](std::span<const Tensor> dy) {
      return std::vector<Tensor>{dy[0].to(home)};
    });
  }
  return y;
}

Tensor& Tensor::copy_(const Tensor& src) {
  impl_of(*this, "copy_");
  impl_of(src, "copy_");
  require_writable("copy_", *this);
  require(broadcast("copy_", shape(), src.shape()) == shape(), "[copy_] {} does not broadcast to {}",
          src.shape(), shape());
  const Tensor both[] = {*this, src};
  const bool recorded = autograd::needs_record(both);
  autograd::check_in_place("copy_", *this, recorded);
  autograd::Edges edges;
  if (recorded) edges = autograd::edges_to({&src, 1});
  assign("copy_", *this, src.detach().to(device()));
  mark_written(*this);
  if (recorded) {
    // What this was before is gone, so only src gets a gradient.
    autograd::record(
        "copy_", std::move(edges), {this, 1},
        [from = src.shape(), dtype = src.dtype(), home = src.device()](std::span<const Tensor> dy) {
          return std::vector<Tensor>{sum_to(dy[0], from).to(dtype).to(home)};
        });
  }
  return *this;
}

Tensor& Tensor::fill_(Scalar value) {
  const DType dtype = impl_of(*this, "fill_").dtype;
  require_writable("fill_", *this);
  const bool recorded = autograd::needs_record({this, 1});
  autograd::check_in_place("fill_", *this, recorded);
  require_fits("fill_", value, dtype);
  program::Builder b;
  b.output(b.scalar(dtype));
  const ops::Operands operands{{*this}, {}, {value.bits(dtype)}};
  ops::run("fill_", b.build(), {&operands, 1});
  mark_written(*this);
  if (recorded) autograd::forget(*this);
  return *this;
}

Scalar Tensor::item_scalar() const {
  impl_of(*this, "item");
  require(numel() == 1, "[item] the tensor has shape {}: item() takes exactly one element", shape());
  std::array<std::byte, 8> bytes;
  read(std::span(bytes).first(static_cast<std::size_t>(size_of(dtype()))));
  return read_scalar(dtype(), bytes.data());
}

void Tensor::read(std::span<std::byte> bytes) const {
  const std::int64_t expected = byte_size("read", *this);
  require(static_cast<std::int64_t>(bytes.size()) == expected, "[read] {} of {} takes {} bytes, not {}",
          shape(), name(dtype()), expected, bytes.size());
  if (bytes.empty()) return;
  const Tensor from = detach().contiguous();
  runtime::copy_to_host(*from.impl()->storage, byte_offset(from), bytes);
}

}  // namespace tenon
