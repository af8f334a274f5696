// How many threads the team has, whoever makes it up.
#include "team.h"

#include <atomic>

namespace cpu {
namespace {

const int usual = usual_team_size();  // before anyone changes a thread's own number
std::atomic<int> size{0};             // 0: as usual

}  // namespace

int team_size() {
  const int chosen = size.load(std::memory_order_relaxed);
  return chosen > 0 ? chosen : usual;
}

void set_team_size(int count) {
  size.store(count, std::memory_order_relaxed);
}

}  // namespace cpu
