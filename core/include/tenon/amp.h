// Mixed precision: products in 16 bits, sums and exponentials in 32, gradients that don't vanish.
//
//   amp::GradScaler scaler;
//   for (...) {
//     Tensor loss;
//     {
//       const amp::Autocast guard({.dtype = f16});
//       loss = criterion(model(x), y);
//     }
//     scaler.scale(loss).backward();
//     scaler.step(optimizer);
//     scaler.update();
//   }
#pragma once

#include <map>
#include <optional>

#include <tenon/optim.h>
#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon::amp {

struct AutocastOptions {
  DType dtype = bf16;                 ///< or f16
  std::optional<Device> device = {};  ///< only tensors there; else everywhere
  bool enabled = true;                ///< false: not within this one, whatever holds outside
};

/// While one lives, the thread's ops choose their dtype by what they are, as PyTorch's autocast: matrix
/// products convert f32 operands to `dtype`; sums, exponentials, logarithms, norms and losses convert
/// 16-bit operands to f32; all else promotes as ever. f64 and integers are left alone. A leaf's copy in
/// `dtype` is made once for the outermost guard. Backward runs in the dtypes of its forward.
class Autocast {
 public:
  explicit Autocast(AutocastOptions options = {});
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  AutocastOptions before_;
};

struct GradScalerOptions {
  double init_scale = 65536;
  double growth_factor = 2, backoff_factor = 0.5;
  int growth_interval = 2000;  ///< updates without infinity or NaN between two growths
};

/// The scale and how many updates it has lasted: what a GradScaler goes on from.
struct GradScalerState {
  double scale = 0;
  int growth_tracker = 0;
  bool operator==(const GradScalerState&) const = default;
};

/// Multiplies losses so that 16-bit gradients don't vanish, and skips steps whose gradients overflowed
/// (Micikevicius et al. 2018, as PyTorch does).
class GradScaler {
 public:
  explicit GradScaler(GradScalerOptions options = {});

  /// loss · scale.
  Tensor scale(const Tensor& loss) const;
  /// Divides the gradients of the optimiser's parameters by the scale, in place, and looks for infinity
  /// and NaN in them; once between two updates, before clipping. step() does it where nobody did.
  void unscale_(optim::Optimizer& optimizer);
  /// optimizer.step() unless a gradient is infinite or NaN; returns whether it was done.
  bool step(optim::Optimizer& optimizer);
  /// Shrinks the scale if a step since the last update met infinity or NaN, else grows it after
  /// growth_interval updates.
  void update();

  double scale() const { return state_.scale; }
  const GradScalerState& state() const { return state_; }
  void set_state(const GradScalerState& state);

 private:
  struct Progress {
    bool found_inf = false, stepped = false;
  };
  GradScalerOptions options_;
  GradScalerState state_;
  std::map<const optim::Optimizer*, Progress> seen_;  // since the last update
};

}  // namespace tenon::amp
#pragma GCC visibility pop
