// What the losses share: a formula in the making over operands of one shape, and its mean or sum.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

#include <tenon/nn/losses.h>

#include "core/ops/formula.h"

namespace tenon::nn {

/// A floating dtype that all promote to; InvalidArgument unless x and y have one shape.
DType common_dtype(std::string_view op, const Tensor& x, const Tensor& y);

/// The losses of `shape` put together, in `dtype`; a mean is over `count`, or over all.
Tensor reduced(std::string_view op, ops::Formula& f, program::Value value, const Shape& shape,
               DType dtype, LossReduction how, std::optional<double> count = {});

/// max(v, 0), whose slope at 0 is 1, as PyTorch has it.
program::Value hinge(ops::Formula& f, program::Value v);

struct Loss {
  /// InvalidArgument unless y has x's shape, and what is called `further` broadcasts to it.
  Loss(std::string_view op, const Tensor& input, const Tensor& target,
       std::initializer_list<Tensor> others = {}, std::string_view further = "a weight");

  program::Value weighted(program::Value value, const Tensor& weight) {
    return weight.defined() ? value * f(weight) : value;
  }
  Tensor reduced(program::Value value, LossReduction how, std::optional<double> count = {}) {
    return nn::reduced(name, f, value, shape, dtype, how, count);
  }

  std::string_view name;
  Shape shape;
  DType dtype;
  ops::Formula f;
  program::Value x, y;
};

}  // namespace tenon::nn
