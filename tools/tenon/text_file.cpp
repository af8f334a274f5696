// A temporary file beside the target, synced and renamed.
#include "tools/tenon/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <tenon/error.h>

#include "tools/recipes/checkpoint.h"

namespace tenon::cli {
namespace {

namespace fs = std::filesystem;

bool is_special(const std::string& target) {
  return fs::exists(target) && !fs::is_regular_file(target) && !fs::is_directory(target);
}

[[noreturn]] void fail(const std::string& target) {
  throw Error(ErrorKind::IoError,
              fmt::format("{}: can't be written: {}", target, std::strerror(errno)));
}

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

File open(const std::string& name, const char* mode, const std::string& target) {
  File file(std::fopen(name.c_str(), mode));
  if (!file) fail(target);
  return file;
}

void put(const std::string& text, std::FILE* file, const std::string& target) {
  if (std::fwrite(text.data(), 1, text.size(), file) != text.size() || std::fflush(file) != 0)
    fail(target);
}

void replace_file(const std::string& text, const std::string& target) {
  const fs::path path = fs::exists(target) ? fs::canonical(target) : fs::path(target);
  const std::string temporary = fmt::format("{}.{}.tmp", path.string(), ::getpid());
  const File file = open(temporary, "wxe", target);
  try {
    put(text, file.get(), target);
    if (::fsync(::fileno(file.get())) != 0) fail(target);
    if (std::rename(temporary.c_str(), path.c_str()) != 0) fail(target);
  } catch (...) {
    std::remove(temporary.c_str());
    throw;
  }
}

}  // namespace

void check_target(const std::string& target) {
  if (target.empty() || target == "-" || is_special(target)) return;
  recipes::check_writable(target);
}

void write_text(const std::string& text, const std::string& target) {
  if (target == "-") {
    put(text, stdout, "standard output");
  } else if (is_special(target)) {
    put(text, open(target, "we", target).get(), target);
  } else {
    replace_file(text, target);
  }
}

void write_json(const nlohmann::ordered_json& json, const std::string& target) {
  write_text(json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n", target);
}

}  // namespace tenon::cli
