// What an op does to its operands under Autocast.
#pragma once

#include <tenon/amp.h>

namespace tenon::autograd {

/// low: a matrix product's; wide: a sum's, an exponential's, a loss's.
enum class Cast { low, wide };

/// x in the dtype that the thread's Autocast wants for such an op: x itself without one.
Tensor autocast_in(Cast to, const Tensor& x);
/// That dtype alone, for an op that converts on its way.
DType autocast_dtype(Cast to, const Tensor& x);

/// The thread's Autocast as it is now.
const amp::AutocastOptions& autocast_state();

/// Puts another state in its place for a while; the copies of leaves stay.
class AutocastGuard {
 public:
  explicit AutocastGuard(const amp::AutocastOptions& state);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  amp::AutocastOptions before_;
};

}  // namespace tenon::autograd
