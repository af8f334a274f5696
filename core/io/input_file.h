// A file to read from; whatever fails is an IoError that begins with its name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tenon::io {

class InputFile {
 public:
  /// Opens it; a directory is refused.
  explicit InputFile(const std::string& name);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& name() const { return name_; }
  /// In bytes, of a regular file and no other.
  std::uint64_t size() const;
  /// All of it, of a pipe too.
  std::string read_all();
  /// Fills `bytes` from `offset` on; a file that ends before is an error.
  void read_at(std::uint64_t offset, std::span<std::byte> bytes) const;

 private:
  [[noreturn]] void fail_to_read(int error) const;

  std::string name_;
  int descriptor_ = -1;
};

}  // namespace tenon::io
