// plugin.json, the ABI for other languages: every number of it is the compiled header's, and every
// struct, field and constant of the header is there.
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <tenon/plugin_layout.h>
#include <nlohmann/json.hpp>

#include "tests/support/paths.h"

namespace {

using Json = nlohmann::ordered_json;

const std::string kSdk = TENON_TEST_SOURCE_DIR "/plugins/sdk";

std::string read(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// What plugin.json has to be.
Json compiled() {
  Json json{{"abi", {{"major", TENON_ABI_MAJOR}, {"minor", TENON_ABI_MINOR}}}};
#define TENON_AT(type, field, offset)            \
  json["structs"][#type]["size"] = sizeof(type); \
  json["structs"][#type]["fields"][#field] = {{"offset", offset}, {"size", sizeof(type::field)}};
#define TENON_VALUE(name, value) json["constants"][#name] = value;
#include <tenon/plugin_layout.def>
#undef TENON_AT
#undef TENON_VALUE
#define TENON_DTYPE(name, NAME, code, bytes) json["dtypes"][#NAME] = {{"code", code}, {"bytes", bytes}};
#include <tenon/dtypes.def>
#undef TENON_DTYPE
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) \
  json["opcodes"][#NAME] = {{"code", code}, {"arity", arity}, {"group", #group}, {"ulp", ulp}};
#include <tenon/opcodes.def>
#undef TENON_OPCODE
  return json;
}

/// One line for each entry, of a struct one for each field.
std::string print(const Json& json, const std::string& indent) {
  std::string text;
  for (const auto& [key, value] : json.items()) {
    const bool deep = value.is_object() && value.begin()->is_structured();
    const bool list = key == "constants" || value.contains("fields");
    text += (text.empty() ? "" : ",\n") + indent + Json(key).dump() + ": " +
            (deep || list ? "{\n" + print(value, indent + " ") + "\n" + indent + "}" : value.dump());
  }
  return text;
}

TEST(PluginJson, IsTheCompiledHeader) {
  const Json want = compiled();
  const Json found = Json::parse(read(kSdk + "/share/tenon/plugin.json"), nullptr, false);
  if (found == want) return;
  const std::string made = TENON_TEST_BUILD_DIR "/plugin.json";
  std::ofstream(made) << "{\n" << print(want, " ") << "\n}\n";
  FAIL() << "it differs; what it has to be is in " << made << ":\n"
         << (found.is_discarded() ? "no JSON" : Json::diff(found, want).dump(1));
}

// Fields that follow each other from 0 to the struct's end leave no room for one that is not listed.
TEST(PluginJson, ListsEveryField) {
  const Json json = compiled();
  for (const auto& [name, entry] : json["structs"].items()) {
    std::size_t end = 0;
    for (const auto& [field, at] : entry["fields"].items()) {
      EXPECT_EQ(at["offset"], end) << name << "." << field;
      end += at["size"].get<std::size_t>();
    }
    EXPECT_EQ(entry["size"], end) << name << " has fields that plugin_layout.def does not list";
  }
}

std::set<std::string> matches(const std::string& text, const char* pattern) {
  const std::regex regex(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it)
    found.insert((*it)[1]);
  return found;
}

TEST(PluginJson, ListsEveryStructAndConstant) {
  const std::string header = read(kSdk + "/include/tenon/plugin.h");
  const Json json = compiled();
  std::set<std::string> structs, constants;
  for (const auto& [name, entry] : json["structs"].items()) structs.insert(name);
  for (const auto& [name, entry] : json["constants"].items()) constants.insert(name);
  EXPECT_EQ(structs, matches(header, R"(typedef struct (\w+) \{)"));
  constants.erase("TENON_DYNAMIC");  // a macro
  EXPECT_EQ(constants, matches(header, R"(\b(TENON_[A-Z0-9_]+) = )"));
}

}  // namespace
