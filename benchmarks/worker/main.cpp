// tenon_bench_peer CASE: Tenon's side of benchmarks/compare.
#include "cases.h"

namespace worker {

tenon::Tensor numbers(std::uint32_t stream, const tenon::Shape& shape, float scale) {
  const auto count = static_cast<std::size_t>(tenon::numel(shape));
  return tenon::from_values<float>(values(stream, count, scale), shape);
}

tenon::Tensor classes(std::uint32_t stream, std::int64_t count, std::uint32_t bound) {
  return tenon::tensor(integers(stream, static_cast<std::size_t>(count), bound));
}

std::vector<double> probes(const tenon::Tensor& x) {
  return probes(x.to(tenon::f32).to_vector<float>());
}

std::vector<double> moments(const tenon::Tensor& x) {
  return moments(x.to_vector<float>());
}

}  // namespace worker

int main(int argc, char** argv) {
  std::vector<worker::Case> cases = worker::step_cases();
  for (const auto& more : {worker::op_cases(), worker::gradient_cases()})
    cases.insert(cases.end(), more.begin(), more.end());
  return worker::serve(argc, argv, cases);
}
