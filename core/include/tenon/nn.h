// Modules: parameters with names, and the functions that use them.
//
//   class Net : public nn::Module {
//    public:
//     Net() : fc(add("fc", nn::Linear(13, 1))) {}
//     Tensor operator()(const Tensor& x) const { return fc(x); }
//     nn::Linear fc;
//   };
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tenon/random.h>
#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon::nn {

/// A leaf tensor that requires a gradient.
class Parameter : public Tensor {
 public:
  Parameter() = default;
  /// Takes `value` out of any graph.
  explicit Parameter(const Tensor& value);
};

/// Names and tensors in the order of registration.
using StateDict = std::vector<std::pair<std::string, Tensor>>;

/// A shared handle: copies share parameters, children and mode.
class Module {
 public:
  Module();

  /// All parameters, this module's first, then the children's in order, a shared one once.
  std::vector<Parameter> parameters() const;
  /// The same with names such as "0.weight", a shared one under each of its names.
  std::vector<std::pair<std::string, Parameter>> named_parameters() const;
  /// Names and the parameters themselves, outside any graph.
  StateDict state_dict() const;
  /// Copies values into the parameters. InvalidArgument names all keys that are missing, unexpected
  /// or of another shape, and then nothing is changed.
  void load_state_dict(const StateDict& state);

  /// Sets this module's and its children's mode: training at first, `eval` for use.
  void train(bool on = true) const;
  void eval() const { train(false); }
  bool is_training() const;
  /// Sets all gradients to undefined.
  void zero_grad() const;
  /// The names from the module that has no parent down to this one: "encoder.0". One that was added
  /// to several has the path of the last; "" for one that was added to none.
  std::string path() const;
  /// Moves all parameters; handles on them, an optimiser's too, see it.
  void move_to(Device device) const;

 protected:
  /// Registers and returns a parameter; names are unique in a module and have no dots.
  Parameter add(const std::string& name, const Parameter& parameter);
  /// Registers and returns a child.
  template <class M>
    requires std::is_base_of_v<Module, M>
  M add(const std::string& name, M child) {
    add_child(name, child);
    return child;
  }

 private:
  friend class CallScope;
  struct State;
  void add_child(const std::string& name, const Module& child);
  std::shared_ptr<State> state_;
};

/// While one lives, ops are recorded as the module's own, for AnomalyMode to name. Linear has one, and
/// Sequential for each step; the operator() of any module may.
class CallScope {
 public:
  explicit CallScope(const Module& module);
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  const void* before_module_;
  std::string (*before_path_)(const void*);
};

/// A module whose `to` keeps its type: `auto model = Net().to(device)`.
template <class Self>
class Layer : public Module {
 public:
  Self to(Device device) const {
    move_to(device);
    return static_cast<const Self&>(*this);
  }
};

struct LinearOptions {
  bool bias = true;
  TensorOptions tensor = {};
};

/// y = x · weightᵀ + bias: (..., in) -> (..., out). weight (out, in) and bias (out) start uniform
/// in ±1/√in, as PyTorch's do.
class Linear : public Layer<Linear> {
 public:
  Linear(std::int64_t in, std::int64_t out, LinearOptions options = {});
  Tensor operator()(const Tensor& x) const;
  Parameter weight, bias;  ///< bias is undefined without one
};

class ReLU : public Layer<ReLU> {
 public:
  Tensor operator()(const Tensor& x) const;
};

class Sigmoid : public Layer<Sigmoid> {
 public:
  Tensor operator()(const Tensor& x) const;
};

/// Modules one after the other; their names are "0", "1" and so on.
class Sequential : public Layer<Sequential> {
 public:
  template <class... M>
    requires(std::is_base_of_v<Module, M> && ...)
  explicit Sequential(const M&... modules) {
    (push_back(modules), ...);
  }
  template <class M>
    requires std::is_base_of_v<Module, M>
  void push_back(const M& module) {
    M child = add(std::to_string(steps_->size()), module);
    steps_->push_back([child](const Tensor& x) {
      const CallScope scope(child);
      return child(x);
    });
  }
  Tensor operator()(const Tensor& x) const;

 private:
  using Step = std::function<Tensor(const Tensor&)>;
  std::shared_ptr<std::vector<Step>> steps_ = std::make_shared<std::vector<Step>>();
};

/// mean((x - y)²); x and y have one shape.
class MSELoss : public Layer<MSELoss> {
 public:
  Tensor operator()(const Tensor& x, const Tensor& y) const;
};

/// mean(max(x, 0) - x·y + log(1 + exp(-|x|))), which is stable for large logits; y is 0 .. 1 and has
/// x's shape.
class BCEWithLogitsLoss : public Layer<BCEWithLogitsLoss> {
 public:
  Tensor operator()(const Tensor& x, const Tensor& y) const;
};

}  // namespace tenon::nn
#pragma GCC visibility pop
