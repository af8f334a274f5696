// Activations: what the table says.
#include <tenon/nn/activations.h>
#include <tenon/ops.h>

namespace tenon::nn {

#define TENON_ACTIVATION(name, result)          \
  Tensor name::forward(const Tensor& x) const { \
    return result;                              \
  }
#define TENON_ACTIVATION_1(name, type, option, preset, result) TENON_ACTIVATION(name, result)
#define TENON_ACTIVATION_2(name, type, option, preset, type2, option2, preset2, result) \
  TENON_ACTIVATION(name, result)
#include <tenon/nn/activations.def>

}  // namespace tenon::nn
