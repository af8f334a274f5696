// Tensors as text, laid out as NumPy does.
#include <algorithm>
#include <mutex>
#include <ostream>
#include <utility>

#include <fmt/format.h>

#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/base/read_scalar.h"
#include "core/tensor/float_text.h"

namespace tenon {
namespace {

std::mutex options_mutex;
PrintOptions& current_options() {
  static PrintOptions options;
  return options;
}

/// Where a dimension of `extent` is cut: both ends of `edge` elements stay.
bool is_cut(std::int64_t extent, std::int64_t edge) {
  return extent / 2 > edge || (extent / 2 == edge && extent % 2 != 0);
}

/// x without the middle of each dimension that is cut.
Tensor corners(const Tensor& x, std::int64_t edge) {
  Tensor y = x;
  for (int d = 0; d < x.rank(); ++d) {
    const std::int64_t extent = x.size(d);
    if (!is_cut(extent, edge)) continue;
    std::vector<std::int64_t> places;
    for (std::int64_t i = 0; i < edge; ++i) places.push_back(i);
    for (std::int64_t i = extent - edge; i < extent; ++i) places.push_back(i);
    const DType dtype = Scalar(extent).fits(i32) ? i32 : i64;  // every device has i32
    y = index_select(y, d, tensor(places, {.dtype = dtype, .device = x.device()}));
  }
  return y;
}

/// The elements as the host has them: the device may not know the dtype of the text.
std::vector<Scalar> elements_of(const Tensor& x) {
  const auto size = static_cast<std::size_t>(size_of(x.dtype()));
  std::vector<std::byte> bytes(static_cast<std::size_t>(x.numel()) * size);
  x.read(bytes);
  std::vector<Scalar> elements;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    elements.push_back(read_scalar(x.dtype(), bytes.data() + at));
  }
  return elements;
}

std::string integer_text(const Scalar& value, DType dtype) {
  if (dtype == bool_) return value.to<bool>() ? "true" : "false";
  return dtype == u64 ? fmt::format("{}", value.to<std::uint64_t>())
                      : fmt::format("{}", value.to_int64());
}

/// The elements, padded to one width.
std::vector<std::string> texts_of(const Tensor& x, const PrintOptions& options) {
  const std::vector<Scalar> elements = elements_of(x);
  std::vector<std::string> texts;
  if (is_floating(x.dtype())) {
    std::vector<double> values;
    for (const Scalar& element : elements) values.push_back(element.to_double());
    texts = float_texts(values, x.dtype(), options);
  } else {
    for (const Scalar& element : elements) texts.push_back(integer_text(element, x.dtype()));
  }
  std::size_t width = x.dtype() == bool_ ? 5 : 0;  // of "false", whether there is one or not
  for (const std::string& text : texts) width = std::max(width, text.size());
  for (std::string& text : texts) text.insert(0, width - text.size(), ' ');
  return texts;
}

/// Writes nested brackets over the texts of the elements that are shown.
class Layout {
 public:
  Layout(const Shape& shape, std::int64_t edge, std::size_t line_width, std::vector<std::string> texts)
      : shape_(shape), edge_(edge), line_width_(line_width), texts_(std::move(texts)) {}

  std::string write(int dim) {
    return "[" + (dim + 1 == shape_.size() ? write_row(dim) : write_rows(dim)) + "]";
  }

 private:
  static std::string indent(int dim) { return std::string(static_cast<std::size_t>(dim) + 1, ' '); }

  /// Calls show() for each element of the dimension that is shown, cut() for the others at once, and
  /// separate() between them.
  template <class Show, class Cut, class Separate>
  void walk(int dim, Show show, Cut cut, Separate separate) {
    const bool short_of = is_cut(shape_[dim], edge_);
    const std::int64_t count = short_of ? 2 * edge_ : shape_[dim];
    for (std::int64_t i = 0; i < count; ++i) {
      if (i > 0) separate();
      if (short_of && i == edge_) {
        cut();
        separate();
      }
      show();
    }
  }

  std::string write_rows(int dim) {
    const auto empty_lines = static_cast<std::size_t>(shape_.size() - dim - 1);
    std::string out;
    walk(
        dim, [&] { out += write(dim + 1); }, [&] { out += "..."; },
        [&] { out += std::string(empty_lines, '\n') + indent(dim); });
    return out;
  }

  /// Elements in lines of at most line_width_, room for the brackets that may follow included.
  std::string write_row(int dim) {
    const std::size_t start = indent(dim).size();
    const std::size_t room = line_width_ > start ? line_width_ - start : 0;
    std::string out, line = indent(dim);
    const auto add = [&](const std::string& word) {
      if (line.size() > start && line.size() + word.size() > room) {
        out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
        line = indent(dim);
      }
      line += word;
    };
    walk(dim, [&] { add(texts_[next_++]); }, [&] { add("..."); }, [&] { line += ' '; });
    return (out + line).substr(start);
  }

  const Shape shape_;
  const std::int64_t edge_;
  const std::size_t line_width_;
  std::vector<std::string> texts_;
  std::size_t next_ = 0;
};

std::string elements_text(const Tensor& x, const PrintOptions& options) {
  if (x.numel() == 0) return "[]";
  if (x.rank() == 0) {
    const Scalar value = x.item_scalar();
    return is_floating(x.dtype()) ? float_text(value.to_double(), x.dtype(), options)
                                  : integer_text(value, x.dtype());
  }
  const std::int64_t edge = x.numel() > options.threshold ? options.edge_items : x.numel();
  return Layout(x.shape(), edge, static_cast<std::size_t>(options.line_width),
                texts_of(corners(x, edge), options))
      .write(0);
}

}  // namespace

void set_print_options(const PrintOptions& options) {
  const auto at_least = [](const char* field, std::int64_t value, std::int64_t least) {
    require(value >= least, "[set_print_options] {} is {}, must be at least {}", field, value, least);
  };
  at_least("precision", options.precision, 0);
  at_least("threshold", options.threshold, 0);
  at_least("edge_items", options.edge_items, 1);
  at_least("line_width", options.line_width, 1);
  const std::lock_guard lock(options_mutex);
  current_options() = options;
}

PrintOptions print_options() {
  const std::lock_guard lock(options_mutex);
  return current_options();
}

std::string Tensor::to_string() const {
  if (!defined()) return "undefined";
  std::string out = elements_text(detach(), print_options());
  const bool told = dtype() == default_dtype() || dtype() == i64 || dtype() == bool_;
  const bool usual = told && numel() > 0;  // by how the elements are written
  if (numel() == 0) out += fmt::format(", shape={}", tenon::to_string(shape()));
  if (!usual) out += fmt::format(", dtype={}", name(dtype()));
  if (device() != default_device()) out += fmt::format(", device={}", device().name());
  return out;
}

std::ostream& operator<<(std::ostream& out, const Tensor& x) {
  return out << x.to_string();
}

}  // namespace tenon
