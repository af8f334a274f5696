// Checks and patches for the tables of plugins.
#include "core/runtime/table.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "core/base/fail.h"

namespace tenon::runtime {
namespace {

void check_version(const std::string& file, const TenonPlugin& table) {
  const std::uint32_t major = table.abi >> 16, minor = table.abi & 0xffff;
  if (major != TENON_ABI_MAJOR) {
    fail(ErrorKind::DeviceError,
         "{}: speaks plugin ABI {}.{}, this Tenon speaks {}.{}; build the plugin against this Tenon's "
         "header",
         file, major, minor, TENON_ABI_MAJOR, TENON_ABI_MINOR);
  }
  if (table.struct_size < offsetof(TenonPlugin, score)) {
    fail(ErrorKind::DeviceError, "{}: its table has {} bytes, too few for an identity", file,
         table.struct_size);
  }
}

void check_mandatory(const std::string& file, const TenonPlugin& t) {
  const auto need = [&](bool present, const char* entry) {
    if (!present) fail(ErrorKind::DeviceError, "{}: the plugin's table lacks {}", file, entry);
  };
  need(t.name != nullptr && *t.name != '\0', "name");
  need(t.version != nullptr, "version");
  need(t.build != nullptr, "build");
#define TENON_NEED(entry) need(t.entry != nullptr, #entry)
  TENON_NEED(device_count);
  TENON_NEED(device_info);
  TENON_NEED(device_open);
  TENON_NEED(device_close);
  TENON_NEED(mem_alloc);
  TENON_NEED(mem_free);
  TENON_NEED(copy);
  TENON_NEED(prepare);
  TENON_NEED(launch);
  TENON_NEED(release);
#undef TENON_NEED
  const bool streams[] = {t.stream_create != nullptr, t.stream_destroy != nullptr,
                          t.stream_signal != nullptr, t.stream_query != nullptr,
                          t.stream_wait != nullptr,   t.stream_sync != nullptr};
  if (std::count(std::begin(streams), std::end(streams), true) % 6 != 0) {
    fail(ErrorKind::DeviceError,
         "{}: the plugin's table has some of the stream entries, but not all six", file);
  }
}

template <class R, class... A>
void patch(R (*&slot)(A...)) {
  if (slot == nullptr) slot = [](A...) -> R { return static_cast<R>(TENON_UNSUPPORTED); };
}

void patch_optional(TenonPlugin& t) {
  if (t.score == nullptr) t.score = [] { return 0; };
  if (t.shutdown == nullptr) t.shutdown = [] {};
  if (t.get_ext == nullptr) t.get_ext = [](const char*) -> const void* { return nullptr; };
  patch(t.mem_import);
  patch(t.mem_info);
  patch(t.fill);
  patch(t.stream_import);
  patch(t.stream_native);
  patch(t.workspace);
}

}  // namespace

TenonPlugin adopt_table(const std::string& file, const TenonPlugin& table) {
  check_version(file, table);
  TenonPlugin own{};
  std::memcpy(&own, &table, std::min<std::size_t>(table.struct_size, sizeof(TenonPlugin)));
  check_mandatory(file, own);
  patch_optional(own);
  return own;
}

bool has_streams(const TenonPlugin& table) {
  return table.stream_create != nullptr;
}

}  // namespace tenon::runtime
