// Threads whose errors are the test's.
#pragma once

#include <exception>
#include <thread>
#include <vector>

namespace tenon::test {

/// Calls body(0) .. body(count - 1), each on a thread of its own, waits for all, and throws the first
/// error of theirs.
template <class Body>
void on_threads(int count, Body&& body) {
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(count));
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&body, i, &error = errors[static_cast<std::size_t>(i)]] {
      try {
        body(i);
      } catch (...) {
        error = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error != nullptr) std::rethrow_exception(error);
  }
}

}  // namespace tenon::test
