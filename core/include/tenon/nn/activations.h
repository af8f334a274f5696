// Activations as modules: a class for each row of the table, named as PyTorch's are.
#pragma once

#include <tenon/nn/module.h>

#pragma GCC visibility push(default)
namespace tenon::nn {

#define TENON_ACTIVATION(name, value)      \
  class name : public Layer<name> {        \
   public:                                 \
    Tensor forward(const Tensor& x) const; \
  };
#define TENON_ACTIVATION_WITH(name, type, option, preset, value) \
  class name : public Layer<name> {                              \
   public:                                                       \
    explicit name(type chosen = preset) : option(chosen) {}      \
    Tensor forward(const Tensor& x) const;                       \
    type option;                                                 \
  };
#include <tenon/nn/activations.def>
#undef TENON_ACTIVATION
#undef TENON_ACTIVATION_WITH

}  // namespace tenon::nn
#pragma GCC visibility pop
