// Temporary file, fsync, rename, fsync of the folder.
#include "core/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>

#include "core/base/fail.h"

namespace tenon::io {
namespace {

int sync(int descriptor) {
  while (::fsync(descriptor) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

}  // namespace

AtomicFile::AtomicFile(const std::string& name) : name_(name), target_(name) {
  if (!target_.has_filename()) fail_to_write(name.empty() ? ENOENT : EISDIR);
  struct stat status;
  const bool exists = ::stat(name.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) fail_to_write(errno);
  if (exists && S_ISDIR(status.st_mode)) fail_to_write(EISDIR);
  if (exists && !S_ISREG(status.st_mode))
    fail(ErrorKind::IoError, "{}: cannot be written: not a regular file", name_);
  std::error_code error;
  if (exists) target_ = std::filesystem::canonical(target_, error);
  if (error) fail_to_write(error.value());
  open_temporary();
  if (exists) ::fchmod(descriptor_, status.st_mode & 07777);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::open_temporary() {
  static std::atomic<unsigned> count = 0;
  do {
    temporary_ = folder_of(target_) / fmt::format(".tenon-{}-{}.tmp", ::getpid(), count++);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) fail_to_write(errno);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) fail_to_write(errno);
    if (count > 0) bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void AtomicFile::commit() {
  if (const int error = sync(descriptor_); error != 0) fail_to_write(error);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail_to_write(errno);
  temporary_.clear();
  sync_folder();
}

// A folder that cannot be opened for reading, or a file system that syncs no folders (EINVAL), takes
// nothing from the file, which is in its place.
void AtomicFile::sync_folder() const {
  const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  const int error = sync(folder);
  ::close(folder);
  if (error != 0 && error != EINVAL) fail_to_write(error);
}

void AtomicFile::fail_to_write(int error) const {
  fail(ErrorKind::IoError, "{}: cannot be written: {}", name_, std::generic_category().message(error));
}

}  // namespace tenon::io
