#include "tests/fuzz/support/calls.h"

#include <optional>

#include <tenon/autograd.h>

#include "tests/fuzz/support/check.h"

namespace tenon::fuzz {
namespace {

constexpr int kMostCalls = 40;
constexpr std::size_t kMostTensors = 8;
constexpr std::int64_t kMostKept = 128;    // elements of what takes part in further calls,
constexpr std::int64_t kMostSeen = 16384;  // and of what is looked at

void replace(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

}  // namespace

Calls::Calls(Bytes in, Device device, Device other) : in_(in), device_(device), other_(other) {}

void Calls::run() {
  const Table& table = call_table();
  for (int left = kMostCalls; left > 0 && !in_.empty(); --left)
    call(table[in_.take<std::uint16_t>() % table.size()]);
  finish();
}

bool Calls::call(const Line& line) {
  try {
    for (const Tensor& result : results_of(line)) keep(line, result);
    trace_.push_back(line.name);
    return true;
  } catch (const Error& error) {
    trace_.push_back(line.name + ": " + told(error));
    return false;
  }
}

/// Indices out of range are told by the end of it, on every device.
Results Calls::results_of(const Line& line) {
  std::optional<NoGrad> no_grad;
  if (in_.rarely()) no_grad.emplace();
  Arguments arguments(in_, device_, other_, pool_);
  arguments.agree(in_.flag());
  const Results results = line.call(arguments);
  if (arguments.has_places()) {
    device_.synchronize();
    other_.synchronize();
  }
  for (const Tensor& x : arguments.fresh()) keep(line, x);
  if (in_.rarely(4)) differentiate(results);
  return results;
}

void Calls::differentiate(const Results& results) {
  for (const Tensor& y : results) {
    if (y.defined() && y.requires_grad() && y.numel() <= kMostSeen) y.sum().backward({}, in_.flag());
  }
}

/// Tensors that are large, or not there, are not worth more calls.
void Calls::keep(const Line& line, const Tensor& result) {
  if (!result.defined() || result.numel() > kMostKept) {
    if (result.defined()) look(line.name, result);
    return;
  }
  if (pool_.size() < kMostTensors) {
    pool_.push_back(result);
    names_.push_back(line.name);
    return;
  }
  const std::size_t at = in_.below(kMostTensors);
  look(names_[at], pool_[at]);
  pool_[at] = result;
  names_[at] = line.name;
}

void Calls::finish() {
  for (std::size_t i = 0; i < pool_.size(); ++i) look(names_[i], pool_[i]);
}

void Calls::look(const std::string& name, const Tensor& x) {
  std::string text = "result of " + name + ' ';
  try {
    text += std::string(tenon::name(x.dtype())) + tenon::to_string(x.shape());
    std::vector<std::byte> bytes(
        x.numel() > kMostSeen ? 0 : static_cast<std::size_t>(x.numel() * size_of(x.dtype())));
    if (!bytes.empty()) x.read(bytes);
    for (const std::byte byte : bytes) {
      text += "0123456789abcdef"[static_cast<int>(byte >> 4)];
      text += "0123456789abcdef"[static_cast<int>(byte & std::byte{15})];
    }
    trace_.push_back(std::move(text));
    if (x.is_leaf() && x.grad().defined()) look("the gradient of " + name, x.grad().detach());
  } catch (const Error& error) {
    trace_.push_back(text + told(error));
  }
}

/// The error's kind and text, whatever the devices' names; of memory each device has its own.
std::string Calls::told(const Error& error) const {
  check(error.kind() != ErrorKind::DeviceError && error.kind() != ErrorKind::IoError, error.what());
  if (error.kind() == ErrorKind::OutOfMemory) return "out of memory";
  std::string text = error.what();
  replace(text, device_.name(), "the device");
  replace(text, other_.name(), "the other");
  return std::to_string(static_cast<int>(error.kind())) + ' ' + text;
}

std::string difference(const Calls& a, const Calls& b) {
  const std::vector<std::string>&x = a.trace(), &y = b.trace();
  for (std::size_t i = 0; i < std::max(x.size(), y.size()); ++i) {
    const std::string left = i < x.size() ? x[i] : "", right = i < y.size() ? y[i] : "";
    if (left != right) return left + "\nis not\n" + right;
  }
  return "";
}

}  // namespace tenon::fuzz
