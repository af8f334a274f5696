// tenon eval: a saved model on a table.
#include <memory>

#include "tools/tenon/command.h"
#include "tools/tenon/report.h"
#include "tools/tenon/text_file.h"

namespace tenon::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  tenon eval cars.safetensors --data cars.csv --missing drop\n"
    "  tenon eval cars.safetensors --data new.csv --json -\n"
    "\n"
    "With the very table that the model was trained on, --rows auto scores the rows held out then; "
    "with\n"
    "any other all rows. Columns are found by name.";

struct EvalCommand {
  recipes::EvalOptions eval;
  CommonOptions common;

  int run() {
    check_apart("--json", common.json, {eval.data, eval.model});
    check_target(common.json);
    load_plugins(common.plugins);
    eval.device = common.device;
    const recipes::EvalResult result = recipes::evaluate(eval);
    show(result, common);
    return 0;
  }
};

}  // namespace

Command add_eval(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("eval", "Score a saved model on a table");
  const auto self = std::make_shared<EvalCommand>();
  command->add_option("model", self->eval.model, "a file that tenon train --save wrote")
      ->type_name("FILE")
      ->required();
  add_data_options(*command, self->eval.data, self->eval.missing, self->eval.header);
  add_choice(*command, "--rows", self->eval.rows, "which rows to score");
  add_common(*command, self->common);
  command->footer(kExamples);
  return {command, [self] { return self->run(); }};
}

}  // namespace tenon::cli
