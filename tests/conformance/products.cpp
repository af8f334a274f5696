#include "tests/conformance/products.h"

#include <cmath>

namespace tenon::conformance {
namespace {

// What is TENON_DYNAMIC: all, or every other value from `turn` on.
void hide(Dims& values, Dynamic dynamic, std::size_t turn) {
  for (std::size_t d = 0; d < values.size(); ++d) {
    const bool hidden = dynamic == Dynamic::all || (dynamic == Dynamic::some && (d + turn) % 2 == 0);
    if (hidden) values[d] = TENON_DYNAMIC;
  }
}

}  // namespace

std::string ProductsOnDevice::describe(const Product& c) const {
  const char* dynamic[] = {"", " partly dynamic", " dynamic"};
  return rig.name() + ": matmul " + name_of(c.from) + " in " + name_of(c.acc) + " to " + name_of(c.to) +
         " batch " + show(c.batch) + " M, K, N " + show({c.m, c.k, c.n}) + ", " + name_of(c.dst) +
         " = " + name_of(c.a) + (c.shared_a ? " shared" : "") + " x " + name_of(c.b) +
         (c.shared_b ? " shared" : "") + (c.accumulate ? " accumulated" : "") +
         dynamic[static_cast<int>(c.dynamic)];
}

Array* ProductsOnDevice::matrix(const Product& c, std::uint8_t dtype, std::int64_t rows,
                                std::int64_t columns, Lay lay, bool shared) {
  Dims dims = c.batch;
  dims.insert(dims.end(), {rows, columns});
  Dims strides = strides_of(dims, lay);
  for (std::size_t d = 0; shared && d < c.batch.size(); ++d) strides[d] = 0;
  const bool dense = lay == Lay::contiguous && !shared;
  return rig.array(dtype, dims, strides, dense ? TENON_LAYOUT_CONTIGUOUS : TENON_LAYOUT_STRIDED);
}

std::vector<Bits> ProductsOnDevice::values(const Product& c, std::uint8_t dtype,
                                           std::uint64_t seed) const {
  if (!c.exact || !is_float(dtype)) return random_values(dtype, 997, seed);
  std::vector<Bits> small;
  for (const Bits bits : random_values(TENON_DTYPE_U64, 997, seed))
    small.push_back(from_integer(dtype, static_cast<std::int64_t>(bits % 7) - 3));
  return small;
}

std::vector<Array*> ProductsOnDevice::operands_of(const Product& c) {
  std::vector<Array*> all{matrix(c, c.to, c.m, c.n, c.dst, false),
                          matrix(c, c.from, c.m, c.k, c.a, c.shared_a),
                          matrix(c, c.from, c.k, c.n, c.b, c.shared_b)};
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i > 0 || c.accumulate) all[i]->set(values(c, all[i]->dtype, i + 1));
  }
  return all;
}

OpSpec ProductsOnDevice::op_of(const Product& c, const std::vector<Array*>& operands) {
  OpSpec op;
  op.kind = TENON_KIND_MATMUL;
  op.acc_dtype = c.acc;
  op.rank = static_cast<std::uint8_t>(operands[0]->dims.size());
  op.attrs = as_block(TenonMatmulAttrs{sizeof(TenonMatmulAttrs), c.accumulate ? 1u : 0u});
  for (const Array* each : operands) {
    OperandSpec spec{each->dtype, each->layout, 0, each->dims, each->strides};
    hide(spec.extents, c.dynamic, op.operands.size());
    hide(spec.strides, c.dynamic, op.operands.size() + 1);
    op.operands.push_back(spec);
  }
  return op;
}

Pack ProductsOnDevice::pack_of(const Product& c, const std::vector<Array*>& operands) {
  Pack pack{operands, {}, {}};
  const OpSpec op = op_of(c, operands);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    for (std::size_t d = 0; d < operands[i]->dims.size(); ++d) {
      if (op.operands[i].extents[d] == TENON_DYNAMIC) pack.dims.push_back(operands[i]->dims[d]);
    }
    for (std::size_t d = 0; d < operands[i]->dims.size(); ++d) {
      if (op.operands[i].strides[d] == TENON_DYNAMIC) pack.dims.push_back(operands[i]->strides[d]);
    }
  }
  return pack;
}

Sum ProductsOnDevice::sum_of(const Product& c, const std::vector<Array*>& operands, std::int64_t i,
                             Bits before) {
  const Array &a = *operands[1], &b = *operands[2];
  const std::int64_t batch = i / (c.m * c.n), row = i / c.n % c.m, column = i % c.n;
  Sum sum;
  const auto add = [&](long double real, Bits whole) {
    sum.real += real;
    sum.magnitude += std::fabs(real);
    sum.whole += whole;
  };
  const std::uint8_t wide = TENON_DTYPE_I64;
  if (c.accumulate) add(to_real(c.to, before), cast(wide, c.to, before));
  for (std::int64_t k = 0; k < c.k; ++k) {
    const Bits x = a.at((batch * c.m + row) * c.k + k), y = b.at((batch * c.k + k) * c.n + column);
    add(to_real(c.from, x) * to_real(c.from, y), cast(wide, c.from, x) * cast(wide, c.from, y));
  }
  return sum;
}

Bits ProductsOnDevice::rounded(const Product& c, const Sum& sum) {
  if (is_float(c.acc)) return from_real(c.acc, sum.real);
  return from_integer(c.acc, static_cast<std::int64_t>(sum.whole));
}

void ProductsOnDevice::check(const Product& c) {
  SCOPED_TRACE(describe(c));
  const std::vector<Array*> operands = operands_of(c);
  const std::vector<Bits> before = operands[0]->values();
  const Outcome outcome = rig.run(op_of(c, operands), pack_of(c, operands));
  if (outcome.refused() && (c.optional || c.dynamic != Dynamic::none)) return refused(outcome.text);
  ASSERT_TRUE(outcome.ok()) << outcome;
  compare(c, operands, before);
  rig.clear();
}

void ProductsOnDevice::compare(const Product& c, const std::vector<Array*>& operands,
                               const std::vector<Bits>& before) {
  for (std::int64_t i = 0; i < c.count(); ++i) {
    const Sum sum = sum_of(c, operands, i, c.accumulate ? before[static_cast<std::size_t>(i)] : 0);
    const Bits got = operands[0]->at(i), want = cast(c.to, c.acc, rounded(c, sum));
    if (same(c.to, got, want)) continue;
    const bool rounds = is_float(c.to) && !c.exact;
    const auto terms = static_cast<long double>(c.k + 1);
    const long double bound =
        rounds ? terms * epsilon(c.acc) * sum.magnitude + epsilon(c.to) * std::fabs(sum.real) : 0;
    ASSERT_TRUE(rounds && std::fabs(to_real(c.to, got) - sum.real) <= bound)
        << "element " << i << ": got " << show(c.to, got) << ", expected " << show(c.to, want)
        << " within " << bound;
  }
}

}  // namespace tenon::conformance
