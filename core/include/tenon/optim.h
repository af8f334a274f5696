// Optimisers: each step is one program over all parameters, one launch of packs per device and dtype.
#pragma once

#include <vector>

#include <tenon/nn.h>

#pragma GCC visibility push(default)
namespace tenon::optim {

class Optimizer {
 public:
  Optimizer(std::vector<nn::Parameter> parameters, double lr);
  virtual ~Optimizer() = default;
  /// Updates each parameter that has a gradient.
  virtual void step() = 0;
  /// Sets all gradients to undefined.
  void zero_grad();
  /// The learning rate of the steps from now on; at least 0.
  void set_lr(double lr);
  double lr() const { return lr_; }
  const std::vector<nn::Parameter>& parameters() const { return parameters_; }

 protected:
  std::vector<nn::Parameter> parameters_;

 private:
  double lr_ = 0;
};

struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0;
  double weight_decay = 0;
};

/// g ← g + weight_decay·p; v ← momentum·v + g; p ← p - lr·v (Sutskever et al. 2013, as PyTorch does).
class SGD : public Optimizer {
 public:
  SGD(std::vector<nn::Parameter> parameters, SGDOptions options);
  void step() override;

 private:
  SGDOptions options_;
  std::vector<Tensor> velocity_;  // empty without momentum
};

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
};

/// Adam (Kingma & Ba 2015): m and v are running means of g and g², and
/// p ← p - lr · m/(1-β1ᵗ) / (√(v/(1-β2ᵗ)) + eps); weight decay is added to g.
class Adam : public Optimizer {
 public:
  explicit Adam(std::vector<nn::Parameter> parameters, AdamOptions options = {});
  void step() override;

 private:
  AdamOptions options_;
  std::vector<Tensor> m_, v_;
  std::vector<std::int64_t> steps_;  // a parameter's own: one without a gradient waits
};

}  // namespace tenon::optim
#pragma GCC visibility pop
