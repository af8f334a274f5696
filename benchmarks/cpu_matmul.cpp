// Products of plugin cpu, called through its table, beside bare oneDNN on the same operands. Compare
// with
// --benchmark_enable_random_interleaving --benchmark_repetitions=15.
#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <tenon/plugin.h>

namespace {

constexpr std::uint8_t kF32 = TENON_DTYPE_F32, kBf16 = TENON_DTYPE_BF16;

struct Case {
  std::int64_t m, k, n;
  std::uint8_t dtype = kF32;
  bool turned_a = false, turned_b = false;  // columns have no gaps, not rows

  std::string name() const {
    const char* kind = "f32";
#define TENON_DTYPE(name, NAME, code, bytes) \
  if (dtype == code) kind = #name;
#include <tenon/dtypes.def>
#undef TENON_DTYPE
    return fmt::format("{}_{}x{}{}x{}{}", kind, m, k, turned_a ? "t" : "", n, turned_b ? "t" : "");
  }
};

struct Free {
  void operator()(std::byte* at) const { std::free(at); }
};
using Bytes = std::unique_ptr<std::byte, Free>;

Bytes allocate(std::uint64_t bytes) {
  return Bytes(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)));
}

template <class T>
void fill(std::byte* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    reinterpret_cast<T*>(to)[i] = static_cast<T>(std::rand() % 1000) / static_cast<T>(7);
  }
}

/// Values below 143; of 16 bits: those whose bits are of a number between 1 and 2.
Bytes random_matrix(std::int64_t count, std::uint8_t dtype) {
  Bytes made = allocate(static_cast<std::uint64_t>(count) * 8);
  if (dtype == TENON_DTYPE_F32) fill<float>(made.get(), count);
  if (dtype == TENON_DTYPE_F64) fill<double>(made.get(), count);
  if (dtype == TENON_DTYPE_I32) fill<std::int32_t>(made.get(), count);
  if (dtype == TENON_DTYPE_I64) fill<std::int64_t>(made.get(), count);
  const bool half = dtype == TENON_DTYPE_F16;
  if (half || dtype == TENON_DTYPE_BF16) fill<std::uint16_t>(made.get(), count);
  auto* const bits = reinterpret_cast<std::uint16_t*>(made.get());
  for (std::int64_t i = 0; (half || dtype == TENON_DTYPE_BF16) && i < count; ++i) {
    bits[i] = static_cast<std::uint16_t>(half ? 0x3c00 | bits[i] : 0x3f80 | (bits[i] & 0x7f));
  }
  return made;
}

struct Operands {
  explicit Operands(const Case& c)
      : a(random_matrix(c.m * c.k, c.dtype)),
        b(random_matrix(c.k * c.n, c.dtype)),
        dst(random_matrix(c.m * c.n, c.dtype)) {}
  Bytes a, b, dst;
};

/// A description, laid out as the ABI wants it.
struct Block {
  TenonOp head{};
  TenonOperandDesc operands[3]{};
  TenonMatmulAttrs attrs{sizeof(TenonMatmulAttrs), 0};
  std::int64_t tables[3][4]{};

  explicit Block(const Case& c) {
    const auto at = [&](const void* part) {
      return static_cast<std::uint16_t>(static_cast<const char*>(part) - reinterpret_cast<char*>(this));
    };
    const bool half = c.dtype == TENON_DTYPE_F16 || c.dtype == TENON_DTYPE_BF16;
    head = {.struct_size = sizeof(TenonOp),
            .total_size = sizeof(Block),
            .kind = TENON_KIND_MATMUL,
            .flags = 0,
            .acc_dtype = half ? kF32 : c.dtype,
            .index_width = 32,
            .rank = 2,
            .output_count = 1,
            .operand_count = 3,
            .attachment_count = 0,
            .operands_at = at(operands),
            .attachments_at = 0,
            .attrs_at = at(&attrs),
            .pad = 0};
    describe(0, c.m, c.n, false);
    describe(1, c.m, c.k, c.turned_a);
    describe(2, c.k, c.n, c.turned_b);
    for (int i = 0; i < 3; ++i) operands[i] = {c.dtype, TENON_LAYOUT_STRIDED, 2, 0, at(tables[i])};
  }

 private:
  void describe(int i, std::int64_t rows, std::int64_t columns, bool turned) {
    const std::int64_t table[] = {rows, columns, turned ? 1 : columns, turned ? rows : 1};
    std::copy_n(table, 4, tables[i]);
  }
};

struct Plugin {
  TenonHost host{};
  const TenonPlugin* table = nullptr;
  TenonDevice* device = nullptr;

  Plugin() {
    host.struct_size = sizeof host;
    host.abi = TENON_ABI;
    host.fail = [](void*, std::int32_t code, const char* text) {
      fmt::print(stderr, "{}\n", text);
      return code;
    };
    host.note = [](void*, const char*) {};
    host.option = [](void*, const char*) -> const char* { return nullptr; };
    void* const library = dlopen(TENON_CPU_PLUGIN, RTLD_NOW);
    const auto main = reinterpret_cast<const TenonPlugin* (*)(const TenonHost*, const char**)>(
        dlsym(library, "tenon_plugin_main"));
    const char* why = nullptr;
    table = main(&host, &why);
    table->device_open(0, &device);
  }
};

void run_plugin(benchmark::State& state, const Case& c) {
  static Plugin plugin;
  const Operands operands(c);
  const Block block(c);
  TenonKernel* kernel = nullptr;
  TenonKernelInfo info{.struct_size = sizeof info, .flags = 0, .workspace_bytes = 0};
  if (plugin.table->prepare(plugin.device, &block.head, &kernel, &info) != TENON_OK) {
    return state.SkipWithError("refused");
  }
  const Bytes workspace = allocate(info.workspace_bytes);
  const auto handle = [](const Bytes& bytes) { return reinterpret_cast<std::uint64_t>(bytes.get()); };
  const TenonOperand given[] = {{handle(operands.dst), 0, nullptr},
                                {handle(operands.a), 0, nullptr},
                                {handle(operands.b), 0, nullptr}};
  const TenonPack pack{given, nullptr, nullptr};
  const TenonLaunch launch{.struct_size = sizeof(TenonLaunch),
                           .count = 1,
                           .packs = &pack,
                           .workspace = handle(workspace),
                           .workspace_offset = 0,
                           .workspace_bytes = info.workspace_bytes,
                           .corr = 0};
  for (auto _ : state) plugin.table->launch(plugin.device, nullptr, kernel, &launch);
  state.SetItemsProcessed(state.iterations() * c.m * c.k * c.n);
  plugin.table->release(plugin.device, kernel);
}

void run_onednn(benchmark::State& state, const Case& c) {
  using dnnl::memory;
  const Operands operands(c);
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const auto type = c.dtype == TENON_DTYPE_BF16 ? memory::data_type::bf16 : memory::data_type::f32;
  const auto describe = [&](std::int64_t rows, std::int64_t columns, bool turned) {
    return memory::desc({rows, columns}, type,
                        turned ? memory::dims{1, rows} : memory::dims{columns, 1});
  };
  const dnnl::matmul::primitive_desc desc(engine, describe(c.m, c.k, c.turned_a),
                                          describe(c.k, c.n, c.turned_b), describe(c.m, c.n, false));
  const dnnl::matmul product(desc);
  memory a(desc.src_desc(), engine, operands.a.get()), b(desc.weights_desc(), engine, operands.b.get());
  memory dst(desc.dst_desc(), engine, operands.dst.get());
  const dnnl_exec_arg_t arguments[] = {
      {DNNL_ARG_SRC, a.get()}, {DNNL_ARG_WEIGHTS, b.get()}, {DNNL_ARG_DST, dst.get()}};
  for (auto _ : state) dnnl_primitive_execute(product.get(), stream.get(), 3, arguments);
  state.SetItemsProcessed(state.iterations() * c.m * c.k * c.n);
}

const Case kCases[] = {{8, 8, 8},
                       {16, 16, 16},
                       {32, 32, 32},
                       {64, 64, 64},
                       {128, 128, 128},
                       {512, 512, 512},
                       {8, 8, 8, kF32, false, true},
                       {32, 16, 16, kF32, false, true},
                       {32, 32, 32, kF32, false, true},
                       {64, 64, 64, kF32, false, true},
                       {64, 13, 1},
                       {1, 64, 13, kF32, true},
                       {64, 30, 64, kF32, false, true},
                       {64, 64, 30, kF32, true},
                       {64, 64, 1},
                       {10000, 64, 1},
                       {2000, 784, 1},
                       {1, 2000, 784},
                       {1, 784, 2000, kF32, false, true},
                       {1, 64, 64},
                       {64, 1, 64},
                       {1, 784, 1024},
                       {1, 784, 1024, kF32, false, true},
                       {128, 784, 1024},
                       {128, 784, 1024, kF32, false, true},
                       {2048, 2048, 2048},
                       {16, 16, 16, kBf16},
                       {64, 64, 64, kBf16},
                       {128, 784, 1024, kBf16},
                       {2048, 2048, 2048, kBf16},
                       {512, 512, 512, TENON_DTYPE_F64},
                       {512, 512, 512, TENON_DTYPE_I32},
                       {512, 512, 512, TENON_DTYPE_I64},
                       {512, 512, 512, TENON_DTYPE_F16}};

}  // namespace

int main(int argc, char** argv) {
  for (const Case& c : kCases) {
    benchmark::RegisterBenchmark((c.name() + "/plugin").c_str(), run_plugin, c)->UseRealTime();
    if (c.dtype != kF32 && c.dtype != kBf16) continue;
    benchmark::RegisterBenchmark((c.name() + "/onednn").c_str(), run_onednn, c)->UseRealTime();
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
