// Hooks in the order of their registration, from any threads.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include <tenon/hooks.h>

namespace tenon {

/// F is the std::function of a hook.
template <class F>
class HookList {
 public:
  HookHandle add(F hook) {
    const auto entry = std::make_shared<const F>(std::move(hook));
    const std::lock_guard lock(state_->mutex);
    state_->entries.push_back(entry);
    return HookHandle([list = std::weak_ptr(state_), hook = std::weak_ptr(entry)] {
      const auto state = list.lock();
      if (state == nullptr) return;
      const auto gone = hook.lock();  // destroyed when the lock is not held
      const std::lock_guard guard(state->mutex);
      std::erase(state->entries, gone);
    });
  }
  /// As they are now: a hook may add or remove hooks.
  std::vector<std::shared_ptr<const F>> all() const {
    const std::lock_guard lock(state_->mutex);
    return state_->entries;
  }

 private:
  struct State {
    std::mutex mutex;
    std::vector<std::shared_ptr<const F>> entries;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace tenon
