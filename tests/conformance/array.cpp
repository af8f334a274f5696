// Operands: how their elements lie, and their values.
#include <algorithm>
#include <cstring>
#include <sstream>

#include "tests/conformance/harness.h"

namespace tenon::conformance {

const char* name_of(Lay lay) {
  switch (lay) {
    case Lay::contiguous:
      return "contiguous";
    case Lay::transposed:
      return "transposed";
    case Lay::slice:
      return "slice";
    case Lay::negative:
      return "negative";
    case Lay::broadcast:
      return "broadcast";
    case Lay::scalar:
      return "scalar";
  }
  return "?";
}

std::string show(const Dims& dims) {
  std::ostringstream out;
  out << '(';
  for (std::size_t i = 0; i < dims.size(); ++i) out << (i > 0 ? ", " : "") << dims[i];
  out << ')';
  return std::move(out).str();
}

std::int64_t element_count(const Dims& dims) {
  std::int64_t count = 1;
  for (const std::int64_t extent : dims) count *= extent;
  return count;
}

Dims row_major(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (std::size_t d = dims.size(); d-- > 1;) {
    strides[d - 1] = strides[d] * std::max<std::int64_t>(dims[d], 1);
  }
  return strides;
}

Dims strides_of(const Dims& dims, Lay lay) {
  Dims strides = row_major(dims);
  switch (lay) {
    case Lay::contiguous:
      break;
    case Lay::transposed: {
      strides = row_major(Dims(dims.rbegin(), dims.rend()));
      std::reverse(strides.begin(), strides.end());
      break;
    }
    case Lay::slice:
      strides.back() = 2;
      for (std::size_t d = dims.size(); d-- > 1;) {
        strides[d - 1] = strides[d] * std::max<std::int64_t>(dims[d], 1) + 3;
      }
      break;
    case Lay::negative:
      for (std::size_t d = 0; d < dims.size(); d += 2) strides[d] = -strides[d];
      break;
    case Lay::broadcast:
      strides[dims.size() / 2] = 0;
      break;
    case Lay::scalar:
      std::fill(strides.begin(), strides.end(), 0);
      break;
  }
  return strides;
}

std::int64_t Array::step(std::int64_t i) const {
  std::int64_t step = 0;
  for (std::size_t d = dims.size(); d-- > 0;) {
    step += i % dims[d] * strides[d];
    i /= dims[d];
  }
  return step;
}

std::size_t Array::place(std::int64_t i) const {
  return static_cast<std::size_t>(offset + step(i) * static_cast<std::int64_t>(size_of(dtype)));
}

Bits Array::at(std::int64_t i) const {
  if (layout == TENON_LAYOUT_INDEX) return from_integer(dtype, offset + step(i));
  Bits bits = 0;
  std::memcpy(&bits, bytes.data() + place(i), size_of(dtype));
  return bits;
}

std::vector<Bits> Array::values() const {
  std::vector<Bits> all;
  for (std::int64_t i = 0; i < count(); ++i) all.push_back(at(i));
  return all;
}

void Array::set(std::int64_t i, Bits bits) {
  std::memcpy(bytes.data() + place(i), &bits, size_of(dtype));
  dirty = true;
}

void Array::set(const std::vector<Bits>& values) {
  for (std::int64_t i = 0; i < count(); ++i)
    set(i, values[static_cast<std::size_t>(i) % values.size()]);
}

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << "code " << outcome.code << " " << outcome.text;
}

std::vector<std::uint8_t> full_dtypes(const Rig& rig) {
  std::vector<std::uint8_t> dtypes = all_dtypes();
  std::erase_if(dtypes, [&](std::uint8_t d) { return !rig.stores(d) || !rig.computes(d); });
  return dtypes;
}

std::uint8_t stored_as(const Rig& rig, std::uint8_t dtype) {
  if (rig.stores(dtype)) return dtype;
  for (const std::uint8_t other : all_dtypes()) {
    if (rig.stores(other) && other != TENON_DTYPE_BOOL && size_of(other) == size_of(dtype))
      return other;
  }
  return TENON_DTYPE_NONE;
}

OpSpec elementwise(const Program& program, const std::vector<Array*>& operands) {
  OpSpec op;
  bool strided = false;
  for (const Array* each : operands) {
    op.operands.push_back(each->spec());
    strided |= each->layout == TENON_LAYOUT_STRIDED || each->layout == TENON_LAYOUT_INDEX;
  }
  op.output_count = static_cast<std::uint8_t>(program.outputs.size());
  op.rank = static_cast<std::uint8_t>(operands[0]->dims.size());
  op.index_width = strided && op.rank % 2 == 0 ? 64 : 32;
  op.attachments.push_back({TENON_SLOT_BODY, op.output_count, program.block()});
  return op;
}

}  // namespace tenon::conformance
