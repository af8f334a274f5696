// Loading: sizes are checked against the file's before anything is allocated by them.
#include <algorithm>
#include <array>

#include <tenon/io.h>

#include "core/base/fail.h"
#include "core/io/input_file.h"
#include "core/io/safetensors_header.h"

namespace tenon::io {
namespace {

std::string read_header_text(const InputFile& input) {
  const std::uint64_t size = input.size();
  std::array<std::byte, 8> prefix;
  if (size < prefix.size())
    fail(ErrorKind::IoError, "{}: {} bytes are too few for a safetensors file", input.name(), size);
  input.read_at(0, prefix);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < prefix.size(); ++i)
    bytes |= std::to_integer<std::uint64_t>(prefix[i]) << (8 * i);
  if (bytes > kMaxHeaderBytes)
    fail(ErrorKind::IoError,
         "{}: a header of {} bytes, over the limit of {}; is it a safetensors file?", input.name(),
         bytes, kMaxHeaderBytes);
  if (bytes > size - prefix.size())
    fail(ErrorKind::IoError, "{}: a header of {} bytes, but {} follow: is the file cut?", input.name(),
         bytes, size - prefix.size());
  std::string text(bytes, '\0');
  input.read_at(prefix.size(), std::as_writable_bytes(std::span(text)));
  return text;
}

std::vector<std::byte> read_tensor(const InputFile& input, const TensorEntry& entry,
                                   std::uint64_t data_begin) try {
  std::vector<std::byte> bytes(entry.end - entry.begin);
  input.read_at(data_begin + entry.begin, bytes);
  if (entry.dtype == bool_) {
    const auto wrong =
        std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b > std::byte{1}; });
    if (wrong != bytes.end())
      fail(ErrorKind::IoError, "{}: tensor {} holds the byte {}; a bool is 0 or 1", input.name(),
           json_quoted(entry.name), std::to_integer<int>(*wrong));
  }
  return bytes;
} catch (const std::bad_alloc&) {
  fail(ErrorKind::OutOfMemory, "{}: tensor {} of {} bytes does not fit in the host's memory",
       input.name(), json_quoted(entry.name), entry.end - entry.begin);
}

}  // namespace

Safetensors load(const std::string& file, std::optional<Device> device) {
  const InputFile input(file);
  const std::string text = read_header_text(input);
  const std::uint64_t data_begin = 8 + text.size();
  SafetensorsHeader header = parse_header(file, text, input.size() - data_begin);
  Safetensors result;
  result.metadata = std::move(header.metadata);
  for (TensorEntry& entry : header.tensors) {
    const std::vector<std::byte> bytes = read_tensor(input, entry, data_begin);
    Tensor tensor = from_bytes(bytes, entry.shape, {.dtype = entry.dtype, .device = device});
    result.tensors.emplace_back(std::move(entry.name), std::move(tensor));
  }
  return result;
}

}  // namespace tenon::io
