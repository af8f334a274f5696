// The line is cut to the terminal's width from the right, piece by piece.
#include "tools/tenon/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "tools/tenon/report.h"

namespace tenon::cli {
namespace {

constexpr std::int64_t kPlainLines = 20;
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr std::size_t kBarWidth = 20, kSparkWidth = 16;

bool is_terminal() {
  const char* const kind = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) != 0 && (kind == nullptr || std::strcmp(kind, "dumb") != 0);
}

/// By no-color.org: set and not empty.
bool has_color() {
  const char* const no_color = std::getenv("NO_COLOR");
  return no_color == nullptr || *no_color == '\0';
}

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string repeat(const char* text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

std::string bar(double done) {
  const auto full = static_cast<std::size_t>(done * static_cast<double>(kBarWidth));
  return repeat("█", full) + repeat("░", kBarWidth - std::min(full, kBarWidth));
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

/// Columns that text of one column a character takes.
std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
  }));
}

}  // namespace

std::string sparkline(const std::vector<double>& values, std::size_t width) {
  static constexpr std::array<const char*, 8> kBars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (values.empty()) return "";
  std::vector<double> means;
  const std::size_t count = std::min(width, values.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = i * values.size() / count, end = (i + 1) * values.size() / count;
    double sum = 0;
    for (std::size_t j = begin; j < end; ++j) sum += values[j];
    means.push_back(sum / static_cast<double>(end - begin));
  }
  const auto [low, high] = std::minmax_element(means.begin(), means.end());
  const double range = *high > *low ? *high - *low : 1;
  std::string text;
  for (const double mean : means)
    text += kBars[static_cast<std::size_t>((mean - *low) / range * 7 + 0.5)];
  return text;
}

Progress::Progress(std::int64_t epochs, std::int64_t batch_size, bool quiet)
    : epochs_(epochs),
      batch_size_(batch_size),
      mode_(quiet           ? Mode::Quiet
            : is_terminal() ? Mode::Terminal
                            : Mode::Plain) {}

Progress::~Progress() {
  finish();
}

void Progress::start(const recipes::TrainResult& so_far) {
  rows_ = so_far.train_rows;
  batches_ = (rows_ + batch_size_ - 1) / batch_size_;
  epoch_ = static_cast<std::int64_t>(so_far.epochs.size()) + 1;
  first_ = done();
  begin_ = drawn_ = Clock::now();
}

void Progress::batch(std::int64_t epoch, std::int64_t batch, double loss) {
  epoch_ = epoch;
  batch_ = batch + 1;
  loss_ = loss;
  if (mode_ == Mode::Terminal && Clock::now() - drawn_ >= kRedraw) redraw();
}

void Progress::epoch(const recipes::Epoch& epoch) {
  last_ = epoch;
  losses_.push_back(epoch.train_loss);
  const std::int64_t every = (epochs_ + kPlainLines - 1) / kPlainLines;
  const bool is_shown = losses_.size() == 1 || epoch.epoch % every == 0 || epoch.epoch == epochs_;
  if (mode_ == Mode::Plain && is_shown) fmt::print(stderr, "{}\n", plain_line());
  if (mode_ == Mode::Terminal && (epoch.epoch == epochs_ || Clock::now() - drawn_ >= kRedraw)) redraw();
}

void Progress::finish() {
  if (line_is_open_) fmt::print(stderr, "\n");
  line_is_open_ = false;
}

double Progress::done() const {
  const double batches = static_cast<double>((epoch_ - 1) * batches_ + batch_);
  return batches / static_cast<double>(epochs_ * batches_);
}

std::string Progress::eta() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  return duration(seconds / own() * (1 - done()));
}

std::string Progress::plain_line() const {
  std::string line =
      fmt::format("epoch {}/{}  train_loss {:.5g}", last_.epoch, epochs_, last_.train_loss);
  if (last_.val_loss) line += fmt::format("  val_loss {:.5g}", *last_.val_loss);
  for (const auto& [name, value] : last_.metrics) line += fmt::format("  {} {:.4g}", name, value);
  return line + fmt::format("  {} samples/s  ETA {}", short_number(last_.samples_per_second), eta());
}

void Progress::redraw() {
  drawn_ = Clock::now();
  std::vector<std::string> pieces{
      fmt::format("epoch {}/{}", epoch_, epochs_), bar(done()),
      fmt::format("loss {:.4g}", losses_.empty() ? loss_ : last_.train_loss)};
  if (last_.val_loss) pieces.push_back(fmt::format("val {:.4g}", *last_.val_loss));
  if (losses_.size() > 1) pieces.push_back(sparkline(losses_, kSparkWidth));
  const double seconds = std::chrono::duration<double>(drawn_ - begin_).count();
  const double samples = own() * static_cast<double>(epochs_ * rows_);
  if (seconds > 0) pieces.push_back(short_number(samples / seconds) + " samples/s");
  pieces.push_back("ETA " + eta());
  const std::size_t width = terminal_width() - 1;
  std::size_t used = 0;
  std::string line;
  for (const std::string& piece : pieces) {
    if (used + columns(piece) > width) break;
    line += piece + " ";
    used += columns(piece) + 1;
  }
  const bool color = has_color();
  fmt::print(stderr, "\r{}{}{}\x1b[K", color ? "\x1b[36m" : "", line, color ? "\x1b[0m" : "");
  std::fflush(stderr);
  line_is_open_ = true;
}

}  // namespace tenon::cli
