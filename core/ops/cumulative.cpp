// Cumulative ops: scans of one or two values a place. The gradients of products and of logcumsumexp are
// linear recurrences, which are scans too; nothing is divided by an element of x.
#include <algorithm>
#include <initializer_list>

#include <tenon/ops.h>

#include "core/autograd/autocast.h"
#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/elementwise.h"
#include "core/ops/fold.h"
#include "core/ops/neighbours.h"
#include "core/ops/scan.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

using ops::cast_program;
using ops::Input;
using ops::Scan;
using ops::without_first;
using ops::without_last;
using program::Builder;
using program::Program;
using program::Value;
using Values = std::span<const Value>;

Tensor flipped(const Tensor& x, int dim) {
  return x.slice(dim, {.step = -1});
}

/// Sums or products in `dtype`; 16-bit floats are carried in f32 and rounded once.
Tensor accumulated(std::string_view op, const Tensor& x, int dim, DType dtype, ops::Combine combine) {
  require(dtype != bool_, "[{}] bool can't be accumulated; name an integer dtype", op);
  if (x.numel() == 0) return empty(x.shape(), {.dtype = dtype, .device = x.device()});
  const DType carried = ops::accumulator(dtype);
  Scan scan(op, x.shape(), dim, {carried}, x.device());
  scan.load(cast_program({x.dtype(), dtype, carried}), {{x}});
  scan.combine(combine);
  return scan.store(cast_program({carried, dtype}), x).front();
}

// --- Linear recurrences ---

/// h[0] = b[0], h[i] = a[i - 1] h[i - 1] + b[i]: a has one place less than b.
Tensor recurrence(const Tensor& a, const Tensor& b, int dim);

/// g[i] = dy[i] + a[i] g[i + 1].
Tensor reverse_recurrence(const Tensor& a, const Tensor& dy, int dim) {
  return flipped(recurrence(flipped(a, dim), flipped(dy, dim), dim), dim);
}

/// g[i] = dh[i] + a[i] g[i + 1], db = g, da[i] = g[i + 1] h[i]
std::vector<Tensor> recurrence_gradient(const Tensor& a, const Tensor& b, int dim, const Tensor& dh) {
  const Tensor g = reverse_recurrence(a, dh, dim);
  const Tensor h = without_last(recurrence(a, b, dim), dim);
  return {without_first(g, dim) * h, g};
}

Tensor recurrence(const Tensor& a, const Tensor& b, int dim) {
  const std::string_view op = "recurrence";
  const DType dtype = b.dtype();
  Scan scan(op, b.shape(), dim, {dtype, dtype}, b.device());
  if (a.numel() > 0) scan.load(cast_program({dtype}), {{a}}, 0, 1);
  scan.load(cast_program({dtype}), {{b}}, 1, 0);
  scan.combine([](Values before, Values here) {
    return std::vector<Value>{here[0] * before[0], here[0] * before[1] + here[1]};
  });
  Builder store;
  store.input(dtype);
  store.output(store.input(dtype));
  const Tensor h = scan.store(store.build()).front();
  const Tensor inputs[] = {a, b};
  if (autograd::needs_record(inputs)) {
    autograd::record(
        op, inputs, {&h, 1},
        [op, dim, a = autograd::Saved(a), b = autograd::Saved(b)](std::span<const Tensor> dh) {
          return recurrence_gradient(a.get(op), b.get(op), dim, dh[0]);
        });
  }
  return h;
}

// --- Products ---

/// 1 at the first place along dim, 0 at all others.
Tensor first_place(const Tensor& like, int dim) {
  Shape column = Dims::filled(like.rank(), 1);
  column[dim] = like.size(dim);
  const Tensor places = arange(like.size(dim), {.dtype = i32, .device = like.device()});
  return (places == 0).to(like.dtype()).view(column).expand(like.shape());
}

/// g[i] = dy[i] + x[i + 1] g[i + 1], dx[i] = g[i] · x[0] · .. · x[i - 1]
Tensor cumprod_gradient(const Tensor& x, int dim, const Tensor& dy) {
  const Tensor g = reverse_recurrence(without_first(x, dim), dy, dim);
  return g * recurrence(without_last(x, dim), first_place(x, dim), dim);
}

/// g[i] = dy[i] + x[i + 1] g[i + 1] within a run of equal keys, dx[i] = g[i] · what precedes x[i] in it
Tensor running_gradient(std::string_view op, const Tensor& x, const Tensor& keys, const Tensor& dy) {
  const Tensor joined = without_first(keys, 0) == without_last(keys, 0);
  const Tensor g = reverse_recurrence(where(joined, without_first(x, 0), 0), dy, 0);
  const Tensor before = where(joined, without_last(ops::running_products(op, x, keys), 0), 1);
  return g * cat({ones({1}, {.dtype = x.dtype(), .device = x.device()}), before});
}

// --- Extremes ---

/// Value and place of the later one where the two are in order, or it is NaN.
std::vector<Value> later_or(Values before, Values here, Value in_order) {
  const Value later = (here[0] != here[0]) | in_order;
  return {select(later, here[0], before[0]), select(later, here[1], before[1])};
}
std::vector<Value> last_greatest(Values before, Values here) {
  return later_or(before, here, before[0] <= here[0]);
}
std::vector<Value> last_least(Values before, Values here) {
  return later_or(before, here, here[0] <= before[0]);
}

/// Inputs: x, its place; the same in the dtypes that they are carried in.
Program pair_program(std::initializer_list<DType> from, std::initializer_list<DType> to) {
  Builder b;
  const Value x = b.input(from.begin()[0]), place = b.input(from.begin()[1]);
  b.output(cast(x, to.begin()[0]));
  b.output(cast(place, to.begin()[1]));
  return b.build();
}

ValuesAndIndices extremes(std::string_view op, const Tensor& x, int dim, ops::Combine combine) {
  const DType carried = x.dtype() == bool_ ? i32 : ops::accumulator(x.dtype());
  const DType place = ops::place_dtype(x.size(dim));
  Scan scan(op, x.shape(), dim, {carried, place}, x.device());
  scan.load(pair_program({x.dtype(), place}, {carried, place}), {{x}, ops::index_along(dim, x.rank())});
  scan.combine(combine);
  const auto results = scan.store(pair_program({carried, place}, {x.dtype(), i64}));
  return {results[0], results[1]};
}

ValuesAndIndices cumulative_extremes(std::string_view op, const Tensor& x, int dim,
                                     ops::Combine combine) {
  impl_of(x, op);
  if (x.rank() == 0) {
    checked_dim(op, dim, 1);
    const auto [values, indices] = cumulative_extremes(op, x.view({1}), 0, combine);
    return {values.view({}), indices.view({})};
  }
  const int d = checked_dim(op, dim, x.rank());
  if (x.numel() == 0) return {x.clone(), empty(x.shape(), {.dtype = i64, .device = x.device()})};
  const ValuesAndIndices result = extremes(op, x, d, combine);
  if (autograd::needs_record({&x, 1})) {
    autograd::record(op, {&x, 1}, {&result.values, 1},
                     [d, indices = result.indices](std::span<const Tensor> dy) {
                       const Tensor nothing = zeros_like(dy[0]);
                       return std::vector<Tensor>{scatter(nothing, d, indices, dy[0], Scatter::add)};
                     });
  }
  return result;
}

// --- Logarithms of sums ---

/// log(e^a + e^b) = max + log(1 + e^(min - max)); of equals, infinite ones too, max + log 2.
std::vector<Value> log_of_sum(Values before, Values here) {
  const Value low = min(before[0], here[0]), high = max(before[0], here[0]);
  const Value distance = select(low == high, low.builder().constant(low.dtype(), 0), low - high);
  return {high + log1p(exp(distance))};
}

/// e^(a - b), where a = b 1, also of infinite ones.
Tensor ratio(const Tensor& a, const Tensor& b) {
  Builder builder;
  const Value x = builder.input(a.dtype()), y = builder.input(b.dtype());
  builder.output(exp(select(x == y, builder.constant(a.dtype(), 0), x - y)));
  const Tensor inputs[] = {a, b};
  return ops::apply("logcumsumexp", builder.build(), inputs).front();
}

/// dx[i] = Σ dy[j] e^(x[i] - y[j]) over j ≥ i
///       = e^(x[i] - y[i]) g[i], g[i] = dy[i] + e^(y[i] - y[i + 1]) g[i + 1]
Tensor logcumsumexp_gradient(const Tensor& x, int dim, const Tensor& dy) {
  const Tensor y = logcumsumexp(x, dim);
  const Tensor falls = ratio(without_last(y, dim), without_first(y, dim));
  return ratio(x, y) * reverse_recurrence(falls, dy, dim);
}

/// Records y = op(x): `gradient` in the dtype that 16-bit floats are accumulated in.
void record_wide(std::string_view op, const Tensor& x, const Tensor& y, int dim,
                 Tensor (*gradient)(const Tensor& x, int dim, const Tensor& dy)) {
  if (!autograd::needs_record({&x, 1})) return;
  autograd::record(
      op, {&x, 1}, {&y, 1},
      [op, dim, gradient, saved = autograd::Saved(x), dtype = y.dtype()](std::span<const Tensor> dy) {
        const Tensor& before = saved.get(op);
        const DType wide = ops::accumulator(dtype);
        const Tensor dx = gradient(before.to(dtype).to(wide), dim, dy[0].to(wide));
        return std::vector<Tensor>{dx.to(before.dtype())};
      });
}

/// `scan` as the array API calls it; it begins with `first`.
Tensor cumulative(std::string_view op, const Tensor& x, const CumulativeOptions& options, double first,
                  Tensor (*scan)(const Tensor&, int, std::optional<DType>)) {
  impl_of(x, op);
  require(options.dim || x.rank() == 1, "[{}] x is {}, not 1-D; name a dimension", op, x.shape());
  require(x.rank() > 0 || !options.include_initial, "[{}] nothing comes before a 0-d tensor", op);
  const int d = checked_dim(op, options.dim.value_or(0), std::max(x.rank(), 1));
  const Tensor y = scan(x, d, options.dtype);
  if (!options.include_initial) return y;
  Shape shape = x.shape();
  shape[d] = 1;
  return cat({full(shape, first, {.dtype = y.dtype(), .device = y.device()}), y}, d);
}

}  // namespace

Tensor ops::running_products(std::string_view op, const Tensor& x, const Tensor& keys) {
  const DType dtype = x.dtype(), key = keys.dtype();
  Scan scan(op, x.shape(), 0, {key, dtype}, x.device());
  scan.load(pair_program({key, dtype}, {key, dtype}), {{keys}, {x}});
  scan.combine([](Values before, Values here) {
    const Value product = before[1] * here[1];
    return std::vector<Value>{here[0], select(before[0] == here[0], product, here[1])};
  });
  Builder store;
  store.input(key);
  store.output(store.input(dtype));
  const Tensor y = scan.store(store.build()).front();
  if (autograd::needs_record({&x, 1})) {
    autograd::record(op, {&x, 1}, {&y, 1},
                     [op, keys, saved = autograd::Saved(x)](std::span<const Tensor> dy) {
                       return std::vector<Tensor>{running_gradient(op, saved.get(op), keys, dy[0])};
                     });
  }
  return y;
}

Tensor cumsum(const Tensor& x, int dim, std::optional<DType> dtype) {
  const DType from = impl_of(x, "cumsum").dtype;
  const int d = checked_dim("cumsum", dim, std::max(x.rank(), 1));
  if (x.rank() == 0) return cumsum(x.view({1}), 0, dtype).view({});
  const Tensor y = accumulated(
      "cumsum", x, d, dtype.value_or(ops::sum_dtype(autograd::autocast_dtype(autograd::Cast::wide, x))),
      [](Values before, Values here) { return std::vector{before[0] + here[0]}; });
  if (autograd::needs_record({&x, 1})) {
    // dx[i] = Σ dy[j] over j ≥ i
    autograd::record("cumsum", {&x, 1}, {&y, 1}, [d, from](std::span<const Tensor> dy) {
      return std::vector<Tensor>{flipped(cumsum(flipped(dy[0], d), d), d).to(from)};
    });
  }
  return y;
}

Tensor& cumsum_(Tensor& x, int dim) {
  return ops::write_over("cumsum", x, {}, [&] { return cumsum(x, dim, x.dtype()); });
}
Tensor& cumsum_out(Tensor& out, const Tensor& x, int dim, std::optional<DType> dtype) {
  return ops::write_out("cumsum", out, {x}, [&] { return cumsum(x, dim, dtype); });
}

Tensor cumprod(const Tensor& x, int dim, std::optional<DType> dtype) {
  impl_of(x, "cumprod");
  const int d = checked_dim("cumprod", dim, std::max(x.rank(), 1));
  if (x.rank() == 0) return cumprod(x.view({1}), 0, dtype).view({});
  const Tensor y =
      accumulated("cumprod", x, d,
                  dtype.value_or(ops::sum_dtype(autograd::autocast_dtype(autograd::Cast::wide, x))),
                  [](Values before, Values here) { return std::vector{before[0] * here[0]}; });
  record_wide("cumprod", x, y, d, cumprod_gradient);
  return y;
}

Tensor& cumprod_(Tensor& x, int dim) {
  return ops::write_over("cumprod", x, {}, [&] { return cumprod(ops::kept(x), dim, x.dtype()); });
}
Tensor& cumprod_out(Tensor& out, const Tensor& x, int dim, std::optional<DType> dtype) {
  return ops::write_out("cumprod", out, {x}, [&] { return cumprod(x, dim, dtype); });
}

Tensor cumulative_sum(const Tensor& x, const CumulativeOptions& options) {
  return cumulative("cumulative_sum", x, options, 0, cumsum);
}
Tensor cumulative_prod(const Tensor& x, const CumulativeOptions& options) {
  return cumulative("cumulative_prod", x, options, 1, cumprod);
}

ValuesAndIndices cummax(const Tensor& x, int dim) {
  return cumulative_extremes("cummax", x, dim, last_greatest);
}
ValuesAndIndices cummin(const Tensor& x, int dim) {
  return cumulative_extremes("cummin", x, dim, last_least);
}

Tensor logcumsumexp(const Tensor& x, int dim) {
  const DType dtype = impl_of(x, "logcumsumexp").dtype;
  require(is_floating(dtype), "[logcumsumexp] {} is not floating; convert it", name(dtype));
  const int d = checked_dim("logcumsumexp", dim, std::max(x.rank(), 1));
  if (x.rank() == 0) return logcumsumexp(x.view({1}), 0).view({});
  const Tensor y = accumulated("logcumsumexp", x, d, dtype, log_of_sum);
  record_wide("logcumsumexp", x, y, d, logcumsumexp_gradient);
  return y;
}

}  // namespace tenon
