// Learning rates over time. A rule gives the rate at a step, from 0, of a rate to begin with; it is a
// pure function with PyTorch's name and options, so that a schedule's state is its step. What is out of
// its range is InvalidArgument.
//
//   optim::Schedule schedule(optimizer, optim::CosineAnnealingLR{.T_max = 90});
//   for (..) { optimizer.step(); schedule.step(); }
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include <tenon/optim/optimizer.h>

#pragma GCC visibility push(default)
namespace tenon::optim {

using Rule = std::function<double(double base, std::int64_t step)>;

/// base · f(step).
struct LambdaLR {
  std::function<double(std::int64_t step)> f;
  double operator()(double base, std::int64_t step) const;
};

/// base · factor for `total_iters` steps, then base.
struct ConstantLR {
  double factor = 1.0 / 3;
  std::int64_t total_iters = 5;
  double operator()(double base, std::int64_t step) const;
};

/// base · gamma^(step / step_size), in whole numbers.
struct StepLR {
  std::int64_t step_size = 0;
  double gamma = 0.1;
  double operator()(double base, std::int64_t step) const;
};

/// base · gamma^(milestones reached); milestones grow.
struct MultiStepLR {
  std::vector<std::int64_t> milestones;
  double gamma = 0.1;
  double operator()(double base, std::int64_t step) const;
};

/// base · gamma^step.
struct ExponentialLR {
  double gamma = 0;
  double operator()(double base, std::int64_t step) const;
};

/// eta_min + (base - eta_min)·(1 + cos(π·step/T_max))/2 (Loshchilov & Hutter 2017); it rises again
/// behind T_max.
struct CosineAnnealingLR {
  std::int64_t T_max = 0;
  double eta_min = 0;
  double operator()(double base, std::int64_t step) const;
};

/// base · a factor that goes evenly from start_factor to end_factor in `total_iters` steps, and stays.
struct LinearLR {
  double start_factor = 1.0 / 3, end_factor = 1;
  std::int64_t total_iters = 5;
  double operator()(double base, std::int64_t step) const;
};

/// base · (1 - step/total_iters)^power, 0 behind it.
struct PolynomialLR {
  std::int64_t total_iters = 5;
  double power = 1;
  double operator()(double base, std::int64_t step) const;
};

/// From max_lr/div_factor up to max_lr in pct_start of the steps, then down to a part final_div_factor
/// of where it began, along cosines (Smith & Topin 2019); the base is not looked at. Momentum stays.
struct OneCycleLR {
  double max_lr = 0;
  std::int64_t total_steps = 0;
  double pct_start = 0.3;
  double div_factor = 25, final_div_factor = 1e4;
  double operator()(double base, std::int64_t step) const;
};

/// base · (step + 1)/(steps + 1) for so many steps, then what `then` gives for the steps from there.
struct Warmup {
  std::int64_t steps = 0;
  Rule then;
  double operator()(double base, std::int64_t step) const;
};

/// Rule i from the step milestones[i - 1] on, its steps counted from there.
struct SequentialLR {
  std::vector<Rule> rules;
  std::vector<std::int64_t> milestones;
  double operator()(double base, std::int64_t step) const;
};

/// Sets an optimiser's rates by a rule; each group begins with the rate that it has.
class Schedule {
 public:
  /// Sets the rates of step 0. The optimiser must outlive the schedule.
  Schedule(Optimizer& optimizer, Rule rule);
  /// Sets the rates of the next step.
  void step() { set_last_step(last_step_ + 1); }
  /// The step that the rates are of: all that is to be kept, and to go on from later.
  std::int64_t last_step() const { return last_step_; }
  void set_last_step(std::int64_t step);

 private:
  Optimizer& optimizer_;
  Rule rule_;
  std::vector<double> bases_;
  std::int64_t last_step_ = 0;
};

struct ReduceLROnPlateauOptions {
  enum class Mode { min, max } mode = Mode::min;  ///< which metric is better: less or more
  double factor = 0.1;
  std::int64_t patience = 10;  ///< calls without a better one that are waited
  double threshold = 1e-4;     ///< by how much a better one is
  enum class Threshold { rel, abs } threshold_mode = Threshold::rel;
  std::int64_t cooldown = 0;  ///< calls after a reduction that don't count
  double min_lr = 0;
  double eps = 1e-8;  ///< less than this is no reduction
};

/// Multiplies the rates by a factor where a metric stops getting better.
class ReduceLROnPlateau {
 public:
  struct State {
    double best = 0;
    std::int64_t bad = 0, cooldown = 0;
    std::vector<double> rates;
    bool operator==(const State&) const = default;
  };
  /// The optimiser must outlive it.
  explicit ReduceLROnPlateau(Optimizer& optimizer, ReduceLROnPlateauOptions options = {});
  void step(double metric);
  /// To be kept, and to go on from later.
  State state() const;
  /// InvalidArgument where it is of another number of groups.
  void set_state(const State& state);

 private:
  bool is_better(double metric) const;
  void reduce();
  Optimizer& optimizer_;
  ReduceLROnPlateauOptions options_;
  double best_;
  std::int64_t bad_ = 0, cooldown_ = 0;
};

}  // namespace tenon::optim
#pragma GCC visibility pop
