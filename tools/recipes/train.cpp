// One epoch after the other; validation after each.
#include "tools/recipes/train.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

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
    case Optimizer::AdamW:
      return std::make_unique<optim::AdamW>(module.parameters(), optim::AdamWOptions{.lr = lr});
    case Optimizer::RMSprop:
      return std::make_unique<optim::RMSprop>(module.parameters(), optim::RMSpropOptions{.lr = lr});
    case Optimizer::Adagrad:
      return std::make_unique<optim::Adagrad>(module.parameters(), optim::AdagradOptions{.lr = lr});
  }
  return nullptr;
}

/// Of the epochs, counted from 0.
optim::Rule make_rule(Schedule kind, std::int64_t epochs) {
  switch (kind) {
    case Schedule::Step:
      return optim::MultiStepLR{.milestones = {(2 * epochs + 2) / 3}};
    case Schedule::Constant:
      return optim::ConstantLR{.factor = 1};
    case Schedule::Cosine:
      return optim::CosineAnnealingLR{.T_max = epochs};
    case Schedule::Warmup: {
      const std::int64_t steps = (epochs + 9) / 10;
      return optim::Warmup{
          .steps = steps,
          .then = optim::CosineAnnealingLR{.T_max = std::max<std::int64_t>(1, epochs - steps)}};
    }
  }
  return nullptr;
}

double base_rate(const TrainOptions& options) {
  return options.lr.value_or(default_lr(options.optimizer, options.hidden));
}

nlohmann::ordered_json describe_training(const TrainOptions& options) {
  return nlohmann::ordered_json{{"data", options.data},
                                {"target", options.target},
                                {"drop", options.drop},
                                {"missing", name(options.missing)},
                                {"val_split", options.val_split},
                                {"batch_size", options.batch_size},
                                {"optimizer", name(options.optimizer)},
                                {"schedule", name(options.schedule)},
                                {"lr", base_rate(options)},
                                {"epochs", options.epochs},
                                {"seed", options.seed},
                                {"hidden", options.hidden}};
}

std::string to_text(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

[[noreturn]] void refuse_resume(const TrainOptions& options, const std::string& why) {
  throw Error(ErrorKind::InvalidArgument, fmt::format("{}: {}", options.resume, why));
}

/// InvalidArgument where training would not go on as it began.
void check_resumable(const TrainOptions& options, const Checkpoint& before, const Checkpoint& now) {
  if (before.recipe != now.recipe)
    refuse_resume(options,
                  fmt::format("is a model of {}, not {}", name(before.recipe), name(now.recipe)));
  const nlohmann::ordered_json given = describe_training(options);
  const auto was = nlohmann::ordered_json::parse(before.training, nullptr, false);
  for (const auto& [key, value] : given.items()) {
    if (key == "data" || key == "epochs") continue;
    const nlohmann::ordered_json old =
        was.is_object() && was.contains(key) ? was.at(key) : nlohmann::ordered_json();
    if (old == value) continue;
    std::string option = "--" + key;
    std::replace(option.begin(), option.end(), '_', '-');
    const auto word = [](const nlohmann::ordered_json& json) {
      return json.is_string() ? json.get<std::string>() : to_text(json);
    };
    refuse_resume(options, fmt::format("was trained with {} {}, not {}; give the options of before",
                                       option, word(old), word(value)));
  }
  if (before.table != now.table)
    refuse_resume(options, fmt::format("was not trained on the rows of {}", options.data));
  const auto done = static_cast<std::int64_t>(before.state.epochs.size());
  if (done >= options.epochs)
    refuse_resume(options, fmt::format("{} epochs are done; --epochs must be above that, not {}", done,
                                       options.epochs));
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
                   .training = to_text(describe_training(options)),
                   .state = {}};
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
    optimizer_ = make_optimizer(options.optimizer, model_.module, learning_rate(options, 1));
    if (options.resume.empty()) {
      state().order = {.seed = loader_options(options).seed, .offset = 0};
      state().generator = random::default_generator().state();
    } else {
      resume();
    }
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
  TrainingState& state() { return checkpoint_.state; }

  /// Takes over the parameters and all that the next batch depends on.
  void resume() {
    const LoadedModel before = load_checkpoint(options_.resume, device_);
    check_resumable(options_, before.checkpoint, checkpoint_);
    model_.module.load_state_dict(before.model.module.state_dict());
    state() = before.checkpoint.state;
    try {
      optimizer_->load_state_dict(state().optimizer);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::InvalidArgument) throw;
      throw Error(ErrorKind::IoError, fmt::format("{}: {}", options_.resume, error.what()));
    }
    random::default_generator().set_state(state().generator);
    result_.epochs = state().epochs;
  }

  void run_epochs() {
    data::DataLoader loader({train_rows_.x, train_rows_.y}, loader_options(options_));
    loader.generator().set_state(state().order);
    while (state().epoch <= options_.epochs && !result_.interrupted) {
      optimizer_->set_lr(learning_rate(options_, state().epoch));
      Epoch epoch{.epoch = state().epoch, .val_loss = {}, .metrics = {}};
      if (!train_epoch(loader, epoch)) break;
      validate(epoch);
      result_.epochs.push_back(epoch);
      state().epoch += 1;
      state().order = loader.generator().state();
      if (hooks_.on_epoch) hooks_.on_epoch(epoch);
    }
  }

  /// From the batch on where the state stands; false where it was stopped before the last one.
  bool train_epoch(data::DataLoader& loader, Epoch& epoch) {
    const auto begin = Clock::now();
    const std::int64_t before = state().rows;
    model_.module.train();
    auto batch = loader.begin();
    for (std::int64_t skipped = 0; skipped < state().batch; ++skipped) ++batch;
    for (; batch != loader.end() && !result_.interrupted; ++batch) {
      const auto [x, y] = *batch;
      const double loss = step(*optimizer_, x, y);
      check_loss(loss, epoch.epoch, state().batch);
      state().loss_sum += loss * static_cast<double>(x.size(0));
      state().rows += x.size(0);
      if (hooks_.on_batch) hooks_.on_batch(epoch.epoch, state().batch, loss);
      ++state().batch;
      result_.interrupted = hooks_.should_stop && hooks_.should_stop();
    }
    const double seconds = seconds_since(begin);
    samples_ += state().rows - before;
    training_seconds_ += seconds;
    if (state().batch < loader.size()) return false;
    epoch.train_loss = state().loss_sum / static_cast<double>(state().rows);
    epoch.samples_per_second = static_cast<double>(state().rows - before) / seconds;
    state().batch = state().rows = 0;
    state().loss_sum = 0;
    return true;
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
    state().epochs = result_.epochs;
    state().generator = random::default_generator().state();
    state().optimizer = optimizer_->state_dict();
    save_checkpoint(file, checkpoint_, model_);
    result_.model = file;
  }

  const TrainOptions& options_;
  const TrainHooks& hooks_;
  Device device_;
  data::Example train_rows_, val_rows_;
  Model model_;
  std::unique_ptr<optim::Optimizer> optimizer_;
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
  return make_rule(options.schedule, options.epochs)(base_rate(options), epoch - 1);
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
