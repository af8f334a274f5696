// The `tenon` command: parses, runs one command, and turns every error into one line and a status:
// 0 ok, 1 failed, 2 wrong usage.
#include <algorithm>
#include <cstdio>
#include <new>

#include <fmt/format.h>
#include <tenon/device.h>
#include <tenon/error.h>
#include <tenon/version.h>

#include "tools/tenon/command.h"

namespace tenon::cli {
namespace {

constexpr int kFailed = 1, kWrongUsage = 2;

constexpr const char* kFooter =
    "Examples:\n"
    "  tenon devices\n"
    "  tenon train linear --data cars.csv --target mpg --save cars.safetensors\n"
    "  tenon eval cars.safetensors --data cars.csv\n"
    "  tenon predict cars.safetensors --data new.csv -o prices.csv\n"
    "  tenon train --help";

int complain(std::string text, int status) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  fmt::print(stderr, "tenon: error: {}\n", text);
  return status;
}

int complain_of_usage(const CLI::App& app, const std::string& text) {
  const auto chosen = app.get_subcommands();
  const std::string command = chosen.empty() ? "" : chosen.front()->get_name() + " ";
  return complain(fmt::format("{}; see tenon {}--help", text, command), kWrongUsage);
}

int run(const CLI::App& app, const std::vector<Command>& commands) {
  try {
    for (const Command& command : commands) {
      if (!command.app->parsed()) continue;
      const int status = command.run();
      shutdown();
      return status;
    }
  } catch (const UsageError& error) {
    return complain_of_usage(app, error.what());
  } catch (const std::bad_alloc&) {
    return complain("out of memory", kFailed);
  } catch (const std::exception& error) {
    return complain(error.what(), kFailed);
  }
  return 0;
}

/// What CLI11 says, but for a word that is no command, which it calls a missing one.
std::string usage_text(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> words = app.remaining();
  if (!app.get_subcommands().empty() || words.empty() || words.front().starts_with("-"))
    return error.what();
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return fmt::format("no command \"{}\"; there are {}", words.front(), fmt::join(names, ", "));
}

int parse_and_run(int argc, char** argv) {
  CLI::App app{"Tenon: deep learning on any device that a plugin brings", "tenon"};
  app.set_version_flag("--version", "tenon " TENON_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  const std::vector<Command> commands{add_train(app), add_eval(app), add_predict(app),
                                      add_devices(app)};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return complain_of_usage(app, usage_text(app, error));
  } catch (const std::exception& error) {
    return complain_of_usage(app, error.what());
  }
  return run(app, commands);
}

}  // namespace
}  // namespace tenon::cli

int main(int argc, char** argv) {
  const int status = tenon::cli::parse_and_run(argc, argv);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  return tenon::cli::complain("standard output can't be written", status == 0 ? 1 : status);
}
