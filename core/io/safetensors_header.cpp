// Reads the header's JSON event by event, so that nothing is built from what is not a header, and a key
// that stands twice is seen.
#include "core/io/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "core/base/fail.h"

namespace tenon::io {
namespace {

using nlohmann::json;

std::optional<DType> dtype_of_name(std::string_view name) {
#define TENON_DTYPE(dtype, NAME, code, bytes) \
  if (name == #NAME) return DType::dtype;
#include <tenon/dtypes.def>
#undef TENON_DTYPE
  return std::nullopt;
}

/// The parser's events become entries; an event where it does not belong is an error.
class HeaderEvents final : public json::json_sax_t {
 public:
  explicit HeaderEvents(const std::string& file) : file_(file) {}
  SafetensorsHeader take() { return std::move(header_); }

  bool start_object(std::size_t) override {
    if (place_ == Place::Start) return enter(Place::Top);
    if (place_ != Place::Top) unexpected("an object");
    if (key_ == kMetadataKey) return enter(Place::Metadata);
    header_.tensors.emplace_back().name = key_;
    fields_.clear();
    return enter(Place::Tensor);
  }

  bool key(std::string& key) override {
    if (place_ == Place::Tensor) {
      field_ = key;
      if (key != "dtype" && key != "shape" && key != "data_offsets") unexpected("a key");
      if (!fields_.insert(key).second) unexpected("a second value");
      return true;
    }
    key_ = key;
    if (place_ == Place::Top && !names_.insert(key).second) unexpected("a second value");
    return true;
  }

  bool string(std::string& text) override {
    if (place_ == Place::Metadata) {
      if (!header_.metadata.emplace(key_, text).second) unexpected("a second value");
      return true;
    }
    if (place_ != Place::Tensor || field_ != "dtype") unexpected("a string");
    const std::optional<DType> dtype = dtype_of_name(text);
    if (!dtype) unexpected("the unknown dtype " + json_quoted(text));
    header_.tensors.back().dtype = *dtype;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::Tensor || field_ == "dtype") unexpected("an array");
    numbers_.clear();
    return enter(Place::Numbers);
  }

  bool number_unsigned(std::uint64_t value) override {
    if (place_ != Place::Numbers) unexpected(std::to_string(value));
    const std::size_t most = field_ == "shape" ? kMaxRank : 2;
    if (numbers_.size() == most) unexpected("more than " + std::to_string(most) + " numbers");
    numbers_.push_back(value);
    return true;
  }

  bool end_array() override {
    TensorEntry& entry = header_.tensors.back();
    if (field_ == "shape") {
      for (const std::uint64_t extent : numbers_) {
        if (extent > std::numeric_limits<std::int64_t>::max()) unexpected(std::to_string(extent));
        entry.shape.push_back(static_cast<std::int64_t>(extent));
      }
    } else {
      if (numbers_.size() != 2) unexpected("fewer than 2 numbers");
      entry.begin = numbers_[0];
      entry.end = numbers_[1];
    }
    return enter(Place::Tensor);
  }

  bool end_object() override {
    if (place_ == Place::Tensor && fields_.size() != 3)
      fail(ErrorKind::IoError, "{}: tensor {} has no dtype, shape or data_offsets", file_,
           json_quoted(key_));
    return enter(place_ == Place::Top ? Place::Start : Place::Top);
  }

  bool null() override { unexpected("null"); }
  bool boolean(bool value) override { unexpected(value ? "true" : "false"); }
  bool number_integer(std::int64_t value) override { unexpected(std::to_string(value)); }
  bool number_float(double, const std::string& text) override { unexpected(text); }
  bool binary(json::binary_t&) override { unexpected("bytes"); }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    fail(ErrorKind::IoError, "{}: the header is not JSON, at byte {} of it", file_, position);
  }

 private:
  enum class Place { Start, Top, Metadata, Tensor, Numbers };

  bool enter(Place place) {
    place_ = place;
    return true;
  }

  [[noreturn]] void unexpected(const std::string& what) const {
    const bool in_tensor = place_ == Place::Tensor || place_ == Place::Numbers;
    fail(ErrorKind::IoError, "{}: unexpected in the header: {} at {}{}", file_, what, json_quoted(key_),
         in_tensor ? ", " + json_quoted(field_) : "");
  }

  const std::string& file_;
  SafetensorsHeader header_;
  Place place_ = Place::Start;
  std::string key_, field_;
  std::vector<std::uint64_t> numbers_;
  std::unordered_set<std::string> names_, fields_;
};

/// Bytes of an entry by its shape. Extents of 0 count as 1 in the product that must not overflow, so
/// that its strides don't either.
std::uint64_t bytes_of(const std::string& file, const TensorEntry& entry) {
  std::int64_t bytes = size_of(entry.dtype);
  bool empty = false;
  for (const std::int64_t extent : entry.shape) {
    empty |= extent == 0;
    if (__builtin_mul_overflow(bytes, std::max<std::int64_t>(extent, 1), &bytes))
      fail(ErrorKind::IoError, "{}: tensor {} of shape {} has more bytes than 64 bits can count", file,
           json_quoted(entry.name), to_string(entry.shape));
  }
  return empty ? 0 : static_cast<std::uint64_t>(bytes);
}

void check_entry(const std::string& file, const TensorEntry& entry, std::uint64_t data_bytes) {
  const std::uint64_t bytes = bytes_of(file, entry);
  if (entry.begin > entry.end || entry.end - entry.begin != bytes)
    fail(ErrorKind::IoError, "{}: tensor {} is {} {}, {} bytes, but its offsets are {} and {}", file,
         json_quoted(entry.name), safetensors_name(entry.dtype), to_string(entry.shape), bytes,
         entry.begin, entry.end);
  if (entry.end > data_bytes)
    fail(ErrorKind::IoError,
         "{}: tensor {} ends at byte {} of the data, of which there are {}: is it cut?", file,
         json_quoted(entry.name), entry.end, data_bytes);
}

void check_layout(const std::string& file, const std::vector<TensorEntry>& tensors,
                  std::uint64_t data_bytes) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(tensors[a].begin, tensors[a].end) < std::pair(tensors[b].begin, tensors[b].end);
  });
  std::uint64_t end = 0;
  for (const std::size_t i : order) {
    if (tensors[i].begin != end)
      fail(ErrorKind::IoError,
           "{}: tensor {} begins at byte {} of the data, but the one before ends at {}", file,
           json_quoted(tensors[i].name), tensors[i].begin, end);
    end = tensors[i].end;
  }
  if (end != data_bytes)
    fail(ErrorKind::IoError, "{}: the tensors end at byte {} of the data, of which there are {}", file,
         end, data_bytes);
}

}  // namespace

std::string_view safetensors_name(DType dtype) {
  switch (dtype) {
#define TENON_DTYPE(name, NAME, code, bytes) \
  case DType::name:                          \
    return #NAME;
#include <tenon/dtypes.def>
#undef TENON_DTYPE
  }
  return "";
}

std::string json_quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

SafetensorsHeader parse_header(const std::string& file, std::string_view text,
                               std::uint64_t data_bytes) {
  // The parser takes a zero byte for the end.
  if (!text.starts_with('{') || text.find('\0') != std::string_view::npos)
    fail(ErrorKind::IoError, "{}: the header is not a JSON object; is it a safetensors file?", file);
  HeaderEvents events(file);
  json::sax_parse(text, &events);
  SafetensorsHeader header = events.take();
  for (const TensorEntry& entry : header.tensors) check_entry(file, entry, data_bytes);
  check_layout(file, header.tensors, data_bytes);
  return header;
}

}  // namespace tenon::io
