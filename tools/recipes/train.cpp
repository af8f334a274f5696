// One epoch after the other; validation after each.
#include "tools/recipes/train.h"

#include <chrono>
#include <cmath>

#include <tenon/optim.h>
#include <nlohmann/json.hpp>

#include "tools/recipes/score.h"
#include "tools/recipes/table.h"

namespace tenon::recipes {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::unique_ptr<optim::Optimizer> make_optimizer(Optimizer kind, const nn::Module& module, double lr) {
  switch (kind) {
    case Optimizer::Sgd:
      return std::make_unique<optim::SGD>(module.parameters(), optim::SGDOptions{.lr = lr});
    case Optimizer::Adam:
      return std::make_unique<optim::Adam>(module.parameters(), optim::AdamOptions{.lr = lr});
  }
  return nullptr;
}

std::string describe_training(const TrainOptions& options) {
  return nlohmann::json{{"data", options.data},
                        {"target", options.target},
                        {"drop", options.drop},
                        {"missing", name(options.missing)},
                        {"val_split", options.val_split},
                        {"batch_size", options.batch_size},
                        {"optimizer", name(options.optimizer)},
                        {"lr", learning_rate(options, 1)},
                        {"epochs", options.epochs},
                        {"seed", options.seed},
                        {"hidden", options.hidden}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// What a run consists of once its data are read.
class Run {
 public:
  Run(const TrainOptions& options, const TrainHooks& hooks)
      : options_(options), hooks_(hooks), device_(find_device(options.device)) {
    const io::CsvTable table = io::read_csv(options.data, {.header = options.header});
    Encoding encoding = describe(table, options.recipe, options.target, options.drop, options.missing);
    const Samples samples = encode(table, encoding, options.missing);
    const Split split = split_rows(samples.count, options.val_split, options.seed, device_);
    fit(encoding, samples, split.train, options.data);
    train_rows_ = to_tensors(encoding, samples, split.train, device_);
    if (!split.val.empty()) val_rows_ = to_tensors(encoding, samples, split.val, device_);
    model_ = make_model(options.recipe, samples.features, options.hidden, options.seed, device_);
    checkpoint_ = {.recipe = options.recipe,
                   .encoding = encoding,
                   .hidden = options.hidden,
                   .seed = options.seed,
                   .val_split = options.val_split,
                   .table = fingerprint(samples),
                   .training = describe_training(options)};
    result_ = {.recipe = options.recipe,
               .device = device_.name(),
               .seed = options.seed,
               .train_rows = static_cast<std::int64_t>(split.train.size()),
               .val_rows = static_cast<std::int64_t>(split.val.size()),
               .dropped_rows = samples.dropped,
               .features = samples.features,
               .parameters = parameter_count(model_.module),
               .epochs = {},
               .model = {}};
  }

  TrainResult finish() {
    const auto begin = Clock::now();
    const std::int64_t fallbacks = count_fallbacks();
    if (hooks_.on_start) hooks_.on_start(result_);
    run_epochs();
    save();
    result_.seconds = seconds_since(begin);
    result_.samples_per_second = static_cast<double>(samples_) / training_seconds_;
    result_.fallbacks = count_fallbacks() - fallbacks;
    return result_;
  }

 private:
  void run_epochs() {
    data::DataLoader loader({train_rows_.x, train_rows_.y}, loader_options(options_));
    const auto optimizer =
        make_optimizer(options_.optimizer, model_.module, learning_rate(options_, 1));
    for (std::int64_t number = 1; number <= options_.epochs; ++number) {
      optimizer->set_lr(learning_rate(options_, number));
      Epoch epoch{.epoch = number, .val_loss = {}, .metrics = {}};
      if (!train_epoch(loader, *optimizer, epoch)) break;
      validate(epoch);
      result_.epochs.push_back(epoch);
      if (hooks_.on_epoch) hooks_.on_epoch(epoch);
      if (result_.interrupted) break;
    }
  }

  /// False where it was stopped before the last batch.
  bool train_epoch(data::DataLoader& loader, optim::Optimizer& optimizer, Epoch& epoch) {
    const auto begin = Clock::now();
    model_.module.train();
    double sum = 0;
    std::int64_t batch = 0, rows = 0;
    for (const auto& [x, y] : loader) {
      const double loss = step(optimizer, x, y);
      check_loss(loss, epoch.epoch, batch);
      sum += loss * static_cast<double>(x.size(0));
      rows += x.size(0);
      if (hooks_.on_batch) hooks_.on_batch(epoch.epoch, batch, loss);
      ++batch;
      result_.interrupted = hooks_.should_stop && hooks_.should_stop();
      if (result_.interrupted) break;
    }
    const double seconds = seconds_since(begin);
    samples_ += rows;
    training_seconds_ += seconds;
    epoch.train_loss = sum / static_cast<double>(rows);
    epoch.samples_per_second = static_cast<double>(rows) / seconds;
    return batch == loader.size();
  }

  double step(optim::Optimizer& optimizer, const Tensor& x, const Tensor& y) {
    optimizer.zero_grad();
    const Tensor loss = model_.loss(model_.forward(x), y);
    loss.backward();
    optimizer.step();
    return loss.item<double>();
  }

  void check_loss(double loss, std::int64_t epoch, std::int64_t batch) const {
    if (std::isfinite(loss)) return;
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("the loss is {} in epoch {}, batch {}: training diverged; try an --lr below {}",
                    loss, epoch, batch + 1, learning_rate(options_, epoch)));
  }

  void validate(Epoch& epoch) const {
    if (!val_rows_.x.defined()) return;
    const Score found = score(model_, checkpoint_.encoding, val_rows_);
    epoch.val_loss = found.loss;
    epoch.metrics = found.metrics;
  }

  void save() {
    std::string file = options_.save;
    if (file.empty() && result_.interrupted) file = name(options_.recipe) + ".interrupted.safetensors";
    if (file.empty()) return;
    save_checkpoint(file, checkpoint_, model_);
    result_.model = file;
  }

  const TrainOptions& options_;
  const TrainHooks& hooks_;
  Device device_;
  data::Example train_rows_, val_rows_;
  Model model_;
  Checkpoint checkpoint_;
  TrainResult result_;
  std::int64_t samples_ = 0;
  double training_seconds_ = 0;
};

}  // namespace

data::DataLoaderOptions loader_options(const TrainOptions& options) {
  return {.batch_size = options.batch_size, .shuffle = true, .seed = options.seed};
}

double learning_rate(const TrainOptions& options, std::int64_t epoch) {
  const double lr = options.lr.value_or(default_lr(options.optimizer, options.hidden));
  return 3 * (epoch - 1) >= 2 * options.epochs ? lr / 10 : lr;
}

Device find_device(const std::string& name) {
  return name.empty() ? default_device() : device(name);
}

std::int64_t count_fallbacks() {
  std::int64_t count = 0;
  for (const Device& device : devices()) count += device.stats().fallbacks;
  return count;
}

TrainResult train(const TrainOptions& options, const TrainHooks& hooks) {
  check(options);
  if (!options.save.empty()) check_writable(options.save);
  return Run(options, hooks).finish();
}

}  // namespace tenon::recipes
