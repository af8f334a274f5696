// Options that several commands have.
#include "tools/tenon/command.h"

#include <tenon/device.h>

namespace tenon::cli {

void add_plugin_option(CLI::App& app, std::vector<std::string>& files) {
  app.add_option("--plugin", files, "load this plugin too; may be given again")
      ->type_name("FILE")
      ->allow_extra_args(false);
}

void add_common(CLI::App& app, CommonOptions& options) {
  app.add_option("--device", options.device, "where to run; tenon devices lists them")
      ->type_name("NAME");
  add_plugin_option(app, options.plugins);
  app.add_option("--json", options.json, "write the result as JSON; - is standard output")
      ->type_name("FILE|-");
  app.add_flag("--stats", options.stats, "also what each device did, and what it refused");
  app.add_flag("--quiet", options.quiet, "no progress and no table");
}

void check_apart(const std::string& option, const std::string& target,
                 const std::vector<std::string>& inputs) {
  std::error_code missing;
  for (const std::string& input : inputs) {
    if (std::filesystem::is_regular_file(target, missing) &&
        std::filesystem::equivalent(target, input, missing))
      throw UsageError(fmt::format("{}: {} is read, and would be lost; name another", option, target));
  }
}

void add_data_options(CLI::App& app, std::string& data, recipes::Missing& missing,
                      std::optional<bool>& header) {
  app.add_option("--data", data, "a CSV file")->type_name("FILE")->required();
  add_choice(
      app, "--missing", missing,
      "what to do with rows that lack a value: complain, leave them out, or take the mean of the "
      "training rows");
  const auto set = [&header](const std::string& word) {
    if (word != "yes" && word != "no")
      throw UsageError(fmt::format("--header: no \"{}\"; there are yes, no", word));
    header = word == "yes";
  };
  app.add_option_function<std::string>("--header", set, "whether the first row names the columns")
      ->type_name("yes|no")
      ->default_str("found");
}

void load_plugins(const std::vector<std::string>& files) {
  for (const std::string& file : files) load_plugin(file);
}

}  // namespace tenon::cli
