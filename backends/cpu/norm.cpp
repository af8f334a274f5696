// NORM and NORM_BACKWARD. The gradients of weight and bias are sums over rows: of blocks of rows that
// no thread count changes, then of the blocks.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/norm.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include <bit>
#include <cmath>

#include "kernel.h"
#include "program.h"
#include "rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cpu {
namespace HWY_NAMESPACE {

template <class T>
void norm_row(const T* x, const T* weight, const T* bias, T* y, std::int64_t n, Lane<T> mean,
              Lane<T> rstd) {
  const Lanes<T> m = all<T>(mean), r = all<T>(rstd);
  each_vector<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
    Lanes<T> value = hn::Mul(hn::Sub(load(x + i, part), m), r);
    if (weight != nullptr) value = hn::Mul(value, load(weight + i, part));
    if (bias != nullptr) value = hn::Add(value, load(bias + i, part));
    store(value, y + i, part);
  });
}

template <class T>
void norm_rows(const RowTask& task, bool centered, double eps, std::int64_t begin, std::int64_t end) {
  using C = Lane<T>;
  const std::int64_t n = task.columns;
  for (; begin < end; ++begin) {
    const T* const x = task.row<T>(3, begin);
    const auto value = [&](std::int64_t i, auto part) HWY_ATTR { return load(x + i, part); };
    const C mean = centered ? sum_of<T>(n, value) / static_cast<C>(n) : 0;
    const Lanes<T> m = all<T>(mean);
    const C square = sum_of<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
      const Lanes<T> d = hn::Sub(load(x + i, part), m);
      return hn::Mul(d, d);
    });
    const C rstd = 1 / std::sqrt(square / static_cast<C>(n) + static_cast<C>(eps));
    if (task.at[1] != nullptr) *task.of<C>(1, begin) = mean;
    if (task.at[2] != nullptr) *task.of<C>(2, begin) = rstd;
    norm_row(x, task.of<T>(4), task.of<T>(5), task.row<T>(0, begin), n, mean, rstd);
  }
}

/// One row of NORM_BACKWARD: g = dy w, n = (x - mean) r.
template <class T>
struct BackwardRow {
  const T *dy, *x, *weight;
  Lanes<T> mean, rstd;

  template <class Part>
  HWY_INLINE Lanes<T> g(std::int64_t i, Part part) const {
    const Lanes<T> given = load(dy + i, part);
    return weight == nullptr ? given : hn::Mul(given, load(weight + i, part));
  }
  template <class Part>
  HWY_INLINE Lanes<T> normal(std::int64_t i, Part part) const {
    return hn::Mul(hn::Sub(load(x + i, part), mean), rstd);
  }
};

/// dx = r (g - mean(g) - n mean(g n)), without mean(g) where nothing was centered.
template <class T>
void gradient_of_x(const BackwardRow<T>& row, T* dx, std::int64_t n, bool centered) {
  Lanes<T> sum = all<T>(0), product = all<T>(0);
  each_vector<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
    const Lanes<T> g = row.g(i, part);
    sum = hn::Add(sum, g);
    product = hn::MulAdd(g, row.normal(i, part), product);
  });
  const Tag<T> d;
  const Lanes<T> per = all<T>(1 / static_cast<Lane<T>>(n));
  const Lanes<T> mean = centered ? hn::Mul(hn::SumOfLanes(d, sum), per) : all<T>(0);
  const Lanes<T> slope = hn::Mul(hn::SumOfLanes(d, product), per);
  each_vector<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
    const Lanes<T> inside = hn::NegMulAdd(row.normal(i, part), slope, hn::Sub(row.g(i, part), mean));
    store(hn::Mul(inside, row.rstd), dx + i, part);
  });
}

/// Rows of one block; `sums` takes dw, then db, each of whole vectors.
template <class T>
void norm_backward_rows(const RowTask& task, bool centered, std::byte* sums, std::int64_t begin,
                        std::int64_t end) {
  using C = Lane<T>;
  const std::int64_t n = task.columns, width = sum_width(n);
  C *const dw = reinterpret_cast<C*>(sums), *const db = sums == nullptr ? nullptr : dw + width;
  if (sums != nullptr) std::fill_n(dw, 2 * width, C{0});
  for (; begin < end; ++begin) {
    const BackwardRow<T> row{task.row<T>(3, begin), task.row<T>(4, begin), task.of<T>(7),
                             all<T>(centered ? *task.of<C>(5, begin) : 0),
                             all<T>(*task.of<C>(6, begin))};
    if (task.at[0] != nullptr) gradient_of_x(row, task.row<T>(0, begin), n, centered);
    if (sums == nullptr) continue;
    each_vector<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
      const Tag<T> d;
      const Lanes<T> given = load(row.dy + i, part);
      hn::Store(hn::MulAdd(given, row.normal(i, part), hn::Load(d, dw + i)), d, dw + i);
      hn::Store(hn::Add(given, hn::Load(d, db + i)), d, db + i);
    });
  }
}

/// Columns begin .. end of the blocks' sums, put together.
template <class T>
void add_blocks(const std::byte* sums, std::int64_t blocks, std::int64_t each, T* result,
                std::int64_t begin, std::int64_t end) {
  if (result == nullptr) return;
  const auto* const first = reinterpret_cast<const Lane<T>*>(sums);
  each_vector<T>(end - begin, [&](std::int64_t i, auto part) HWY_ATTR {
    Lanes<T> sum = all<T>(0);
    for (std::int64_t block = 0; block < blocks; ++block) {
      sum = hn::Add(sum, hn::LoadU(Tag<T>(), first + block * each + begin + i));
    }
    store(sum, result + begin + i, part);
  });
}

template <class T>
void finish_columns(const RowTask& task, const std::byte* sums, std::int64_t blocks, std::int64_t begin,
                    std::int64_t end) {
  const std::int64_t width = sum_width(task.columns);
  const std::byte* const second = sums + width * static_cast<std::int64_t>(sizeof(Lane<T>));
  add_blocks(sums, blocks, 2 * width, task.of<T>(1), begin, end);
  add_blocks(second, blocks, 2 * width, task.of<T>(2), begin, end);
}

/// nullptr where the dtype has no lanes here.
const NormSteps* norm_for(std::uint8_t dtype) {
  if (dtype == TENON_DTYPE_F16 && !kHasHalf) return nullptr;
  return sdk::dispatch(sdk::Floats{}, dtype, [&]<class T>() -> const NormSteps* {
    static constexpr NormSteps steps{norm_rows<T>, norm_backward_rows<T>, finish_columns<T>,
                                     sizeof(Lane<T>)};
    return &steps;
  });
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cpu {

HWY_EXPORT(norm_for);

namespace {

class Norm final : public Kernel {
 public:
  Norm(const TenonOp& op, const NormSteps& steps) : op_(op), steps_(steps) {
    const auto attrs = op_.view().attrs<TenonNormAttrs>();
    centered_ = attrs.how == TENON_NORM_LAYER;
    eps_ = std::bit_cast<double>(attrs.eps);
  }

  std::int32_t launch(const TenonLaunch& launch) const override {
    for (std::uint32_t i = 0; i < launch.count; ++i) {
      const RowTask task(op_.view(), launch.packs[i]);
      if (op_.view().kind() == TENON_KIND_NORM_BACKWARD) {
        run_backward(task);
      } else {
        each_part(task, [&](std::int64_t begin, std::int64_t end) {
          steps_.forward(task, centered_, eps_, begin, end);
        });
      }
    }
    return TENON_OK;
  }

 private:
  void run_backward(const RowTask& task) const {
    if (task.at[1] == nullptr && task.at[2] == nullptr) {
      return each_part(task, [&](std::int64_t begin, std::int64_t end) {
        steps_.backward(task, centered_, nullptr, begin, end);
      });
    }
    const std::int64_t most = 32, least_rows = 16;
    const std::int64_t rows = std::max(least_rows, (task.rows + most - 1) / most);
    const std::int64_t blocks = (task.rows + rows - 1) / rows;
    const std::size_t bytes = 2 * static_cast<std::size_t>(sum_width(task.columns)) * steps_.size;
    std::byte* const sums = scratch(bytes * static_cast<std::size_t>(blocks) / kTileBytes + 1);
    parallel(blocks, std::max<std::int64_t>(1, 8192 / (rows * task.columns + 1)),
             [&](std::int64_t block, std::int64_t end) {
               for (; block < end; ++block) {
                 steps_.backward(task, centered_, sums + static_cast<std::size_t>(block) * bytes,
                                 block * rows, std::min(task.rows, (block + 1) * rows));
               }
             });
    parallel(task.columns, 1024, [&](std::int64_t begin, std::int64_t end) {
      steps_.finish(task, sums, blocks, begin, end);
    });
  }

  sdk::OpCopy op_;
  NormSteps steps_;
  bool centered_ = true;
  double eps_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_norm(const TenonOp& op) {
  const std::uint8_t dtype = sdk::OpView(op).operands()[3].dtype;  // of x or dy
  check_lanes(op.acc_dtype, dtype);
  const NormSteps* const steps = HWY_DYNAMIC_DISPATCH(norm_for)(dtype);
  return std::make_unique<Norm>(op, *found(steps, dtype));
}

}  // namespace cpu
#endif
