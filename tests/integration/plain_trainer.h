// The oracle of the recipes: tables read, models trained and least squares solved in plain f64 loops.
// It shares no code with the product.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tenon::test {

using Row = std::vector<double>;

struct PlainTable {
  std::vector<Row> x;  ///< text columns one-hot, in sorted order
  Row y;
};

/// mpg.csv with the target mpg, without name and without the rows that lack horsepower.
PlainTable read_mpg(const std::string& file);
/// Numbers alone, no header, the last column is the class 0 or 1.
PlainTable read_classes(const std::string& file);

/// Standardises x by mean and population deviation of these rows, and y too where it is a regression's.
void standardise(PlainTable& table, const std::vector<std::int64_t>& rows, bool scale_y);

/// r2 on `val` of the least-squares solution on `train` (normal equations, with a constant; columns
/// that depend on earlier ones are left out).
double least_squares_r2(const PlainTable& table, const std::vector<std::int64_t>& train,
                        const std::vector<std::int64_t>& val);

/// One linear layer, or linear, relu, linear; mean square error, or cross entropy of the sigmoid.
class PlainTrainer {
 public:
  struct Options {
    std::size_t hidden = 0;
    bool logistic = false;
    bool adam = false;
    double lr = 0;
  };
  /// The parameters in the order weight, bias of each layer; a weight is (out, in), row-major.
  PlainTrainer(std::vector<Row> parameters, Options options);
  /// The loss of a batch; then one step.
  double step(const PlainTable& table, const std::vector<std::int64_t>& rows);

 private:
  double output(const Row& x, Row& units) const;
  /// The loss of one output, and its derivative.
  double loss(double z, double y, double& dz) const;
  void add_gradient(const Row& x, const Row& units, double dz);
  void update();

  Options options_;
  std::vector<Row> parameters_, gradients_, m_, v_;
  int steps_ = 0;
};

}  // namespace tenon::test
