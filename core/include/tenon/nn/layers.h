// Layers with parameters or a mode.
#pragma once

#include <initializer_list>
#include <optional>

#include <tenon/nn/module.h>

#pragma GCC visibility push(default)
namespace tenon::nn {

struct LinearOptions {
  bool bias = true;
  TensorOptions tensor = {};
};

/// y = x · weightᵀ + bias: (..., in) -> (..., out). weight (out, in) and bias (out) start uniform
/// in ±1/√in, as PyTorch's do.
class Linear : public Layer<Linear> {
 public:
  Linear(std::int64_t in, std::int64_t out, LinearOptions options = {});
  Tensor forward(const Tensor& x) const;
  Parameter weight, bias;  ///< bias is undefined without one
};

/// x itself.
class Identity : public Layer<Identity> {
 public:
  Tensor forward(const Tensor& x) const { return x; }
};

/// Dimensions `first` to `last` as one: (N, C, H, W) -> (N, C·H·W).
class Flatten : public Layer<Flatten> {
 public:
  explicit Flatten(int first = 1, int last = -1) : first_(first), last_(last) {}
  Tensor forward(const Tensor& x) const;

 private:
  int first_, last_;
};

struct EmbeddingOptions {
  std::optional<std::int64_t> padding_idx = {};  ///< a row that stays 0; from the end if negative
  TensorOptions tensor = {};
};

/// Rows of weight: (...) indices -> (..., width). weight (count, width) starts standard normal.
class Embedding : public Layer<Embedding> {
 public:
  Embedding(std::int64_t count, std::int64_t width, EmbeddingOptions options = {});
  Tensor forward(const Tensor& index) const;
  Parameter weight;

 private:
  std::optional<std::int64_t> padding_;
};

/// In training each element is 0 with probability p, and the others are divided by 1 - p; else x
/// itself.
class Dropout : public Layer<Dropout> {
 public:
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) const;

 private:
  double p_;
};

struct LayerNormOptions {
  double eps = 1e-5;
  bool affine = true;
  bool bias = true;  ///< where affine
  TensorOptions tensor = {};
};

/// (x - mean) / √(variance + eps) · weight + bias over the last dimensions, of extents `shape` (Ba,
/// Kiros and Hinton, 2016).
class LayerNorm : public Layer<LayerNorm> {
 public:
  explicit LayerNorm(const Shape& shape, LayerNormOptions options = {});
  explicit LayerNorm(std::initializer_list<std::int64_t> shape, LayerNormOptions options = {})
      : LayerNorm(Shape(shape), options) {}
  Tensor forward(const Tensor& x) const;
  Parameter weight, bias;  ///< of `shape`; undefined where there are none

 private:
  Shape shape_;
  double eps_;
};

struct BatchNorm1dOptions {
  double eps = 1e-5;
  /// The part of a batch's statistics in the running ones; without: these are the mean of all batches'.
  std::optional<double> momentum = 0.1;
  bool affine = true;
  bool track_running_stats = true;
  TensorOptions tensor = {};
};

/// (x - mean) / √(variance + eps) · weight + bias for each channel of (N, C) or (N, C, L) (Ioffe and
/// Szegedy, 2015). In training mean and variance are the batch's, and the running ones take a part of
/// them, of the variance with Bessel's correction; else they are the running ones, if tracked.
class BatchNorm1d : public Layer<BatchNorm1d> {
 public:
  explicit BatchNorm1d(std::int64_t channels, BatchNorm1dOptions options = {});
  Tensor forward(const Tensor& x) const;
  Parameter weight, bias;            ///< undefined where not affine
  Buffer running_mean, running_var;  ///< undefined where not tracked
  Buffer num_batches_tracked;        ///< an i32

 private:
  void check(const Tensor& x) const;
  void track(const Tensor& mean, const Tensor& variance, double count) const;
  std::int64_t channels_;
  BatchNorm1dOptions options_;
};

}  // namespace tenon::nn
#pragma GCC visibility pop
