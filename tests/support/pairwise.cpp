// Greedy: each choice starts from the first pair that has not met yet, and takes for every other
// parameter the value that adds most new pairs to those taken already.
#include "tests/support/pairwise.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "tests/support/rounds.h"

namespace tenon::test {
namespace {

/// Values of all parameters, numbered through.
class Pairs {
 public:
  explicit Pairs(const std::vector<std::size_t>& sizes) : starts_(sizes.size()) {
    std::exclusive_scan(sizes.begin(), sizes.end(), starts_.begin(), std::size_t{0});
    total_ = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
    open_.resize(total_ * total_);
    for (std::size_t p = 0; p < sizes.size(); ++p) {
      for (std::size_t q = 0; q < sizes.size(); ++q) {
        for (std::size_t i = 0; p != q && i < sizes[p] * sizes[q]; ++i) {
          open_[place(p, i / sizes[q], q, i % sizes[q])] = true;
        }
      }
    }
  }

  bool open(std::size_t p, std::size_t i, std::size_t q, std::size_t j) const {
    return open_[place(p, i, q, j)];
  }
  void close(std::size_t p, std::size_t i, std::size_t q, std::size_t j) {
    open_[place(p, i, q, j)] = open_[place(q, j, p, i)] = false;
  }

 private:
  std::size_t place(std::size_t p, std::size_t i, std::size_t q, std::size_t j) const {
    return (starts_[p] + i) * total_ + starts_[q] + j;
  }

  std::vector<std::size_t> starts_;
  std::size_t total_ = 0;
  std::vector<bool> open_;  // symmetric
};

constexpr std::size_t kFree = static_cast<std::size_t>(-1);

/// How many open pairs value i of parameter p closes beside what is taken.
std::size_t gain(const Pairs& pairs, const Choice& choice, std::size_t p, std::size_t i) {
  std::size_t closed = 0;
  for (std::size_t q = 0; q < choice.size(); ++q) {
    if (q != p && choice[q] != kFree) closed += pairs.open(p, i, q, choice[q]) ? 1 : 0;
  }
  return closed;
}

/// A choice with the first open pair taken, if there is one.
std::optional<Choice> begin(const Pairs& pairs, const std::vector<std::size_t>& sizes) {
  for (std::size_t p = 0; p < sizes.size(); ++p) {
    for (std::size_t q = p + 1; q < sizes.size(); ++q) {
      for (std::size_t i = 0; i < sizes[p] * sizes[q]; ++i) {
        if (!pairs.open(p, i / sizes[q], q, i % sizes[q])) continue;
        Choice choice(sizes.size(), kFree);
        choice[p] = i / sizes[q];
        choice[q] = i % sizes[q];
        return choice;
      }
    }
  }
  return std::nullopt;
}

/// Takes the best value for every free parameter; among equals another one in each turn.
void complete(Choice& choice, const Pairs& pairs, const std::vector<std::size_t>& sizes,
              std::size_t turn) {
  for (std::size_t p = 0; p < sizes.size(); ++p) {
    if (choice[p] != kFree) continue;
    std::size_t best = turn % sizes[p];
    for (std::size_t k = 1; k < sizes[p]; ++k) {
      const std::size_t i = (turn + k) % sizes[p];
      if (gain(pairs, choice, p, i) > gain(pairs, choice, p, best)) best = i;
    }
    choice[p] = best;
  }
}

}  // namespace

std::vector<Choice> pairwise(const std::vector<std::size_t>& sizes) {
  if (sizes.size() < 2) return every_choice(sizes);
  Pairs pairs(sizes);
  std::vector<Choice> all;
  while (std::optional<Choice> choice = begin(pairs, sizes)) {
    complete(*choice, pairs, sizes, all.size());
    for (std::size_t p = 0; p < sizes.size(); ++p) {
      for (std::size_t q = p + 1; q < sizes.size(); ++q) pairs.close(p, (*choice)[p], q, (*choice)[q]);
    }
    all.push_back(std::move(*choice));
  }
  return all;
}

std::vector<Choice> every_choice(const std::vector<std::size_t>& sizes) {
  std::vector<Choice> all;
  const std::size_t count =
      std::accumulate(sizes.begin(), sizes.end(), std::size_t{1}, std::multiplies<>());
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t rest = i;
    Choice& choice = all.emplace_back();
    for (const std::size_t size : sizes) {
      choice.push_back(rest % size);
      rest /= size;
    }
  }
  return all;
}

std::vector<Choice> choices(const std::vector<std::size_t>& sizes) {
  return full_run() ? every_choice(sizes) : pairwise(sizes);
}

}  // namespace tenon::test
