// Optimisers with PyTorch's options. In all of them `weight_decay`·p is added to the gradient, but for
// AdamW, and `maximize` ascends.
#pragma once

#include <vector>

#include <tenon/optim/optimizer.h>

#pragma GCC visibility push(default)
namespace tenon::optim {

struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;  ///< needs a momentum and no dampening
  bool maximize = false;
};

/// v ← momentum·v + (1 - dampening)·g, at first v = g; p ← p - lr·v, with nesterov
/// p - lr·(g + momentum·v) (Sutskever et al. 2013, as PyTorch does).
class SGD : public Optimizer {
 public:
  SGD(const std::vector<nn::Parameter>& parameters, SGDOptions options)
      : SGD({{parameters, options}}) {}
  explicit SGD(const std::vector<Group<SGDOptions>>& groups);

 private:
  Update update(std::size_t group, DType dtype, std::int64_t t) const override;
  std::vector<SGDOptions> options_;
};

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;
  bool maximize = false;
};

/// Adam (Kingma & Ba 2015): m and v are running means of g and g², and
/// p ← p - lr · m/(1-β1ᵗ) / (√(v/(1-β2ᵗ)) + eps); with amsgrad v is its greatest so far (Reddi et al.
/// 2018).
class Adam : public Optimizer {
 public:
  explicit Adam(const std::vector<nn::Parameter>& parameters, AdamOptions options = {})
      : Adam({{parameters, options}}) {}
  explicit Adam(const std::vector<Group<AdamOptions>>& groups) : Adam("Adam", groups, false) {}

 protected:
  Adam(std::string_view name, const std::vector<Group<AdamOptions>>& groups, bool decoupled);

 private:
  Update update(std::size_t group, DType dtype, std::int64_t t) const override;
  std::vector<AdamOptions> options_;
  bool decoupled_;
};

struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;
  bool maximize = false;
};

/// Adam whose weight decay takes lr·weight_decay·p from p, apart from the gradient (Loshchilov & Hutter
/// 2019).
class AdamW : public Adam {
 public:
  explicit AdamW(const std::vector<nn::Parameter>& parameters, AdamWOptions options = {})
      : AdamW({{parameters, options}}) {}
  explicit AdamW(const std::vector<Group<AdamWOptions>>& groups);
};

struct RMSpropOptions {
  double lr = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
  bool maximize = false;
};

/// v is a running mean of g², centered less the square of g's; u = g/(√v + eps), with momentum
/// u ← momentum·u + g/(√v + eps); p ← p - lr·u (Tieleman & Hinton 2012, Graves 2013).
class RMSprop : public Optimizer {
 public:
  explicit RMSprop(const std::vector<nn::Parameter>& parameters, RMSpropOptions options = {})
      : RMSprop({{parameters, options}}) {}
  explicit RMSprop(const std::vector<Group<RMSpropOptions>>& groups);

 private:
  Update update(std::size_t group, DType dtype, std::int64_t t) const override;
  std::vector<RMSpropOptions> options_;
};

struct AdagradOptions {
  double lr = 1e-2;
  double lr_decay = 0;
  double weight_decay = 0;
  double initial_accumulator_value = 0;
  double eps = 1e-10;
  bool maximize = false;
};

/// s ← s + g²; p ← p - lr/(1 + (t - 1)·lr_decay) · g/(√s + eps) (Duchi et al. 2011).
class Adagrad : public Optimizer {
 public:
  explicit Adagrad(const std::vector<nn::Parameter>& parameters, AdagradOptions options = {})
      : Adagrad({{parameters, options}}) {}
  explicit Adagrad(const std::vector<Group<AdagradOptions>>& groups);

 private:
  Update update(std::size_t group, DType dtype, std::int64_t t) const override;
  std::vector<AdagradOptions> options_;
};

}  // namespace tenon::optim
#pragma GCC visibility pop
