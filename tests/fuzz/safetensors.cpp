// load of any bytes; what loads is saved, and loads again as the same.
#include <array>
#include <cstdlib>
#include <filesystem>

#include <tenon/error.h>
#include <tenon/io.h>

#include "tests/fuzz/support/check.h"
#include "tests/fuzz/support/devices.h"
#include "tests/fuzz/support/memory_file.h"
#include "tests/support/temp_dir.h"

namespace {

using namespace tenon;
using fuzz::check;

/// An input that begins with a brace gets the size of its header, which ends with the last brace, in
/// front: a corpus of text, and a fuzzer that need not guess eight bytes. Any other is the whole file.
std::string file_of(std::string_view input) {
  if (!input.starts_with('{')) return std::string(input);
  const std::uint64_t size = input.find_last_of('}') == input.npos ? 1 : input.find_last_of('}') + 1;
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(size >> 8 * i & 0xff);
  return file.append(input);
}

std::vector<std::byte> bytes_of(const Tensor& x) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(x.numel() * size_of(x.dtype())));
  x.read(bytes);
  return bytes;
}

void check_round_trip(const io::Safetensors& first, const std::string& name) {
  io::save(name, first.tensors, first.metadata);
  const io::Safetensors second = io::load(name);
  check(second.metadata == first.metadata, "metadata are the same when saved and loaded");
  check(second.tensors.size() == first.tensors.size(), "there are as many tensors when loaded again");
  for (const auto& [key, tensor] : second.tensors) {
    const auto same =
        std::find_if(first.tensors.begin(), first.tensors.end(),
                     [&, &wanted = key](const auto& entry) { return entry.first == wanted; });
    check(same != first.tensors.end(), "names are the same when saved and loaded");
    check(same->second.dtype() == tensor.dtype() && same->second.shape() == tensor.shape(),
          "dtype and shape are the same when saved and loaded");
    check(bytes_of(same->second) == bytes_of(tensor), "bytes are the same when saved and loaded");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const bool ready = fuzz::find_devices();
  static const test::TempDir folder;
  check(ready, "the devices are found");
  try {
    const fuzz::MemoryFile file(file_of({reinterpret_cast<const char*>(bytes), size}));
    check_round_trip(io::load(file.name()), folder.file("again.safetensors"));
  } catch (const Error&) {
  }
  return 0;
}
