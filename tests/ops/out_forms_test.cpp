// Results that are written into a tensor: the bits that the op gives, in as many launches, wherever the
// tensor lies.
#include <cmath>
#include <functional>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/ops/on_device.h"
#include "tests/ops/sweep.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using Tensors = std::vector<Tensor>;

struct Form {
  std::string name;
  std::function<Tensor(const Tensors&)> op;
  std::function<Tensor&(Tensor&, const Tensors&)> into;
  std::vector<Shape> shapes;
};

Tensor places(const Tensor& x, const Shape& shape) {
  const std::vector<std::int64_t> values = {2, -1, 0, 1};
  return from_values(std::span(values), {4}, {.dtype = i32, .device = x.device()}).view(shape);
}

/// f(x..) and f_out(out, x..).
#define TENON_FORM(name, f, shapes, ...)                                                    \
  Form {                                                                                    \
    name, [](const Tensors& x) { return f(__VA_ARGS__); },                                  \
        [](Tensor& out, const Tensors& x) -> Tensor& { return f##_out(out, __VA_ARGS__); }, \
        std::vector<Shape> shapes                                                           \
  }
// clang-format off
const std::vector<Form> kForms = {
    TENON_FORM("sum", sum, ({{2, 3}}), x[0], {1}),
    TENON_FORM("sum_of_all_kept", sum, ({{2, 3}}), x[0], {}, true),
    TENON_FORM("sum_in_f64", sum, ({{2, 3}}), x[0], {0}, false, f64),
    TENON_FORM("sum_over_nothing", sum, ({{2, 0}}), x[0], {1}),
    TENON_FORM("mean", mean, ({{2, 3, 2}}), x[0], {1}, true),
    TENON_FORM("prod", prod, ({{2, 3}}), x[0], {0}),
    TENON_FORM("amax", amax, ({{2, 3, 2}}), x[0], {0, 2}),
    TENON_FORM("amin", amin, ({{2, 3}}), x[0], {0}, true),
    TENON_FORM("argmax", argmax, ({{2, 3}}), x[0], {1}),
    TENON_FORM("argmin", argmin, ({{3, 2}}), x[0]),
    TENON_FORM("any", any, ({{2, 3}}), x[0], {1}),
    TENON_FORM("all", all, ({{2, 3}}), x[0], {0}, true),
    TENON_FORM("matmul", matmul, ({{2, 2, 3}, {3, 2}}), x[0], x[1]),
    TENON_FORM("matmul_of_vectors", matmul, ({{3}, {3}}), x[0], x[1]),
    TENON_FORM("matmul_of_a_row", matmul, ({{3}, {2, 3, 2}}), x[0], x[1]),
    TENON_FORM("matmul_over_nothing", matmul, ({{2, 0}, {0, 3}}), x[0], x[1]),
    TENON_FORM("mm", mm, ({{2, 3}, {3, 2}}), x[0], x[1]),
    TENON_FORM("bmm", bmm, ({{2, 2, 3}, {2, 3, 2}}), x[0], x[1]),
    TENON_FORM("mv", mv, ({{2, 3}, {3}}), x[0], x[1]),
    TENON_FORM("addmm", addmm, ({{2}, {2, 3}, {3, 2}}), x[0], x[1], x[2], {.beta = 2, .alpha = 3}),
    TENON_FORM("baddbmm", baddbmm, ({{2, 2, 2}, {2, 2, 3}, {2, 3, 2}}), x[0], x[1], x[2]),
    TENON_FORM("cat", cat, ({{2, 3}, {2, 2}}), x, -1),
    TENON_FORM("stack", stack, ({{2, 3}, {2, 3}}), x, 1),
    TENON_FORM("gather", gather, ({{3, 3}}), x[0], 1, places(x[0], {2, 2})),
    TENON_FORM("index_select", index_select, ({{2, 3}}), x[0], 1, places(x[0], {4})),
    TENON_FORM("cumsum", cumsum, ({{2, 3}}), x[0], 1),
    TENON_FORM("cumsum_of_a_number", cumsum, ({{}}), x[0], 0),
    TENON_FORM("cumprod", cumprod, ({{3, 2}}), x[0], 0),
};
// clang-format on

void PrintTo(const Form& form, std::ostream* out) {
  *out << form.name;
}

class OutForms : public testing::TestWithParam<std::tuple<Form, std::string>> {
 protected:
  void SetUp() override {
    for (const Shape& shape : form_.shapes) {
      x_.push_back(tensor_of(draw(shape, {}, f32, x_.size() + 1), f32, device_));
    }
    where_stored([&] { expected_ = form_.op(x_); });
    if (!expected_.defined()) GTEST_SKIP() << "the device does not store its dtype";
  }
  bool stores(DType dtype) const {
    const auto& stored = device_.info().storage_dtypes;
    return std::find(stored.begin(), stored.end(), dtype) != stored.end();
  }
  Tensor nothing(DType dtype, Layout layout) const {
    const Reals zeros{expected_.shape(), std::vector<double>(element_count(expected_.shape()))};
    return tensor_of(zeros, dtype, device_, layout);
  }
  template <class F>
  std::int64_t launches(F call) const {
    return launches_on(device_, call);
  }

  const Form& form_ = std::get<0>(GetParam());
  const Device device_ = device(std::get<1>(GetParam()));
  Tensors x_;
  Tensor expected_;
};
INSTANTIATE_TEST_SUITE_P(Ops, OutForms,
                         testing::Combine(testing::ValuesIn(kForms), testing::ValuesIn(row_devices())),
                         form_test_name<Form>);

/// But for the last bits, which may depend on the layout of a product's result.
void expect_alike(const std::vector<double>& got, const std::vector<double>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], wanted[i], 5e-7 * std::fabs(wanted[i])) << "at " << i;
  }
}

TEST_P(OutForms, Form) {
  for (const Layout layout : kLayouts) {
    SCOPED_TRACE(layout);
    Tensor out = nothing(expected_.dtype(), layout);
    const std::uint64_t version = out.version();
    EXPECT_EQ(&form_.into(out, x_), &out);
    EXPECT_GT(out.version(), version);
    expect_alike(reals_of(out).values, reals_of(expected_).values);
  }
}

TEST_P(OutForms, AsManyLaunches) {
  if (form_.name == "cumsum_of_a_number") return;  // it is computed as one of one dimension
  Tensor out = nothing(expected_.dtype(), Layout::Contiguous);
  EXPECT_EQ(launches([&] { form_.into(out, x_); }), launches([&] { form_.op(x_); }));
}

TEST_P(OutForms, ALaterDType) {
  const DType later = expected_.dtype() == bool_ ? i32 : f64;
  if (!stores(later)) return;
  Tensor out = nothing(later, Layout::Transposed);
  form_.into(out, x_);
  EXPECT_EQ(reals_of(out).values, reals_of(expected_).values);
}

/// Each operand, and the result, from one element on of the same memory.
TEST_P(OutForms, OperandsBelowTheResult) {
  if (expected_.dtype() != f32) return;
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const std::int64_t m = x_[i].numel(), n = expected_.numel();
    const Tensor memory = zeros({1 + std::max(m, n)}, {.device = device_});
    Tensors x = x_;
    x[i] = memory.slice(0, {.stop = m}).view(x[i].shape()).copy_(x[i]);
    Tensor out = memory.slice(0, {.start = 1, .stop = 1 + n}).view(expected_.shape());
    form_.into(out, x);
    EXPECT_EQ(reals_of(out).values, reals_of(expected_).values) << "operand " << i;
  }
}

TEST_P(OutForms, RefusesWhatDoesNotFit) {
  const auto refusal = [&](Tensor out, const Tensors& x) {
    const Thrown text = thrown([&] { form_.into(out, x); });
    EXPECT_EQ(text.kind, ErrorKind::InvalidArgument) << text;
    return text.text.substr(text.text.find(']') + 2);
  };
  const TensorOptions like{.dtype = expected_.dtype(), .device = device_};
  const std::string shape = to_string(expected_.shape());
  EXPECT_EQ(refusal(zeros({7, 7}, like), x_),
            "the result has shape " + shape + ", not that of out: (7, 7)");
  if (expected_.numel() > 1) {
    const Tensor one = zeros({}, like).expand(expected_.shape());
    EXPECT_EQ(refusal(one, x_),
              shape + " with strides " + to_string(one.strides()) +
                  " shares elements, so it can't be written in place; clone() it first");
  }
  if (is_floating(expected_.dtype())) {
    EXPECT_EQ(refusal(nothing(i32, Layout::Contiguous), x_),
              "the result is " + std::string(name(expected_.dtype())) +
                  ", which i32 can't hold; convert first");
  }
  const std::string recorded =
      "a result written into a tensor is not recorded; use NoGrad, or take a new one";
  Tensors leaves = x_;
  leaves.front() = x_.front().clone().set_requires_grad();
  EXPECT_EQ(refusal(nothing(expected_.dtype(), Layout::Contiguous), leaves), recorded);
  if (is_floating(expected_.dtype())) {
    EXPECT_EQ(refusal(nothing(expected_.dtype(), Layout::Contiguous).set_requires_grad(), x_),
              recorded);
  }
  for (const std::string& other : test_devices()) {
    if (device(other) == device_) continue;
    EXPECT_EQ(refusal(zeros(expected_.shape(), {.dtype = bool_, .device = device(other)}), x_),
              "out is on " + other + ", the operands are on " + device_.name());
  }
}

class OutFormsOn : public OnDevice {};
INSTANTIATE_TEST_SUITE_P(Ops, OutFormsOn, testing::ValuesIn(row_devices()), device_test_name);

TEST_P(OutFormsOn, NoTensors) {
  Tensor out = zeros({1}, here_);
  EXPECT_EQ(thrown([&] { cat_out(out, {}); }), invalid_argument("[cat] there are no tensors"));
  EXPECT_EQ(thrown([&] { stack_out(out, {}); }), invalid_argument("[stack] there are no tensors"));
  EXPECT_EQ(thrown([&] { sum_out(out, Tensor()); }), invalid_argument("[sum] the tensor is undefined"));
  Tensor undefined;
  EXPECT_EQ(thrown([&] { sum_out(undefined, out); }),
            invalid_argument("[sum] the tensor is undefined"));
}

TEST_P(OutFormsOn, NoGradWritesIntoALeaf) {
  Tensor leaf = zeros({2}, here_).set_requires_grad();
  const NoGrad guard;
  sum_out(leaf, ones({2, 3}, here_), {1});
  EXPECT_EQ(leaf.to_vector<float>(), (std::vector<float>{3, 3}));
}

}  // namespace
}  // namespace tenon::test
