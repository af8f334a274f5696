// The split of training is dealt again from the model's seed, if the table is the same.
#include "tools/recipes/eval.h"

#include <chrono>
#include <numeric>

#include "tools/recipes/checkpoint.h"
#include "tools/recipes/score.h"
#include "tools/recipes/table.h"
#include "tools/recipes/train.h"

namespace tenon::recipes {
namespace {

struct Choice {
  Rows rows;
  Indices indices;
};

Choice choose(const EvalOptions& options, const Checkpoint& checkpoint, const Samples& samples,
              Device device) {
  const bool same_table = fingerprint(samples) == checkpoint.table;
  const bool wants_split = options.rows == Rows::Val || options.rows == Rows::Train;
  if (wants_split && !same_table)
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("{}: not the rows that {} was trained on, so it has no {} rows; use --rows all",
                    options.data, options.model, name(options.rows)));
  if (same_table && options.rows != Rows::All) {
    const Split split = split_rows(samples.count, checkpoint.val_split, checkpoint.seed, device);
    if (options.rows == Rows::Train) return {Rows::Train, split.train};
    if (!split.val.empty()) return {Rows::Val, split.val};
    if (options.rows == Rows::Val)
      throw Error(
          ErrorKind::InvalidArgument,
          fmt::format("{}: trained with --val-split 0, so no rows were held out; use --rows all",
                      options.model));
  }
  Indices all(static_cast<std::size_t>(samples.count));
  std::iota(all.begin(), all.end(), 0);
  return {Rows::All, all};
}

}  // namespace

EvalResult evaluate(const EvalOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  const std::int64_t fallbacks = count_fallbacks();
  const Device device = find_device(options.device);
  const auto [checkpoint, model] = load_checkpoint(options.model, device);
  const io::CsvTable table = io::read_csv(options.data, {.header = options.header});
  const Samples samples = encode(table, checkpoint.encoding, options.missing);
  const auto [rows, indices] = choose(options, checkpoint, samples, device);
  const Score found =
      score(model, checkpoint.encoding, to_tensors(checkpoint.encoding, samples, indices, device));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return {.recipe = checkpoint.recipe,
          .device = device.name(),
          .rows = rows,
          .count = static_cast<std::int64_t>(indices.size()),
          .dropped_rows = samples.dropped,
          .val_loss = found.loss,
          .metrics = found.metrics,
          .model = options.model,
          .fallbacks = count_fallbacks() - fallbacks,
          .seconds = seconds.count()};
}

}  // namespace tenon::recipes
