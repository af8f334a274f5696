// Initial values: bounds and deviations are PyTorch's, draws are tenon::random's.
#include <algorithm>
#include <cmath>
#include <numbers>

#include <tenon/autograd.h>
#include <tenon/nn/init.h>
#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon::nn::init {
namespace {

using program::Builder;
using program::Program;
using program::Value;

/// Copies what `draw` makes with x's options.
template <class Draw>
Tensor fill(std::string_view name, Tensor x, Draw draw) {
  require(is_floating(impl_of(x, name).dtype), "[{}] {} takes no such values; use a floating dtype",
          name, tenon::name(x.dtype()));
  const NoGrad guard;
  return x.copy_(draw(TensorOptions{.dtype = x.dtype(), .device = x.device()}));
}

double deviation(double gain, double fan) {
  return gain / std::sqrt(fan);
}

/// A uniform distribution of this deviation ends at ±√3 of it.
Tensor uniform_of(std::string_view name, Tensor x, double std, Generator& generator) {
  const double bound = std::sqrt(3.0) * std;
  return fill(name, x, [&](TensorOptions options) {
    return random::uniform(x.shape(), {-bound, bound}, options, generator);
  });
}

Tensor normal_of(std::string_view name, Tensor x, double mean, double std, Generator& generator) {
  return fill(name, x, [&](TensorOptions options) {
    return random::normal(x.shape(), {mean, std}, options, generator);
  });
}

/// The x whose erf is y, |y| < 1: Winitzki's approximation (2008) and Newton's steps from there, which
/// double its digits.
Value inverse_erf(Value y) {
  constexpr double kA = 0.147;
  const Value w = log1p(-y * y), t = 2 / (kA * std::numbers::pi) + 0.5 * w;
  Value x = sqrt(sqrt(t * t - w / kA) - t);
  for (int step = 0; step < 3; ++step)
    x = x - (erf(x) - abs(y)) * exp(x * x) * (1 / std::numbers::inv_sqrtpi / 2);
  return select(y < 0.0, -x, x);
}

/// From uniform draws of erf's values to normal ones; scalars mean, √2·std, low, high.
Program truncated_program(DType dtype) {
  Builder b;
  const double most = 1 - (dtype == f64 ? 0x1p-53 : 0x1p-24);  // 1 itself would be infinite
  const Value y = min(max(b.input(dtype), -most), most);
  const Value mean = b.scalar(dtype), scale = b.scalar(dtype), low = b.scalar(dtype),
              high = b.scalar(dtype);
  b.output(min(max(mean + scale * inverse_erf(y), low), high));
  return b.build();
}

/// Makes the rows orthonormal, each by what came before it (Gram and Schmidt); twice, since once leaves
/// an error that grows with the condition number.
void make_orthonormal(const Tensor& rows) {
  for (std::int64_t k = 0; k < rows.size(0); ++k) {
    Tensor row = rows.narrow(0, k, 1);
    const Tensor before = rows.narrow(0, 0, k);
    for (int pass = 0; pass < 2 && k > 0; ++pass) {
      sub_(row, matmul(matmul(row, before.transpose(0, 1)), before));
    }
    div_(row, norm(row));
  }
}

Fans fans(std::string_view name, const Shape& weight) {
  require(weight.size() >= 2, "[{}] {} has no fans: a weight has two dimensions at least", name,
          weight);
  std::int64_t field = 1;
  for (int d = 2; d < weight.size(); ++d) field *= weight[d];
  return {.in = weight[1] * field, .out = weight[0] * field};
}

double xavier_deviation(std::string_view name, const Tensor& x, double gain) {
  const auto [in, out] = fans(name, impl_of(x, name).shape);
  return deviation(gain, static_cast<double>(in + out) / 2);
}

double kaiming_deviation(std::string_view name, const Tensor& x, const KaimingOptions& options) {
  const auto [in, out] = fans(name, impl_of(x, name).shape);
  return deviation(calculate_gain(options.nonlinearity, options.a),
                   static_cast<double>(options.mode == Fan::in ? in : out));
}

}  // namespace

Tensor uniform_(Tensor x, double low, double high, Generator& generator) {
  return fill("uniform_", x, [&](TensorOptions options) {
    return random::uniform(x.shape(), {low, high}, options, generator);
  });
}

Tensor normal_(Tensor x, double mean, double std, Generator& generator) {
  return normal_of("normal_", x, mean, std, generator);
}

Tensor trunc_normal_(Tensor x, double mean, double std, double low, double high, Generator& generator) {
  require(std > 0 && std::isfinite(std), "[trunc_normal_] std is {}: it must be above 0 and finite",
          std);
  require(low < high, "[trunc_normal_] there is nothing between {} and {}", low, high);
  return fill("trunc_normal_", x, [&](TensorOptions options) {
    const double root = std::numbers::sqrt2 * std;
    options.dtype = ops::accumulator(*options.dtype);
    const random::UniformOptions range{std::erf((low - mean) / root), std::erf((high - mean) / root)};
    require(range.low < range.high,
            "[trunc_normal_] {} .. {} is too far from mean {} for std {} to be drawn from", low, high,
            mean, std);
    const Tensor y = random::uniform(x.shape(), range, options, generator);
    std::vector<std::uint64_t> scalars;
    for (const double number : {mean, root, low, high})
      scalars.push_back(Scalar(number).bits(*options.dtype));
    return elementwise(truncated_program(*options.dtype), {&y, 1}, scalars).front();
  });
}

Tensor constant_(Tensor x, Scalar value) {
  const NoGrad guard;
  return x.fill_(value);
}
Tensor zeros_(Tensor x) {
  return constant_(std::move(x), 0);
}
Tensor ones_(Tensor x) {
  return constant_(std::move(x), 1);
}

Tensor eye_(Tensor x) {
  require(impl_of(x, "eye_").shape.size() == 2, "[eye_] {} is no matrix", x.shape());
  const NoGrad guard;
  const TensorOptions options{.dtype = i32, .device = x.device()};
  return x.copy_(arange(x.size(0), options).unsqueeze(1) == arange(x.size(1), options));
}

Tensor dirac_(Tensor x, std::int64_t groups) {
  const Shape shape = impl_of(x, "dirac_").shape;
  require(shape.size() >= 3 && shape.size() <= 5,
          "[dirac_] {} is no weight of a convolution, which has 3 to 5 dimensions", shape);
  require(groups > 0 && shape[0] % groups == 0, "[dirac_] {} outputs are not {} groups", shape[0],
          groups);
  const NoGrad guard;
  x.fill_(0);
  if (x.numel() == 0) return x;
  Tensor centre = x.detach();
  for (int d = 2; d < shape.size(); ++d) centre = centre.select(2, shape[d] / 2);
  const TensorOptions options{.dtype = i32, .device = x.device()};
  const Tensor outputs = arange(shape[0], options) % (shape[0] / groups);
  centre.copy_(outputs.unsqueeze(1) == arange(shape[1], options));
  return x;
}

Tensor orthogonal_(Tensor x, double gain, Generator& generator) {
  require(impl_of(x, "orthogonal_").shape.size() >= 2, "[orthogonal_] {} is no matrix", x.shape());
  return fill("orthogonal_", x, [&](TensorOptions options) {
    options.dtype = ops::accumulator(*options.dtype);
    const std::int64_t outputs = x.size(0), inputs = outputs > 0 ? x.numel() / outputs : 0;
    const Shape shape{std::min(outputs, inputs), std::max(outputs, inputs)};
    const Tensor rows = random::normal(shape, {}, options, generator);
    make_orthonormal(rows);
    return ((outputs > inputs ? rows.transpose(0, 1) : rows) * gain).reshape(x.shape());
  });
}

Tensor sparse_(Tensor x, double sparsity, double std, Generator& generator) {
  require(impl_of(x, "sparse_").shape.size() == 2, "[sparse_] {} is no matrix", x.shape());
  require(sparsity >= 0 && sparsity <= 1, "[sparse_] sparsity is {}: it must be from 0 to 1", sparsity);
  return fill("sparse_", x, [&](TensorOptions options) {
    const Tensor lots = random::uniform(x.shape(), {}, {.device = options.device}, generator);
    const double zeros = std::ceil(sparsity * static_cast<double>(x.size(0)));
    const Tensor values = random::normal(x.shape(), {0, std}, options, generator);
    return where(argsort(argsort(lots, 0), 0) < zeros, zeros_like(values), values);
  });
}

Fans fans_of(const Shape& weight) {
  return fans("fans_of", weight);
}

double calculate_gain(Nonlinearity nonlinearity, double a) {
  switch (nonlinearity) {
    case Nonlinearity::linear:
    case Nonlinearity::sigmoid:
      return 1;
    case Nonlinearity::tanh:
      return 5.0 / 3;
    case Nonlinearity::relu:
      return std::sqrt(2.0);
    case Nonlinearity::leaky_relu:
      return std::sqrt(2 / (1 + a * a));
    case Nonlinearity::selu:
      return 0.75;
  }
  return 1;
}

Tensor xavier_uniform_(Tensor x, double gain, Generator& generator) {
  return uniform_of("xavier_uniform_", x, xavier_deviation("xavier_uniform_", x, gain), generator);
}
Tensor xavier_normal_(Tensor x, double gain, Generator& generator) {
  return normal_of("xavier_normal_", x, 0, xavier_deviation("xavier_normal_", x, gain), generator);
}
Tensor kaiming_uniform_(Tensor x, KaimingOptions options, Generator& generator) {
  return uniform_of("kaiming_uniform_", x, kaiming_deviation("kaiming_uniform_", x, options),
                    generator);
}
Tensor kaiming_normal_(Tensor x, KaimingOptions options, Generator& generator) {
  return normal_of("kaiming_normal_", x, 0, kaiming_deviation("kaiming_normal_", x, options),
                   generator);
}

}  // namespace tenon::nn::init
