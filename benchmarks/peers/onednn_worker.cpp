// tenon_bench_onednn CASE: products by oneDNN alone, its primitive and memory made once; a side of
// benchmarks/compare.
#include <bit>

#include <oneapi/dnnl/dnnl.hpp>

#include "worker.h"

namespace worker {
namespace {

using dnnl::memory;

const dnnl::engine& engine() {
  static const dnnl::engine the(dnnl::engine::kind::cpu, 0);
  return the;
}

/// Rounded to nearest, ties to even; none here is NaN.
std::uint16_t bf16_of(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

float f32_of(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

memory matrix(memory::dim rows, memory::dim columns, memory::data_type type) {
  return memory({{rows, columns}, type, memory::format_tag::ab}, engine());
}

memory filled(memory result, std::uint32_t stream) {
  const memory::desc desc = result.get_desc();
  const bool wide = desc.get_data_type() == memory::data_type::f32;
  const auto elements = values(stream, desc.get_size() / (wide ? 4 : 2));
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (wide) {
      static_cast<float*>(result.get_data_handle())[i] = elements[i];
    } else {
      static_cast<std::uint16_t*>(result.get_data_handle())[i] = bf16_of(elements[i]);
    }
  }
  return result;
}

std::vector<double> check(const memory& result) {
  const memory::desc desc = result.get_desc();
  if (desc.get_data_type() == memory::data_type::f32)
    return probes(std::span(static_cast<const float*>(result.get_data_handle()), desc.get_size() / 4));
  const std::span bits(static_cast<const std::uint16_t*>(result.get_data_handle()),
                       desc.get_size() / 2);
  std::vector<float> elements;
  for (const std::uint16_t each : bits) elements.push_back(f32_of(each));
  return probes(elements);
}

Work product(memory::dim m, memory::dim k, memory::dim n, memory::data_type type) {
  const memory a = filled(matrix(m, k, type), 0), b = filled(matrix(k, n, type), 1),
               c = matrix(m, n, type);
  const dnnl::matmul matmul({engine(), a.get_desc(), b.get_desc(), c.get_desc()});
  const auto run = [=, stream = dnnl::stream(engine())](std::int64_t count) mutable {
    for (std::int64_t i = 0; i < count; ++i)
      matmul.execute(stream, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}});
    stream.wait();
  };
  std::function<void(std::int64_t)> repeated = run;
  repeated(1);
  return {repeated, check(c)};
}

constexpr auto f32 = memory::data_type::f32, bf16 = memory::data_type::bf16;
constexpr Case kCases[] = {
    {"matmul_128x784x1024_f32", 1e-4, [] { return product(128, 784, 1024, f32); }},
    {"matmul_128x784x1024_bf16", 2e-2, [] { return product(128, 784, 1024, bf16); }},
    {"matmul_2048_f32", 1e-4, [] { return product(2048, 2048, 2048, f32); }},
    {"matmul_2048_bf16", 2e-2, [] { return product(2048, 2048, 2048, bf16); }},
};

}  // namespace
}  // namespace worker

int main(int argc, char** argv) {
  return worker::serve(argc, argv, worker::kCases);
}
