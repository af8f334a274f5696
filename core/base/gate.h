// A lock that hardly ever meets another.
#pragma once

#include <atomic>
#include <thread>

namespace tenon {

/// One atomic exchange where nobody else holds it.
class Gate {
 public:
  void lock() noexcept {
    while (closed_.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
  }
  void unlock() noexcept { closed_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> closed_{false};
};

}  // namespace tenon
