// GATHER and SCATTER: a walk over the iteration space; at each coordinate the indices say where in the
// indexed operand (src of GATHER, dst of SCATTER) the element lies.
#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

#include "kinds.h"

namespace tenon::sdk::kernels {

namespace {

class Indexed : public Kernel {
 protected:
  /// `indexed` is the operand that the indices move in.
  Indexed(const TenonOp& op, size_t indexed) : op_(op), indexed_(indexed) {
    for (const TenonOperandDesc& desc : op_.view().operands().subspan(2)) {
      readers_.emplace_back(desc);
    }
  }

  uint8_t dtype() const { return op_.view().operands()[0].dtype; }

  /// Calls body(dst, src, inside) for each coordinate in logical order: the element of either operand,
  /// and whether all indices are in range.
  template <class Body>
  void walk(const TenonPack& given, Context& context, Body&& body) const {
    const sdk::PackView pack(op_.view(), given);
    const size_t count = op_.view().operands().size();
    std::array<sdk::Strides, sdk::kMaxOperands> strides{};
    for (size_t i = 0; i < count; ++i) strides[i] = pack.strides(i);
    int64_t position = 0;
    sdk::for_each_offset(pack.dims(), std::span(strides).first(count), [&](const int64_t* offsets) {
      int64_t at[] = {offsets[0], offsets[1]};
      bool inside = true;
      for (size_t i = 2; i < count; ++i) {
        const auto [extent, stride] = axis(given, i);
        const int64_t value = readers_[i - 2](pack.operand(i), offsets[i]);
        const bool good = value >= 0 && value < extent;
        if (good) at[indexed_] += value * stride;
        if (!good) context.bad_index(value, position, i);
        inside = inside && good;
      }
      ++position;
      body(at[0], at[1], inside);
    });
  }

  sdk::IndexAxis axis(const TenonPack& given, size_t i) const {
    return sdk::index_axis(given, op_.view().rank(), i);
  }

  sdk::OpCopy op_;

 private:
  size_t indexed_;
  std::vector<sdk::IndexReader> readers_;  // of each index operand
};

class Gather final : public Indexed {
 public:
  explicit Gather(const TenonOp& op) : Indexed(op, 1) {}

  void run(const TenonPack& pack, Context& context) const override {
    std::byte* const to = sdk::host_address(pack.operands[0]);
    const std::byte* const from = sdk::host_address(pack.operands[1]);
    sdk::dispatch(sdk::Everything{}, dtype(), [&]<class T>() {
      walk(pack, context, [&](int64_t dst, int64_t src, bool inside) {
        sdk::store(to, inside ? sdk::load<T>(from, src) : T{}, dst);
      });
    });
  }
};

class Scatter final : public Indexed {
 public:
  explicit Scatter(const TenonOp& op) : Indexed(op, 0), how_(op_.view().attrs<TenonIndexAttrs>().how) {
    if (how_ != TENON_SCATTER_ASSIGN) sdk::dispatch(sdk::Numbers{}, dtype(), []<class T>() {});
    const bool sums16 = dtype() == TENON_DTYPE_F16 || dtype() == TENON_DTYPE_BF16;
    if (how_ == TENON_SCATTER_ADD && sums16) workspace_bytes = kWindow * sizeof(float);
  }

  void run(const TenonPack& pack, Context& context) const override {
    if (how_ == TENON_SCATTER_ASSIGN) {
      return sdk::dispatch(sdk::Everything{}, dtype(), [&]<class T>() {
        combine<T>(pack, context, [](T, T value) { return value; });
      });
    }
    sdk::dispatch(sdk::Numbers{}, dtype(), [&]<class T>() {
      using C = sdk::Compute<T>;
      if (how_ == TENON_SCATTER_MAX) return combine<T>(pack, context, meaning::max<C>);
      if (how_ == TENON_SCATTER_MIN) return combine<T>(pack, context, meaning::min<C>);
      if constexpr (sdk::is_float16<T>) return add_in_f32<T>(pack, context);
      combine<T>(pack, context, meaning::add<C>);
    });
  }

 private:
  /// Elements of dst that the workspace stands for at a time.
  static constexpr int64_t kWindow = 1 << 16;

  /// dst = f(dst, src), element by element.
  template <class T, class F>
  void combine(const TenonPack& pack, Context& context, F f) const {
    std::byte* const to = sdk::host_address(pack.operands[0]);
    const std::byte* const from = sdk::host_address(pack.operands[1]);
    walk(pack, context, [&](int64_t dst, int64_t src, bool inside) {
      if (inside) sdk::store(to, T(f(sdk::load<T>(to, dst), sdk::load<T>(from, src))), dst);
    });
  }

  /// 16-bit floats: all that meets at an element is added in f32, in the workspace, and rounded once.
  template <class T>
  void add_in_f32(const TenonPack& pack, Context& context) const {
    std::byte* const to = sdk::host_address(pack.operands[0]);
    const std::byte* const from = sdk::host_address(pack.operands[1]);
    const auto [lowest, highest] = reach(pack);
    for (int64_t begin = lowest; begin <= highest; begin += kWindow) {
      const auto in_window = [&](auto body) {
        walk(pack, context, [&](int64_t dst, int64_t src, bool inside) {
          if (inside && dst >= begin && dst < begin + kWindow) body(dst, src, dst - begin);
        });
      };
      std::byte* const sums = context.workspace;
      in_window(
          [&](int64_t dst, int64_t, int64_t i) { sdk::store<float>(sums, sdk::load<T>(to, dst), i); });
      in_window([&](int64_t, int64_t src, int64_t i) {
        sdk::store(sums, sdk::load<float>(sums, i) + sdk::load<T>(from, src), i);
      });
      in_window(
          [&](int64_t dst, int64_t, int64_t i) { sdk::store(to, T(sdk::load<float>(sums, i)), dst); });
    }
  }

  /// The first and the last element of dst that any indices in range may lead to.
  std::pair<int64_t, int64_t> reach(const TenonPack& given) const {
    const sdk::PackView pack(op_.view(), given);
    int64_t lowest = 0, highest = 0;
    const auto extend = [&](int64_t extent, int64_t stride) {
      (stride < 0 ? lowest : highest) += std::max<int64_t>(extent - 1, 0) * stride;
    };
    const sdk::Strides strides = pack.strides(0);
    for (size_t d = 0; d < pack.dims().size(); ++d) extend(pack.dims()[d], strides[d]);
    for (size_t i = 2; i < op_.view().operands().size(); ++i) {
      const auto [extent, stride] = axis(given, i);
      extend(extent, stride);
    }
    return {lowest, highest};
  }

  uint32_t how_;
};

}  // namespace

std::unique_ptr<Kernel> make_gather(const TenonOp& op) {
  return std::make_unique<Gather>(op);
}

std::unique_ptr<Kernel> make_scatter(const TenonOp& op) {
  return std::make_unique<Scatter>(op);
}

}  // namespace tenon::sdk::kernels
