// A plugin with two sound devices, but for what option `change`, "FIELD=VALUE", says of them: a field
// of TenonDeviceInfo, of every device or ("1.uid=x") of one, or device_count. A text field without "="
// is NULL.
#include <charconv>
#include <string_view>

#include <tenon/plugin.h>

namespace {

const TenonHost* host = nullptr;

struct Change {
  std::string_view field, value;
  bool has_value;
};

Change change_of(std::uint32_t index) {
  const char* option = host->option(host->ctx, "change");
  std::string_view text = option != nullptr ? option : "";
  if (text.size() > 1 && text[1] == '.') {
    if (text[0] != static_cast<char>('0' + index)) return {};
    text.remove_prefix(2);
  }
  const std::size_t at = text.find('=');
  if (at == text.npos) return {text, {}, false};
  return {text.substr(0, at), text.substr(at + 1), true};
}

template <class T>
void take(const Change& change, std::string_view field, T& number) {
  if (change.field != field) return;
  std::from_chars(change.value.data(), change.value.data() + change.value.size(), number);
}

void take(const Change& change, std::string_view field, const char*& text) {
  // The host's option text goes on to its end.
  if (change.field == field) text = change.has_value ? change.value.data() : nullptr;
}

void apply(const Change& change, TenonDeviceInfo& info) {
#define TAKE(field) take(change, #field, info.field)
  TAKE(kind), TAKE(name), TAKE(uid), TAKE(driver), TAKE(memory_bytes), TAKE(opcodes);
  TAKE(storage_dtypes), TAKE(compute_dtypes), TAKE(max_rank), TAKE(max_instructions);
  TAKE(max_inputs), TAKE(max_outputs), TAKE(max_scalars), TAKE(max_constants);
  TAKE(mem_alignment), TAKE(import_alignment);
#undef TAKE
}

std::uint32_t device_count() {
  std::uint32_t count = 2;
  take(change_of(0), "device_count", count);
  return count;
}

std::int32_t device_info(std::uint32_t index, TenonDeviceInfo* info) {
  constexpr std::uint32_t kStored =
      1u << TENON_DTYPE_F32 | 1u << TENON_DTYPE_I32 | 1u << TENON_DTYPE_BOOL;
  const Change change = change_of(index);
  if (change.field == "device_info") {
    return change.has_value ? host->fail(host->ctx, TENON_INTERNAL, "it fell off the bus")
                            : TENON_INTERNAL;
  }
  info->kind = "acme";
  info->name = "Acme 1";
  info->uid = index == 0 ? "acme-0" : "acme-1";
  info->driver = "";
  info->memory_bytes = 1 << 20;
  info->storage_dtypes = kStored;
  info->compute_dtypes = kStored | 1u << TENON_DTYPE_U32;
  info->max_rank = 4;
  info->max_instructions = 4;
  info->max_inputs = 2;
  info->max_outputs = 1;
  info->max_scalars = info->max_constants = 3;
  info->mem_alignment = 256;
  info->import_alignment = 1;
  apply(change, *info);
  return TENON_OK;
}

/// What nobody comes to call, in whatever shape a slot has.
template <class R, class... A>
void set(R (*&slot)(A...)) {
  slot = [](A...) -> R { return R(); };
}

const TenonPlugin& table() {
  static const TenonPlugin made = [] {
    TenonPlugin t{};
    t.struct_size = sizeof t;
    t.abi = TENON_ABI;
    t.name = "contradicts";
    t.version = "1.0";
    t.build = "test";
    t.score = [] { return -1; };
    t.device_count = device_count;
    t.device_info = device_info;
    set(t.device_open), set(t.device_close), set(t.mem_alloc), set(t.mem_free);
    set(t.copy), set(t.prepare), set(t.launch), set(t.release);
    return t;
  }();
  return made;
}

}  // namespace

extern "C" const TenonPlugin* tenon_plugin_main(const TenonHost* given, const char**) {
  host = given;
  return &table();
}
