// Products by oneDNN, which is at the processor's limit in every layout that has a unit stride; other
// layouts are packed first. A bias is oneDNN's to add; any other EPILOGUE runs over the sums.
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <oneapi/dnnl/dnnl.hpp>

#include "matmul.h"
#include "team.h"

namespace cpu {

namespace {

using dnnl::memory;

/// Below so many multiply-adds a region costs more than the second thread saves.
constexpr std::int64_t kParallel = 1 << 20;

dnnl::engine& engine() {
  static dnnl::engine& the = *new dnnl::engine(dnnl::engine::kind::cpu, 0);  // outlives all kernels
  return the;
}
dnnl::stream& stream() {
  thread_local dnnl::stream the(engine());
  return the;
}

std::optional<memory::data_type> data_type(std::uint8_t dtype) {
  if (dtype == TENON_DTYPE_F32) return memory::data_type::f32;
  if (dtype == TENON_DTYPE_BF16) return memory::data_type::bf16;
  if (dtype == TENON_DTYPE_F16) return memory::data_type::f16;
  return {};
}

void pack(Matrix& matrix) {
  std::int64_t step = 1;
  for (std::size_t d = 0; d < matrix.extents.size(); ++d) {
    matrix.strides[d] = step;
    step *= matrix.extents[d];
  }
}

/// Strides that oneDNN takes as they are: positive, one of the last two is 1, and the other at least
/// the extent along it. What an extent of 1 has is put right.
bool settle(Matrix& matrix, std::size_t rank) {
  std::int64_t &row = matrix.strides[1], &column = matrix.strides[0];
  const std::int64_t M = matrix.rows(), N = matrix.columns();
  if (N == 1) column = M == 1 || row >= 1 ? 1 : column;
  if (M == 1) row = column == 1 ? N : 1;
  const bool rows = column == 1 && row >= N, columns = row == 1 && column >= M;
  std::int64_t step = M * N;
  for (std::size_t d = 2; d < rank; ++d) {
    if (matrix.extents[d] == 1) matrix.strides[d] = step;
    if (matrix.strides[d] < 1) return false;
    step *= matrix.extents[d];
  }
  return rows || columns;
}

/// A batch of rows that meet one b is one matrix with more rows.
void fold_batches(ProductShape& shape) {
  auto &dst = shape.operands[0], &a = shape.operands[1], &b = shape.operands[2];
  const auto follows = [&](const Matrix& it) {
    return it.extents[2] == dst.extents[2] &&
           (it.rows() == 1 || it.strides[2] == it.rows() * it.strides[1]);
  };
  while (shape.rank > 2) {
    const bool alone = dst.extents[2] == 1;
    if (!alone && (b.extents[2] != 1 || !follows(dst) || !follows(a))) return;
    for (Matrix* it : {&dst, &a}) {
      if (!alone && it->rows() == 1) it->strides[1] = it->strides[2];
      it->extents[1] *= it->extents[2];
    }
    for (Matrix* it : {&dst, &a, &b}) {
      std::shift_left(it->extents.begin() + 2, it->extents.end(), 1);
      std::shift_left(it->strides.begin() + 2, it->strides.end(), 1);
      it->extents.back() = 1;
    }
    --shape.rank;
  }
}

memory::desc describe(const Matrix& matrix, std::size_t rank, std::uint8_t dtype) {
  memory::dims extents(rank), strides(rank);
  std::reverse_copy(matrix.extents.begin(), matrix.extents.begin() + static_cast<std::ptrdiff_t>(rank),
                    extents.begin());
  std::reverse_copy(matrix.strides.begin(), matrix.strides.begin() + static_cast<std::ptrdiff_t>(rank),
                    strides.begin());
  return {extents, *data_type(dtype), strides};
}

/// What one execution names: memory objects are made once, and then pointed elsewhere.
struct Arguments {
  std::array<memory, 5> all;
  std::array<dnnl_exec_arg_t, 5> list;

  explicit Arguments(const std::array<memory::desc, 5>& descs) {
    constexpr int kinds[] = {DNNL_ARG_DST, DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_SCRATCHPAD,
                             DNNL_ARG_BIAS};
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] = memory(descs[i], engine(), nullptr);
      list[i] = {kinds[i], all[i].get()};
    }
  }
};

class Matmul final : public Kernel {
 public:
  explicit Matmul(const TenonOp& op)
      : op_(op),
        given_(read_shape(op_.view(), nullptr)),
        accumulate_(op_.view().attrs<TenonMatmulAttrs>().accumulate != 0) {
    const sdk::OpView view = op_.view();
    const TenonAttachment* attachment = view.attachment(TENON_SLOT_EPILOGUE);
    const std::uint8_t input = view.operands()[1].dtype, output = view.operands()[0].dtype;
    find_bias();
    if (attachment != nullptr && bias_ == 0) epilogue_.emplace(view.program(*attachment));
    share_matrices();
    ProductShape used = given_;
    fold_batches(used);
    pack_a_ = !settle(used.operands[1], used.rank);
    pack_b_ = !settle(used.operands[2], used.rank);
    apart_ = epilogue_.has_value() || !settle(used.operands[0], used.rank) ||
             (output != view.acc_dtype() && output != input);
    const std::uint8_t sum_dtype = apart_ ? view.acc_dtype() : output;
    used = given_;
    if (apart_) reserve(used.operands[0], sum_dtype, at_sums_);
    if (pack_a_) reserve(used.operands[1], input, at_a_);
    if (pack_b_) reserve(used.operands[2], input, at_b_);
    fold_batches(used);
    for (std::size_t i = 0; i < 3; ++i) {
      if (!settle(used.operands[i], used.rank)) throw sdk::Unsupported("matrices that overlap");
    }
    prepare(used, input, sum_dtype);
  }
  Matmul(const Matmul&) = delete;
  Matmul& operator=(const Matmul&) = delete;
  ~Matmul() override { delete spare_.load(); }

  std::int32_t launch(const TenonLaunch& launch) const override {
    auto* const workspace = reinterpret_cast<std::byte*>(launch.workspace + launch.workspace_offset);
    std::unique_ptr<Arguments> arguments(spare_.exchange(nullptr));
    if (arguments == nullptr) arguments = std::make_unique<Arguments>(descs_);
    for (std::uint32_t i = 0; i < launch.count; ++i) run(launch.packs[i], workspace, *arguments);
    delete spare_.exchange(arguments.release());
    return TENON_OK;
  }

 private:
  /// A term that is one row for all rows, added before what dst held would be.
  void find_bias() {
    const std::size_t added = accumulate_ ? 0 : added_operand(op_.view());
    if (added == 0) return;
    const TenonOperandDesc& desc = op_.view().operands()[added];
    const sdk::Strides& strides = given_.operands[added].strides;
    const bool row = std::all_of(strides.begin() + 1, strides.end(), [](auto s) { return s == 0; });
    const bool gapless = strides[0] == 1 || given_.N() == 1;
    if (row && gapless && desc.layout != TENON_LAYOUT_INDEX && data_type(desc.dtype)) bias_ = added;
  }

  /// A batch of one and the same matrix is that matrix.
  void share_matrices() {
    for (Matrix* matrix : {&given_.operands[1], &given_.operands[2]}) {
      for (std::size_t d = 2; d < given_.rank; ++d) {
        if (matrix->strides[d] == 0) matrix->extents[d] = 1;
      }
    }
  }

  void reserve(Matrix& matrix, std::uint8_t dtype, std::uint64_t& at) {
    pack(matrix);
    at = workspace_bytes;
    const auto count = static_cast<std::uint64_t>(sdk::element_count(matrix.extents));
    workspace_bytes += (count * sdk::size_of(dtype) + 63) / 64 * 64;
  }

  void prepare(const ProductShape& used, std::uint8_t input, std::uint8_t sum_dtype) {
    parallel_ = given_.batches() * given_.work() > kParallel;
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (accumulate_) {
      dnnl::post_ops ops;
      ops.append_sum(1.0f);
      attr.set_post_ops(ops);
    }
    const auto a = describe(used.a(), used.rank, input), b = describe(used.b(), used.rank, input);
    const auto sums = describe(used.dst(), used.rank, sum_dtype);
    memory::desc bias;
    if (bias_ != 0) {
      Matrix row;
      row.extents[0] = given_.N();
      pack(row);
      bias = describe(row, used.rank, op_.view().operands()[bias_].dtype);
    }
    const LibraryThreads threads(parallel_);
    const dnnl::matmul::primitive_desc desc(engine(), a, b, bias, sums, attr);
    descs_ = {desc.dst_desc(), desc.src_desc(), desc.weights_desc(), desc.scratchpad_desc(), bias};
    at_scratch_ = workspace_bytes;
    workspace_bytes += descs_[3].get_size();
    product_ = dnnl::matmul(desc);
  }

  void run(const TenonPack& pack, std::byte* workspace, Arguments& arguments) const {
    std::byte* const sums = apart_ ? workspace + at_sums_ : sdk::host_address(pack.operands[0]);
    if (apart_ && accumulate_) copy(pack, 0, widen_, sums);
    arguments.all[0].set_data_handle(sums);
    arguments.all[1].set_data_handle(operand(pack, 1, pack_a_, workspace + at_a_));
    arguments.all[2].set_data_handle(operand(pack, 2, pack_b_, workspace + at_b_));
    arguments.all[3].set_data_handle(workspace + at_scratch_);
    if (bias_ != 0) arguments.all[4].set_data_handle(sdk::host_address(pack.operands[bias_]));
    const LibraryThreads threads(parallel_);
    const dnnl_status_t status = dnnl_primitive_execute(product_.get(), stream().get(),
                                                        bias_ != 0 ? 5 : 4, arguments.list.data());
    if (status != dnnl_success) {
      const bool memory = status == dnnl_out_of_memory;
      throw sdk::Failure(memory ? TENON_OOM : TENON_INTERNAL,
                         "oneDNN ended a product with status " + std::to_string(status));
    }
    if (apart_) finish(pack, sums);
  }

  std::byte* operand(const TenonPack& pack, std::size_t i, bool packed, std::byte* room) const {
    if (!packed) return sdk::host_address(pack.operands[i]);
    copy(pack, i, pack_, room);
    return room;
  }

  static Way contiguous(std::uint8_t dtype, std::byte* at) {
    return {{dtype, TENON_LAYOUT_CONTIGUOUS, 0, 0, 0},
            {reinterpret_cast<std::uint64_t>(at), 0, nullptr},
            {}};
  }

  /// A program over the elements of operand i's shape.
  void run_over(std::size_t i, const Program& program, const std::uint64_t* scalars,
                std::span<const Way> ways) const {
    std::array<std::int64_t, TENON_MAX_RANK> extents{};
    std::reverse_copy(given_.operands[i].extents.begin(),
                      given_.operands[i].extents.begin() + static_cast<std::ptrdiff_t>(given_.rank),
                      extents.begin());
    const sdk::Dims dims(extents.data(), given_.rank);
    parallel(sdk::element_count(dims), 1 << 13, [&](std::int64_t begin, std::int64_t end) {
      run_program(program, scalars, dims, ways, begin, end);
    });
  }

  /// Operand i, row-major, cast by `program`.
  void copy(const TenonPack& pack, std::size_t i, const Program& program, std::byte* to) const {
    const Way ways[] = {contiguous(program.output_dtype(0), to), way_over(op_.view(), pack, given_, i)};
    run_over(i, program, nullptr, ways);
  }

  /// From the sums to dst.
  void finish(const TenonPack& pack, std::byte* sums) const {
    const sdk::OpView view = op_.view();
    std::array<Way, sdk::kMaxOperands> ways{way_over(view, pack, given_, 0),
                                            contiguous(view.acc_dtype(), sums)};
    for (std::size_t i = 3; i < given_.count; ++i) ways[i - 1] = way_over(view, pack, given_, i);
    const Program& program = epilogue_ ? *epilogue_ : round_;
    run_over(0, program, pack.scalars, std::span(ways).first(given_.count - 1));
  }

  sdk::OpCopy op_;
  ProductShape given_;
  bool accumulate_, pack_a_ = false, pack_b_ = false, apart_ = false, parallel_ = false;
  std::size_t bias_ = 0;  // its operand; 0: none that oneDNN adds
  std::uint64_t at_a_ = 0, at_b_ = 0, at_sums_ = 0, at_scratch_ = 0;
  std::optional<Program> epilogue_;
  // What is not oneDNN's: casts of dst's dtype and of the sums', copies of a and b.
  Program widen_ = Program(op_.view().operands()[0].dtype, op_.view().acc_dtype());
  Program round_ = Program(op_.view().acc_dtype(), op_.view().operands()[0].dtype);
  Program pack_ = Program(op_.view().operands()[1].dtype, op_.view().operands()[1].dtype);
  std::array<memory::desc, 5> descs_;  // as in Arguments
  dnnl::matmul product_;
  mutable std::atomic<Arguments*> spare_{nullptr};  // of the last launch, for the next one
};

}  // namespace

std::unique_ptr<Kernel> make_onednn_matmul(const TenonOp& op) try {
  const sdk::OpView view(op);
  const auto operands = view.operands();
  const bool known = data_type(operands[1].dtype) && operands[1].dtype == operands[2].dtype &&
                     view.acc_dtype() == TENON_DTYPE_F32 && !is_dynamic(view);
  if (!known) return nullptr;
  const ProductShape shape = read_shape(view, nullptr);
  if (shape.batches() * shape.M() * shape.N() * shape.K() == 0) return nullptr;
  return std::make_unique<Matmul>(op);
} catch (const dnnl::error&) {
  return nullptr;
} catch (const sdk::Unsupported&) {
  return nullptr;
}

void limit_onednn_isa(std::string_view name) {
  if (name == "sse4") dnnl_set_max_cpu_isa(dnnl_cpu_isa_sse41);
  if (name == "avx2") dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
}

const char* onednn_refusal() {
  const dnnl_version_t& found = *dnnl_version();
  if (found.major == DNNL_VERSION_MAJOR && found.minor >= DNNL_VERSION_MINOR) return nullptr;
  static std::string text;
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(&dnnl_version), &info);
  const auto version = [](int major, int minor) {
    return std::to_string(major) + "." + std::to_string(minor);
  };
  text = std::string(info.dli_fname != nullptr ? info.dli_fname : "libdnnl.so.3") + " is oneDNN " +
         version(found.major, found.minor) + "; this plugin was built with " +
         version(DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR) + " and needs that or a later 3.x";
  return text.c_str();
}

}  // namespace cpu
