// Tensors as text, laid out as NumPy does.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ostream>
#include <utility>

#include <fmt/format.h>
#include <tenon/tensor.h>

#include "core/base/read_scalar.h"

namespace tenon {
namespace {

constexpr std::int64_t kEdge = 3;           // elements shown at each end of a long dimension
constexpr std::int64_t kSummarised = 1000;  // beyond this many elements

/// How floating elements are written: with how many digits after the point, and whether with exponents.
struct Style {
  bool exponent = false;
  int digits = 0;
};

std::string digits_of(double value, const Style& style) {
  return style.exponent ? fmt::format("{:.{}e}", value, style.digits)
                        : fmt::format("{:.{}f}", value, style.digits);
}

/// The fewest digits, 8 at most, that give each element of `dtype` back.
Style style_for(const std::vector<double>& values, DType dtype) {
  Style style;
  const auto bits = [&](double value) { return Scalar(value).bits(dtype); };
  for (const double value : values) {
    const double size = std::abs(value);
    const bool small = size > 0 && size < 1e-4 && bits(size) != bits(1e-4);
    style.exponent |= std::isfinite(value) && (size >= 1e8 || small);
  }
  const auto given_back = [&](double value) {
    return !std::isfinite(value) ||
           bits(std::strtod(digits_of(value, style).c_str(), nullptr)) == bits(value);
  };
  // All again for each: what fewer digits give back, more may not (next to a power of two).
  while (style.digits < 8 && !std::all_of(values.begin(), values.end(), given_back)) ++style.digits;
  return style;
}

std::string float_text(double value, const Style& style) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = digits_of(value, style);
  if (style.digits == 0) return text.insert(std::min(text.find('e'), text.size()), ".");
  if (style.exponent) return text;
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

/// The elements of these places, converted on the host: the device may not know the dtype of the text.
std::vector<Scalar> pick(const Tensor& x, const std::vector<std::size_t>& elements) {
  const auto size = static_cast<std::size_t>(size_of(x.dtype()));
  std::vector<std::byte> bytes(static_cast<std::size_t>(x.numel()) * size);
  x.read(bytes);
  std::vector<Scalar> picked;
  for (const std::size_t i : elements)
    picked.push_back(read_scalar(x.dtype(), bytes.data() + i * size));
  return picked;
}

std::vector<std::string> float_texts(const std::vector<Scalar>& elements, DType dtype) {
  std::vector<double> values;
  for (const Scalar& element : elements) values.push_back(element.to_double());
  const Style style = style_for(values, dtype);
  std::vector<std::string> texts;
  for (const double value : values) texts.push_back(float_text(value, style));
  return texts;
}

std::string integer_text(const Scalar& value, DType dtype) {
  if (dtype == bool_) return value.to<bool>() ? "true" : "false";
  return dtype == u64 ? fmt::format("{}", value.to<std::uint64_t>())
                      : fmt::format("{}", value.to_int64());
}

/// The shown elements, padded to one width.
std::vector<std::string> texts_of(const Tensor& x, const std::vector<std::size_t>& elements) {
  const std::vector<Scalar> values = pick(x, elements);
  std::vector<std::string> texts;
  if (is_floating(x.dtype())) {
    texts = float_texts(values, x.dtype());
  } else {
    for (const Scalar& value : values) texts.push_back(integer_text(value, x.dtype()));
  }
  std::size_t width = 0;
  for (const std::string& text : texts) width = std::max(width, text.size());
  for (std::string& text : texts) text.insert(0, width - text.size(), ' ');
  return texts;
}

/// Writes nested brackets over the texts of the elements that are shown.
class Layout {
 public:
  Layout(const Shape& shape, const Shape& shown, std::vector<std::string> texts)
      : shape_(shape), shown_(shown), texts_(std::move(texts)) {}

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
  std::vector<std::string> texts_;
  std::size_t next_ = 0;
};

}  // namespace

std::string Tensor::to_string() const {
  if (!defined()) return "undefined";
  Shape shown = shape();
  if (numel() > kSummarised) {
    for (std::int64_t& extent : shown) extent = std::min(extent, 2 * kEdge);
  }
  std::string out = "[]";
  if (numel() > 0) {  // nothing is walked where there is nothing, however long the other dimensions are
    out = Layout(shape(), shown, texts_of(detach(), shown_elements(shape(), shown))).write(0);
  }
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
