#include "core/runtime/pool_settings.h"

#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "core/base/bytes.h"

namespace tenon::runtime {
namespace {

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

PoolSettings read() {
  const std::string_view kind = variable("TENON_POOL"), limit = variable("TENON_MEMORY_LIMIT");
  PoolSettings settings{.direct = kind == "direct", .limit = parse_bytes(limit), .problem = {}};
  if (!kind.empty() && kind != "direct") {
    settings.problem = fmt::format("TENON_POOL is '{}' (direct, or nothing)", kind);
  }
  if (!limit.empty() && !settings.limit) {
    settings.problem = fmt::format("TENON_MEMORY_LIMIT is '{}' (bytes, or 512M, 2GiB)", limit);
  }
  return settings;
}

}  // namespace

const PoolSettings& pool_settings() {
  static const PoolSettings settings = read();
  return settings;
}

}  // namespace tenon::runtime
