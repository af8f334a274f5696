// REDUCE: the inputs of each result, folded one by one in logical order. The dimensions are put in the
// order kept..., reduced..., so that the elements of one result follow each other.
#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "arithmetic.h"
#include "kinds.h"
#include "program.h"

namespace reference {

namespace {

/// What a result has come to so far.
struct Accumulator {
  alignas(8) std::byte value[8] = {};
  int64_t best = 0;  // ARGMAX, ARGMIN: where `value` stood
  int64_t seen = 0;
};

/// One reduction operator over values of one dtype.
struct Operator {
  uint8_t kept;  // dtype of the accumulator's value
  bool answers_position;
  void (*begin)(Accumulator& acc);
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
template <class O, class V, class A>
Operator folding() {
  return {sdk::dtype_of<A>(), false,
          [](Accumulator& acc) { sdk::store<A>(acc.value, O::template start<A>); },
          [](Accumulator& acc, const std::byte* values, int n) {
            A x = sdk::load<A>(acc.value);
            for (int i = 0; i < n; ++i) x = O::combine(x, meaning::cast<A>(sdk::load<V>(values, i)));
            sdk::store<A>(acc.value, x);
          }};
}

/// The position of the first of the best; a NaN beats every number.
template <class O, class V>
Operator position() {
  return {sdk::dtype_of<V>(), true, [](Accumulator&) {},
          [](Accumulator& acc, const std::byte* values, int n) {
            V best = sdk::load<V>(acc.value);
            for (int i = 0; i < n; ++i, ++acc.seen) {
              const V x = sdk::load<V>(values, i);
              const bool wins = !meaning::is_nan(best) && (meaning::is_nan(x) || O::better(x, best));
              if (acc.seen > 0 && !wins) continue;
              best = x;
              acc.best = acc.seen;
            }
            sdk::store<V>(acc.value, best);
          }};
}

/// SUM and PROD are kept in the widest type of their class: f64, i64 or u64.
template <class O>
Operator widest(uint8_t value, uint8_t acc_dtype) {
  const uint8_t acc = acc_dtype == TENON_DTYPE_NONE ? value : acc_dtype;
  const bool acc_signed = acc == TENON_DTYPE_I8 || acc == TENON_DTYPE_I16 || acc == TENON_DTYPE_I32 ||
                          acc == TENON_DTYPE_I64;
  return sdk::dispatch(sdk::Everything{}, value, [&]<class V>() {
    if (meaning::is_float<V> || acc >= TENON_DTYPE_F16) return folding<O, V, double>();
    return acc_signed ? folding<O, V, int64_t>() : folding<O, V, uint64_t>();
  });
}

template <class O>
Operator extreme(uint8_t value) {
  return sdk::dispatch(sdk::Numbers{}, value, []<class V>() { return folding<O, V, V>(); });
}

template <class O>
Operator logical(uint8_t value) {
  return sdk::dispatch(sdk::Everything{}, value, []<class V>() { return folding<O, V, bool>(); });
}

template <class O>
Operator positional(uint8_t value) {
  return sdk::dispatch(sdk::Numbers{}, value, []<class V>() { return position<O, V>(); });
}

Operator operator_for(uint8_t code, uint8_t value, uint8_t acc_dtype) {
  switch (code) {
    case TENON_REDUCE_SUM:
      return widest<Sum>(value, acc_dtype);
    case TENON_REDUCE_PROD:
      return widest<Prod>(value, acc_dtype);
    case TENON_REDUCE_MAX:
      return extreme<Max>(value);
    case TENON_REDUCE_MIN:
      return extreme<Min>(value);
    case TENON_REDUCE_ARGMAX:
      return positional<Max>(value);
    case TENON_REDUCE_ARGMIN:
      return positional<Min>(value);
    case TENON_REDUCE_ANY:
      return logical<Any>(value);
    case TENON_REDUCE_ALL:
      return logical<All>(value);
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
      const Operator it = operator_for(attrs.operators[i], prologue_.output_dtype(i), view.acc_dtype());
      const uint8_t found = it.answers_position ? uint8_t{TENON_DTYPE_I64} : it.kept;
      operators_.push_back(it);
      finish_.push_back(cast_step(found, view.operands()[i].dtype));
    }
    for (const bool reduced : {false, true}) {
      for (size_t d = 0; d < view.rank(); ++d) {
        if ((attrs.axes >> d & 1) == reduced) order_.push_back(d);
      }
      if (!reduced) kept_rank_ = order_.size();
    }
  }

  int32_t run(const TenonHost&, const TenonLaunch& launch) const override {
    for (uint32_t i = 0; i < launch.count; ++i) run(launch.packs[i]);
    return TENON_OK;
  }

 private:
  using Accumulators = std::array<Accumulator, TENON_MAX_OUTPUTS>;
  using Cursors = std::array<Cursor, sdk::kMaxOperands>;

  void run(const TenonPack& given) const {
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
      Accumulators accumulators{};
      fold(accumulators, block, cursors, each);
      for (size_t i = 0; i < operators_.size(); ++i) finish(accumulators[i], i, cursors[i]);
    }
  }

  void fold(Accumulators& accumulators, Block& block, Cursors& cursors, int64_t each) const {
    for (size_t i = 0; i < operators_.size(); ++i) operators_[i].begin(accumulators[i]);
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
  }

  void finish(Accumulator& acc, size_t i, Cursor& to) const {
    if (operators_[i].answers_position) sdk::store(acc.value, acc.best);
    const std::byte* const in[] = {acc.value};
    alignas(8) std::byte result[8];
    finish_[i](result, in, 1);
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
  std::vector<Step> finish_;
  std::vector<size_t> order_;
  size_t kept_rank_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_reduce(const TenonOp& op) {
  require_only_slot(sdk::OpView(op), TENON_SLOT_PROLOGUE);
  return std::make_unique<Reduce>(op);
}

}  // namespace reference
