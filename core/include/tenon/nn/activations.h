// Activations as modules: a class for each row of the table, named as PyTorch's are.
#pragma once

#include <tenon/nn/module.h>

#pragma GCC visibility push(default)
namespace tenon::nn {

#define TENON_ACTIVATION(name, result)     \
  class name : public Layer<name> {        \
   public:                                 \
    Tensor forward(const Tensor& x) const; \
  };
#define TENON_ACTIVATION_1(name, type, option, preset, result) \
  class name : public Layer<name> {                            \
   public:                                                     \
    explicit name(type chosen = preset) : option(chosen) {}    \
    Tensor forward(const Tensor& x) const;                     \
    type option;                                               \
  };
#define TENON_ACTIVATION_2(name, type, option, preset, type2, option2, preset2, result)                \
  class name : public Layer<name> {                                                                    \
   public:                                                                                             \
    explicit name(type chosen = preset, type2 chosen2 = preset2) : option(chosen), option2(chosen2) {} \
    Tensor forward(const Tensor& x) const;                                                             \
    type option;                                                                                       \
    type2 option2;                                                                                     \
  };
#include <tenon/nn/activations.def>
#undef TENON_ACTIVATION
#undef TENON_ACTIVATION_1
#undef TENON_ACTIVATION_2

}  // namespace tenon::nn
#pragma GCC visibility pop
