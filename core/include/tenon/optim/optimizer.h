// What all optimisers are: an elementwise program for each step, over a parameter, its gradient and
// what is remembered of it. All parameters of one program, device and dtype take one launch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tenon/nn/module.h>
#include <tenon/program.h>

#pragma GCC visibility push(default)
namespace tenon::optim {

/// Parameters with options of their own.
template <class Options>
struct Group {
  std::vector<nn::Parameter> parameters;
  Options options = {};
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Updates each parameter that has a gradient.
  void step();
  /// Sets all gradients to undefined.
  void zero_grad() const;

  /// Of all groups.
  std::vector<nn::Parameter> parameters() const;
  std::size_t group_count() const { return groups_.size(); }
  double lr(std::size_t group = 0) const;
  /// The learning rate of the steps from now on, of all groups or of one; at least 0.
  void set_lr(double lr);
  void set_lr(std::size_t group, double lr);

  /// "steps", the count of each parameter's steps in the order of groups (i32), and what is remembered
  /// of each that had one, as "3.exp_avg" with PyTorch's words. Learning rates are not among it: they
  /// are options, or a schedule's state.
  nn::StateDict state_dict() const;
  /// Goes on from there, bit for bit. InvalidArgument says all that does not fit, and then nothing is
  /// changed.
  void load_state_dict(const nn::StateDict& state);

 protected:
  /// A tensor beside each parameter, and its elements' first value.
  struct Memory {
    std::string name;
    double initial = 0;
  };
  /// One step of one parameter. Inputs: p, its gradient, the memories; outputs: p and the memories
  /// anew; all of the parameter's dtype.
  struct Update {
    program::Program program;
    std::vector<double> scalars;
  };

  /// `name` (a literal) stands in errors; InvalidArgument without any group.
  Optimizer(std::string_view name, std::size_t groups);
  void add_group(const std::vector<nn::Parameter>& parameters, double lr, std::vector<Memory> memories);
  /// Of a parameter of `dtype` in a group at its own step `t`, from 1.
  virtual Update update(std::size_t group, DType dtype, std::int64_t t) const = 0;

 private:
  struct Settings {
    double lr = 0;
    std::vector<Memory> memories;
  };
  struct Slot {
    nn::Parameter parameter;
    std::size_t group = 0;
    std::int64_t steps = 0;
    std::vector<Tensor> memories = {};  // of the group's; undefined before the first step
  };
  void remember(Slot& slot) const;

  std::string_view name_;
  std::vector<Settings> groups_;
  std::vector<Slot> slots_;
};

}  // namespace tenon::optim
#pragma GCC visibility pop
