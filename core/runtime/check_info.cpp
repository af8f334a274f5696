// Rules from plugin.h, each with the words for who breaks it.
#include "core/runtime/check_info.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include <tenon/dtype.h>

#include "core/base/fail.h"
#include "core/base/utf8.h"

namespace tenon::runtime {
namespace {

constexpr std::uint32_t mask_of(DType dtype) {
  return 1u << static_cast<std::uint32_t>(dtype);
}

constexpr std::uint32_t kStored = mask_of(f32) | mask_of(i32) | mask_of(bool_);
constexpr std::uint32_t kComputed = kStored | mask_of(u32);

/// The first known dtype of a mask.
DType first_of(std::uint32_t mask) {
  return static_cast<DType>(std::countr_zero(mask));
}

constexpr std::uint32_t known_dtypes() {
  std::uint32_t known = 0;
#define TENON_DTYPE(name, NAME, code, bytes) known |= 1u << code;
#include <tenon/dtypes.def>
#undef TENON_DTYPE
  return known;
}

class Check {
 public:
  Check(const std::string& file, std::string device) : file_(file), device_(std::move(device)) {}

  template <class... A>
  [[noreturn]] void refuse(fmt::format_string<A...> text, A&&... arguments) const {
    fail(ErrorKind::DeviceError, "{}: device {}: {}", file_, device_,
         fmt::format(text, std::forward<A>(arguments)...));
  }

  void text(const char* field, const char* value) const {
    if (value == nullptr) refuse("{} is missing", field);
    for (std::string_view rest = value; !rest.empty();) {
      const std::size_t length = utf8_length(rest);
      const auto byte = static_cast<unsigned char>(rest.front());
      if (length == 0 || byte < 0x20 || byte == 0x7F) {
        refuse("{} is no line of UTF-8 (byte {:#04x})", field, byte);
      }
      rest.remove_prefix(length);
    }
  }
  void text_that_says_something(const char* field, const char* value) const {
    text(field, value);
    if (*value == '\0') refuse("{} is empty", field);
  }

  void at_least(const char* field, std::uint64_t value, std::uint64_t least) const {
    if (value < least) refuse("{} is {}, must be at least {}", field, value, least);
  }
  void power_of_two(const char* field, std::uint32_t value) const {
    if (!std::has_single_bit(value)) refuse("{} is {}, must be a power of two", field, value);
  }
  void dtypes(const char* field, std::uint32_t mask, std::uint32_t mandatory) const {
    const std::uint32_t missing = mandatory & ~mask;
    if (missing != 0) refuse("{} lack {}, which every device has", field, name(first_of(missing)));
  }

 private:
  const std::string& file_;
  std::string device_;
};

/// It becomes part of a name, "kind:index", that users type and lists separate by commas.
void check_kind(const Check& check, const char* kind) {
  check.text_that_says_something("kind", kind);
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  const std::string_view text = kind;
  if (!std::all_of(text.begin(), text.end(), fits)) {
    check.refuse("kind is \"{}\", must be letters, digits, _ and - only", text);
  }
}

void check_dtypes(const Check& check, const TenonDeviceInfo& info) {
  check.dtypes("storage_dtypes", info.storage_dtypes, kStored);
  check.dtypes("compute_dtypes", info.compute_dtypes, kComputed);
  const std::uint32_t computed_only =
      info.compute_dtypes & ~info.storage_dtypes & known_dtypes() & ~mask_of(u32);
  if (computed_only != 0) {
    check.refuse("compute_dtypes have {}, which storage_dtypes lack", name(first_of(computed_only)));
  }
}

}  // namespace

void check_info(const std::string& file, std::uint32_t index, const TenonDeviceInfo& info) {
  check_kind({file, std::to_string(index)}, info.kind);
  const Check check(file, fmt::format("\"{}:{}\"", info.kind, index));
  check.text_that_says_something("name", info.name);
  check.text_that_says_something("uid", info.uid);
  check.text("driver", info.driver);
  check_dtypes(check, info);
  check.at_least("memory_bytes", info.memory_bytes, 1);
  check.at_least("max_rank", info.max_rank, 4);
  check.at_least("max_instructions", info.max_instructions, 4);
  check.at_least("max_inputs", info.max_inputs, 2);
  check.at_least("max_outputs", info.max_outputs, 1);
  check.at_least("max_scalars", info.max_scalars, 3);
  check.at_least("max_constants", info.max_constants, 3);
  check.at_least("mem_alignment", info.mem_alignment, 256);
  check.power_of_two("mem_alignment", info.mem_alignment);
  check.power_of_two("import_alignment", info.import_alignment);
}

}  // namespace tenon::runtime
