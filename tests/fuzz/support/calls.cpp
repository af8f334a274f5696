#include "tests/fuzz/support/calls.h"

#include <array>
#include <limits>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "tests/fuzz/support/check.h"

namespace tenon::fuzz {
namespace {

constexpr int kMostCalls = 40;
constexpr std::size_t kMostTensors = 8;
constexpr std::int64_t kMostElements = 128;

}  // namespace

/// One function for each kind of call; what it returns is kept.
struct CallTable {
  using Call = Tensor (*)(Calls&, Bytes&);

  static Tensor create(Calls& c, Bytes& in) {
    const Shape shape = c.shape();
    switch (in.below(6)) {
      case 0:
        return full(shape, c.scalar(), c.options());
      case 1:
        return ones(shape, c.options());
      case 2:
        return arange(c.wild(0, 9), c.options());
      case 3:
        return random::uniform(shape, {-1, 2}, c.options(), c.generator_);
      case 4:
        return random::permutation(c.wild(0, 9), c.options(), c.generator_);
      default:
        return c.fresh();
    }
  }

  static Tensor unary(Calls& c, Bytes& in) {
    constexpr std::array<Tensor (*)(const Tensor&), 8> kOps = {operator-, abs,     exp,  log,
                                                               sqrt,      sigmoid, tanh, relu};
    return kOps[in.below(kOps.size())](c.any());
  }

  static Tensor binary(Calls& c, Bytes& in) {
    using Op = Tensor (*)(const Tensor&, const Tensor&);
    constexpr std::array<Op, 12> kOps =
        {operator+, operator-, operator*, operator/, minimum,
         maximum, operator<, operator<=, operator>, operator>=, operator==, operator!= };
    return kOps[in.below(kOps.size())](c.any(), c.any());
  }

  static Tensor with_scalar(Calls& c, Bytes& in) {
    using Op = Tensor (*)(const Tensor&, Scalar);
    constexpr std::array<Op, 12> kOps =
        {operator+, operator-, operator*, operator/, minimum,
         maximum, operator<, operator<=, operator>, operator>=, operator==, operator!= };
    return kOps[in.below(kOps.size())](c.any(), c.scalar());
  }

  static Tensor select(Calls& c, Bytes&) {
    const Tensor condition = c.any(), x = c.any();
    return where(condition, x, c.any());
  }

  static Tensor reduce(Calls& c, Bytes& in) {
    using Op = Tensor (*)(const Tensor&, const Dims&, bool);
    constexpr std::array<Op, 8> kOps = {sum, mean, max, min, argmax, argmin, any, all};
    const Tensor x = c.any();
    const Dims dims = c.dims();
    return kOps[in.below(kOps.size())](x, dims, in.flag());
  }

  static Tensor sum_back(Calls& c, Bytes&) { return sum_to(c.any(), c.shape()); }

  static Tensor multiply(Calls& c, Bytes& in) {
    const Tensor x = c.any(), y = c.any();
    switch (in.below(3)) {
      case 0:
        return matmul(x, y);
      case 1:
        return linear(x, y, in.flag() ? c.any() : Tensor());
      default:
        return addmm(c.any(), x, y);
    }
  }

  static Tensor index(Calls& c, Bytes& in) {
    const Tensor x = c.any();
    const int dim = c.dim();
    switch (in.below(4)) {
      case 0:
        return index_select(x, dim, c.index_for(x, dim, {in.between<std::int64_t>(0, 5)}));
      case 1:
        return gather(x, dim, c.index_for(x, dim, x.shape()));
      case 2: {
        const Tensor src = c.any();
        const auto how = in.one_of({Scatter::assign, Scatter::add, Scatter::max, Scatter::min});
        return scatter(x, dim, c.index_for(x, dim, src.shape()), src, how);
      }
      default:
        return embedding(x, c.index_for(x, 0, c.shape()));
    }
  }

  static Tensor view(Calls& c, Bytes& in) {
    const Tensor x = c.any();
    switch (in.below(9)) {
      case 0:
        return x.reshape(c.shape());
      case 1:
        return x.view(c.shape());
      case 2: {
        const int first = c.dim();
        return x.transpose(first, c.dim());
      }
      case 3:
        return x.permute(c.dims());
      case 4: {
        const int dim = c.dim();
        Slice range{.start = c.wild(-4, 4), .stop = c.wild(-4, 6), .step = c.wild(-2, 3)};
        if (in.rarely(4)) range.start = std::nullopt;
        if (in.rarely(4)) range.stop = std::nullopt;
        return x.slice(dim, range);
      }
      case 5: {
        const int dim = c.dim();
        return x.select(dim, c.wild(-4, 4));
      }
      case 6:
        return x.expand(c.shape());
      case 7:
        return x.squeeze(c.dim());
      default:
        return x.unsqueeze(c.dim());
    }
  }

  static Tensor copy(Calls& c, Bytes& in) {
    const Tensor x = c.any();
    switch (in.below(6)) {
      case 0:
        return x.contiguous();
      case 1:
        return x.clone();
      case 2:
        return x.to(c.any_dtype());
      case 3:
        return x.to(in.flag() ? c.device_ : c.other_);
      case 4:
        return x.detach();
      default:
        return Tensor(x).set_requires_grad();
    }
  }

  static Tensor in_place(Calls& c, Bytes& in) {
    Tensor x = c.any();
    switch (in.below(10)) {
      case 0:
        return x.copy_(c.any());
      case 1:
        return x.fill_(c.scalar());
      case 2:
        return x += c.any();
      case 3:
        return x -= c.any();
      case 4:
        return x *= c.any();
      case 5:
        return x /= c.any();
      case 6:
        return x += c.scalar();
      case 7:
        return x -= c.scalar();
      case 8:
        return x *= c.scalar();
      default:
        return x /= c.scalar();
    }
  }

  /// Apart from the leaf: a gradient that is made to depend on its own leaf in place owns itself.
  static Tensor gradient_of(const Tensor& x) {
    return x.grad().defined() ? x.grad().detach() : Tensor();
  }

  static Tensor differentiate(Calls& c, Bytes& in) {
    const Tensor y = c.any(), x = c.any();
    switch (in.below(4)) {
      case 0:
        y.sum().backward({}, in.flag());
        return gradient_of(x);
      case 1:
        y.backward(in.flag() ? c.any() : Tensor(), in.flag());
        return gradient_of(x);
      case 2: {
        const Tensor outputs[] = {y.sum()}, inputs[] = {x, c.any()};
        const bool create_graph = in.flag() && c.second_order_left_-- > 0;
        return autograd::grad(
                   outputs, inputs, {},
                   {.create_graph = create_graph, .retain_graph = true, .allow_unused = true})
            .front();
      }
      default:
        Tensor(x).set_grad(y.detach());
        return gradient_of(x);
    }
  }

  static Tensor program(Calls& c, Bytes& in) {
    program::Builder b;
    std::vector<program::Value> values;
    std::vector<Tensor> inputs;
    for (int left = in.between(1, 3); left > 0; --left) {
      inputs.push_back(c.any());
      values.push_back(b.input(inputs.back().dtype()));
    }
    const auto value = [&] { return values[in.below(values.size())]; };
    for (std::size_t left = in.below(6); left > 0; --left) {
      const auto opcode = static_cast<program::Opcode>(in.between(1, 47));
      const program::Value x = value(), y = value(), z = value();
      values.push_back(b.apply(opcode, in.flag() ? x.dtype() : c.any_dtype(), x, y, z));
    }
    for (int left = in.between(1, 3); left > 0; --left) b.output(value());
    return elementwise(b.build(), inputs).back();
  }

  static Tensor look(Calls& c, Bytes& in) {
    Tensor x = c.any();
    switch (in.below(3)) {
      case 0:
        check(!x.to_string().empty(), "a tensor prints");
        break;
      case 1:
        c.trace_ += std::to_string(x.item_scalar().to_int64());
        break;
      default:
        x.set_data(c.any().detach());
    }
    return {};
  }

  static constexpr std::array<Call, 14> kCalls = {create, unary,    binary,        with_scalar, select,
                                                  reduce, sum_back, multiply,      index,       view,
                                                  copy,   in_place, differentiate, program};
};

Calls::Calls(Bytes in, Device device, Device other)
    : in_(in), device_(device), other_(other), generator_(7) {}

void Calls::run() {
  for (int i = 0; i < 2; ++i) keep(fresh());
  for (int left = kMostCalls; left > 0 && !in_.empty(); --left) {
    try {
      call();
      trace_ += '.';
    } catch (const Error& error) {
      check(error.kind() != ErrorKind::DeviceError, error.what());
      trace_ += static_cast<char>('0' + static_cast<int>(error.kind()));
    }
  }
  trace_values();
}

void Calls::call() {
  std::optional<NoGrad> no_grad;
  if (in_.rarely()) no_grad.emplace();
  const std::size_t which = in_.below(CallTable::kCalls.size() + 1);
  const bool looks = which == CallTable::kCalls.size();
  keep((looks ? CallTable::look : CallTable::kCalls[which])(*this, in_));
}

/// Tensors that are large, or not there, are not worth more calls.
void Calls::keep(const Tensor& result) {
  if (!result.defined() || result.numel() > kMostElements) return;
  if (tensors_.size() < kMostTensors) {
    tensors_.push_back(result);
  } else {
    tensors_[in_.below(kMostTensors)] = result;
  }
}

void Calls::trace_values() {
  for (const Tensor& x : tensors_) {
    try {
      trace_tensor(x);
      if (x.is_leaf() && x.grad().defined()) trace_tensor(x.grad());
    } catch (const Error& error) {
      check(error.kind() != ErrorKind::DeviceError, error.what());
      trace_ += "error";
    }
  }
}

void Calls::trace_tensor(const Tensor& x) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(x.numel() * size_of(x.dtype())));
  x.read(bytes);
  trace_ += std::string(name(x.dtype())) + tenon::to_string(x.shape());
  trace_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Tensor& Calls::any() {
  return tensors_[in_.below(tensors_.size())];
}

DType Calls::any_dtype() {
  return in_.flag() ? f32 : static_cast<DType>(in_.between(1, 13));
}

/// Mostly between the two, else nothing that anybody means.
std::int64_t Calls::wild(std::int64_t first, std::int64_t last) {
  using Limits = std::numeric_limits<std::int64_t>;
  if (!in_.rarely()) return in_.between(first, last);
  return in_.one_of<std::int64_t>(
      {-1, -2, 9, std::int64_t{1} << 47, std::int64_t{1} << 61, Limits::max(), Limits::min()});
}

Shape Calls::shape() {
  Shape shape;
  const int rank = in_.rarely() ? kMaxRank : in_.between(0, 4);
  while (shape.size() < rank) shape.push_back(wild(0, 4));
  return shape;
}

Dims Calls::dims() {
  Dims dims;
  for (int left = in_.between(0, 3); left > 0; --left) dims.push_back(dim());
  return dims;
}

Scalar Calls::scalar() {
  switch (in_.below(4)) {
    case 0:
      return in_.flag();
    case 1:
      return wild(-3, 3);
    case 2:
      return in_.take<double>();
    default:
      return in_.between(-8, 8) / 4.0;
  }
}

TensorOptions Calls::options() {
  TensorOptions options{.device = in_.rarely() ? other_ : device_};
  if (in_.flag()) options.dtype = any_dtype();
  options.requires_grad = in_.flag() && is_floating(options.dtype.value_or(f32));
  return options;
}

/// Of small numbers, f32 or any dtype.
Tensor Calls::fresh() {
  Shape shape;
  for (int left = in_.between(0, 3); left > 0; --left) shape.push_back(in_.between<std::int64_t>(0, 4));
  std::vector<float> values(static_cast<std::size_t>(numel(shape)));
  for (float& value : values) value = static_cast<float>(in_.between(-8, 8)) / 2;
  return from_values(std::span<const float>(values), shape, options());
}

/// Indices into a dimension of x: in range, or any tensor at all.
Tensor Calls::index_for(const Tensor& x, int dim, const Shape& shape) {
  if (in_.rarely(4)) {
    used_any_index_ = true;
    return any();
  }
  const int axis = dim < 0 ? dim + x.rank() : dim;
  const std::int64_t extent = axis >= 0 && axis < x.rank() ? x.size(axis) : 0;
  if (extent == 0 || shape.size() > 4) return zeros({0}, {.dtype = i64, .device = device_});
  std::vector<std::int64_t> values(static_cast<std::size_t>(std::min(numel(shape), kMostElements)));
  for (std::int64_t& value : values) value = in_.byte() % extent;
  return from_values(std::span<const std::int64_t>(values), shape, {.device = device_});
}

}  // namespace tenon::fuzz
