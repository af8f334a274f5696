// tenon train: options, progress, result.
#include <memory>

#include <fmt/format.h>

#include "tools/tenon/command.h"
#include "tools/tenon/interrupt.h"
#include "tools/tenon/progress.h"
#include "tools/tenon/report.h"
#include "tools/tenon/text_file.h"

namespace tenon::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  tenon train linear --data cars.csv --target mpg --drop name --missing drop --save "
    "cars.safetensors\n"
    "  tenon train logistic --data notes.csv --target -1 --hidden 32 --device reference --json -\n"
    "\n"
    "Numbers are standardised by the training rows; a column of text becomes one feature for each of\n"
    "its values. Ctrl-C ends after the batch and saves; the same command with --resume FILE goes on "
    "from\n"
    "there, bit for bit. With more --epochs the schedule from there on is that of their new number.";

struct TrainCommand {
  recipes::TrainOptions train;
  CommonOptions common;

  void add_data(CLI::App& app) {
    const auto set = [this](const std::string& word) {
      train.recipe = recipes::parse<recipes::Recipe>("recipe", word);
    };
    app.add_option_function<std::string>("recipe", set, "what to train")
        ->type_name("linear|logistic")
        ->required();
    add_data_options(app, train.data, train.missing, train.header);
    app.add_option("--target", train.target, "the column to predict: name, or index (-1 is the last)")
        ->type_name("COLUMN")
        ->required();
    app.add_option("--drop", train.drop, "leave out columns: a,b, or the option again")
        ->type_name("COLUMN")
        ->delimiter(',')
        ->allow_extra_args(false);
    app.add_option("--val-split", train.val_split, "the part of the rows held out for validation")
        ->type_name("PART")
        ->capture_default_str();
    app.add_option("--save", train.save, "write the model here, as safetensors")->type_name("FILE");
    app.add_option("--resume", train.resume,
                   "go on with this saved model; all options but --epochs as before")
        ->type_name("FILE");
  }

  void add_training(CLI::App& app) {
    app.add_option("--epochs", train.epochs, "passes over the training rows")
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--batch-size", train.batch_size, "rows of a step")
        ->type_name("N")
        ->capture_default_str();
    add_choice(app, "--optimizer", train.optimizer, "how to step");
    app.add_option(
           "--lr", train.lr,
           "learning rate; unset, 0.05 for sgd and adagrad, 0.01 for rmsprop, 0.03 for adam and "
           "adamw, 0.01 for these with --hidden")
        ->type_name("RATE");
    add_choice(app, "--schedule", train.schedule,
               "the learning rate over the epochs: a tenth in the last third; the same; down along a "
               "cosine; up along a line in the first tenth and down then");
    app.add_option("--hidden", train.hidden, "units of a hidden layer (logistic), 0 for none")
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--seed", train.seed, "of the split, the initial values and the order of rows")
        ->type_name("N")
        ->capture_default_str();
  }

  void check_usage() const {
    try {
      recipes::check(train);
    } catch (const Error& error) {
      throw UsageError(error.what());
    }
  }

  int run() {
    check_usage();
    check_apart("--save", train.save, {train.data});
    check_apart("--json", common.json, {train.data, train.resume});
    check_target(common.json);
    load_plugins(common.plugins);
    train.device = common.device;
    catch_interrupts();
    Progress progress(train.epochs, train.batch_size, common.quiet);
    const recipes::TrainResult result = recipes::train(
        train,
        {.on_start = [&](const auto& so_far) { progress.start(so_far); },
         .on_batch = [&](auto epoch, auto batch, double loss) { progress.batch(epoch, batch, loss); },
         .on_epoch = [&](const auto& epoch) { progress.epoch(epoch); },
         .should_stop = [] { return interrupt() != 0; }});
    progress.finish();
    show(result, common);
    if (!result.interrupted) return 0;
    fmt::print(stderr, "tenon: interrupted; the model is in {}\n", *result.model);
    return 128 + interrupt();
  }
};

}  // namespace

Command add_train(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("train", "Train a model on a table");
  const auto self = std::make_shared<TrainCommand>();
  self->add_data(*command);
  self->add_training(*command);
  add_common(*command, self->common);
  command->footer(kExamples);
  return {command, [self] { return self->run(); }};
}

}  // namespace tenon::cli
