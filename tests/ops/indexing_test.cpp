// Index expressions, masks, and index tensors along a dimension.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/ops/index_oracle.h"
#include "tests/ops/sweep.h"

namespace tenon::test {
namespace {

using Indices = std::vector<HostIndex>;

HostIndex places(const Shape& shape, std::vector<std::int64_t> values) {
  return {.kind = HostIndex::Places, .places = {shape, std::move(values)}};
}
HostIndex mask(const Shape& shape, std::vector<std::int64_t> values) {
  return {.kind = HostIndex::Mask, .places = {shape, std::move(values)}};
}
HostIndex integer(std::int64_t i) {
  return {.kind = HostIndex::Integer, .integer = i};
}
HostIndex range(const Slice& slice) {
  return {.kind = HostIndex::Range, .range = slice};
}
const HostIndex kWhole{.kind = HostIndex::Whole}, kNew{.kind = HostIndex::New};

std::vector<Index> on(Device device, const Indices& indices) {
  std::vector<Index> all;
  for (const HostIndex& it : indices) all.push_back(it.on(device));
  return all;
}
Tensor indices_on(const Tensor& x, const Shape& shape, const std::vector<std::int64_t>& values) {
  return *places(shape, values).on(x.device()).get<Tensor>();
}

template <class T>
Array<T> read(const Array<T>& x, const Array<std::int64_t>& elements) {
  Array<T> y{elements.shape, {}};
  for (const std::int64_t i : elements.values)
    y.values.push_back(x.values[static_cast<std::size_t>(i)]);
  return y;
}

template <class T, class F>
Array<T> written(Array<T> x, const Array<std::int64_t>& elements, const Array<T>& value, F f) {
  const std::vector<Dims> all = coordinates(elements.shape);
  for (std::size_t n = 0; n < all.size(); ++n) {
    T& element = x.values[static_cast<std::size_t>(elements.values[n])];
    element = f(element, value.values[element_at(value.shape, all[n])]);
  }
  return x;
}
template <class T>
Array<T> put(const Array<T>& x, const Array<std::int64_t>& elements, const Array<T>& value, bool add) {
  return written(x, elements, value, [add](T a, T b) { return add ? a + b : b; });
}

/// Results are squared, so that the second order is not zero.
Reals squared(Reals x) {
  for (double& value : x.values) value *= value;
  return x;
}
Tensor squared(const Tensor& x) {
  return x * x;
}

Row reads(const std::string& name, const Shape& shape, const Indices& indices) {
  return {.name = name,
          .op = [=](const auto& x) { return squared(index(x[0], on(x[0].device(), indices))); },
          .oracle = [=](const auto& x) { return squared(read(x[0], elements_of(shape, indices))); },
          .shapes = {{shape}},
          .dtypes = kNumbers};
}

Row puts(const std::string& name, const Shape& shape, const Shape& value, const Indices& indices,
         bool add) {
  return {.name = name,
          .op =
              [=](const auto& x) {
                return squared(index_put(x[0], on(x[0].device(), indices), x[1], add));
              },
          .oracle =
              [=](const auto& x) { return squared(put(x[0], elements_of(shape, indices), x[1], add)); },
          .shapes = {{shape, value}},
          .dtypes = kNumbers};
}

/// Elements of x that `place` names for each coordinate of `shape`.
template <class Place>
Array<std::int64_t> elements_by(const Shape& x, const Shape& shape, Place place) {
  Array<std::int64_t> elements{shape, {}};
  for (const Dims& at : coordinates(shape))
    elements.values.push_back(static_cast<std::int64_t>(element_at(x, place(at))));
  return elements;
}

/// (2, 3) places along dimension 1 of (2, 4), some of them twice.
const std::vector<std::int64_t> kAlong = {3, -3, 3, 0, 2, -2};
Array<std::int64_t> along_elements() {
  return elements_by({2, 4}, {2, 3}, [](const Dims& at) {
    const std::int64_t i = kAlong[static_cast<std::size_t>(3 * at[0] + at[1])];
    return Dims{at[0], i < 0 ? i + 4 : i};
  });
}
/// Rows 2, 0, 2 along dimension 1 of (2, 3).
const std::vector<std::int64_t> kRowsAlong = {2, 0, -1};
Array<std::int64_t> row_elements() {
  return elements_by({2, 3}, {2, 3}, [](const Dims& at) { return Dims{at[0], at[1] == 1 ? 0 : 2}; });
}

Row scatters(const std::string& name, Scatter how, double (*f)(double, double)) {
  return {.name = name,
          .op =
              [=](const auto& x) {
                return squared(scatter(x[0], 1, indices_on(x[0], {2, 3}, kAlong), x[1], how));
              },
          .oracle = [=](const auto& x) { return squared(written(x[0], along_elements(), x[1], f)); },
          .shapes = {{{2, 4}, {2, 3}}},
          .dtypes = kNumbers,
          .values = {.distinct = true}};
}

const std::vector<Row> kRows = {
    reads("index_views", {3, 4, 2}, {range({.start = 1}), integer(-2), kNew}),
    reads("index_adjacent", {2, 3, 4},
          {range({.step = -1}), places({2, 1}, {2, -3}), places({3}, {0, 3, 3})}),
    reads("index_apart", {2, 3, 4}, {places({3}, {0, 1, 1}), range({.start = 1}), integer(2)}),
    reads("index_mask", {3, 2, 2}, {mask({3, 2}, {1, 0, 0, 1, 1, 0}), kNew}),
    reads("index_mask_of_nothing", {3, 2}, {mask({3}, {0, 0, 0})}),
    reads("index_mask_0d", {3, 2}, {kNew, mask({}, {1}), places({2}, {0, 2})}),
    puts("put_view", {3, 4}, {2},
         {range({.start = 2, .stop = {}, .step = -1}), range({.start = 1, .step = 2})}, false),
    puts("put", {4, 2}, {3, 2}, {places({3}, {1, -1, 1})}, false),
    puts("put_apart", {2, 3, 3}, {2, 1},
         {places({2}, {1, 0}), range({.start = 1}), places({2}, {2, 2})}, false),
    puts("put_mask", {3, 2}, {2}, {mask({3}, {1, 0, 1})}, false),
    puts("put_accumulate", {4, 2}, {3, 1}, {places({3}, {1, -1, 1})}, true),
    puts("put_view_accumulate", {3, 2}, {}, {integer(1)}, true),
    {.name = "index_select",
     .op =
         [](const auto& x) {
           return squared(index_select(x[0], 1, indices_on(x[0], {3}, kRowsAlong)));
         },
     .oracle = [](const auto& x) { return squared(read(x[0], row_elements())); },
     .shapes = {{{2, 3}}},
     .dtypes = kNumbers},
    {.name = "index_add",
     .op =
         [](const auto& x) {
           return squared(index_add(x[0], 1, indices_on(x[0], {3}, kRowsAlong), x[1]));
         },
     .oracle = [](const auto& x) { return squared(put(x[0], row_elements(), x[1], true)); },
     .shapes = {{{2, 3}, {2, 3}}},
     .dtypes = kNumbers},
    {.name = "index_copy",
     .op =
         [](const auto& x) {
           return squared(index_copy(x[0], -1, indices_on(x[0], {3}, kRowsAlong), x[1]));
         },
     .oracle = [](const auto& x) { return squared(put(x[0], row_elements(), x[1], false)); },
     .shapes = {{{2, 3}, {2, 3}}},
     .dtypes = kNumbers},
    {.name = "index_fill",
     .op =
         [](const auto& x) {
           return squared(index_fill(x[0], 1, indices_on(x[0], {3}, kRowsAlong), x[1]));
         },
     .oracle = [](const auto& x) { return squared(put(x[0], row_elements(), x[1], false)); },
     .shapes = {{{2, 3}, {}}},
     .dtypes = kNumbers},
    {.name = "gather",
     .op = [](const auto& x) { return squared(gather(x[0], 1, indices_on(x[0], {2, 3}, kAlong))); },
     .oracle = [](const auto& x) { return squared(read(x[0], along_elements())); },
     .shapes = {{{2, 4}}},
     .dtypes = kNumbers},
    scatters("scatter", Scatter::assign, [](double, double b) { return b; }),
    scatters("scatter_add", Scatter::add, [](double a, double b) { return a + b; }),
    scatters("scatter_max", Scatter::max, [](double a, double b) { return std::max(a, b); }),
    scatters("scatter_min", Scatter::min, [](double a, double b) { return std::min(a, b); }),
    {.name = "scatter_a_number",
     .op = [](const auto& x) { return squared(scatter(x[0], 1, indices_on(x[0], {2, 3}, kAlong), 2)); },
     .oracle = [](const auto& x) { return squared(put(x[0], along_elements(), {{}, {2}}, false)); },
     .shapes = {{{2, 4}}},
     .dtypes = kNumbers},
    {.name = "take_along_dim",
     .op =
         [](const auto& x) {
           return squared(take_along_dim(x[0], indices_on(x[0], {1, 2}, {2, -3}), 1));
         },
     .oracle =
         [](const auto& x) {
           return squared(read(x[0], elements_by({2, 3}, {2, 2}, [](const Dims& at) {
                                 return Dims{at[0], at[1] == 0 ? 2 : 0};
                               })));
         },
     .shapes = {{{2, 3}}},
     .dtypes = kNumbers},
    {.name = "put_along_dim",
     .op =
         [](const auto& x) {
           return squared(put_along_dim(x[0], indices_on(x[0], {1, 2}, {2, -3}), x[1], 1));
         },
     .oracle =
         [](const auto& x) {
           const auto elements = elements_by(
               {2, 3}, {2, 2}, [](const Dims& at) { return Dims{at[0], at[1] == 0 ? 2 : 0}; });
           return squared(put(x[0], elements, x[1], false));
         },
     .shapes = {{{2, 3}, {2, 1}}, {{2, 3}, {}}},
     .dtypes = kNumbers},
    {.name = "take",
     .op = [](const auto& x) { return squared(take(x[0], indices_on(x[0], {2, 2}, {5, -6, 1, 5}))); },
     .oracle = [](const auto& x) { return squared(read(x[0], {{2, 2}, {5, 0, 1, 5}})); },
     .shapes = {{{2, 3}}},
     .dtypes = kNumbers},
    {.name = "embedding",
     .op =
         [](const auto& x) { return squared(embedding(x[0], indices_on(x[0], {2, 2}, {2, 0, 2, 1}))); },
     .oracle = [](const auto& x) { return squared(read(x[0], {{2, 2, 2}, {4, 5, 0, 1, 4, 5, 2, 3}})); },
     .shapes = {{{3, 2}}},
     .dtypes = kNumbers},
    {.name = "masked_select",
     .op =
         [](const auto& x) {
           return squared(masked_select(x[0], indices_on(x[0], {3, 1}, {1, 0, 1}).to(bool_)));
         },
     .oracle = [](const auto& x) { return squared(read(x[0], {{4}, {0, 1, 0, 1}})); },
     .shapes = {{{2}}},
     .dtypes = kNumbers},
    {.name = "masked_fill",
     .op =
         [](const auto& x) {
           return squared(masked_fill(x[0], indices_on(x[0], {3, 1}, {1, 0, 1}).to(bool_), x[1]));
         },
     .oracle =
         [](const auto& x) {
           const auto elements =
               elements_by({3, 2}, {2, 2}, [](const Dims& at) { return Dims{2 * at[0], at[1]}; });
           return squared(put(x[0], elements, x[1], false));
         },
     .shapes = {{{3, 2}, {}}},
     .dtypes = kNumbers},
};
TENON_ROWS(Indexing, kRows);

// --- Expressions that are drawn ---

class Drawing {
 public:
  explicit Drawing(std::uint64_t seed) : random_(seed) {}

  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n));
  }
  bool chance(int percent) { return below(100) < percent; }

  Shape shape(int most_rank) {
    Shape shape;
    for (auto rank = below(most_rank + 1); rank > 0; --rank)
      shape.push_back(chance(5) ? 0 : 1 + below(4));
    return shape;
  }

  Indices indices(const Shape& x) {
    Indices list;
    Shape together = {1 + below(3), 1 + below(3)};  // the index arrays are broadcast to it
    bool may_mask = true, open = true;
    for (int d = 0; d < x.size();) {
      if (chance(15) && list.size() < 5) list.push_back(kNew);
      if (open && chance(20)) {
        list.push_back(kWhole);
        d += static_cast<int>(below(x.size() - d + 1));
        open = false;
        if (d == x.size()) break;
      }
      if (may_mask && chance(20)) {
        const int rank = static_cast<int>(below(std::min(3, x.size() - d + 1)));
        list.push_back(drawn_mask(Shape(std::span(x.begin() + d, std::size_t(rank))), together));
        may_mask = false;
        d += rank;
        continue;
      }
      list.push_back(one(x[d], together));
      may_mask &= list.back().kind != HostIndex::Places;
      ++d;
      if (open && chance(15)) break;
    }
    if (open && chance(15)) list.push_back(kWhole);
    return list;
  }

  /// A shape that broadcasts to `shape`.
  Shape narrower(const Shape& shape) {
    Shape result;
    for (int d = static_cast<int>(below(shape.size() + 1)); d < shape.size(); ++d)
      result.push_back(chance(30) ? 1 : shape[d]);
    return result;
  }

 private:
  HostIndex one(std::int64_t extent, const Shape& together) {
    const auto place = [&] { return below(2 * extent) - extent; };
    if (chance(25) && extent > 0) return integer(place());
    if (chance(50) && extent > 0) {
      HostIndex index{.kind = HostIndex::Places, .places = {narrower(together), {}}};
      for (std::size_t i = 0; i < element_count(index.places.shape); ++i)
        index.places.values.push_back(place());
      return index;
    }
    Slice slice{.step = (1 + below(3)) * (chance(50) ? 1 : -1)};
    if (chance(50)) slice.start = below(2 * extent + 4) - extent - 2;
    if (chance(50)) slice.stop = below(2 * extent + 4) - extent - 2;
    return range(slice);
  }

  /// What index arrays are drawn after it fit the number of its true elements.
  HostIndex drawn_mask(const Shape& shape, Shape& together) {
    HostIndex index = mask(shape, {});
    std::int64_t count = 0;
    for (std::size_t i = 0; i < element_count(shape); ++i) {
      index.places.values.push_back(chance(50));
      count += index.places.values.back();
    }
    together = {count};
    return index;
  }

  std::mt19937_64 random_;
};

class RandomIndexing : public testing::TestWithParam<std::string> {
 protected:
  void check_read(const Tensor& x, const Array<float>& values, const Indices& indices,
                  const Array<std::int64_t>& elements) {
    const Tensor y = x.index(on(device_, indices));
    expect_equals(y, read(values, elements));
    if (y.is_same(x)) return;
    const auto dy = whole_array<float>(elements.shape, 3);
    const Tensor given = to_tensor(dy, device_);
    const Array<float> nothing{values.shape, std::vector<float>(values.values.size())};
    expect_equals(autograd::grad({&y, 1}, {&x, 1}, {&given, 1}).front(),
                  put(nothing, elements, dy, true));
  }

  /// The sum of dy at each element of the value, of those that stay.
  Array<float> value_gradient(const Array<std::int64_t>& elements, const Shape& value,
                              const Array<float>& dy, bool add) {
    Array<float> gradient{value, std::vector<float>(element_count(value))};
    const std::vector<Dims> all = coordinates(elements.shape);
    for (std::size_t n = 0; n < all.size(); ++n) {
      const auto rest = elements.values.begin() + static_cast<std::ptrdiff_t>(n);
      const bool stays = std::find(rest + 1, elements.values.end(), *rest) == elements.values.end();
      if (add || stays)
        gradient.values[element_at(value, all[n])] += dy.values[static_cast<std::size_t>(*rest)];
    }
    return gradient;
  }

  void check_put(const Tensor& x, const Array<float>& values, const Indices& indices,
                 const Array<std::int64_t>& elements, const Shape& shape, bool add) {
    const auto value = whole_array<float>(shape, 4), dy = whole_array<float>(values.shape, 5);
    Tensor v = to_tensor(value, device_);
    v.set_requires_grad();
    const Array<float> wanted = put(values, elements, value, add);
    Tensor y = index_put(x, on(device_, indices), v, add);
    expect_equals(y, wanted);
    const Tensor inputs[] = {x, v}, given = to_tensor(dy, device_);
    const auto gradients = autograd::grad({&y, 1}, inputs, {&given, 1});
    const Array<float> nothing{shape, std::vector<float>(value.values.size())};
    expect_equals(gradients[0], add ? dy : put(dy, elements, nothing, false));
    expect_equals(gradients[1], value_gradient(elements, shape, dy, add));
    Tensor z = x.clone();
    z.index_put_(on(device_, indices), v, add);
    expect_equals(z, wanted);
    expect_equals(autograd::grad({&z, 1}, inputs, {&given, 1})[1],
                  value_gradient(elements, shape, dy, add));
  }

  const Device device_ = device(GetParam());
};

TEST_P(RandomIndexing, ReadsAndWritesAsLoopsDo) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Drawing draw(seed);
    const auto values = whole_array<float>(draw.shape(4), seed);
    const Indices indices = draw.indices(values.shape);
    const Array<std::int64_t> elements = elements_of(values.shape, indices);
    Tensor x = arranged(values, kLayouts[seed % 4], device_);
    x.set_requires_grad();
    check_read(x, values, indices, elements);
    check_put(x, values, indices, elements, draw.narrower(elements.shape), seed % 3 == 0);
    if (HasFailure()) return;
  }
}

TEST_P(RandomIndexing, NonzeroOfAnyShape) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{2}, Shape{7}, Shape{64}, Shape{300},
                             Shape{3, 4}, Shape{2, 0, 3}, Shape{2, 3, 2, 2}}) {
    SCOPED_TRACE(to_string(shape));
    const auto x = whole_array<float>(shape, 6, -1, 1);
    Array<std::int64_t> wanted{{0, shape.size()}, {}};
    for (const Dims& at : coordinates(shape)) {
      if (x.values[element_at(shape, at)] == 0) continue;
      ++wanted.shape[0];
      wanted.values.insert(wanted.values.end(), at.begin(), at.end());
    }
    const auto& stored = device_.info().storage_dtypes;
    if (std::find(stored.begin(), stored.end(), i64) == stored.end()) continue;
    for (const Layout layout : kLayouts) {
      const Tensor t = arranged(x, layout, device_);
      expect_equals(nonzero(t), wanted);
      expect_equals(argwhere(t), wanted);
      const std::vector<Tensor> columns = where(t);
      ASSERT_EQ(columns.size(), static_cast<std::size_t>(std::max(shape.size(), 1)));
      for (int d = 0; d < shape.size(); ++d) {
        const auto column = elements_by(wanted.shape, {wanted.shape[0]},
                                        [d](const Dims& at) { return Dims{at[0], d}; });
        expect_equals(columns[static_cast<std::size_t>(d)], read(wanted, column));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, RandomIndexing, testing::ValuesIn(row_devices()), device_test_name);

}  // namespace
}  // namespace tenon::test
