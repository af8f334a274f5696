// The threads of this plugin: one team, which one caller at a time has; others work on their own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace cpu {

/// Threads in the team, the caller among them.
int team_size();
/// From the next region on; at least 1.
void set_team_size(int size);
/// What it is until then.
int usual_team_size();

/// Calls part(context, i) for i in 0 .. parts - 1, each in a thread of its own where the team is free,
/// else one after the other. Parts do not throw.
void run_parts(int parts, void (*part)(void* context, int i), void* context);

/// The same for body(i).
template <class Body>
void for_parts(int parts, Body&& body) {
  using Called = std::remove_reference_t<Body>;
  run_parts(parts, [](void* context, int i) { (*static_cast<Called*>(context))(i); }, &body);
}

/// As long as it lives, a library that starts regions of its own has one thread, or the whole team,
/// which is waited for.
class LibraryThreads {
 public:
  explicit LibraryThreads(bool all);
  ~LibraryThreads();
  LibraryThreads(const LibraryThreads&) = delete;
  LibraryThreads& operator=(const LibraryThreads&) = delete;

 private:
  bool all_;
};

/// Calls body(begin, end) for parts of 0 .. n, at most one for each thread; each but the last begins
/// and ends at a multiple of `grain`, what one thread does not share with another.
template <class Body>
void parallel(std::int64_t n, std::int64_t grain, Body&& body) {
  const std::int64_t grains = (n + grain - 1) / grain;
  const auto parts = static_cast<int>(std::min<std::int64_t>(grains, team_size()));
  if (parts <= 1) {
    if (n > 0) body(std::int64_t{0}, n);
    return;
  }
  const std::int64_t each = (grains + parts - 1) / parts * grain;
  for_parts(parts, [&](int i) {
    const std::int64_t begin = i * each, end = std::min(n, begin + each);
    if (begin < end) body(begin, end);
  });
}

}  // namespace cpu
