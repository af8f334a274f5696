// A file that appears whole or not at all: it is written under a temporary name in the same folder,
// synced, and renamed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace tenon::io {

class AtomicFile {
 public:
  /// Makes the temporary file; IoError names `name` and the reason.
  explicit AtomicFile(const std::string& name);
  /// Removes the temporary file unless commit() was reached.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  /// Puts the file in its place, over one that is there; a link stays and what it names is replaced.
  void commit();

 private:
  void open_temporary();
  void sync_folder() const;
  [[noreturn]] void fail_to_write(int error) const;

  std::string name_;
  std::filesystem::path target_, temporary_;
  int descriptor_ = -1;
};

}  // namespace tenon::io
