// What a training run shows on stderr while it goes on: one line that is written over on a terminal,
// else a few plain lines.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/recipes/train.h"

namespace tenon::cli {

class Progress {
 public:
  Progress(std::int64_t epochs, std::int64_t batch_size, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void start(const recipes::TrainResult& so_far);
  void batch(std::int64_t epoch, std::int64_t batch, double loss);
  void epoch(const recipes::Epoch& epoch);
  /// Ends the line that is written over.
  void finish();

 private:
  enum class Mode { Quiet, Plain, Terminal };
  using Clock = std::chrono::steady_clock;

  /// Of all batches, how many are done, 0 .. 1.
  double done() const;
  /// Batches that this run has done, of all.
  double own() const { return done() - first_; }
  std::string eta() const;
  std::string plain_line() const;
  void redraw();

  const std::int64_t epochs_, batch_size_;
  const Mode mode_;
  std::int64_t batches_ = 1, rows_ = 0;  // of an epoch
  std::int64_t epoch_ = 1, batch_ = 0;
  double first_ = 0;  // what was done before this run
  double loss_ = 0;
  std::vector<double> losses_;  // of the epochs so far
  recipes::Epoch last_;
  Clock::time_point begin_, drawn_;
  bool line_is_open_ = false;
};

/// One of eight bars for each value, lowest to highest; the mean of neighbours where there are more
/// than `width`.
std::string sparkline(const std::vector<double>& values, std::size_t width);

}  // namespace tenon::cli
