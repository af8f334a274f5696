// The team as std::threads that sleep between regions: for builds whose compiler brings no libgomp, and
// for ThreadSanitizer, which does not know it.
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "denormals.h"
#include "processors.h"
#include "team.h"

namespace cpu {

namespace {

class Team {
 public:
  void run(int parts, void (*part)(void* context, int i), void* context) {
    if (!owner_.try_lock()) {
      for (int i = 0; i < parts; ++i) part(context, i);
      return;
    }
    const std::lock_guard owned(owner_, std::adopt_lock);
    {
      const std::lock_guard lock(mutex_);
      while (static_cast<int>(workers_.size()) < parts - 1) {
        workers_.emplace_back([this, i = static_cast<int>(workers_.size()) + 1] { work(i); });
      }
      part_ = part;
      context_ = context;
      parts_ = parts;
      left_ = parts - 1;
      ++region_;
    }
    begin_.notify_all();
    part(context, 0);
    std::unique_lock lock(mutex_);
    end_.wait(lock, [&] { return left_ == 0; });
  }

  std::mutex& owner() { return owner_; }

  ~Team() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    begin_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

 private:
  void work(int i) {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    while (true) {
      begin_.wait(lock, [&] { return over_ || (region_ != seen && i < parts_); });
      if (over_) return;
      seen = region_;
      lock.unlock();
      {
        const DenormalMode mode;
        part_(context_, i);
      }
      lock.lock();
      if (--left_ == 0) end_.notify_one();
    }
  }

  std::mutex owner_, mutex_;
  std::condition_variable begin_, end_;
  std::vector<std::thread> workers_;
  void (*part_)(void* context, int i) = nullptr;
  void* context_ = nullptr;
  int parts_ = 0, left_ = 0;
  std::uint64_t region_ = 0;
  bool over_ = false;
};

Team team;

}  // namespace

int usual_team_size() {
  return usable_processors();
}

void run_parts(int parts, void (*part)(void* context, int i), void* context) {
  team.run(parts, part, context);
}

LibraryThreads::LibraryThreads(bool all) : all_(all) {
  if (all_) team.owner().lock();
}
LibraryThreads::~LibraryThreads() {
  if (all_) team.owner().unlock();
}

}  // namespace cpu
