// NumPy's index expressions: slices and integers make a view, index tensors and masks choose places in
// it.
#include <algorithm>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <tenon/autograd.h>
#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/places.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

using ops::Pick;
using ops::Place;

bool is_mask(const Tensor& index) {
  return index.dtype() == bool_;
}

/// How many dimensions of the indexed tensor an index takes.
int dims_taken(std::string_view op, const Index& index) {
  if (index.get<NewAxis>() != nullptr || index.get<Ellipsis>() != nullptr) return 0;
  const Tensor* const tensor = index.get<Tensor>();
  if (tensor != nullptr) impl_of(*tensor, op);
  return tensor != nullptr && is_mask(*tensor) ? tensor->rank() : 1;
}

/// Reads an expression from left to right.
class Reader {
 public:
  Reader(std::string_view op, const Tensor& x, const std::vector<Index>& indices) : op_(op), x_(x) {
    int taken = 0, ellipses = 0;
    for (const Index& index : indices) {
      taken += dims_taken(op, index);
      ellipses += index.get<Ellipsis>() != nullptr ? 1 : 0;
      has_tensors_ |= index.get<Tensor>() != nullptr;
    }
    require(ellipses <= 1, "[{}] an index expression has at most one ellipsis, not {}", op, ellipses);
    require(taken <= x.rank(), "[{}] too many indices: they take {} dimensions, {} has {}", op, taken,
            x.shape(), x.rank());
    rest_ = x.rank() - taken;
    for (const Index& index : indices) read(index);
    if (ellipses == 0) read(ellipsis);
  }

  Place finish() {
    place_.distinct = place_.picks.empty() && masks_.size() <= 1;
    ops::wrap(op_, place_.picks, extents_);
    for (const Mask& mask : masks_) add_places(mask);
    arrange();
    return std::move(place_);
  }

  /// The mask over x's dimensions where nothing else chooses, undefined where something does.
  Tensor only_mask() const {
    if (!place_.steps.empty() || !place_.picks.empty() || masks_.size() != 1) return {};
    Tensor mask = masks_.front().tensor;
    const int after = x_.rank() - masks_.front().dim - mask.rank();
    for (int i = 0; i < after; ++i) mask = mask.unsqueeze(-1);
    return mask;
  }

 private:
  /// A mask, and the first dimension that it stands for: of the view, of x.
  struct Mask {
    Tensor tensor;
    int dim, named;
  };

  void read(const Index& index) {
    if (const auto* i = index.get<std::int64_t>()) read_integer(*i);
    if (const auto* range = index.get<Slice>()) read_slice(*range);
    if (const auto* tensor = index.get<Tensor>())
      is_mask(*tensor) ? read_mask(*tensor) : read_tensor(*tensor);
    if (index.get<NewAxis>() != nullptr) {
      add_axis();
      keep(1);
    }
    if (index.get<Ellipsis>() != nullptr) {
      keep(rest_);
      named_ += rest_;
    }
  }

  void read_integer(std::int64_t i) {
    const std::int64_t extent = x_.shape()[named_];
    require(i >= -extent && i < extent, "[{}] index {} is out of range for {} rows of dimension {}",
            op_, i, extent, named_);
    place_.steps.push_back([d = dim_, i](const Tensor& x) { return x.select(d, i); });
    ++named_;
    if (has_tensors_) choose();
  }

  void read_slice(const Slice& range) {
    if (range.start || range.stop || range.step != 1) {
      place_.steps.push_back([d = dim_, range](const Tensor& x) { return x.slice(d, range); });
    }
    keep(1);
    ++named_;
  }

  void read_tensor(const Tensor& index) {
    ops::check_index(op_, x_, index);
    place_.picks.push_back({index, dim_, named_});
    extents_.push_back(x_.shape()[named_]);
    choose();
    ++dim_, ++named_;
  }

  void read_mask(const Tensor& mask) {
    const Tensor operands[] = {x_, mask};
    ops::common_device(op_, operands);
    for (int d = 0; d < mask.rank(); ++d) {
      require(mask.size(d) == x_.size(named_ + d), "[{}] mask {} does not fit {} in dimension {}", op_,
              mask.shape(), x_.shape(), named_ + d);
    }
    if (mask.rank() == 0) add_axis();
    masks_.push_back({mask, dim_, named_});
    choose();
    dim_ += std::max(mask.rank(), 1);
    named_ += mask.rank();
  }

  void add_axis() {
    place_.steps.push_back([d = dim_](const Tensor& x) { return x.unsqueeze(d); });
  }

  /// The view's next dimensions stay.
  void keep(int count) {
    for (int i = 0; i < count; ++i) kept_.push_back(dim_++);
    interrupted_ |= chosen_at_.has_value();
  }

  /// The next index is a tensor, or counts as one.
  void choose() {
    if (!chosen_at_) chosen_at_ = kept_.size();
    apart_ |= interrupted_;
  }

  void add_places(const Mask& mask) {
    int d = 0;
    for (const Tensor& places : ops::true_places(op_, mask.tensor)) {
      place_.picks.push_back({places, mask.dim + d, mask.named + d});
      ++d;
    }
  }

  /// The dimensions of the index tensors among those that stay.
  void arrange() {
    const NoGrad guard;
    const Tensor view = ops::view_at(x_.detach(), place_);
    Shape chosen;
    for (const Pick& pick : place_.picks) chosen = broadcast(op_, chosen, pick.index.shape());
    const std::size_t at = apart_ ? 0 : chosen_at_.value_or(0);
    for (std::size_t i = 0; i <= kept_.size(); ++i) {
      if (i == at) {
        for (const std::int64_t extent : chosen) add_dimension(extent, -1);
      }
      if (i < kept_.size()) add_dimension(view.size(kept_[i]), kept_[i]);
    }
    for (Pick& pick : place_.picks) {
      for (std::size_t i = at; i < kept_.size(); ++i) pick.index = pick.index.unsqueeze(-1);
    }
  }

  void add_dimension(std::int64_t extent, int along) {
    place_.shape.push_back(extent);
    place_.along.push_back(along);
  }

  std::string_view op_;
  const Tensor& x_;
  bool has_tensors_ = false;
  int rest_ = 0;                              // dimensions for the ellipsis
  int dim_ = 0, named_ = 0;                   // the next one of the view, and of x
  std::vector<int> kept_;                     // dimensions of the view that stay
  std::optional<std::size_t> chosen_at_;      // how many of them precede the first index tensor
  bool interrupted_ = false, apart_ = false;  // one stays after that; and then came another tensor
  std::vector<std::int64_t> extents_;         // of the picks
  std::vector<Mask> masks_;
  Place place_;
};

Scatter how_to_put(const Tensor& x, bool accumulate) {
  require(!accumulate || x.dtype() != bool_, "[index_put] bools can't be accumulated");
  return accumulate ? Scatter::add : Scatter::assign;
}

/// `value` as it is written to the place.
Tensor source_of(const Tensor& x, const Place& place, const Tensor& value) {
  impl_of(value, "index_put");
  const Tensor operands[] = {x, value};
  ops::common_device("index_put", operands);
  Shape shape = value.shape();
  while (shape.size() > place.shape.size() && shape[0] == 1) shape.erase(0);
  require(
      shape.size() <= place.shape.size() && broadcast("index_put", shape, place.shape) == place.shape,
      "[index_put] value {} does not broadcast to {}", value.shape(), place.shape);
  return value.reshape(shape).to(x.dtype());
}

/// Where a mask alone says where a 0-d value goes, no places need to be known: a copy of x with it.
/// Else undefined.
Tensor filled(const Reader& reader, const Tensor& x, const Tensor& value, bool accumulate) {
  const Tensor mask = reader.only_mask();
  if (accumulate || !mask.defined() || impl_of(value, "index_put").shape.size() > 0) return {};
  return masked_fill(x, mask, value);
}

Tensor number(const Tensor& x, Scalar value) {
  return ops::source_of("index_put", x, value);
}

}  // namespace

Tensor index(const Tensor& x, const std::vector<Index>& indices) {
  impl_of(x, "index");
  return ops::read_at("index", x, Reader("index", x, indices).finish());
}

Tensor index_put(const Tensor& x, const std::vector<Index>& indices, const Tensor& value,
                 bool accumulate) {
  impl_of(x, "index_put");
  const Scatter how = how_to_put(x, accumulate);
  Reader reader("index_put", x, indices);
  if (const Tensor y = filled(reader, x, value, accumulate); y.defined()) return y;
  const Place place = reader.finish();
  return ops::write_at("index_put", x, place, source_of(x, place, value), how);
}
Tensor index_put(const Tensor& x, const std::vector<Index>& indices, Scalar value, bool accumulate) {
  return index_put(x, indices, number(x, value), accumulate);
}

Tensor Tensor::index(std::initializer_list<BasicIndex> indices) const {
  return tenon::index(*this, {indices.begin(), indices.end()});
}
Tensor Tensor::operator[](const BasicIndex& index) const {
  return tenon::index(*this, {index});
}
const Tensor Tensor::index(const std::vector<Index>& indices) const {
  return tenon::index(*this, indices);
}
const Tensor Tensor::operator[](const Tensor& index) const {
  return tenon::index(*this, {index});
}

Tensor& Tensor::index_put_(const std::vector<Index>& indices, const Tensor& value, bool accumulate) {
  impl_of(*this, "index_put");
  const Scatter how = how_to_put(*this, accumulate);
  Reader reader("index_put", *this, indices);
  if (const Tensor y = filled(reader, *this, value, accumulate); y.defined()) {
    return ops::write_over("index_put", *this, {value}, [&] { return y; });
  }
  const Place place = reader.finish();
  return ops::write_over("index_put", *this, {value}, [&] {
    return ops::write_at("index_put", *this, place, source_of(*this, place, value), how);
  });
}
Tensor& Tensor::index_put_(const std::vector<Index>& indices, Scalar value, bool accumulate) {
  return index_put_(indices, number(*this, value), accumulate);
}

}  // namespace tenon
