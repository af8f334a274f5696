// Ops that write over their first operand, and are no elementwise ones: it takes what the op gives, in
// no more launches where it can be written directly, and goes on behind it on the tape.
#include <functional>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/ops/on_device.h"
#include "tests/ops/sweep.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

struct Form {
  std::string name;
  std::function<Tensor(const Tensor& x, const Tensor& y)> op;
  std::function<Tensor&(Tensor& x, const Tensor& y)> over;
  Shape x, y = {};
  bool direct = true;
};

Tensor places(const Tensor& x, const Shape& shape, std::vector<std::int64_t> values) {
  return from_values(std::span<const std::int64_t>(values), shape,
                     {.dtype = i32, .device = x.device()});
}
Tensor three(const Tensor& x) {
  return places(x, {3}, {2, 0, -1});
}
Tensor along(const Tensor& x) {
  return places(x, {2, 3}, {3, -3, 3, 0, 2, -2});
}
Tensor mask(const Tensor& x) {
  return places(x, {2, 1}, {1, 0}).to(bool_);
}
/// x with 7 where `steps` apart in row-major order.
Tensor sevens(const Tensor& x, std::int64_t step, std::int64_t count) {
  const Tensor at = arange(count, {.dtype = i32, .device = x.device()}) * step;
  return put(x, at, full({count}, 7, {.dtype = x.dtype(), .device = x.device()}));
}

/// f(x..) and f_(x..), where x[0] is written over.
#define TENON_FORM(name, f, shapes, ...)                                                             \
  Form {                                                                                             \
    name,                                                                                            \
        []([[maybe_unused]] const Tensor& x, [[maybe_unused]] const Tensor& y) {                     \
          return f(x, __VA_ARGS__);                                                                  \
        },                                                                                           \
        [](Tensor& x, [[maybe_unused]] const Tensor& y) -> Tensor& { return f##_(x, __VA_ARGS__); }, \
        shapes                                                                                       \
  }
#define TENON_SHAPES(...) __VA_ARGS__
// clang-format off
Form indirect(Form form) {
  form.direct = false;
  return form;
}

const std::vector<Form> kForms = {
    TENON_FORM("masked_fill", masked_fill, TENON_SHAPES({2, 3}, {}), mask(x), 2),
    TENON_FORM("masked_fill_of_a_tensor", masked_fill, TENON_SHAPES({2, 3}, {}), mask(x), y),
    TENON_FORM("masked_scatter", masked_scatter, TENON_SHAPES({2, 3}, {5}), mask(x), y),
    TENON_FORM("index_add", index_add, TENON_SHAPES({2, 3}, {2, 3}), 1, three(x), y, 2),
    TENON_FORM("index_copy", index_copy, TENON_SHAPES({2, 3}, {2, 3}), 1, three(x), y),
    TENON_FORM("index_fill", index_fill, TENON_SHAPES({2, 3}, {}), 1, three(x), y),
    TENON_FORM("index_fill_by_a_number", index_fill, TENON_SHAPES({3, 2}, {}), 0, three(x), 2),
    TENON_FORM("put", put, TENON_SHAPES({2, 3}, {3}), places(x, {3}, {5, -6, 5}), y),
    TENON_FORM("put_accumulate", put, TENON_SHAPES({2, 3}, {3, 1}), places(x, {3}, {5, -6, 5}), y, true),
    TENON_FORM("put_into_a_number", put, TENON_SHAPES({}, {2}), places(x, {2}, {0, -1}), y, true),
    TENON_FORM("scatter", scatter, TENON_SHAPES({2, 4}, {2, 3}), 1, along(x), y),
    TENON_FORM("scatter_a_number", scatter, TENON_SHAPES({2, 4}, {}), 1, along(x), 2),
    TENON_FORM("scatter_add", scatter, TENON_SHAPES({2, 4}, {2, 3}), 1, along(x), y, Scatter::add),
    TENON_FORM("scatter_max", scatter, TENON_SHAPES({2, 4}, {2, 3}), 1, along(x), y, Scatter::max),
    TENON_FORM("scatter_number_min", scatter, TENON_SHAPES({2, 4}, {}), 1, along(x), 0.25, Scatter::min),
    TENON_FORM("scatter_reduce_sum", scatter_reduce, TENON_SHAPES({2, 4}, {2, 3}), 1, along(x), y, Reduce::sum),
    TENON_FORM("scatter_reduce_sum_alone", scatter_reduce, TENON_SHAPES({2, 4}, {2, 3}), 1, along(x), y, Reduce::sum, false),
    indirect(TENON_FORM("scatter_reduce_prod", scatter_reduce, TENON_SHAPES({2, 4}, {2, 3}), 1, along(x), y, Reduce::prod)),
    indirect(TENON_FORM("scatter_reduce_mean", scatter_reduce, TENON_SHAPES({2, 4}, {2, 3}), 1, along(x), y, Reduce::mean)),
    TENON_FORM("scatter_reduce_amax", scatter_reduce, TENON_SHAPES({2, 4}, {2, 3}), 1, along(x), y, Reduce::amax),
    TENON_FORM("scatter_reduce_amin_alone", scatter_reduce, TENON_SHAPES({2, 4}, {2, 3}), 1, along(x), y, Reduce::amin, false),
    indirect(TENON_FORM("index_reduce", index_reduce, TENON_SHAPES({2, 3}, {2, 3}), 1, three(x), y, Reduce::mean, false)),
    indirect(TENON_FORM("index_reduce_nothing", index_reduce, TENON_SHAPES({2, 3}, {2, 0}), 1, places(x, {0}, {}), y, Reduce::prod)),
    TENON_FORM("cumsum", cumsum, TENON_SHAPES({2, 3}, {}), 1),
    indirect(TENON_FORM("cumsum_of_a_number", cumsum, TENON_SHAPES({}, {}), 0)),
    TENON_FORM("cumprod", cumprod, TENON_SHAPES({3, 2}, {}), 0),
    TENON_FORM("cumprod_of_nothing", cumprod, TENON_SHAPES({0, 2}, {}), 0),
    TENON_FORM("tril", tril, TENON_SHAPES({2, 3, 3}, {}), -1),
    TENON_FORM("triu", triu, TENON_SHAPES({3, 2}, {}), 1),
    TENON_FORM("addmm", addmm, TENON_SHAPES({2, 2}, {2, 2}), y, y, {.beta = 2, .alpha = 3}),
    TENON_FORM("addmm_of_beta_0", addmm, TENON_SHAPES({2, 2}, {2, 2}), y, y, {.beta = 0}),
    TENON_FORM("baddbmm", baddbmm, TENON_SHAPES({2, 2, 2}, {2, 2, 2}), y, y),
    TENON_FORM("addbmm", addbmm, TENON_SHAPES({2, 2}, {3, 2, 2}), y, y, {.alpha = 0.5}),
    {"fill_diagonal", [](const Tensor& x, const Tensor&) { return sevens(x, 4, 2); },
     [](Tensor& x, const Tensor&) -> Tensor& { return fill_diagonal_(x, 7); }, {2, 3}},
    {"fill_diagonal_of_a_cube", [](const Tensor& x, const Tensor&) { return sevens(x, 7, 2); },
     [](Tensor& x, const Tensor&) -> Tensor& { return fill_diagonal_(x, 7, true); }, {2, 2, 2}},
    {"fill_diagonal_of_a_tall_one", [](const Tensor& x, const Tensor&) { return sevens(x, 3, 2); },
     [](Tensor& x, const Tensor&) -> Tensor& { return fill_diagonal_(x, 7); }, {7, 2}},
    {"fill_diagonal_wrapped", [](const Tensor& x, const Tensor&) { return sevens(x, 3, 5); },
     [](Tensor& x, const Tensor&) -> Tensor& { return fill_diagonal_(x, 7, true); }, {7, 2}},
};
// clang-format on

void PrintTo(const Form& form, std::ostream* out) {
  *out << form.name;
}

class WritingOver : public testing::TestWithParam<std::tuple<Form, std::string>> {
 protected:
  Tensor drawn(const Shape& shape, std::uint64_t seed) const {
    return tensor_of(draw(shape, {-2, 2, false, true}, f32, seed), f32, device_);
  }
  template <class F>
  std::int64_t launches(F call) const {
    return launches_on(device_, call);
  }
  /// The gradients of x and y in the sum of squares of what `f` makes of them.
  std::vector<Reals> gradients(const Shape& shape,
                               const std::function<Tensor(const Tensor&, const Tensor&)>& f) const {
    const Tensor x = drawn(shape, 1).set_requires_grad(), y = drawn(form_.y, 2).set_requires_grad();
    const Tensor z = f(x, y), leaves[] = {x, y}, sums[] = {(z * z).sum()};
    std::vector<Reals> found;
    for (const Tensor& dx : autograd::grad(sums, leaves, {}, {.allow_unused = true})) {
      found.push_back(dx.defined() ? reals_of(dx) : Reals{});
    }
    return found;
  }
  void expect_same(const std::vector<Reals>& got, const std::vector<Reals>& wanted) const {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      Reals zeros{{}, std::vector<double>(got[i].values.size())};
      const std::vector<double>& values = wanted[i].values.empty() ? zeros.values : wanted[i].values;
      EXPECT_EQ(got[i].values.empty() ? std::vector<double>(values.size()) : got[i].values, values)
          << "operand " << i;
    }
  }

  const Form& form_ = std::get<0>(GetParam());
  const Device device_ = device(std::get<1>(GetParam()));
};
INSTANTIATE_TEST_SUITE_P(Ops, WritingOver,
                         testing::Combine(testing::ValuesIn(kForms), testing::ValuesIn(row_devices())),
                         form_test_name<Form>);

TEST_P(WritingOver, Form) {
  const Tensor y = drawn(form_.y, 2), expected = form_.op(drawn(form_.x, 1), y);
  for (const Layout layout : kLayouts) {
    SCOPED_TRACE(layout);
    Tensor x = tensor_of(reals_of(drawn(form_.x, 1)), f32, device_, layout);
    const std::uint64_t version = x.version();
    EXPECT_EQ(&form_.over(x, y), &x);
    EXPECT_GT(x.version(), version);
    EXPECT_EQ(reals_of(x).values, reals_of(expected).values);
  }
}

TEST_P(WritingOver, NoMoreLaunches) {
  const Tensor y = drawn(form_.y, 2), from = drawn(form_.x, 1);
  Tensor x = from.clone();
  const std::int64_t most = launches([&] { form_.op(from, y); }) + (form_.direct ? 0 : 1);
  EXPECT_LE(launches([&] { form_.over(x, y); }), most);
}

TEST_P(WritingOver, Gradients) {
  expect_same(gradients(form_.x,
                        [&](const Tensor& x, const Tensor& y) {
                          Tensor z = x * 1;
                          form_.over(z, y);
                          return z;
                        }),
              gradients(form_.x, form_.op));
}

/// Every other element of a larger tensor, which goes on behind the write too.
TEST_P(WritingOver, AView) {
  if (form_.x.empty()) return;
  Shape wide = form_.x;
  wide[wide.size() - 1] *= 2;
  const auto part = [](const Tensor& x, std::int64_t first) {
    return x.slice(-1, {.start = first, .step = 2});
  };
  const auto got = gradients(wide, [&](const Tensor& x, const Tensor& y) {
    Tensor z = x * 1, view = part(z, 0);
    form_.over(view, y);
    return z;
  });
  expect_same(got, gradients(wide, [&](const Tensor& x, const Tensor& y) {
                return cat({form_.op(part(x, 0), y), part(x, 1)}, -1);
              }));
}

TEST_P(WritingOver, AnOperandBelowIt) {
  const std::int64_t m = numel(form_.y), n = numel(form_.x);
  const Tensor memory = arange(1 + std::max(m, n), {.dtype = f32, .device = device_});
  Tensor x = memory.slice(0, {.stop = n}).view(form_.x);
  const Tensor y = memory.slice(0, {.start = 1, .stop = 1 + m}).view(form_.y);
  const Tensor expected = form_.op(x.clone(), y.clone());
  form_.over(x, y);
  EXPECT_EQ(reals_of(x).values, reals_of(expected).values);
}

TEST_P(WritingOver, ALeafUnderNoGradAlone) {
  Tensor x = drawn(form_.x, 1).set_requires_grad();
  const Tensor y = drawn(form_.y, 2);
  const Thrown refused = thrown([&] { form_.over(x, y); });
  EXPECT_EQ(refused.kind, ErrorKind::InvalidArgument);
  EXPECT_EQ(refused.text.substr(refused.text.find(']') + 2),
            "a leaf that requires a gradient can't be written in place; do it under NoGrad");
  const NoGrad guard;
  const Tensor expected = form_.op(x, y);
  form_.over(x, y);
  EXPECT_EQ(reals_of(x).values, reals_of(expected).values);
  EXPECT_TRUE(x.is_leaf() && x.requires_grad());
}

class WritingOverOn : public OnDevice {};
INSTANTIATE_TEST_SUITE_P(Ops, WritingOverOn, testing::ValuesIn(row_devices()), device_test_name);

TEST_P(WritingOverOn, InItsOwnDType) {
  Tensor x = tensor(std::vector<std::int32_t>{1, 2, 3}, here_);
  expect_equals(cumsum_(x, 0), Array<std::int32_t>{{3}, {1, 3, 6}});
  expect_equals(cumprod_(x, -1), Array<std::int32_t>{{3}, {1, 3, 18}});
  Tensor truth = full({2, 2}, true, here_);
  expect_equals(triu_(truth, 1), Array<bool>{{2, 2}, {false, true, false, false}});
}

TEST_P(WritingOverOn, RefusesWhatDoesNotFit) {
  Tensor row = zeros({2}, here_), m = zeros({2, 3}, here_), truth = full({2}, true, here_);
  const Tensor square = zeros({2, 2}, here_), at = zeros({2}, {.dtype = i32, .device = device_});
  const auto refused = [](auto call, const char* text) {
    EXPECT_EQ(thrown(call), invalid_argument(text));
  };
  refused([&] { addmm_(row, square, square); },
          "[addmm] the result has shape (2, 2), which does not fit (2,) in place");
  refused([&] { masked_fill_(row, square.to(bool_), 1); },
          "[masked_fill] (2, 2) does not broadcast to (2,) in place");
  refused([&] { masked_scatter_(row, square.to(bool_), square); },
          "[masked_scatter] the result has shape (2, 2), which does not fit (2,) in place");
  refused([&] { masked_scatter_(row, truth, zeros({1}, here_)); },
          "[masked_scatter] the mask takes 2 elements, src (1,) has fewer");
  refused([&] { masked_scatter_(row, at, row); }, "[masked_scatter] the mask is i32, not bool");
  refused([&] { masked_scatter_(row, truth, at); },
          "[masked_scatter] x is f32 and src i32; convert one");
  refused([&] { put_(row, at, m); }, "[put] src (2, 3) has not as many elements as index (2,)");
  refused([&] { put_(truth, at, truth, true); }, "[put] bools can only be assigned");
  refused([&] { put_(row, row, row); }, "[put] indices are integers, not f32");
  refused([&] { scatter_reduce_(truth, 0, at, truth, Reduce::sum); },
          "[scatter_reduce] bools can't be reduced; convert them");
  refused([&] { scatter_reduce_(row, 0, at, at, Reduce::sum); },
          "[scatter_reduce] x is f32 and src i32; convert one");
  refused([&] { scatter_reduce_(row, 1, at, row, Reduce::sum); },
          "[scatter_reduce] dimension 1 is out of range for a tensor of 1 dimensions");
  refused([&] { index_reduce_(m, 1, at, m, Reduce::prod); },
          "[index_reduce] src is (2, 3), not (2, 2)");
  refused([&] { cumsum_(truth, 0); }, "[cumsum] bool can't be accumulated; name an integer dtype");
  refused([&] { tril_(row); }, "[tril] (2,) is no matrix");
  refused([&] { fill_diagonal_(row, 1); }, "[fill_diagonal] (2,) has no diagonal");
  Tensor box = zeros({2, 2, 3}, here_);
  refused([&] { fill_diagonal_(box, 1); }, "[fill_diagonal] the extents of (2, 2, 3) differ");
  Tensor same = zeros({1}, here_).expand({2});
  refused([&] { index_fill_(same, 0, at, 1); },
          "[index_fill] (2,) with strides (0,) shares elements, so it can't be written in place; "
          "clone() it first");
  const Tensor beyond = tensor({2, 2}, {.dtype = i32, .device = device_});
  EXPECT_THAT(thrown([&] {
                put_(row, beyond, row);
                device_.synchronize();
              }).text,
              testing::StartsWith("[put] index 2 is out of range for 2 rows of dimension 0"));
}

}  // namespace
}  // namespace tenon::test
