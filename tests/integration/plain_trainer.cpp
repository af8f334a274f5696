// Loops as one writes them on paper.
#include "tests/integration/plain_trainer.h"

#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

namespace tenon::test {
namespace {

std::vector<std::vector<std::string>> read_cells(const std::string& file) {
  std::vector<std::vector<std::string>> rows;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    std::vector<std::string> cells;
    std::stringstream cut(line);
    for (std::string cell; std::getline(cut, cell, ',');) cells.push_back(cell);
    rows.push_back(cells);
  }
  return rows;
}

double dot(const Row& weights, std::size_t from, const Row& x) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += weights[from + i] * x[i];
  return sum;
}

void scale(const std::vector<double*>& values, const std::vector<std::int64_t>& rows) {
  double mean = 0, square = 0;
  const auto count = static_cast<double>(rows.size());
  for (const auto row : rows) mean += *values[static_cast<std::size_t>(row)] / count;
  for (const auto row : rows)
    square += std::pow(*values[static_cast<std::size_t>(row)] - mean, 2) / count;
  for (double* value : values) *value = (*value - mean) / std::sqrt(square);
}

/// Solves a·x = b in place by Gaussian elimination with the pivots on the diagonal, which suits a
/// matrix of sums of products; an unknown whose pivot vanishes is 0.
Row solve(std::vector<Row> a, Row b) {
  const std::size_t n = b.size();
  std::vector<bool> used(n);
  const std::vector<Row> original = a;
  for (std::size_t p = 0; p < n; ++p) {
    used[p] = std::abs(a[p][p]) > 1e-9 * (1 + std::abs(original[p][p]));
    if (!used[p]) continue;
    for (std::size_t r = 0; r < n; ++r) {
      if (r == p) continue;
      const double factor = a[r][p] / a[p][p];
      for (std::size_t c = 0; c < n; ++c) a[r][c] -= factor * a[p][c];
      b[r] -= factor * b[p];
    }
  }
  Row x(n);
  for (std::size_t p = 0; p < n; ++p) x[p] = used[p] ? b[p] / a[p][p] : 0;
  return x;
}

}  // namespace

PlainTable read_mpg(const std::string& file) {
  const auto rows = read_cells(file);
  std::set<std::string> origins;
  for (std::size_t r = 1; r < rows.size(); ++r) origins.insert(rows[r][7]);
  PlainTable table;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    if (rows[r][3].empty()) continue;
    Row x;
    for (std::size_t c = 1; c <= 6; ++c) x.push_back(std::stod(rows[r][c]));
    for (const auto& origin : origins) x.push_back(origin == rows[r][7] ? 1 : 0);
    table.x.push_back(x);
    table.y.push_back(std::stod(rows[r][0]));
  }
  return table;
}

PlainTable read_classes(const std::string& file) {
  PlainTable table;
  for (const auto& cells : read_cells(file)) {
    Row x;
    for (const auto& cell : cells) x.push_back(std::stod(cell));
    table.y.push_back(x.back());
    x.pop_back();
    table.x.push_back(x);
  }
  return table;
}

void standardise(PlainTable& table, const std::vector<std::int64_t>& rows, bool scale_y) {
  std::vector<double*> values(table.x.size());
  for (std::size_t c = 0; c < table.x.front().size(); ++c) {
    for (std::size_t r = 0; r < values.size(); ++r) values[r] = &table.x[r][c];
    scale(values, rows);
  }
  for (std::size_t r = 0; r < values.size(); ++r) values[r] = &table.y[r];
  if (scale_y) scale(values, rows);
}

double least_squares_r2(const PlainTable& table, const std::vector<std::int64_t>& train,
                        const std::vector<std::int64_t>& val) {
  const auto features = [&](std::int64_t row) {
    Row x = table.x[static_cast<std::size_t>(row)];
    x.insert(x.begin(), 1);
    return x;
  };
  const auto y = [&](std::int64_t row) { return table.y[static_cast<std::size_t>(row)]; };
  const std::size_t n = table.x.front().size() + 1;
  std::vector<Row> a(n, Row(n));
  Row b(n);
  for (const auto row : train) {
    const Row x = features(row);
    for (std::size_t i = 0; i < n; ++i) {
      b[i] += x[i] * y(row);
      for (std::size_t j = 0; j < n; ++j) a[i][j] += x[i] * x[j];
    }
  }
  const Row weights = solve(a, b);
  double mean = 0, wrong = 0, spread = 0;
  for (const auto row : val) mean += y(row) / static_cast<double>(val.size());
  for (const auto row : val) {
    wrong += std::pow(y(row) - dot(weights, 0, features(row)), 2);
    spread += std::pow(y(row) - mean, 2);
  }
  return 1 - wrong / spread;
}

PlainTrainer::PlainTrainer(std::vector<Row> parameters, Options options)
    : options_(options), parameters_(std::move(parameters)) {
  for (const Row& p : parameters_) gradients_.emplace_back(p.size());
  m_ = v_ = gradients_;
}

double PlainTrainer::step(const PlainTable& table, const std::vector<std::int64_t>& rows) {
  for (Row& gradient : gradients_) gradient.assign(gradient.size(), 0);
  const auto count = static_cast<double>(rows.size());
  double sum = 0;
  for (const auto index : rows) {
    const auto row = static_cast<std::size_t>(index);
    Row units;
    double dz = 0;
    sum += loss(output(table.x[row], units), table.y[row], dz) / count;
    add_gradient(table.x[row], units, dz / count);
  }
  update();
  return sum;
}

double PlainTrainer::output(const Row& x, Row& units) const {
  if (options_.hidden == 0) return dot(parameters_[0], 0, x) + parameters_[1][0];
  for (std::size_t h = 0; h < options_.hidden; ++h)
    units.push_back(std::max(0.0, dot(parameters_[0], h * x.size(), x) + parameters_[1][h]));
  return dot(parameters_[2], 0, units) + parameters_[3][0];
}

double PlainTrainer::loss(double z, double y, double& dz) const {
  if (!options_.logistic) {
    dz = 2 * (z - y);
    return (z - y) * (z - y);
  }
  const double p = 1 / (1 + std::exp(-z));
  dz = p - y;
  return -(y * std::log(p) + (1 - y) * std::log(1 - p));
}

void PlainTrainer::add_gradient(const Row& x, const Row& units, double dz) {
  if (options_.hidden == 0) {
    for (std::size_t i = 0; i < x.size(); ++i) gradients_[0][i] += dz * x[i];
    gradients_[1][0] += dz;
    return;
  }
  gradients_[3][0] += dz;
  for (std::size_t h = 0; h < options_.hidden; ++h) {
    gradients_[2][h] += dz * units[h];
    if (units[h] <= 0) continue;
    const double dh = dz * parameters_[2][h];
    gradients_[1][h] += dh;
    for (std::size_t i = 0; i < x.size(); ++i) gradients_[0][h * x.size() + i] += dh * x[i];
  }
}

void PlainTrainer::update() {
  ++steps_;
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    for (std::size_t i = 0; i < parameters_[p].size(); ++i) {
      const double g = gradients_[p][i];
      if (!options_.adam) {
        parameters_[p][i] -= options_.lr * g;
        continue;
      }
      m_[p][i] = 0.9 * m_[p][i] + 0.1 * g;
      v_[p][i] = 0.999 * v_[p][i] + 0.001 * g * g;
      const double mean = m_[p][i] / (1 - std::pow(0.9, steps_));
      const double square = v_[p][i] / (1 - std::pow(0.999, steps_));
      parameters_[p][i] -= options_.lr * mean / (std::sqrt(square) + 1e-8);
    }
  }
}

}  // namespace tenon::test
