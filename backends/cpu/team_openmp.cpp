// The team is libgomp's, oneDNN's too.
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

#include "denormals.h"
#include "processors.h"
#include "team.h"

namespace cpu {

/// What OMP_NUM_THREADS says; without it, what this process may use.
int usual_team_size() {
  const int given = omp_get_max_threads();
  return given == omp_get_num_procs() ? std::min(given, usable_processors()) : given;
}

namespace {

std::atomic<bool> taken{false};
thread_local int before = 0;  // the thread's own number, while a library has another
thread_local std::optional<DenormalMode> library_mode;

bool take() {
  return !taken.exchange(true, std::memory_order_acquire);
}
void give_back() {
  taken.store(false, std::memory_order_release);
}

}  // namespace

void run_parts(int parts, void (*part)(void* context, int i), void* context) {
  if (!take()) {
    for (int i = 0; i < parts; ++i) part(context, i);
    return;
  }
#pragma omp parallel num_threads(parts)
  {
    const DenormalMode mode;
    for (int i = omp_get_thread_num(); i < parts; i += omp_get_num_threads()) part(context, i);
  }
  give_back();
}

LibraryThreads::LibraryThreads(bool all) : all_(all && team_size() > 1) {
  while (all_ && !take()) std::this_thread::yield();
  before = omp_get_max_threads();
  omp_set_num_threads(all_ ? team_size() : 1);
  if (!all_ || !flushes_denormals()) return;
#pragma omp parallel num_threads(team_size())
  library_mode.emplace();
}
LibraryThreads::~LibraryThreads() {
  if (library_mode) {
#pragma omp parallel num_threads(team_size())
    library_mode.reset();
  }
  omp_set_num_threads(before);
  if (all_) give_back();
}

}  // namespace cpu
