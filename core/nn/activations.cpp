// Activations: what the table says.
#include <tenon/nn/activations.h>
#include <tenon/ops.h>

namespace tenon::nn {

#define TENON_ACTIVATION(name, value)           \
  Tensor name::forward(const Tensor& x) const { \
    return value;                               \
  }
#define TENON_ACTIVATION_WITH(name, type, option, preset, value) TENON_ACTIVATION(name, value)
#include <tenon/nn/activations.def>

}  // namespace tenon::nn
