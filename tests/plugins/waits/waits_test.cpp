// Every wait that the core inserts is needed, and is there: on a slow device each scenario is right,
// and wrong once the waits of its site are left out.
//
// Two streams meet in each: the slow one, of a thread that queues many commands before the one that
// matters and has ended since, and the main thread's, which would be done long before.
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/device.h>
#include <tenon/memory.h>
#include <tenon/ops.h>
#include <tenon/tensor.h>

#include "core/runtime/hazard.h"
#include "tests/support/new_process.h"

namespace tenon::test {
namespace {

using runtime::WaitSite;

constexpr int kBusyCommands = 20;
// Without workspaces: their waits could stand in for the one that is looked at.
const std::vector<std::string> kSlow = {
    "TENON_FAULTY_DELAY_MIN_US=10000", "TENON_FAULTY_DELAY_US=10000", "TENON_FAULTY_WORKSPACE_BYTES=0"};

Device faulty() {
  return device("faulty:0");
}

/// A tensor whose elements are there.
Tensor finished(const Shape& shape, Scalar value, Device on = faulty()) {
  const Tensor x = full(shape, value, {.dtype = f32, .device = on});
  on.synchronize();
  return x;
}

/// Keeps the calling thread's stream busy: 1 is added many times.
void add_slowly(Tensor x) {
  for (int i = 0; i < kBusyCommands; ++i) x += 1;
}

/// One element that lives on: the next owner of its memory would wait for those who used it.
Tensor never_freed() {
  static auto& all = *new std::vector<Tensor>;
  return all.emplace_back(finished({1}, 0));
}

/// Calls `f` on a thread of its own, whose stream is busy, and returns before the device is done.
template <class F>
void on_a_busy_stream(F&& f, const Tensor& busy = never_freed()) {
  std::thread([&] {
    add_slowly(busy);
    f();
  }).join();
}

// --- What reads x, one for each way in which the core gives a command ---

Tensor elementwise_result(const Tensor& x) {
  return x * 3;
}
Tensor transposed_copy(const Tensor& x) {
  return x.transpose(0, 1).contiguous();
}
Tensor reduced(const Tensor& x) {
  return x.sum({0});
}
Tensor product_left(const Tensor& x) {
  return matmul(x, ones({3, 2}, {.device = x.device()}));
}
Tensor product_right(const Tensor& x) {
  return matmul(ones({4, 2}, {.device = x.device()}), x);
}
Tensor copied_in_place(const Tensor& x) {
  Tensor y = zeros({2, 3}, {.device = x.device()});
  return y.copy_(x);
}
Tensor added_in_place(const Tensor& x) {
  Tensor y = zeros({2, 3}, {.device = x.device()});
  return y += x;
}
Tensor on_the_other_device(const Tensor& x) {
  return x.to(device(x.device() == faulty() ? "faulty:1" : "reference"));
}
Tensor on_the_host(const Tensor& x) {
  return from_values<float>(x.to_vector<float>(), x.shape(), {.device = device("reference")});
}

using Reader = Tensor (*)(const Tensor&);

/// What a reader gives for a tensor full of `value`: it has no one to wait for on the reference.
std::vector<float> expected(Reader read, float value) {
  return read(finished({2, 3}, value, device("reference"))).to_vector<float>();
}

// --- The scenarios; each says whether all went right ---

bool reads_after_write(Reader read) {
  Tensor x = finished({2, 3}, 1);
  on_a_busy_stream([&] { x.fill_(2); });
  return read(x).to_vector<float>() == expected(read, 2);
}

bool writes_after_read(Reader read) {
  Tensor x = finished({2, 3}, 1), y;
  on_a_busy_stream([&] { y = read(x); });
  x.fill_(2);
  return y.to_vector<float>() == expected(read, 1);
}

bool writes_after_write(void (*write)(Tensor& x, const Tensor& twos)) {
  Tensor x = finished({2, 3}, 0);
  const Tensor twos = finished({2, 3}, 2);
  on_a_busy_stream([&] { x.fill_(1); });
  write(x, twos);
  faulty().synchronize();
  return x.to_vector<float>() == std::vector<float>(6, 2);
}

bool reads_on_the_host() {
  static float value = -1;  // the copy may come after this function's end
  const Tensor x = finished({1}, 0);
  add_slowly(x);
  x.read(std::as_writable_bytes(std::span(&value, 1)));
  const bool right = value == kBusyCommands;
  faulty().synchronize();
  return right;
}

/// Nothing is lost when the pool gives back what `use` left behind.
bool frees_after(void (*use)()) {
  use();
  try {
    empty_cache(faulty());
    return finished({1}, 3).item<float>() == 3;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("is still used by"), std::string::npos) << error.what();
    return false;
  }
}

// Where the device has no more memory, a block is taken that another stream still uses. It shares a
// slab with one that lives, so that it can't go back to the plugin, and no two of its size fit.

constexpr std::int64_t kHalf = 1 << 17;  // elements: together a whole block of 1 MiB

template <class F>
bool where_memory_is_short(F&& f) {
  const Tensor neighbour = finished({1}, 0);
  set_memory_limit(faulty(), static_cast<std::uint64_t>(memory_stats(faulty()).reserved));
  return f();
}

bool holds(const Tensor& x, float value) {
  faulty().synchronize();
  return x.to_vector<float>() == std::vector<float>(static_cast<std::size_t>(x.numel()), value);
}

bool reuses_what_is_written() {
  return where_memory_is_short([] {
    on_a_busy_stream([] { full({2 * kHalf}, 1, {.dtype = f32, .device = faulty()}); });
    return holds(full({2 * kHalf}, 2, {.dtype = f32, .device = faulty()}), 2);
  });
}

bool reuses_a_part_of_what_is_written() {
  return where_memory_is_short([] {
    on_a_busy_stream([] { full({2 * kHalf}, 1, {.dtype = f32, .device = faulty()}); });
    const Tensor lower = empty({kHalf}, {.dtype = f32, .device = faulty()});
    return holds(full({kHalf}, 2, {.dtype = f32, .device = faulty()}), 2);
  });
}

bool reuses_two_that_two_streams_write() {
  return where_memory_is_short([] {
    const Tensor busy = never_freed(), busy_too = never_freed();
    Tensor x = finished({kHalf}, 0), y = finished({kHalf}, 0);
    on_a_busy_stream(
        [&] {
          x.fill_(1);
          on_a_busy_stream(
              [&] {
                add_slowly(busy_too);  // is done long after the other
                y.fill_(1);
              },
              busy_too);
        },
        busy);
    x = y = Tensor();
    return holds(full({2 * kHalf}, 2, {.dtype = f32, .device = faulty()}), 2);
  });
}

bool reuses_what_is_read() {
  return where_memory_is_short([] {
    Tensor x = finished({2 * kHalf}, 1), sum;
    on_a_busy_stream([&] { sum = x.sum(); });
    x = full({}, 0, {.dtype = f32, .device = faulty()});
    const Tensor y = full({2 * kHalf}, 2, {.dtype = f32, .device = faulty()});
    return sum.item<float>() == 2 * kHalf;
  });
}

struct Scenario {
  const char* name;
  bool (*is_right)();
};

std::vector<Scenario> scenarios(WaitSite site) {
  switch (site) {
    case WaitSite::ReadAfterWrite:
      return {{"Elementwise", [] { return reads_after_write(elementwise_result); }},
              {"TransposedCopy", [] { return reads_after_write(transposed_copy); }},
              {"Reduce", [] { return reads_after_write(reduced); }},
              {"MatmulLeft", [] { return reads_after_write(product_left); }},
              {"MatmulRight", [] { return reads_after_write(product_right); }},
              {"CopyInPlace", [] { return reads_after_write(copied_in_place); }},
              {"AddInPlace", [] { return reads_after_write(added_in_place); }},
              {"OtherDevice", [] { return reads_after_write(on_the_other_device); }},
              {"Host", [] { return reads_after_write(on_the_host); }}};
    case WaitSite::WriteAfterWrite:
      return {{"Fill", [] { return writes_after_write([](Tensor& x, const Tensor&) { x.fill_(2); }); }},
              {"Copy",
               [] { return writes_after_write([](Tensor& x, const Tensor& twos) { x.copy_(twos); }); }},
              {"Reuse", reuses_what_is_written},
              {"ReuseOfAPart", reuses_a_part_of_what_is_written},
              {"ReuseOfTwo", reuses_two_that_two_streams_write}};
    case WaitSite::WriteAfterRead:
      return {{"Elementwise", [] { return writes_after_read(elementwise_result); }},
              {"TransposedCopy", [] { return writes_after_read(transposed_copy); }},
              {"Reduce", [] { return writes_after_read(reduced); }},
              {"MatmulLeft", [] { return writes_after_read(product_left); }},
              {"MatmulRight", [] { return writes_after_read(product_right); }},
              {"CopyInPlace", [] { return writes_after_read(copied_in_place); }},
              {"AddInPlace", [] { return writes_after_read(added_in_place); }},
              {"Reuse", reuses_what_is_read}};
    case WaitSite::HostRead:
      return {{"Read", reads_on_the_host}};
    case WaitSite::Free:
      return {{"AfterWrite", [] { return frees_after([] { add_slowly(finished({2, 3}, 0)); }); }},
              {"AfterRead", [] {
                 return frees_after([] {
                   const Tensor x = finished({2, 3}, 1);
                   Tensor y;
                   on_a_busy_stream([&] { y = x * 3; });
                 });
               }}};
  }
  return {};
}

struct Wait {
  WaitSite site;
  const char* site_name;
  Scenario scenario;

  std::string name() const { return std::string(site_name) + "_" + scenario.name; }
  friend std::ostream& operator<<(std::ostream& out, const Wait& wait) { return out << wait.name(); }
};

std::vector<Wait> all_waits() {
  const std::pair<WaitSite, const char*> sites[] = {{WaitSite::ReadAfterWrite, "ReadAfterWrite"},
                                                    {WaitSite::WriteAfterWrite, "WriteAfterWrite"},
                                                    {WaitSite::WriteAfterRead, "WriteAfterRead"},
                                                    {WaitSite::HostRead, "HostRead"},
                                                    {WaitSite::Free, "Free"}};
  std::vector<Wait> all;
  for (const auto& [site, name] : sites) {
    for (const Scenario& scenario : scenarios(site)) all.push_back({site, name, scenario});
  }
  return all;
}

class Waits : public testing::TestWithParam<Wait> {
 protected:
  static std::vector<std::string> env() {
    std::vector<std::string> env = kSlow;
    // What is to be freed may not share an allocation with what lives.
    env.push_back(GetParam().site == WaitSite::Free ? "TENON_POOL=direct" : "TENON_POOL=");
    return env;
  }
};

TEST_P(Waits, AreThere) {
  in_new_process(env(), [] { EXPECT_TRUE(GetParam().scenario.is_right()); });
}

// What a missing wait lets happen is a data race, which the thread sanitizer need not report here.
TEST_P(Waits, AreNeeded) {
  std::vector<std::string> unreported = env();
  unreported.push_back("TSAN_OPTIONS=report_bugs=0");
  in_new_process(unreported, [] {
    finished({1}, 0);  // opens the device
    runtime::dropped_wait = static_cast<int>(GetParam().site);
    EXPECT_FALSE(GetParam().scenario.is_right());
  });
}

INSTANTIATE_TEST_SUITE_P(Sites, Waits, testing::ValuesIn(all_waits()),
                         [](const auto& test) { return test.param.name(); });

}  // namespace
}  // namespace tenon::test
