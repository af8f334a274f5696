// The kernels that a thread has used last, by the words that determine them: no lock, no allocation,
// and nothing that another thread reads or writes.
//
// An entry shares the kernel with the device's cache, which may drop it: it lives on as long as a table
// holds it, and what no table holds is what the cache drops first.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace tenon::runtime {

class Kernel;

/// Keys of at most Words words, compared in full; `Slots`, a power of two, entries, one for each hash.
template <std::size_t Words, std::size_t Slots>
class FrontTable {
 public:
  using Key = std::span<const std::uint64_t>;

  /// nullptr where it is not there; else valid until the next put().
  const std::shared_ptr<const Kernel>* find(Key key) const {
    const Entry& entry = entries_[place_of(key)];
    const bool same =
        entry.count == key.size() && std::equal(key.begin(), key.end(), entry.key.begin());
    return same ? &entry.kernel : nullptr;
  }
  void put(Key key, std::shared_ptr<const Kernel> kernel) {
    if (key.size() > Words) return;
    Entry& entry = entries_[place_of(key)];
    entry.count = key.size();
    std::copy(key.begin(), key.end(), entry.key.begin());
    entry.kernel = std::move(kernel);
  }

 private:
  struct Entry {
    std::size_t count = 0;
    std::array<std::uint64_t, Words> key{};
    std::shared_ptr<const Kernel> kernel;
  };

  static std::size_t place_of(Key key) {
    std::uint64_t hash = 0;
    for (const std::uint64_t word : key) hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return (hash >> 32) % Slots;
  }

  std::array<Entry, Slots> entries_{};
};

/// The calling thread's one `T`, made at its first use; nullptr once the thread ends.
template <class T>
T* thread_own() {
  struct Owner {
    std::unique_ptr<T> own = std::make_unique<T>();
    T** place;
    bool* over;
    Owner(T** at, bool* is_over) : place(at), over(is_over) { *place = own.get(); }
    ~Owner() {
      *place = nullptr;
      *over = true;
    }
  };
  [[gnu::tls_model("initial-exec")]] static constinit thread_local T* mine = nullptr;
  [[gnu::tls_model("initial-exec")]] static constinit thread_local bool is_over = false;
  if (mine == nullptr && !is_over) [[unlikely]] {
    static thread_local Owner owner(&mine, &is_over);
  }
  return mine;
}

}  // namespace tenon::runtime
