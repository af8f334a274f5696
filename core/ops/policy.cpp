// Copies to a host device and back; the texts of refusals.
#include "core/ops/policy.h"

#include "core/base/fail.h"
#include "core/ops/run.h"
#include "core/runtime/device_state.h"
#include "core/runtime/host.h"
#include "core/tensor/impl.h"

namespace tenon::ops {
namespace {

thread_local bool moves = false;

/// What a device needs for a copy off it or onto it, it has to do itself.
class Move {
 public:
  Move() { moves = true; }
  ~Move() { moves = false; }
  Move(const Move&) = delete;
  Move& operator=(const Move&) = delete;
};

}  // namespace

std::string refusal_of(const runtime::OpDesc& desc) {
  const std::string note = runtime::take_note();
  return runtime::describe(desc) + (note.empty() ? "" : ": " + note);
}

bool computes(Device device, DType dtype) {
  return (device.state().limits().compute_dtypes >> static_cast<std::uint32_t>(dtype) & 1) != 0;
}

DType computed_as(DType dtype, Device device) {
  if (computes(device, dtype)) return dtype;
  if (dtype == f16 || dtype == bf16) return f32;
  if (dtype == i8 || dtype == i16) return i32;
  return dtype == u8 || dtype == u16 ? u32 : dtype;
}

Tensor cast_to(std::string_view op, const Tensor& x, DType dtype) {
  const Tensor y = allocate(x.shape(), dtype, x.device());
  assign(op, y, x);
  return y;
}

Visit HostCopies::mover() {
  return [this](Tensor& x, bool is_written) {
    if (!x.defined()) return;
    const Move move;
    const Tensor home = x.detach();
    x = home.to(host_);
    bytes_ += x.numel() * size_of(x.dtype());
    if (is_written) written_.emplace_back(home, x);
  };
}

void HostCopies::return_results(std::string_view op) {
  const Move move;
  for (auto& [home, host] : written_) {
    bytes_ += home.numel() * size_of(home.dtype());
    assign(op, home, host.to(home.device()));
    home.device().state().counters().host_bytes += std::exchange(bytes_, 0);
  }
}

std::vector<Device> host_devices(Device own) {
  std::vector<Device> list;
  if (fallback() != Fallback::host || moves) return list;
  for (const Device& device : devices()) {
    if (device.info().synchronous && !(device == own)) list.push_back(device);
  }
  return list;
}

void refuse(std::string_view op, Device device, const std::string& refusal) {
  fail(ErrorKind::Unsupported, "[{}] {} does not support {}", op, device.name(), refusal);
}

void count_host_run(std::string_view op, Device own, Device host) {
  runtime::fall_back(op, own.state(), "on " + host.name(), "");
}

}  // namespace tenon::ops
