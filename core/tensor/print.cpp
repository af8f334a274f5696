// Tensors as text, laid out as NumPy does.
#include <algorithm>
#include <cmath>
#include <ostream>

#include <fmt/format.h>
#include <tenon/tensor.h>

namespace tenon {
namespace {

constexpr std::int64_t kEdge = 3;           // elements shown at each end of a long dimension
constexpr std::int64_t kSummarised = 1000;  // from this many elements on

/// Digits after the point that all elements need, at most 8; -1 where a magnitude asks for exponents.
int decimals_for(const std::vector<double>& values, bool single) {
  int decimals = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    const double size = std::abs(value);
    if (size >= 1e8 || (size > 0 && size < 1e-4)) return -1;
    const std::string text =
        single ? fmt::format("{}", static_cast<float>(value)) : fmt::format("{}", value);
    const auto point = text.find('.');
    if (point != std::string::npos)
      decimals = std::max(decimals, static_cast<int>(text.size() - point) - 1);
  }
  return std::min(decimals, 8);
}

std::string float_text(double value, int decimals) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (decimals < 0) return fmt::format("{:.8g}", value);
  std::string text = fmt::format("{:.{}f}", value, decimals);
  if (decimals == 0) return text + ".";
  const std::size_t kept = text.find_last_not_of('0') + 1;
  return text.replace(kept, std::string::npos, text.size() - kept, ' ');
}

/// Which elements are shown, row-major: of a long dimension both ends.
std::vector<std::size_t> shown_elements(const Shape& shape, const Shape& shown) {
  std::vector<std::size_t> elements;
  const Strides strides = contiguous_strides(shape);
  const auto walk = [&](auto&& self, int dim, std::int64_t offset) -> void {
    if (dim == shape.size()) return elements.push_back(static_cast<std::size_t>(offset));
    for (std::int64_t i = 0; i < shown[dim]; ++i) {
      const bool tail = shown[dim] < shape[dim] && i >= kEdge;
      self(self, dim + 1, offset + (tail ? shape[dim] - shown[dim] + i : i) * strides[dim]);
    }
  };
  walk(walk, 0, 0);
  return elements;
}

template <class T>
std::vector<T> pick(const Tensor& x, const std::vector<std::size_t>& elements) {
  const std::vector<T> all = x.to_vector<T>();
  std::vector<T> picked;
  for (const std::size_t i : elements) picked.push_back(all[i]);
  return picked;
}

/// The shown elements, padded to one width.
std::vector<std::string> texts_of(const Tensor& x, const std::vector<std::size_t>& elements) {
  std::vector<std::string> texts;
  if (is_floating(x.dtype())) {
    const auto values = pick<double>(x.to(f64), elements);
    const int decimals = decimals_for(values, x.dtype() != f64);
    for (const double value : values) texts.push_back(float_text(value, decimals));
  } else if (x.dtype() == bool_) {
    for (const bool value : pick<bool>(x, elements)) texts.push_back(value ? "true" : "false");
  } else if (x.dtype() == u64) {
    for (const std::uint64_t value : pick<std::uint64_t>(x, elements))
      texts.push_back(fmt::format("{}", value));
  } else {
    for (const std::int64_t value : pick<std::int64_t>(x.to(i64), elements)) {
      texts.push_back(fmt::format("{}", value));
    }
  }
  std::size_t width = 0;
  for (const std::string& text : texts) width = std::max(width, text.size());
  for (std::string& text : texts) text.insert(0, width - text.size(), ' ');
  return texts;
}

/// Writes nested brackets over the texts of the elements that are shown.
class Layout {
 public:
  Layout(const Shape& shape, const Shape& shown, const std::vector<std::string>& texts)
      : shape_(shape), shown_(shown), texts_(texts) {}

  std::string write(int dim) {
    if (dim == shape_.size()) return texts_[next_++];
    const bool innermost = dim + 1 == shape_.size();
    const std::string newline(static_cast<std::size_t>(shape_.size() - dim - 1), '\n');
    const std::string separator =
        innermost ? " " : newline + std::string(static_cast<std::size_t>(dim) + 1, ' ');
    std::string out = "[";
    for (std::int64_t i = 0; i < shown_[dim]; ++i) {
      if (i > 0) out += separator;
      if (shown_[dim] < shape_[dim] && i == kEdge) out += "..." + separator;
      out += write(dim + 1);
    }
    return out + "]";
  }

 private:
  const Shape& shape_;
  const Shape& shown_;
  const std::vector<std::string>& texts_;
  std::size_t next_ = 0;
};

}  // namespace

std::string Tensor::to_string() const {
  if (!defined()) return "undefined";
  Shape shown = shape();
  if (numel() >= kSummarised) {
    for (std::int64_t& extent : shown) extent = std::min(extent, 2 * kEdge);
  }
  const auto texts = texts_of(detach(), shown_elements(shape(), shown));
  std::string out = numel() == 0 ? "[]" : Layout(shape(), shown, texts).write(0);
  const bool usual = dtype() == f32 || dtype() == i64 || dtype() == bool_;
  if (numel() == 0) out += fmt::format(", shape={}", tenon::to_string(shape()));
  if (!usual) out += fmt::format(", dtype={}", name(dtype()));
  if (device() != default_device()) out += fmt::format(", device={}", device().name());
  return out;
}

std::ostream& operator<<(std::ostream& out, const Tensor& x) {
  return out << x.to_string();
}

}  // namespace tenon
