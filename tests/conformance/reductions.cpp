#include "tests/conformance/reductions.h"

namespace tenon::conformance {

std::vector<std::vector<Bits>> groups(const Dims& dims, std::uint32_t axes,
                                      const std::vector<Bits>& values) {
  std::size_t results = 1;
  for (std::size_t d = 0; d < dims.size(); ++d) {
    if ((axes >> d & 1) == 0) results *= static_cast<std::size_t>(dims[d]);
  }
  std::vector<std::vector<Bits>> all(results);
  for (std::int64_t i = 0; i < element_count(dims); ++i) {
    std::int64_t rest = i, at = 0, scale = 1;
    for (std::size_t d = dims.size(); d-- > 0; rest /= dims[d]) {
      if ((axes >> d & 1) != 0) continue;
      at += rest % dims[d] * scale;
      scale *= dims[d];
    }
    all[static_cast<std::size_t>(at)].push_back(values[static_cast<std::size_t>(i)]);
  }
  return all;
}

std::string ReduceOnDevice::describe(const Reduction& c) const {
  return rig.name() + ": " + operator_name(c.how) + " of " + name_of(c.from) + " in " + name_of(c.acc) +
         " as " + name_of(c.to) + " over " + show(c.dims) + " axes " + std::to_string(c.axes) + ", " +
         name_of(c.in) + " to " + name_of(c.out);
}

Array* ReduceOnDevice::result_array(const Reduction& c) {
  Dims kept = c.dims;
  for (std::size_t d = 0; d < kept.size(); ++d) {
    if ((c.axes >> d & 1) != 0) kept[d] = 1;
  }
  Dims strides = strides_of(kept, c.out);
  for (std::size_t d = 0; d < kept.size(); ++d) {
    if ((c.axes >> d & 1) != 0) strides[d] = 0;
  }
  return rig.array(c.to, kept, strides,
                   c.out == Lay::contiguous ? TENON_LAYOUT_CONTIGUOUS : TENON_LAYOUT_STRIDED);
}

OpSpec ReduceOnDevice::op_of(const Reduction& c, const std::vector<Array*>& operands,
                             std::size_t results) {
  OpSpec op;
  op.kind = TENON_KIND_REDUCE;
  op.acc_dtype = c.acc;
  op.rank = static_cast<std::uint8_t>(c.dims.size());
  op.output_count = static_cast<std::uint8_t>(results);
  for (const Array* each : operands) op.operands.push_back(each->spec());
  TenonReduceAttrs attrs{sizeof attrs, c.axes, {}};
  for (std::size_t i = 0; i < results; ++i) attrs.operators[i] = c.how;
  op.attrs = as_block(attrs);
  return op;
}

void ReduceOnDevice::check(const Reduction& c, const std::vector<Bits>& values) {
  SCOPED_TRACE(describe(c));
  Array* out = result_array(c);
  Array* in = rig.array(c.from, c.dims, c.in);
  in->set(values);
  const Outcome outcome = rig.run(op_of(c, {out, in}), {{out, in}, {}, c.dims});
  if (outcome.refused() && c.optional) return refused(outcome.text);
  ASSERT_TRUE(outcome.ok()) << outcome;
  compare(c, *out, groups(c.dims, c.axes, in->values()));
  rig.clear();
}

void ReduceOnDevice::compare(const Reduction& c, const Array& out,
                             const std::vector<std::vector<Bits>>& all) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    Reduced want = reduce(c.how, c.acc, c.to, c.from, all[i]);
    if (c.exact) want.bound = 0;
    const Bits got = out.at(static_cast<std::int64_t>(i));
    ASSERT_TRUE(matches(c.how, c.to, got, want))
        << "element " << i << ": got " << show(c.to, got) << ", expected " << show(c.to, want.bits)
        << " within " << want.bound;
  }
}

}  // namespace tenon::conformance
