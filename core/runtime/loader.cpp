// Boost.DLL behind a border of checks: a plugin is code of somebody else.
#include "core/runtime/loader.h"

#define BOOST_DLL_USE_STD_FS
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/dll/runtime_symbol_info.hpp>
#include <boost/dll/shared_library.hpp>
#include <cstdlib>
#include <cstring>
#include <list>
#include <sstream>

#include "core/base/fail.h"
#include "core/runtime/elf.h"
#include "core/runtime/host.h"
#include "core/runtime/table.h"

namespace tenon::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "tenon_plugin_";

/// A file that somebody else may change is not run.
void check_owner(const fs::path& file, const fs::path& entry, const char* what) {
  struct stat status{};
  if (::stat(entry.c_str(), &status) != 0) {
    fail(ErrorKind::IoError, "{}: {}", file.string(), std::strerror(errno));
  }
  if ((status.st_mode & S_IWOTH) != 0) {
    fail(ErrorKind::IoError, "{}: {} can be written by anybody, so it is not loaded; run: chmod o-w {}",
         file.string(), what, entry.string());
  }
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    fail(ErrorKind::IoError, "{}: {} belongs to user {}, neither you nor root, so it is not loaded",
         file.string(), what, status.st_uid);
  }
}

fs::path checked_path(const fs::path& file) {
  std::error_code error;
  const fs::path path = fs::canonical(file, error);
  if (error) fail(ErrorKind::IoError, "{}: {}", file.string(), error.message());
  if (!fs::is_regular_file(path)) fail(ErrorKind::IoError, "{}: not a file", file.string());
  check_owner(path, path, "the file");
  check_owner(path, path.parent_path(), "its folder");
  if (const std::string problem = elf_problem(path); !problem.empty()) {
    fail(ErrorKind::DeviceError, "{}: can't be loaded: {}", path.string(), problem);
  }
  return path;
}

/// What the dynamic linker said, out of Boost's sentence around it and without the path again.
std::string linker_text(const std::string& message, const fs::path& path) {
  const std::string before = "dlerror system message: ";
  const auto from = message.find(before), to = message.rfind("): ");
  if (from == std::string::npos || to == std::string::npos) return message;
  std::string text = message.substr(from + before.size(), to - from - before.size());
  if (text.starts_with(path.string() + ": ")) text.erase(0, path.string().size() + 2);
  return text;
}

using Main = const TenonPlugin*(const TenonHost*, const char**);

/// Boost 1.74 has no mode that keeps a library loaded, so the handles are never destroyed.
boost::dll::shared_library& keep(boost::dll::shared_library library) {
  static auto& libraries = *new std::list<boost::dll::shared_library>;
  return libraries.emplace_back(std::move(library));
}

Main& entry_point(const fs::path& path) {
  try {
    using boost::dll::load_mode::type;
    const auto mode = type::rtld_now | type::rtld_local;
    boost::dll::shared_library& library = keep(boost::dll::shared_library(path, mode));
    if (!library.has("tenon_plugin_main")) {
      fail(ErrorKind::DeviceError, "{}: not a Tenon plugin: it has no symbol tenon_plugin_main",
           path.string());
    }
    return library.get<Main>("tenon_plugin_main");
  } catch (const std::system_error& error) {
    fail(ErrorKind::DeviceError, "{}: can't be loaded: {}", path.string(),
         linker_text(error.what(), path));
  }
}

const TenonPlugin* ask(const fs::path& path, Main& main) {
  std::string stem = path.stem().string();
  if (stem.starts_with(kPrefix)) stem.erase(0, kPrefix.size());
  const char* why = nullptr;
  const TenonPlugin* table = nullptr;
  try {
    table = main(make_host(stem), &why);
  } catch (const std::exception& error) {
    fail(ErrorKind::DeviceError, "{}: tenon_plugin_main threw: {}", path.string(), error.what());
  } catch (...) {
    fail(ErrorKind::DeviceError, "{}: tenon_plugin_main threw something unknown", path.string());
  }
  if (table == nullptr) {
    fail(ErrorKind::DeviceError, "{}: the plugin refuses: {}", path.string(),
         why != nullptr ? why : "it gives no reason");
  }
  return table;
}

void add_folder(const fs::path& folder, std::vector<fs::path>& searched, std::vector<fs::path>& files) {
  std::error_code error;
  const fs::path canonical = fs::canonical(folder, error);
  if (error || std::find(searched.begin(), searched.end(), canonical) != searched.end()) return;
  searched.push_back(canonical);
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix) && name.ends_with(".so")) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  files.insert(files.end(), found.begin(), found.end());
}

}  // namespace

std::unique_ptr<LoadedPlugin> load_file(const fs::path& file) {
  const fs::path path = checked_path(file);
  const TenonPlugin* table = ask(path, entry_point(path));
  return std::make_unique<LoadedPlugin>(
      LoadedPlugin{path.string(), adopt_table(path.string(), *table)});
}

std::vector<fs::path> find_plugin_files() {
  std::vector<fs::path> files, searched;
  if (const char* variable = std::getenv("TENON_PLUGIN_PATH")) {
    std::stringstream folders(variable);
    for (std::string folder; std::getline(folders, folder, ':');) {
      if (!folder.empty()) add_folder(folder, searched, files);
    }
  }
  std::error_code error;
  const fs::path library = fs::canonical(boost::dll::this_line_location().string(), error);
  if (!error) add_folder(library.parent_path() / "tenon" / "plugins", searched, files);
  add_folder(fs::path(TENON_INSTALLED_LIBDIR) / "tenon" / "plugins", searched, files);
  return files;
}

}  // namespace tenon::runtime
