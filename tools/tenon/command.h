// What the commands share: one file each adds itself to the parser and says what to run.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/recipes/options.h"

namespace tenon::cli {

struct Command {
  CLI::App* app;
  std::function<int()> run;  ///< returns the exit status
};

Command add_train(CLI::App& app);
Command add_eval(CLI::App& app);
Command add_predict(CLI::App& app);
Command add_devices(CLI::App& app);

/// A wrong command line, exit status 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Options that train, eval and predict have in common.
struct CommonOptions {
  std::string device;
  std::vector<std::string> plugins;
  std::string json;  ///< "" for none, "-" for stdout
  bool quiet = false;
  bool stats = false;
};

void add_common(CLI::App& app, CommonOptions& options);
void add_plugin_option(CLI::App& app, std::vector<std::string>& files);
void load_plugins(const std::vector<std::string>& files);

/// An option that takes one of an enum's names.
template <class E>
CLI::Option* add_choice(CLI::App& app, const std::string& flag, E& value, const std::string& text) {
  const auto set = [&value, flag](const std::string& word) { value = recipes::parse<E>(flag, word); };
  return app.add_option_function<std::string>(flag, set, text)
      ->type_name(fmt::format("{}", fmt::join(recipes::kNames<E>, "|")))
      ->default_str(recipes::name(value));
}

/// UsageError where what is written to `target`, which `option` names, would replace what is read.
void check_apart(const std::string& option, const std::string& target,
                 const std::vector<std::string>& inputs);

/// --data, --missing and --header.
void add_data_options(CLI::App& app, std::string& data, recipes::Missing& missing,
                      std::optional<bool>& header);

}  // namespace tenon::cli
