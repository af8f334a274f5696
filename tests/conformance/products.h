// Matrix products on a device: their operands, and what each element has to be.
#pragma once

#include "tests/conformance/harness.h"

namespace tenon::conformance {

/// Which extents and strides stand in the pack: none, some of each operand, or all.
enum class Dynamic { none, some, all };

struct Product {
  std::uint8_t from = TENON_DTYPE_F32, to = TENON_DTYPE_F32, acc = TENON_DTYPE_F32;
  Dims batch = {};
  std::int64_t m = 1, k = 1, n = 1;
  Lay dst = Lay::contiguous, a = Lay::contiguous, b = Lay::contiguous;
  bool accumulate = false;
  Dynamic dynamic = Dynamic::none;
  bool shared_a = false, shared_b = false;  ///< one matrix for all batches: stride 0
  bool exact = false;                       ///< small integers, whose sums no order rounds
  bool optional = false;                    ///< a device may refuse it

  /// Element (i, j) of every dst, counted through.
  std::int64_t count() const { return element_count(batch) * m * n; }
};

/// A sum over k in exact arithmetic: of floats, and of integers modulo 2^64.
struct Sum {
  long double real = 0, magnitude = 0;
  Bits whole = 0;
};

class ProductsOnDevice : public OnDevice {
 protected:
  std::string describe(const Product& c) const;
  /// dst, a and b with values.
  std::vector<Array*> operands_of(const Product& c);
  std::vector<Bits> values(const Product& c, std::uint8_t dtype, std::uint64_t seed) const;
  static OpSpec op_of(const Product& c, const std::vector<Array*>& operands);
  static Pack pack_of(const Product& c, const std::vector<Array*>& operands);

  /// Element i of dst, where it held `before`.
  static Sum sum_of(const Product& c, const std::vector<Array*>& operands, std::int64_t i, Bits before);
  /// The sum as a value of acc_dtype.
  static Bits rounded(const Product& c, const Sum& sum);

  void check(const Product& c);
  /// Any order of summing: |error| <= (K + 1) · eps · sum|a||b|, and the rounding of the result.
  static void compare(const Product& c, const std::vector<Array*>& operands,
                      const std::vector<Bits>& before);

 private:
  Array* matrix(const Product& c, std::uint8_t dtype, std::int64_t rows, std::int64_t columns, Lay lay,
                bool shared);
};

}  // namespace tenon::conformance
