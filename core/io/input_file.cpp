// Reading on POSIX descriptors.
#include "core/io/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/base/fail.h"

namespace tenon::io {

InputFile::InputFile(const std::string& name)
    : name_(name), descriptor_(::open(name.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) fail_to_read(errno);
  struct stat status;
  if (::fstat(descriptor_, &status) == 0 && S_ISDIR(status.st_mode)) {
    ::close(descriptor_);
    fail_to_read(EISDIR);
  }
}

InputFile::~InputFile() {
  ::close(descriptor_);
}

std::uint64_t InputFile::size() const {
  struct stat status;
  if (::fstat(descriptor_, &status) != 0) fail_to_read(errno);
  if (!S_ISREG(status.st_mode)) fail(ErrorKind::IoError, "{}: not a regular file", name_);
  return static_cast<std::uint64_t>(status.st_size);
}

std::string InputFile::read_all() {
  constexpr std::size_t kChunk = 1 << 16;
  std::string text;
  for (;;) {
    const std::size_t before = text.size();
    text.resize(before + kChunk);
    const ssize_t count = ::read(descriptor_, text.data() + before, kChunk);
    if (count < 0 && errno != EINTR) fail_to_read(errno);
    text.resize(before + static_cast<std::size_t>(count < 0 ? 0 : count));
    if (count == 0) return text;
  }
}

void InputFile::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_to_read(errno);
    if (count == 0) fail(ErrorKind::IoError, "{}: cut at byte {}", name_, offset);
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void InputFile::fail_to_read(int error) const {
  fail(ErrorKind::IoError, "{}: cannot be read: {}", name_, std::generic_category().message(error));
}

}  // namespace tenon::io
