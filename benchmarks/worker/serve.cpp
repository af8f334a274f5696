// The protocol, and how a block is timed.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include "worker.h"

namespace worker {
namespace {

double seconds_of(const Work& work, std::int64_t count) {
  const auto begin = std::chrono::steady_clock::now();
  work.run(count);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// As many repetitions as the clock is looked at after: 10 ms of them.
std::int64_t count_between_looks(const Work& work) {
  std::int64_t count = 1;
  while (seconds_of(work, count) < 0.01) count *= 2;
  return count;
}

void print_block(const Work& work, std::int64_t count, double least) {
  work.run(count);  // threads wake up, caches fill again
  std::int64_t done = 0;
  double spent = 0;
  for (; spent < least; done += count) spent += seconds_of(work, count);
  std::printf("%lld %.9f\n", static_cast<long long>(done), spent);
  std::fflush(stdout);
}

void serve(const Case& wanted) {
  const Work work = wanted.make();
  const std::int64_t count = count_between_looks(work);
  std::printf("{\"tolerance\": %g, \"check\": [", wanted.tolerance);
  for (std::size_t i = 0; i < work.check.size(); ++i)
    std::printf("%s%.17g", i == 0 ? "" : ", ", work.check[i]);
  std::printf("]}\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);)
    print_block(work, count, std::strtod(line.c_str(), nullptr));
}

}  // namespace

int serve(int argc, char** argv, std::span<const Case> cases) {
  const std::string_view name = argc == 2 ? argv[1] : "";
  if (name == "--list") {
    for (const Case& each : cases)
      std::printf("%.*s\n", static_cast<int>(each.name.size()), each.name.data());
    return 0;
  }
  const auto wanted = std::ranges::find(cases, name, &Case::name);
  if (wanted == cases.end()) {
    std::printf("{\"missing\": \"no such case here\"}\n");
    return 2;
  }
  try {
    serve(*wanted);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace worker
