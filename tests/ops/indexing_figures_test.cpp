// Against PyTorch's figures (tests/figures/index.py): values and gradients, which are whole numbers.
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/ops/sweep.h"
#include "tests/support/paths.h"

namespace tenon::test {
namespace {

using nlohmann::json;

class IndexingFigures : public testing::TestWithParam<std::string> {
 protected:
  /// Numbers as a tensor; bools and indices too.
  Tensor tensor_from(const json& x, DType dtype = f32) const {
    Reals reals{{}, {}};
    for (const std::int64_t extent : x.at("shape")) reals.shape.push_back(extent);
    for (const json& value : x.at("values"))
      reals.values.push_back(value.is_boolean() ? value.get<bool>() : value.get<double>());
    return tensor_of(reals, dtype, device_);
  }

  Index index_from(const json& it) const {
    const std::string kind = it.at("kind");
    const auto bound = [&](const char* name) {
      return it.at(name).is_null() ? std::optional<std::int64_t>() : it.at(name).get<std::int64_t>();
    };
    if (kind == "newaxis") return newaxis;
    if (kind == "ellipsis") return ellipsis;
    if (kind == "integer") return it.at("value").get<std::int64_t>();
    if (kind == "slice") return Slice{bound("start"), bound("stop"), it.at("step")};
    return tensor_from(it, kind == "mask" ? bool_ : i32);
  }

  Tensor run(const json& it, const Tensor& x, const Tensor& src) const {
    const std::string op = it.at("op");
    const int dim = it.value("dim", 0);
    const Tensor index = it.contains("index") ? tensor_from(it.at("index"), i32) : Tensor();
    std::vector<Index> indices;
    for (const json& one : it.value("indices", json::array())) indices.push_back(index_from(one));
    if (op == "index") return x.index(indices);
    if (op == "index_put") return index_put(x, indices, src, it.at("accumulate"));
    if (op == "scatter") {
      const std::map<std::string, Scatter> how = {
          {"amax", Scatter::max}, {"amin", Scatter::min}, {"sum", Scatter::add}};
      return scatter(x, dim, index, src, how.at(it.at("how")));
    }
    if (op == "embedding") {
      const json& padding = it.at("padding");
      return padding.is_null() ? embedding(x, index) : embedding(x, index, padding.get<std::int64_t>());
    }
    if (op == "index_add") return index_add(x, dim, index, src, it.at("alpha").get<std::int64_t>());
    if (op == "index_copy") return index_copy(x, dim, index, src);
    if (op == "index_fill") return index_fill(x, dim, index, src);
    if (op == "take") return take(x, index);
    if (op == "take_along_dim") return take_along_dim(x, index, dim);
    ADD_FAILURE() << "no op " << op;
    return {};
  }

  void expect_figures(const Tensor& got, const json& wanted) const {
    const Tensor figures = tensor_from(wanted);
    ASSERT_EQ(to_string(got.shape()), to_string(figures.shape()));
    EXPECT_EQ(reals_of(got).values, reals_of(figures).values);
  }

  const Device device_ = device(GetParam());
};

TEST_P(IndexingFigures, ValuesAndGradients) {
  std::ifstream file(TENON_TEST_SOURCE_DIR "/tests/figures/index.json");
  const json cases = json::parse(file);
  ASSERT_GE(cases.size(), 50u);
  for (const json& it : cases) {
    SCOPED_TRACE(it.dump().substr(0, 80));
    std::vector<Tensor> operands{tensor_from(it.at("x"))};
    if (it.contains("src")) operands.push_back(tensor_from(it.at("src")));
    for (Tensor& operand : operands) operand.set_requires_grad();
    const Tensor y = run(it, operands.front(), operands.back());
    expect_figures(y, it.at("y"));
    const Tensor dy = tensor_from(it.at("dy"));
    const std::vector<Tensor> gradients = autograd::grad({&y, 1}, operands, {&dy, 1});
    expect_figures(gradients.front(), it.at("dx"));
    if (it.contains("src")) expect_figures(gradients.back(), it.at("dsrc"));
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, IndexingFigures, testing::ValuesIn(row_devices()), device_test_name);

}  // namespace
}  // namespace tenon::test
