// The header of a safetensors file: which tensor lies where.
//
// The format (github.com/huggingface/safetensors): 8 bytes of little-endian header size, a JSON object
// {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {"key": "text"}}
// that may end in spaces, then the tensors' bytes, row-major, without gaps.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/dtype.h>
#include <tenon/shape.h>

namespace tenon::io {

/// The reference implementation's limit on the header's bytes.
inline constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
inline constexpr std::string_view kMetadataKey = "__metadata__";

struct TensorEntry {
  std::string name;
  DType dtype = f32;
  Shape shape;
  std::uint64_t begin = 0, end = 0;  ///< in the data after the header
};

struct SafetensorsHeader {
  std::vector<TensorEntry> tensors;  ///< in the header's order
  std::map<std::string, std::string> metadata;
};

/// "F32".
std::string_view safetensors_name(DType dtype);

/// `text` as JSON for messages: in quotes, one line.
std::string json_quoted(const std::string& text);

/// Parses the JSON and checks that the tensors tile `data_bytes` bytes of data; IoError names `file`.
SafetensorsHeader parse_header(const std::string& file, std::string_view json,
                               std::uint64_t data_bytes);

}  // namespace tenon::io
