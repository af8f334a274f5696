// Blocks of one size that a thread keeps for its next objects: two instructions instead of an
// allocator's call.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace tenon {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kMostRecycled = 0;  // a sanitizer is to see each object's end
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
inline constexpr int kMostRecycled = 0;
#else
inline constexpr int kMostRecycled = 1024;
#endif
#else
inline constexpr int kMostRecycled = 1024;
#endif

/// The calling thread's blocks of so many bytes; what is freed by a thread goes to that thread.
template <std::size_t Bytes>
class Blocks {
 public:
  static void* take() {
    List& list = list_;
    if (list.first == nullptr) return ::operator new(Bytes);
    ++list.room;
    return std::exchange(list.first, list.first->next);
  }
  static void give(void* block) noexcept {
    List& list = list_;
    if (list.room == 0 && !join()) return ::operator delete(block);
    --list.room;
    list.first = new (block) Free{list.first};
  }

 private:
  struct Free {
    Free* next;
  };
  /// Plain, so that it can be used before and after anything else of the thread.
  struct List {
    Free* first = nullptr;
    int room = 0;  // for so many more
    bool joined = false;
  };
  struct End {
    ~End() {
      list_.room = 0;
      while (Free* block = list_.first) {
        list_.first = block->next;
        ::operator delete(block);
      }
    }
  };

  /// Whether the thread keeps blocks at all: from its first one on until its end.
  static bool join() {
    if (std::exchange(list_.joined, true)) return false;
    static thread_local End end;
    list_.room = kMostRecycled;
    return list_.room > 0;
  }

  [[gnu::tls_model("initial-exec")]] static inline constinit thread_local List list_{};
};

/// A base whose T get their memory from Blocks.
template <class T>
class Recycled {
 public:
  static void* operator new(std::size_t) { return Blocks<sizeof(T)>::take(); }
  static void operator delete(void* block) noexcept { Blocks<sizeof(T)>::give(block); }
};

/// For what a standard container or pointer allocates one by one.
template <class T>
struct RecyclingAllocator {
  using value_type = T;
  RecyclingAllocator() = default;
  template <class U>
  RecyclingAllocator(const RecyclingAllocator<U>&) noexcept {}  // NOLINT: implicit, as containers want
  T* allocate(std::size_t n) {
    return static_cast<T*>(n == 1 ? Blocks<sizeof(T)>::take() : ::operator new(n * sizeof(T)));
  }
  void deallocate(T* block, std::size_t n) noexcept {
    n == 1 ? Blocks<sizeof(T)>::give(block) : ::operator delete(block);
  }
  template <class U>
  bool operator==(const RecyclingAllocator<U>&) const noexcept {
    return true;
  }
};

}  // namespace tenon
