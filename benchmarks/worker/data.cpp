// Inputs and checks.
#include <cmath>

#include "worker.h"

namespace worker {
namespace {

std::uint32_t hash(std::uint32_t stream, std::size_t i) {
  auto x = static_cast<std::uint32_t>(i + 1) * 0x9E3779B1u + stream * 0x85EBCA77u;
  x = (x ^ (x >> 15)) * 0x2C1B3C6Du;
  x = (x ^ (x >> 12)) * 0x297A2D39u;
  return x ^ (x >> 15);
}

template <class F>
double mean_of(std::span<const float> elements, F f) {
  double sum = 0;
  for (const float x : elements) sum += f(static_cast<double>(x));
  return sum / static_cast<double>(elements.size());
}

double mean_size(std::span<const float> elements) {
  return mean_of(elements, [](double x) { return std::fabs(x); });
}

}  // namespace

std::vector<float> values(std::uint32_t stream, std::size_t count, float scale) {
  std::vector<float> result(count);
  for (std::size_t i = 0; i < count; ++i)
    result[i] = (static_cast<float>(hash(stream, i) >> 8) * 0x1p-23f - 1) * scale;
  return result;
}

std::vector<std::int64_t> integers(std::uint32_t stream, std::size_t count, std::uint32_t bound) {
  std::vector<std::int64_t> result(count);
  for (std::size_t i = 0; i < count; ++i) result[i] = hash(stream, i) % bound;
  return result;
}

std::vector<double> probes(std::span<const float> elements) {
  std::vector<double> result{mean_size(elements)};
  for (std::size_t k = 0; k < 8; ++k)
    result.push_back(static_cast<double>(elements[k * (elements.size() - 1) / 7]));
  return result;
}

std::vector<double> moments(std::span<const float> elements) {
  return {mean_size(elements), mean_of(elements, [](double x) { return x * x; })};
}

}  // namespace worker
