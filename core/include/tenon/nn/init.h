// Initial values. Each function fills the tensor in place, outside any graph, on its own device, with
// draws of `generator` and PyTorch's bounds, and returns it.
#pragma once

#include <tenon/random.h>
#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon::nn::init {

using random::default_generator;
using random::Generator;

/// In [low, high).
Tensor uniform_(Tensor x, double low = 0, double high = 1, Generator& generator = default_generator());
Tensor normal_(Tensor x, double mean = 0, double std = 1, Generator& generator = default_generator());
/// Normal, of what lies in [low, high].
Tensor trunc_normal_(Tensor x, double mean = 0, double std = 1, double low = -2, double high = 2,
                     Generator& generator = default_generator());
Tensor constant_(Tensor x, Scalar value);
Tensor zeros_(Tensor x);
Tensor ones_(Tensor x);
/// 1 on the diagonal of a matrix, 0 elsewhere.
Tensor eye_(Tensor x);

/// The weight of a convolution, of rank 3 to 5, that hands its inputs on, in each of `groups` groups.
Tensor dirac_(Tensor x, std::int64_t groups = 1);
/// Of a matrix: rows or columns, whichever are fewer, that are orthogonal and of length `gain`, evenly
/// among all such (Saxe, McClelland and Ganguli, 2013); dimensions from the second on count as one.
Tensor orthogonal_(Tensor x, double gain = 1, Generator& generator = default_generator());
/// A matrix normal of deviation std, but for 0 in a part `sparsity`, rounded up, of each column
/// (Martens, 2010).
Tensor sparse_(Tensor x, double sparsity, double std = 0.01,
               Generator& generator = default_generator());

/// Inputs and outputs of a unit whose weight has the shape (out, in, ...), rank 2 or more.
struct Fans {
  std::int64_t in = 0, out = 0;
};
Fans fans_of(const Shape& weight);

enum class Nonlinearity { linear, sigmoid, tanh, relu, leaky_relu, selu };
/// By how much to widen a layer before this; `a` is leaky_relu's slope.
double calculate_gain(Nonlinearity nonlinearity, double a = 0.01);

/// Uniform in ±gain·√(6/(in + out)) (Glorot and Bengio, 2010).
Tensor xavier_uniform_(Tensor x, double gain = 1, Generator& generator = default_generator());
/// Normal of deviation gain·√(2/(in + out)).
Tensor xavier_normal_(Tensor x, double gain = 1, Generator& generator = default_generator());

enum class Fan { in, out };
struct KaimingOptions {
  double a = 0;
  Fan mode = Fan::in;
  Nonlinearity nonlinearity = Nonlinearity::leaky_relu;
};
/// Uniform in ±gain·√(3/fan) (He et al., 2015).
Tensor kaiming_uniform_(Tensor x, KaimingOptions options = {},
                        Generator& generator = default_generator());
/// Normal of deviation gain/√fan.
Tensor kaiming_normal_(Tensor x, KaimingOptions options = {},
                       Generator& generator = default_generator());

}  // namespace tenon::nn::init
#pragma GCC visibility pop
