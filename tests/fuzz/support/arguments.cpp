#include "tests/fuzz/support/arguments.h"

#include <limits>

namespace tenon::fuzz {

Arguments::Arguments(Bytes& in, Device device, Device other, const std::vector<Tensor>& pool)
    : in_(in), device_(device), other_(other), pool_(pool) {}

void Arguments::agree(bool agree) {
  agree_ = agree;
  rank_ = in_.between(0, 3);
  extent_ = in_.between<std::int64_t>(1, 3);
  dtype_ = in_.rarely(3) ? static_cast<DType>(in_.between(1, 13)) : f32;
  records_ = in_.flag();
}

DType Arguments::any_dtype() {
  return in_.flag() ? f32 : static_cast<DType>(in_.between(1, 13));
}

/// Mostly between the two, else nothing that anybody means.
std::int64_t Arguments::wild(std::int64_t first, std::int64_t last) {
  using Limits = std::numeric_limits<std::int64_t>;
  if (!in_.rarely()) return in_.between(first, last);
  return in_.one_of<std::int64_t>({-1, -2, 9, std::int64_t{1} << 33, std::int64_t{1} << 47,
                                   std::int64_t{1} << 61, Limits::max(), Limits::min()});
}

/// Small numbers, halves among them.
Tensor Arguments::filled(const Shape& shape, DType dtype) {
  std::vector<float> values(static_cast<std::size_t>(numel(shape)));
  for (float& value : values) value = static_cast<float>(in_.between(-8, 8)) / 2;
  fresh_.push_back(from_values(std::span<const float>(values), shape,
                               {.dtype = dtype,
                                .device = device_,
                                .requires_grad = is_floating(dtype) && records_ && in_.flag()}));
  return fresh_.back();
}

Tensor Arguments::counted(Tensor x) {
  if (tensors_++ != spoiled_) return x;
  return undefined_ ? Tensor() : x.to(other_);
}

template <>
Tensor Arguments::make_plain<Tensor>() {
  if (agree_) return counted(filled(cube(rank_), dtype_));
  if (!pool_.empty() && !in_.rarely(8)) return counted(pool_[in_.below(pool_.size())]);
  Shape shape;
  for (int left = in_.between(0, 3); left > 0; --left) shape.push_back(in_.between<std::int64_t>(0, 4));
  return counted(filled(shape, any_dtype()));
}

/// In range of tensors that agree, mostly; or any tensor at all.
template <>
Places Arguments::make_plain<Places>() {
  has_places_ = true;
  if (!agree_ && !pool_.empty() && in_.rarely(4)) return {make<Tensor>()};
  const Shape shape = cube(in_.flag() ? 1 : in_.flag() ? rank_ : std::max(rank_ - 1, 0));
  std::vector<std::int64_t> values(static_cast<std::size_t>(numel(shape)));
  const std::int64_t last = agree_ ? extent_ - 1 : 3;
  for (std::int64_t& value : values)
    value = in_.rarely(8) ? wild(-2, last) : in_.between(std::int64_t{0}, last);
  const DType dtype = in_.rarely(8) ? in_.one_of({u8, i8, i16, i32, u64}) : i64;
  return {counted(
      from_values(std::span<const std::int64_t>(values), shape, {.device = device_}).to(dtype))};
}

template <>
Mask Arguments::make_plain<Mask>() {
  has_places_ = true;  // of integers it is indices, where it is an index
  if (!agree_ && in_.flag()) return {make<Tensor>()};
  std::vector<bool> values(static_cast<std::size_t>(numel(cube(rank_))));
  for (auto value : values) value = in_.flag();
  return {counted(tensor(values, {.device = device_}).reshape(cube(rank_)))};
}

template <>
Vector Arguments::make_plain<Vector>() {
  return {agree_ ? counted(filled(cube(1), dtype_)) : make<Tensor>()};
}

template <>
Number Arguments::make_plain<Number>() {
  return {agree_ ? counted(filled({}, dtype_)) : make<Tensor>()};
}

/// For what is optional: not counted. One dimension less, or one, is what biases and weights have.
template <>
Maybe Arguments::make_plain<Maybe>() {
  if (in_.flag()) return {};
  if (!agree_) return {pool_.empty() ? Tensor() : pool_[in_.below(pool_.size())]};
  return {filled(cube(in_.flag() ? 1 : rank_), dtype_)};
}

template <>
bool Arguments::make_plain<bool>() {
  return in_.flag();
}

template <>
int Arguments::make_plain<int>() {
  if (agree_ && rank_ > 0) return in_.between(-rank_, rank_ - 1);
  using Limits = std::numeric_limits<int>;
  return in_.rarely() ? in_.one_of({Limits::min(), Limits::max()}) : in_.between(-5, 4);
}

template <>
std::int64_t Arguments::make_plain<std::int64_t>() {
  return agree_ && in_.flag() ? extent_ : wild(-2, 5);
}

template <>
double Arguments::make_plain<double>() {
  using Limits = std::numeric_limits<double>;
  if (!in_.rarely(4)) return in_.between(-4, 12) / 4.0;
  return in_.flag() ? in_.take<double>()
                    : in_.one_of({Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), -0.0});
}

template <>
Scalar Arguments::make_plain<Scalar>() {
  switch (in_.below(4)) {
    case 0:
      return in_.flag();
    case 1:
      return wild(-3, 3);
    default:
      return make<double>();
  }
}

template <>
DType Arguments::make_plain<DType>() {
  return any_dtype();
}

template <>
Device Arguments::make_plain<Device>() {
  return in_.flag() ? device_ : other_;
}

/// Different ones, if all agrees.
template <>
Dims Arguments::make_plain<Dims>() {
  Dims dims;
  if (agree_) {
    const int first = in_.between(0, 2);
    for (int i = 0, count = in_.between(0, rank_); i < count; ++i) dims.push_back((first + i) % rank_);
    return dims;
  }
  for (int left = in_.between(0, 3); left > 0; --left) dims.push_back(wild(-5, 4));
  return dims;
}

template <>
Extents Arguments::make_plain<Extents>() {
  if (agree_) return {cube(in_.flag() ? rank_ : in_.between(0, rank_))};
  Extents shape;
  const int rank = in_.rarely() ? kMaxRank : in_.between(0, 4);
  while (shape.size() < rank) shape.push_back(wild(0, 4));
  return shape;
}

template <>
Equation Arguments::make_plain<Equation>() {
  constexpr std::string_view kLetters = "ijkA,.->  ";
  if (!in_.rarely(4)) {
    return {in_.one_of<const char*>({"...", "ij,jk->ik", "ij,jk", "i,j->ij", "ii->i", "...i,...i->...",
                                     "ijk->kij", "ij,kj,jl->il", ",->", "i,i", "...,..."})};
  }
  Equation text;
  for (int left = in_.between(0, 9); left > 0; --left) text += kLetters[in_.below(kLetters.size())];
  return text;
}

template <>
TensorOptions Arguments::make_plain<TensorOptions>() {
  TensorOptions options{.device = in_.rarely() ? other_ : device_};
  if (in_.flag()) options.dtype = any_dtype();
  options.requires_grad = in_.flag() && is_floating(options.dtype.value_or(f32));
  return options;
}

template <>
random::Generator Arguments::make_plain<random::Generator>() {
  return random::Generator(in_.byte());
}

template <>
Slice Arguments::make_plain<Slice>() {
  Slice range{.step = agree_ ? 1 : wild(-2, 3)};
  if (in_.flag()) range.start = wild(-4, 4);
  if (in_.flag()) range.stop = wild(-4, 6);
  return range;
}

template <>
Index Arguments::make_plain<Index>() {
  switch (in_.below(6)) {
    case 0:
      return agree_ ? std::int64_t{0} : wild(-3, 3);
    case 1:
      return make<Slice>();
    case 2:
      return ellipsis;
    case 3:
      return newaxis;
    case 4:
      return Tensor(make<Mask>());
    default:
      return Tensor(make<Places>());
  }
}

template <>
std::pair<double, double> Arguments::make_plain<std::pair<double, double>>() {
  const auto low = make<double>();
  return {low, make<double>()};
}

template <>
Scatter Arguments::make_plain<Scatter>() {
  return in_.one_of({Scatter::assign, Scatter::add, Scatter::max, Scatter::min});
}

template <>
Reduce Arguments::make_plain<Reduce>() {
  return in_.one_of({Reduce::sum, Reduce::prod, Reduce::mean, Reduce::amax, Reduce::amin});
}

template <>
LossReduction Arguments::make_plain<LossReduction>() {
  return in_.one_of({LossReduction::none, LossReduction::mean, LossReduction::sum});
}

template <>
Rounding Arguments::make_plain<Rounding>() {
  return in_.one_of({Rounding::none, Rounding::trunc, Rounding::floor});
}

template <>
MeshIndexing Arguments::make_plain<MeshIndexing>() {
  return in_.one_of({MeshIndexing::ij, MeshIndexing::xy});
}

template <>
Interpolation Arguments::make_plain<Interpolation>() {
  return in_.one_of({Interpolation::linear, Interpolation::lower, Interpolation::higher,
                     Interpolation::nearest, Interpolation::midpoint});
}

template <>
Pad Arguments::make_plain<Pad>() {
  return in_.one_of({Pad::constant, Pad::reflect, Pad::replicate, Pad::circular});
}

/// The options of one op: their members in order.
#define TENON_OPTIONS(T, ...)    \
  template <>                    \
  T Arguments::make_plain<T>() { \
    return {__VA_ARGS__};        \
  }
TENON_OPTIONS(CloseOptions, make<double>(), make<double>(), make<bool>())
TENON_OPTIONS(Replacements, make<double>(), make<std::optional<double>>(),
              make<std::optional<double>>())
TENON_OPTIONS(VarOptions, make<double>(), make<bool>())
TENON_OPTIONS(AddmmOptions, make<Scalar>(), make<Scalar>())
TENON_OPTIONS(CumulativeOptions, make<std::optional<int>>(), make<std::optional<DType>>(), make<bool>())
TENON_OPTIONS(DiffOptions, make<std::int64_t>(), make<int>(), make<Maybe>(), make<Maybe>())
TENON_OPTIONS(QuantileOptions, make<std::optional<int>>(), make<bool>(), make<Interpolation>())
TENON_OPTIONS(HistogramOptions, make<std::optional<std::pair<double, double>>>(), make<Maybe>(),
              make<bool>())
TENON_OPTIONS(UniqueOptions, make<bool>(), make<bool>(), make<bool>(), make<std::optional<int>>())
TENON_OPTIONS(CovOptions, make<double>(), make<Maybe>(), make<Maybe>())
TENON_OPTIONS(PadOptions, make<Pad>(), make<Scalar>())
TENON_OPTIONS(NllLossOptions, make<Maybe>(), make<std::int64_t>(), make<LossReduction>())
TENON_OPTIONS(CrossEntropyOptions, make<Maybe>(), make<std::optional<std::int64_t>>(),
              make<LossReduction>(), make<double>())
TENON_OPTIONS(AttentionOptions, make<Maybe>(), make<bool>(), make<std::optional<double>>(),
              make<double>())
TENON_OPTIONS(random::UniformOptions, make<double>(), make<double>())
TENON_OPTIONS(random::NormalOptions, make<double>(), make<double>())
TENON_OPTIONS(random::IntegersOptions, make<Scalar>(), make<std::optional<Scalar>>())
#undef TENON_OPTIONS

}  // namespace tenon::fuzz
