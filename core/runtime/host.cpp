// The functions behind TenonHost, and the thread's record of what they were told.
#include "core/runtime/host.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include <fmt/format.h>

#include <tenon/log.h>

#include "core/runtime/launch_log.h"

namespace tenon::runtime {
namespace {

struct ThreadRecord {
  std::string error, note;
  std::optional<TenonFault> fault;
};
thread_local ThreadRecord record;
// Apart, and trivial: they are read in each call of a plugin.
thread_local bool faulted = false, faults_expected = false;

struct HostContext {
  std::string plugin;
  TenonHost table{};
};

std::mutex options_mutex;
std::map<std::string, std::string>& options() {
  static auto& leaked = *new std::map<std::string, std::string>;
  return leaked;
}
/// Plugins keep the pointers, so a text that was given out is never freed.
const char* intern(const std::string& text) {
  static auto& leaked = *new std::set<std::string>;
  return leaked.insert(text).first->c_str();
}

HostContext& context(void* ctx) {
  return *static_cast<HostContext*>(ctx);
}
const char* text_or_empty(const char* text) {
  return text != nullptr ? text : "";
}

std::int32_t host_fail(void*, std::int32_t code, const char* message) {
  record.error = text_or_empty(message);
  return code;
}

void log_fault(const std::string& plugin, const TenonFault& fault) {
  try {
    log(LogLevel::Error,
        fmt::format("{}: a fault on a thread that is in no call: code {}, {}, value {}, position {}",
                    plugin, fault.code, launch_name(fault.corr), fault.value, fault.position));
  } catch (...) {  // as in host_log
  }
}

void host_fault(void* ctx, const TenonFault* fault) {
  if (fault == nullptr || faulted) return;
  // Of any minor version: shorter than ours, or longer.
  TenonFault kept{};
  std::memcpy(&kept, fault, std::min<std::size_t>(fault->struct_size, sizeof kept));
  kept.struct_size = sizeof kept;
  if (!faults_expected) return log_fault(context(ctx).plugin, kept);
  record.fault = kept;
  faulted = true;
}

void host_note(void*, const char* message) {
  record.note = text_or_empty(message);
}

void host_log(void* ctx, std::int32_t level, const char* message) {
  const auto known = static_cast<LogLevel>(level < 0 ? 0 : level > 3 ? 3 : level);
  try {
    log(known, context(ctx).plugin + ": " + text_or_empty(message));
  } catch (...) {  // a callback's exception must not cross the border
  }
}

std::string environment_name(const std::string& key) {
  std::string name = "TENON_" + key;
  for (char& c : name) {
    c = std::isalnum(static_cast<unsigned char>(c)) != 0
            ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
            : '_';
  }
  return name;
}

/// The plugin's own setting, else the one for all plugins.
const char* host_option(void* ctx, const char* key) {
  if (key == nullptr) return nullptr;
  const std::lock_guard lock(options_mutex);
  for (const std::string& name : {context(ctx).plugin + "." + key, std::string(key)}) {
    if (const auto found = options().find(name); found != options().end()) return intern(found->second);
    if (const char* value = std::getenv(environment_name(name).c_str())) return intern(value);
  }
  return nullptr;
}

// No plugin compiles kernels yet: the cache is empty and takes nothing.
std::int64_t host_blob_get(void*, const char*, void*, std::uint64_t) {
  return -1;
}
std::int32_t host_blob_put(void*, const char*, const void*, std::uint64_t) {
  return TENON_UNSUPPORTED;
}
void host_trace(void*, const char*, std::uint64_t, std::uint64_t) {}

}  // namespace

const TenonHost* make_host(const std::string& plugin) {
  // Plugins are never unloaded, nor is what they point to.
  static auto& hosts = *new std::list<HostContext>;
  const std::lock_guard lock(options_mutex);
  HostContext* host = &hosts.emplace_back(HostContext{plugin});
  host->table = {.struct_size = sizeof(TenonHost),
                 .abi = TENON_ABI,
                 .ctx = host,
                 .fail = host_fail,
                 .fault = host_fault,
                 .note = host_note,
                 .log = host_log,
                 .option = host_option,
                 .blob_get = host_blob_get,
                 .blob_put = host_blob_put,
                 .trace = host_trace};
  return &host->table;
}

std::string take_error() {
  return std::exchange(record.error, {});
}
std::string take_note() {
  return std::exchange(record.note, {});
}
void set_note(const std::string& note) {
  record.note = note;
}
std::optional<TenonFault> take_fault() {
  faults_expected = true;
  faulted = false;
  return std::exchange(record.fault, {});
}
bool fault_pending() noexcept {
  return faulted;
}
void expect_faults() noexcept {
  faults_expected = true;
}

void store_option(const std::string& key, const std::string& value) {
  const std::lock_guard lock(options_mutex);
  options()[key] = value;
}

}  // namespace tenon::runtime
