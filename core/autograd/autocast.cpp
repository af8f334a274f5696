// Autocast: a thread's state, and its leaves' copies in 16 bits.
#include "core/autograd/autocast.h"

#include <unordered_map>
#include <utility>

#include <tenon/autograd.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace autograd {
namespace {

/// A leaf's copy, and of what.
struct Copy {
  Tensor leaf, copy;
  runtime::StorageRef storage;
  std::uint64_t version;
};

struct State {
  amp::AutocastOptions options{.enabled = false};
  int guards = 0;  // Autocasts that live
  std::unordered_map<const detail::TensorImpl*, Copy> copies;
};
State& state() {
  thread_local State own;
  return own;
}

bool is_current(const Copy& kept, const Tensor& leaf, DType dtype) {
  return kept.copy.dtype() == dtype && kept.storage.get() == leaf.impl()->storage.get() &&
         kept.version == leaf.version() && !kept.copy.impl()->node->is_freed();
}

/// A leaf's copy, that of before where it still holds.
Tensor copied(const Tensor& leaf, DType dtype) {
  const auto found = state().copies.find(leaf.impl());
  if (found != state().copies.end() && is_current(found->second, leaf, dtype))
    return found->second.copy;
  const Tensor copy = leaf.to(dtype);
  state().copies.insert_or_assign(leaf.impl(), Copy{leaf, copy, leaf.impl()->storage, leaf.version()});
  return copy;
}

}  // namespace

const amp::AutocastOptions& autocast_state() {
  return state().options;
}

AutocastGuard::AutocastGuard(const amp::AutocastOptions& options)
    : before_(std::exchange(state().options, options)) {}
AutocastGuard::~AutocastGuard() {
  state().options = before_;
}

DType autocast_dtype(Cast to, const Tensor& x) {
  const amp::AutocastOptions& options = state().options;
  const DType dtype = x.dtype();
  if (!options.enabled || !is_floating(dtype) || dtype == f64) return dtype;
  if (options.device && *options.device != x.device()) return dtype;
  return to == Cast::low ? options.dtype : f32;
}

Tensor autocast_in(Cast to, const Tensor& x) {
  if (!state().options.enabled || !x.defined()) return x;
  const DType dtype = autocast_dtype(to, x);
  if (dtype == x.dtype()) return x;
  const bool keeps = state().guards > 0 && to == Cast::low && x.is_leaf() && needs_record({&x, 1});
  return keeps ? copied(x, dtype) : x.to(dtype);
}

}  // namespace autograd

namespace amp {

Autocast::Autocast(AutocastOptions options) : before_(autograd::state().options) {
  require(options.dtype == bf16 || options.dtype == f16, "[Autocast] the dtype is bf16 or f16, not {}",
          name(options.dtype));
  autograd::state().options = options;
  ++autograd::state().guards;
}

Autocast::~Autocast() {
  autograd::state().options = before_;
  if (--autograd::state().guards == 0) autograd::state().copies.clear();
}

}  // namespace amp
}  // namespace tenon
