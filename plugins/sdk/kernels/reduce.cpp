// REDUCE: the inputs of each result, folded one by one in logical order. The dimensions are put in the
// order kept..., reduced..., so that the elements of one result follow each other.
#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "kinds.h"
#include "program.h"

namespace tenon::sdk::kernels {

namespace {

/// What a result has come to so far.
struct Accumulator {
  alignas(8) std::byte value[8] = {};
  alignas(8) std::byte best[8] = {};  // ARGMAX, ARGMIN: what stands at `value`, a position
  int64_t seen = 0;
};

/// One reduction operator over values of one dtype.
struct Operator {
  uint8_t found;  // dtype of what it comes to
  Accumulator start;
  void (*fold)(Accumulator& acc, const std::byte* values, int n);
};

// Where each operator starts, and how it goes on.

struct Sum {
  template <class A>
  static constexpr A start = 0;
  template <class A>
  static A combine(A x, A y) {
    return meaning::add(x, y);
  }
};

struct Prod {
  template <class A>
  static constexpr A start = 1;
  template <class A>
  static A combine(A x, A y) {
    return meaning::mul(x, y);
  }
};

struct Max {
  template <class A>
  static constexpr A start =
      meaning::is_float<A> ? -std::numeric_limits<A>::infinity() : std::numeric_limits<A>::lowest();
  template <class A>
  static A combine(A x, A y) {
    return meaning::max(x, y);
  }
  template <class A>
  static bool better(A x, A best) {
    return x > best;
  }
};

struct Min {
  template <class A>
  static constexpr A start =
      meaning::is_float<A> ? std::numeric_limits<A>::infinity() : std::numeric_limits<A>::max();
  template <class A>
  static A combine(A x, A y) {
    return meaning::min(x, y);
  }
  template <class A>
  static bool better(A x, A best) {
    return x < best;
  }
};

struct Any {
  template <class A>
  static constexpr A start = false;
  static bool combine(bool x, bool y) { return x || y; }
};

struct All {
  template <class A>
  static constexpr A start = true;
  static bool combine(bool x, bool y) { return x && y; }
};

/// Folds values of type V in type A.
template <class O, class V, class A = sdk::Compute<V>>
Operator folding() {
  Accumulator start;
  sdk::store<A>(start.value, O::template start<A>);
  return {sdk::dtype_of<A>(), start, [](Accumulator& acc, const std::byte* values, int n) {
            A x = sdk::load<A>(acc.value);
            for (int i = 0; i < n; ++i) x = O::combine(x, meaning::cast<A>(sdk::load<V>(values, i)));
            sdk::store<A>(acc.value, x);
          }};
}

/// The position of the first of the best; a NaN beats every number.
template <class O, class V, class A = sdk::Compute<V>>
Operator position() {
  return {TENON_DTYPE_I64, {}, [](Accumulator& acc, const std::byte* values, int n) {
            A best = sdk::load<A>(acc.best);
            for (int i = 0; i < n; ++i, ++acc.seen) {
              const A x = sdk::load<V>(values, i);
              const bool wins = !meaning::is_nan(best) && (meaning::is_nan(x) || O::better(x, best));
              if (acc.seen > 0 && !wins) continue;
              best = x;
              sdk::store(acc.value, acc.seen);
            }
            sdk::store<A>(acc.best, best);
          }};
}

/// SUM and PROD are kept in the widest type of acc_dtype's class: f64, i64 or u64.
template <class O>
Operator widest(uint8_t value, uint8_t acc_dtype) {
  return sdk::dispatch(sdk::Everything{}, value, [&]<class V>() {
    return sdk::dispatch(sdk::Numbers{}, acc_dtype, []<class A>() {
      if constexpr (!std::is_integral_v<A> || !std::is_integral_v<V>)
        return folding<O, V, double>();
      else
        return folding<O, V, std::conditional_t<std::is_signed_v<A>, int64_t, uint64_t>>();
    });
  });
}

Operator operator_for(uint8_t code, uint8_t value, uint8_t acc_dtype) {
  const auto numbers = [&](auto make) { return sdk::dispatch(sdk::Numbers{}, value, make); };
  const auto everything = [&](auto make) { return sdk::dispatch(sdk::Everything{}, value, make); };
  switch (code) {
    case TENON_REDUCE_SUM:
      return widest<Sum>(value, acc_dtype);
    case TENON_REDUCE_PROD:
      return widest<Prod>(value, acc_dtype);
    case TENON_REDUCE_MAX:
      return numbers([]<class V>() { return folding<Max, V>(); });
    case TENON_REDUCE_MIN:
      return numbers([]<class V>() { return folding<Min, V>(); });
    case TENON_REDUCE_ARGMAX:
      return numbers([]<class V>() { return position<Max, V>(); });
    case TENON_REDUCE_ARGMIN:
      return numbers([]<class V>() { return position<Min, V>(); });
    case TENON_REDUCE_ANY:
      return everything([]<class V>() { return folding<Any, V, bool>(); });
    case TENON_REDUCE_ALL:
      return everything([]<class V>() { return folding<All, V, bool>(); });
    default:
      throw sdk::Unsupported("reduction " + std::to_string(code) + " is not known here");
  }
}

/// The PROLOGUE, or the one input as it is.
Program prologue_of(const sdk::OpView& op) {
  const TenonAttachment* attachment = op.attachment(TENON_SLOT_PROLOGUE);
  if (attachment != nullptr) return Program(op.program(*attachment));
  const uint8_t input = op.operands()[1].dtype;
  return Program(input, input);
}

class Reduce final : public Kernel {
 public:
  explicit Reduce(const TenonOp& op) : op_(op), prologue_(prologue_of(op_.view())) {
    const sdk::OpView view = op_.view();
    const auto attrs = view.attrs<TenonReduceAttrs>();
    for (size_t i = 0; i < view.output_count(); ++i) {
      const uint8_t code = attrs.operators[i], acc_dtype = view.acc_dtype();
      const Operator it = operator_for(code, prologue_.output_dtype(i), acc_dtype);
      const bool sums = code == TENON_REDUCE_SUM || code == TENON_REDUCE_PROD;
      const uint8_t rounded = sums ? acc_dtype : it.found;
      operators_.push_back(it);
      finish_.push_back(
          {sdk::cast_step(it.found, rounded), sdk::cast_step(rounded, view.operands()[i].dtype)});
    }
    for (const bool reduced : {false, true}) {
      for (size_t d = 0; d < view.rank(); ++d) {
        if ((attrs.axes >> d & 1) == reduced) order_.push_back(d);
      }
      if (!reduced) kept_rank_ = order_.size();
    }
  }

  void run(const TenonPack& given, Context&) const override {
    const sdk::OpView op = op_.view();
    const sdk::PackView pack(op, given);
    const std::array<int64_t, TENON_MAX_RANK> extents = ordered(pack.dims());
    const sdk::Dims dims(extents.data(), op.rank());
    const sdk::Dims kept = dims.first(kept_rank_);
    const int64_t each = sdk::element_count(dims.subspan(kept_rank_));

    Cursors cursors;
    for (size_t i = 0; i < op.operands().size(); ++i) {
      const bool is_output = i < op.output_count();
      const sdk::Strides strides = is_output ? result_strides(pack, i, kept) : ordered(pack.strides(i));
      cursors[i] = Cursor(op.operands()[i], pack.operand(i), is_output ? kept : dims, strides);
    }
    Block block(prologue_, given.scalars, each);
    for (int64_t left = sdk::element_count(kept); left > 0; --left) {
      const Accumulators accumulators = fold(block, cursors, each);
      for (size_t i = 0; i < operators_.size(); ++i) finish(accumulators[i], i, cursors[i]);
    }
  }

 private:
  using Accumulators = std::array<Accumulator, TENON_MAX_OUTPUTS>;
  using Cursors = std::array<Cursor, sdk::kMaxOperands>;

  /// The next `each` elements of the inputs.
  Accumulators fold(Block& block, Cursors& cursors, int64_t each) const {
    Accumulators accumulators;
    for (size_t i = 0; i < operators_.size(); ++i) accumulators[i] = operators_[i].start;
    for (int64_t done = 0; done < each; done += kBlock) {
      const int n = static_cast<int>(std::min<int64_t>(kBlock, each - done));
      for (size_t i = 0; i < prologue_.input_count(); ++i) {
        cursors[operators_.size() + i].load(block.input(i), n);
      }
      block.run(n);
      for (size_t i = 0; i < operators_.size(); ++i) {
        operators_[i].fold(accumulators[i], block.output(i), n);
      }
    }
    return accumulators;
  }

  void finish(const Accumulator& acc, size_t i, Cursor& to) const {
    alignas(8) std::byte rounded[8], result[8];
    const std::byte *const found[] = {acc.value}, *const in[] = {rounded};
    finish_[i][0](rounded, found, 1);
    finish_[i][1](result, in, 1);
    to.store(result, 1);
  }

  /// One value for each dimension, in the order kept..., reduced....
  template <class Values>
  std::array<int64_t, TENON_MAX_RANK> ordered(const Values& values) const {
    std::array<int64_t, TENON_MAX_RANK> result{};
    for (size_t d = 0; d < order_.size(); ++d) result[d] = values[order_[d]];
    return result;
  }

  /// A CONTIGUOUS result is so over the kept dimensions.
  sdk::Strides result_strides(const sdk::PackView& pack, size_t i, sdk::Dims kept) const {
    const bool contiguous = op_.view().operands()[i].layout == TENON_LAYOUT_CONTIGUOUS;
    return contiguous ? sdk::row_major(kept) : ordered(pack.strides(i));
  }

  sdk::OpCopy op_;
  Program prologue_;
  std::vector<Operator> operators_;
  std::vector<std::array<sdk::Step, 2>> finish_;  // to acc_dtype, to the result's
  std::vector<size_t> order_;
  size_t kept_rank_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_reduce(const TenonOp& op) {
  return std::make_unique<Reduce>(op);
}

}  // namespace tenon::sdk::kernels
