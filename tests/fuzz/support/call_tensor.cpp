#include <tenon/autograd.h>

#include "tests/fuzz/support/call_table.h"
#include "tests/fuzz/support/check.h"

namespace tenon::fuzz {
namespace {

using Indices = std::vector<Index>;
using Parts = std::vector<Tensor>;

void add_views(Table& table) {
  table.insert(
      table.end(),
      {line("reshape", [](const Tensor& x, const Extents& shape) { return x.reshape(shape); }),
       line("view", [](const Tensor& x, const Extents& shape) { return x.view(shape); }),
       line("flatten", &Tensor::flatten),
       line("unflatten",
            [](const Tensor& x, int dim, const Extents& sizes) { return x.unflatten(dim, sizes); }),
       line("transpose", &Tensor::transpose),
       line("T", &Tensor::T),
       line("mT", &Tensor::mT),
       line("permute", &Tensor::permute),
       line("movedim",
            [](const Tensor& x, const Dims& from, const Dims& to) { return x.movedim(from, to); }),
       line("movedim", [](const Tensor& x, int from, int to) { return x.movedim(from, to); }),
       line("slice", &Tensor::slice),
       line("narrow", &Tensor::narrow),
       line("select", &Tensor::select),
       line("expand", [](const Tensor& x, const Extents& shape) { return x.expand(shape); }),
       line("broadcast_to",
            [](const Tensor& x, const Extents& shape) { return x.broadcast_to(shape); }),
       line("squeeze", [](const Tensor& x) { return x.squeeze(); }),
       line("squeeze", [](const Tensor& x, const Dims& dims) { return x.squeeze(dims); }),
       line("squeeze", [](const Tensor& x, int dim) { return x.squeeze(dim); }),
       line("unsqueeze", &Tensor::unsqueeze),
       line("diagonal", &Tensor::diagonal),
       line("unfold", &Tensor::unfold),
       line("split",
            [](const Tensor& x, std::int64_t length, int dim) { return x.split(length, dim); }),
       line("split", [](const Tensor& x, const std::vector<std::int64_t>& lengths,
                        int dim) { return x.split(lengths, dim); }),
       line("chunk", &Tensor::chunk),
       line("unbind", &Tensor::unbind),
       line("index", [](const Tensor& x, const Indices& at) { return x.index(at); }),
       line("index", [](const Tensor& x, const Index& at) { return x.index({at}); }),
       line("broadcast_tensors", [](const Parts& parts) { return broadcast_tensors(parts); }),
       line("atleast_1d", atleast_1d),
       line("atleast_2d", atleast_2d),
       line("atleast_3d", atleast_3d)});
}

void add_copies(Table& table) {
  table.insert(
      table.end(),
      {line("contiguous", &Tensor::contiguous), line("clone", &Tensor::clone),
       line("to", [](const Tensor& x, DType dtype) { return x.to(dtype); }),
       line("to", [](const Tensor& x, Device device) { return x.to(device); }),
       line("detach", &Tensor::detach),
       line("sum", [](const Tensor& x, const Dims& dims, bool keep) { return x.sum(dims, keep); }),
       line("mean", [](const Tensor& x, const Dims& dims, bool keep) { return x.mean(dims, keep); }),
       line("max", [](const Tensor& x, const Dims& dims, bool keep) { return x.max(dims, keep); }),
       line("min", [](const Tensor& x, const Dims& dims, bool keep) { return x.min(dims, keep); })});
}

Tensor copy_of(const Tensor& x) {
  return x.defined() ? x.clone() : x;
}

/// What indices have written is dropped with a fault that they had: told late, it would leave the
/// tensor written and recorded on one device, and not on another.
void add_in_place(Table& table) {
  table.insert(table.end(),
               {line("copy_", [](Tensor& x, const Tensor& src) { return x.copy_(src); }),
                line("fill_", [](Tensor& x, Scalar value) { return x.fill_(value); }),
                line("add", [](Tensor& x, const Tensor& y) { return x += y; }),
                line("sub", [](Tensor& x, const Tensor& y) { return x -= y; }),
                line("mul", [](Tensor& x, const Tensor& y) { return x *= y; }),
                line("div", [](Tensor& x, const Tensor& y) { return x /= y; }),
                line("add", [](Tensor& x, Scalar y) { return x += y; }),
                line("sub", [](Tensor& x, Scalar y) { return x -= y; }),
                line("mul", [](Tensor& x, Scalar y) { return x *= y; }),
                line("div", [](Tensor& x, Scalar y) { return x /= y; }),
                line("index_put_", [](const Tensor& x, const Indices& at, const Tensor& value,
                                      bool add) { return copy_of(x).index_put_(at, value, add); }),
                line("index_put_", [](const Tensor& x, const Indices& at, Scalar value, bool add) {
                  return copy_of(x).index_put_(at, value, add);
                })});
}

/// Apart from the leaf: a gradient that is made to depend on its own leaf in place owns itself.
Tensor gradient_of(const Tensor& x) {
  return x.defined() && x.is_leaf() && x.grad().defined() ? x.grad().detach() : Tensor();
}

/// Of the first order, or of the second: no higher, so that graphs stay small.
Parts gradients(const Tensor& y, const Parts& inputs, bool twice) {
  const Tensor whole[] = {y.defined() ? y.sum() : y};
  const Parts first = autograd::grad(whole, inputs, {}, {.create_graph = twice, .allow_unused = true});
  if (!twice) return first;
  Parts outputs;
  for (const Tensor& dx : first) {
    if (dx.defined()) outputs.push_back(dx.sum());
  }
  return autograd::grad(outputs, inputs, {}, {.allow_unused = true});
}

void add_gradients(Table& table) {
  table.insert(table.end(),
               {line("set_requires_grad", [](Tensor& x, bool on) { return x.set_requires_grad(on); }),
                line("set_data",
                     [](Tensor& x, const Tensor& y) {
                       x.set_data(y.defined() ? y.detach() : y);
                       return Tensor();
                     }),
                line("set_grad",
                     [](Tensor& x, const Maybe& y) {
                       x.set_grad(y.defined() ? y.detach() : Tensor());
                       return gradient_of(x);
                     }),
                line("backward",
                     [](const Tensor& y, const Maybe& x, const Maybe& gradient, bool retain) {
                       y.backward(gradient, retain);
                       return gradient_of(x);
                     }),
                line("sum",
                     [](const Tensor& y, const Maybe& x, bool retain) {
                       y.sum().backward({}, retain);
                       return gradient_of(x);
                     }),
                line("grad", gradients),
                line("item",
                     [](const Tensor& x) {
                       const Scalar value = x.item_scalar();
                       return full({}, value, {.dtype = x.dtype(), .device = x.device()});
                     }),
                line("to_string", [](const Maybe& x) {
                  check(!x.to_string().empty(), "a tensor prints");
                  return Tensor();
                })});
}

/// A program of opcodes that are strung together at random.
Results random_program(Arguments& a) {
  Bytes& in = a.in();
  program::Builder b;
  std::vector<program::Value> values;
  std::vector<Tensor> inputs;
  for (int left = in.between(1, 3); left > 0; --left) {
    inputs.push_back(a.make<Tensor>());
    values.push_back(b.input(inputs.back().defined() ? inputs.back().dtype() : f32));
  }
  const auto value = [&] { return values[in.below(values.size())]; };
  for (std::size_t left = in.below(6); left > 0; --left) {
    const auto opcode = static_cast<program::Opcode>(in.between(1, 47));
    const program::Value x = value(), y = value(), z = value();
    values.push_back(b.apply(opcode, in.flag() ? x.dtype() : a.any_dtype(), x, y, z));
  }
  for (int left = in.between(1, 3); left > 0; --left) b.output(value());
  return elementwise(b.build(), inputs);
}

}  // namespace

void add_tensor(Table& table) {
  add_views(table);
  add_copies(table);
  add_in_place(table);
  add_gradients(table);
  table.push_back({"elementwise", random_program});
}

const Table& call_table() {
  static const Table table = [] {
    Table all;
    add_elementwise(all);
    add_numbers(all);
    add_places(all);
    add_networks(all);
    add_tensor(all);
    return all;
  }();
  return table;
}

}  // namespace tenon::fuzz
