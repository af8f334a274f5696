// Losses of a prediction x against a target y, all but the last two one launch forward; there x and y
// have one shape, and the weights, where there are any, broadcast to it. The result has the dtype that
// all promote to; 16-bit floats are computed and summed in f32.
#pragma once

#include <tenon/composite.h>
#include <tenon/nn/module.h>

#pragma GCC visibility push(default)
namespace tenon::nn {

struct LossOptions {
  LossReduction reduction = LossReduction::mean;
};

/// (x - y)².
class MSELoss : public Layer<MSELoss> {
 public:
  explicit MSELoss(LossOptions options = {}) : options_(options) {}
  Tensor forward(const Tensor& x, const Tensor& y) const;

 private:
  LossOptions options_;
};

/// |x - y|.
class L1Loss : public Layer<L1Loss> {
 public:
  explicit L1Loss(LossOptions options = {}) : options_(options) {}
  Tensor forward(const Tensor& x, const Tensor& y) const;

 private:
  LossOptions options_;
};

struct SmoothL1LossOptions {
  LossReduction reduction = LossReduction::mean;
  double beta = 1;  ///< at least 0
};

/// d²/2β where d = |x - y| is below β, else d - β/2 (Girshick, 2015).
class SmoothL1Loss : public Layer<SmoothL1Loss> {
 public:
  explicit SmoothL1Loss(SmoothL1LossOptions options = {});
  Tensor forward(const Tensor& x, const Tensor& y) const;

 private:
  SmoothL1LossOptions options_;
};

struct HuberLossOptions {
  LossReduction reduction = LossReduction::mean;
  double delta = 1;  ///< above 0
};

/// d²/2 where d = |x - y| is below δ, else δ(d - δ/2) (Huber, 1964).
class HuberLoss : public Layer<HuberLoss> {
 public:
  explicit HuberLoss(HuberLossOptions options = {});
  Tensor forward(const Tensor& x, const Tensor& y) const;

 private:
  HuberLossOptions options_;
};

struct BCELossOptions {
  LossReduction reduction = LossReduction::mean;
  Tensor weight = {};  ///< of each element; gets no gradient
};

/// -(y·log x + (1 - y)·log(1 - x)) of probabilities x; no logarithm is below -100, and the gradient's
/// x·(1 - x) not below 1e-12, as PyTorch has it. What is outside [0, 1] gives NaN rather than an error,
/// for which the elements would have to be waited for.
class BCELoss : public Layer<BCELoss> {
 public:
  explicit BCELoss(BCELossOptions options = {}) : options_(std::move(options)) {}
  Tensor forward(const Tensor& x, const Tensor& y) const;

 private:
  BCELossOptions options_;
};

struct BCEWithLogitsLossOptions {
  LossReduction reduction = LossReduction::mean;
  Tensor weight = {};      ///< of each element
  Tensor pos_weight = {};  ///< of the part of y that is positive
};

/// max(x, 0) - x·y + log(1 + exp(-|x|)): the same of x = sigmoid's argument, stable for large ones.
class BCEWithLogitsLoss : public Layer<BCEWithLogitsLoss> {
 public:
  explicit BCEWithLogitsLoss(BCEWithLogitsLossOptions options = {}) : options_(std::move(options)) {}
  Tensor forward(const Tensor& x, const Tensor& y) const;

 private:
  BCEWithLogitsLossOptions options_;
};

struct KLDivLossOptions {
  LossReduction reduction = LossReduction::mean;
  bool log_target = false;  ///< y is log-probabilities too
  bool batchmean = false;   ///< a mean is over the first dimension, as the divergence is, not over all
};

/// y·(log y - x) of log-probabilities x and probabilities y; 0 where y is 0.
class KLDivLoss : public Layer<KLDivLoss> {
 public:
  explicit KLDivLoss(KLDivLossOptions options = {}) : options_(options) {}
  Tensor forward(const Tensor& x, const Tensor& y) const;

 private:
  KLDivLossOptions options_;
};

struct PoissonNLLLossOptions {
  LossReduction reduction = LossReduction::mean;
  bool log_input = true;  ///< x is the logarithm of the rate
  bool full = false;      ///< with Stirling's approximation of log y!, for y above 1
  double eps = 1e-8;      ///< added to the rate before its logarithm is taken
};

/// exp(x) - y·x, or x - y·log(x + eps): of counts y that are Poisson distributed.
class PoissonNLLLoss : public Layer<PoissonNLLLoss> {
 public:
  explicit PoissonNLLLoss(PoissonNLLLossOptions options = {}) : options_(options) {}
  Tensor forward(const Tensor& x, const Tensor& y) const;

 private:
  PoissonNLLLossOptions options_;
};

struct GaussianNLLLossOptions {
  LossReduction reduction = LossReduction::mean;
  bool full = false;  ///< with log(2π)/2
  double eps = 1e-6;  ///< the least variance, above 0; a negative one counts as this
};

/// (log v + (x - y)²/v)/2 of y normally distributed about x. The variance v has x's shape, or
/// broadcasts to it, or lacks the last dimension.
class GaussianNLLLoss : public Layer<GaussianNLLLoss> {
 public:
  explicit GaussianNLLLoss(GaussianNLLLossOptions options = {});
  Tensor forward(const Tensor& x, const Tensor& y, const Tensor& variance) const;

 private:
  GaussianNLLLossOptions options_;
};

/// tenon::cross_entropy: -log softmax(x) at each row's class, or of probabilities of the classes.
class CrossEntropyLoss : public Layer<CrossEntropyLoss> {
 public:
  explicit CrossEntropyLoss(CrossEntropyOptions options = {}) : options_(std::move(options)) {}
  Tensor forward(const Tensor& x, const Tensor& target) const;

 private:
  CrossEntropyOptions options_;
};

/// tenon::nll_loss: minus the log-probability at each row's class.
class NLLLoss : public Layer<NLLLoss> {
 public:
  explicit NLLLoss(NllLossOptions options = {}) : options_(std::move(options)) {}
  Tensor forward(const Tensor& x, const Tensor& target) const;

 private:
  NllLossOptions options_;
};

}  // namespace tenon::nn
#pragma GCC visibility pop
