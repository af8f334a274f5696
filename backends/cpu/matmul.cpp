// MATMUL of f32 and bf16: oneDNN, which is at the processor's limit in every layout that has a unit
// stride. Other layouts are packed first; an EPILOGUE runs over the sums.
#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

#include "kernel.h"
#include "program.h"
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
  return {};
}

/// Extents and strides of a matrix or a batch of them, from the description.
struct Table {
  memory::dims extents, strides;

  Table(const sdk::OpView& op, std::size_t operand, std::size_t rank) {
    const sdk::Dims own = op.extents(operand), steps = op.strides(operand);
    const std::size_t lead = rank - own.size();
    extents.assign(rank, 1);
    strides.assign(rank, 0);
    std::copy(own.begin(), own.end(), extents.begin() + static_cast<std::ptrdiff_t>(lead));
    std::copy(steps.begin(), steps.end(), strides.begin() + static_cast<std::ptrdiff_t>(lead));
  }

  std::int64_t count() const { return sdk::element_count({extents.data(), extents.size()}); }
  sdk::Strides steps() const {
    sdk::Strides steps{};
    for (std::size_t d = 0; d < strides.size(); ++d) steps[d] = extents[d] == 1 ? 0 : strides[d];
    return steps;
  }
  void pack() {
    std::int64_t step = 1;
    for (std::size_t d = extents.size(); d-- > 0; step *= extents[d]) strides[d] = step;
  }
  /// Strides that oneDNN takes as they are: positive, one of the last two is 1, and the other at least
  /// the extent along it. What an extent of 1 has is put right.
  bool settle() {
    const std::size_t rank = extents.size();
    std::int64_t& row = strides[rank - 2];
    std::int64_t& column = strides[rank - 1];
    const std::int64_t M = extents[rank - 2], N = extents[rank - 1];
    if (N == 1) column = M == 1 || row >= 1 ? 1 : column;
    if (M == 1) row = column == 1 ? N : 1;
    const bool rows = column == 1 && row >= N, columns = row == 1 && column >= M;
    std::int64_t step = M * N;
    for (std::size_t d = rank - 2; d-- > 0; step *= extents[d]) {
      if (extents[d] == 1) strides[d] = step;
      if (strides[d] < 1) return false;
    }
    return rows || columns;
  }
};

class Matmul final : public Kernel {
 public:
  /// nullptr where oneDNN has no such product.
  static std::unique_ptr<Kernel> make(const TenonOp& op) try {
    return std::make_unique<Matmul>(op);
  } catch (const dnnl::error&) {
    return nullptr;
  }

  explicit Matmul(const TenonOp& op)
      : op_(op),
        rank_(op_.view().rank()),
        given_(tables(op_.view())),
        a_(given_[1]),
        b_(given_[2]),
        accumulate_(op_.view().attrs<TenonMatmulAttrs>().accumulate != 0) {
    const sdk::OpView view = op_.view();
    if (const TenonAttachment* attachment = view.attachment(TENON_SLOT_EPILOGUE)) {
      epilogue_.emplace(view.program(*attachment));
    }
    const std::uint8_t input = view.operands()[1].dtype, output = view.operands()[0].dtype;
    pack_a_ = !a_.settle();
    pack_b_ = !b_.settle();
    Table sums = given_[0];
    apart_ = epilogue_.has_value() || !sums.settle() || (output != view.acc_dtype() && output != input);
    if (apart_) sums.pack();
    if (pack_a_) reserve(a_, input, at_a_);
    if (pack_b_) reserve(b_, input, at_b_);
    const std::uint8_t sum_dtype = apart_ ? view.acc_dtype() : output;
    if (apart_) reserve(sums, sum_dtype, at_sums_);
    prepare(sums, input, sum_dtype);
  }

  std::int32_t launch(const TenonLaunch& launch) const override {
    auto* const workspace = reinterpret_cast<std::byte*>(launch.workspace + launch.workspace_offset);
    for (std::uint32_t i = 0; i < launch.count; ++i) run(launch.packs[i], workspace);
    return TENON_OK;
  }

 private:
  void reserve(Table& table, std::uint8_t dtype, std::uint64_t& at) {
    table.pack();
    at = workspace_bytes;
    const std::uint64_t bytes = static_cast<std::uint64_t>(table.count()) * sdk::size_of(dtype);
    workspace_bytes += (bytes + 63) / 64 * 64;
  }

  void prepare(const Table& sums, std::uint8_t input, std::uint8_t sum_dtype) {
    const std::int64_t K = a_.extents.back();
    parallel_ = sums.count() * K > kParallel;
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (accumulate_) {
      dnnl::post_ops ops;
      ops.append_sum(1.0f);
      attr.set_post_ops(ops);
    }
    const LibraryThreads threads(parallel_);
    const dnnl::matmul::primitive_desc desc(
        engine(), memory::desc(a_.extents, *data_type(input), a_.strides),
        memory::desc(b_.extents, *data_type(input), b_.strides),
        memory::desc(sums.extents, *data_type(sum_dtype), sums.strides), attr);
    a_desc_ = desc.src_desc();
    b_desc_ = desc.weights_desc();
    sums_desc_ = desc.dst_desc();
    scratch_desc_ = desc.scratchpad_desc();
    at_scratch_ = workspace_bytes;
    workspace_bytes += scratch_desc_.get_size();
    product_ = dnnl::matmul(desc);
  }

  void run(const TenonPack& pack, std::byte* workspace) const {
    std::byte* const a = operand(pack, 1, pack_a_, workspace + at_a_);
    std::byte* const b = operand(pack, 2, pack_b_, workspace + at_b_);
    std::byte* const sums = apart_ ? workspace + at_sums_ : sdk::host_address(pack.operands[0]);
    if (apart_ && accumulate_) copy(pack, 0, widen_, sums);
    {
      const LibraryThreads threads(parallel_);
      product_.execute(
          stream(), {{DNNL_ARG_SRC, memory(a_desc_, engine(), a)},
                     {DNNL_ARG_WEIGHTS, memory(b_desc_, engine(), b)},
                     {DNNL_ARG_DST, memory(sums_desc_, engine(), sums)},
                     {DNNL_ARG_SCRATCHPAD, memory(scratch_desc_, engine(), workspace + at_scratch_)}});
    }
    if (apart_) finish(pack, sums);
  }

  static std::vector<Table> tables(const sdk::OpView& op) {
    std::vector<Table> all;
    for (std::size_t i = 0; i < op.operands().size(); ++i) all.emplace_back(op, i, op.rank());
    return all;
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

  /// Operand i where it lies.
  Way way(const TenonPack& pack, std::size_t i) const {
    Way made{op_.view().operands()[i], pack.operands[i], given_[i].steps()};
    if (made.desc.layout == TENON_LAYOUT_SCALAR) made.strides = {};
    return made;
  }

  /// A program over the elements of operand i's shape.
  void run_over(std::size_t i, const Program& program, const std::uint64_t* scalars,
                std::span<const Way> ways) const {
    const sdk::Dims dims(given_[i].extents.data(), rank_);
    parallel(given_[i].count(), 1 << 13, [&](std::int64_t begin, std::int64_t end) {
      run_program(program, scalars, dims, ways, begin, end);
    });
  }

  /// Operand i, row-major, cast by `program`.
  void copy(const TenonPack& pack, std::size_t i, const Program& program, std::byte* to) const {
    const Way ways[] = {contiguous(program.output_dtype(0), to), way(pack, i)};
    run_over(i, program, nullptr, ways);
  }

  /// From the sums to dst.
  void finish(const TenonPack& pack, std::byte* sums) const {
    std::array<Way, sdk::kMaxOperands> ways{way(pack, 0), contiguous(op_.view().acc_dtype(), sums)};
    for (std::size_t i = 3; i < given_.size(); ++i) ways[i - 1] = way(pack, i);
    const Program& program = epilogue_ ? *epilogue_ : round_;
    run_over(0, program, pack.scalars, std::span(ways).first(given_.size() - 1));
  }

  sdk::OpCopy op_;
  std::size_t rank_;
  std::vector<Table> given_;  // of all operands
  Table a_, b_;               // as oneDNN gets them
  bool accumulate_, pack_a_ = false, pack_b_ = false, apart_ = false, parallel_ = false;
  std::uint64_t at_a_ = 0, at_b_ = 0, at_sums_ = 0, at_scratch_ = 0;
  std::optional<Program> epilogue_;
  // What is not oneDNN's: casts of dst's dtype and of the sums', copies of a and b.
  Program widen_ = Program(op_.view().operands()[0].dtype, op_.view().acc_dtype());
  Program round_ = Program(op_.view().acc_dtype(), op_.view().operands()[0].dtype);
  Program pack_ = Program(op_.view().operands()[1].dtype, op_.view().operands()[1].dtype);
  memory::desc a_desc_, b_desc_, sums_desc_, scratch_desc_;
  dnnl::matmul product_;
};

/// Shapes that oneDNN is asked for: known, and of some element.
bool is_whole(const sdk::OpView& op) {
  for (std::size_t i = 0; i < 3; ++i) {
    for (const std::int64_t extent : op.extents(i)) {
      if (extent == TENON_DYNAMIC) throw sdk::Unsupported("products of shapes that are not known");
      if (extent <= 0) return false;
    }
    for (const std::int64_t stride : op.strides(i)) {
      if (stride == TENON_DYNAMIC) throw sdk::Unsupported("products of strides that are not known");
    }
  }
  return true;
}

}  // namespace

std::unique_ptr<Kernel> make_matmul(const TenonOp& op) {
  const sdk::OpView view(op);
  const auto operands = view.operands();
  const bool known = data_type(operands[1].dtype) && operands[1].dtype == operands[2].dtype &&
                     view.acc_dtype() == TENON_DTYPE_F32;
  if (!known || !is_whole(view)) return nullptr;
  return Matmul::make(op);
}

}  // namespace cpu
