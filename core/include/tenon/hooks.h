// What registering a hook gives back.
#pragma once

#include <functional>
#include <utility>

#pragma GCC visibility push(default)
namespace tenon {

/// Takes its hook away when told so; without that the hook stays as long as what it was registered on.
class HookHandle {
 public:
  HookHandle() = default;
  explicit HookHandle(std::function<void()> remove) : remove_(std::move(remove)) {}
  /// Once removed, again does nothing.
  void remove() {
    if (remove_) std::exchange(remove_, nullptr)();
  }

 private:
  std::function<void()> remove_;
};

}  // namespace tenon
#pragma GCC visibility pop
