// Saving: the header keeps the tensors' order, the data puts wider elements first, so that every tensor
// is aligned to its element.
#include <algorithm>
#include <array>
#include <numeric>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include <tenon/io.h>

#include "core/base/fail.h"
#include "core/io/atomic_file.h"
#include "core/io/safetensors_header.h"
#include "core/tensor/impl.h"

namespace tenon::io {
namespace {

std::uint64_t bytes_of(const Tensor& tensor) {
  return static_cast<std::uint64_t>(byte_count("save", tensor.shape(), tensor.dtype()));
}

void check_tensors(const nn::StateDict& tensors) {
  std::unordered_set<std::string_view> names;
  for (const auto& [name, tensor] : tensors) {
    require(name != kMetadataKey, "[save] a tensor cannot be named \"{}\"", kMetadataKey);
    require(names.insert(name).second, "[save] two tensors are named {}", json_quoted(name));
    require(tensor.defined(), "[save] tensor {} is undefined", json_quoted(name));
  }
}

/// Indices of the tensors in the order of their data.
std::vector<std::size_t> data_order(const nn::StateDict& tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto rank = [&](std::size_t i) { return std::pair(-size_of(tensors[i].second.dtype()), i); };
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
  return order;
}

/// JSON of a string that must be UTF-8.
std::string json_of(const std::string& text) try {
  return nlohmann::json(text).dump();
} catch (const nlohmann::json::exception&) {
  fail(ErrorKind::InvalidArgument, "[save] {} is not UTF-8", json_quoted(text));
}

std::string header_of(const nn::StateDict& tensors, const std::map<std::string, std::string>& metadata,
                      const std::vector<std::size_t>& order) {
  std::vector<std::uint64_t> begins(tensors.size());
  std::uint64_t end = 0;
  for (const std::size_t i : order) {
    begins[i] = end;
    end += bytes_of(tensors[i].second);
  }
  std::vector<std::string> members;
  if (!metadata.empty()) {
    std::vector<std::string> texts;
    for (const auto& [key, text] : metadata)
      texts.push_back(fmt::format("{}:{}", json_of(key), json_of(text)));
    members.push_back(fmt::format("\"{}\":{{{}}}", kMetadataKey, fmt::join(texts, ",")));
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, tensor] = tensors[i];
    const Shape& shape = tensor.shape();
    members.push_back(fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                                  json_of(name), safetensors_name(tensor.dtype()),
                                  fmt::join(shape.begin(), shape.end(), ","), begins[i],
                                  begins[i] + bytes_of(tensor)));
  }
  std::string header = fmt::format("{{{}}}", fmt::join(members, ","));
  header.resize((header.size() + 7) / 8 * 8, ' ');
  require(header.size() <= kMaxHeaderBytes,
          "[save] names and metadata of {} bytes, over the limit of {}", header.size(),
          kMaxHeaderBytes);
  return header;
}

}  // namespace

void save(const std::string& file, const nn::StateDict& tensors,
          const std::map<std::string, std::string>& metadata) {
  check_tensors(tensors);
  const std::vector<std::size_t> order = data_order(tensors);
  const std::string header = header_of(tensors, metadata, order);
  std::array<std::byte, 8> prefix;
  for (std::size_t i = 0; i < prefix.size(); ++i)
    prefix[i] = static_cast<std::byte>(header.size() >> (8 * i));
  AtomicFile output(file);
  output.write(prefix);
  output.write(std::as_bytes(std::span(header)));
  for (const std::size_t i : order) {
    std::vector<std::byte> bytes(bytes_of(tensors[i].second));
    tensors[i].second.read(bytes);
    output.write(bytes);
  }
  output.commit();
}

}  // namespace tenon::io
