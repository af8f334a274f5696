// tenon predict: a saved model's answers as a table.
#include <memory>

#include "tools/tenon/command.h"
#include "tools/tenon/report.h"
#include "tools/tenon/text_file.h"

namespace tenon::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  tenon predict cars.safetensors --data new.csv\n"
    "  tenon predict cars.safetensors --data new.csv --missing mean -o prices.csv\n"
    "\n"
    "The result has the table's columns, and behind them the predictions. Columns are found by name; "
    "the\n"
    "target's need not be there.";

struct PredictCommand {
  recipes::PredictOptions predict;
  CommonOptions common;
  std::string output = "-";

  int run() {
    if (output == "-" && common.json == "-")
      throw UsageError("--output and --json can't both be standard output");
    for (const auto& [option, file] : {std::pair("--output", output), {"--json", common.json}}) {
      check_apart(option, file, {predict.data, predict.model});
      check_target(file);
    }
    load_plugins(common.plugins);
    predict.device = common.device;
    const recipes::PredictResult result = recipes::predict(predict);
    write_text(result.csv, output);
    show(result, common, output == "-");
    return 0;
  }
};

}  // namespace

Command add_predict(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("predict", "Use a saved model on a table");
  const auto self = std::make_shared<PredictCommand>();
  command->add_option("model", self->predict.model, "a file that tenon train --save wrote")
      ->type_name("FILE")
      ->required();
  add_data_options(*command, self->predict.data, self->predict.missing, self->predict.header);
  command->add_option("-o,--output", self->output, "write the table here; - is standard output")
      ->type_name("FILE|-")
      ->capture_default_str();
  add_common(*command, self->common);
  command->footer(kExamples);
  return {command, [self] { return self->run(); }};
}

}  // namespace tenon::cli
