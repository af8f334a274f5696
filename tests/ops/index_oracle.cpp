#include "tests/ops/index_oracle.h"

#include <algorithm>

namespace tenon::test {
namespace {

/// A dimension of the indexed array, a new one, or (Gap) an ellipsis of none.
struct Axis {
  enum Kind { Kept, Added, Chosen, Gap } kind;
  std::vector<std::int64_t> list = {};  // Kept: the numbers it takes
  Array<std::int64_t> places = {};      // Chosen: by an index array, or by an integer
  bool is_dimension = true;             // a 0-d mask is none
};

std::vector<std::int64_t> numbers_of(const Slice& range, std::int64_t extent) {
  std::vector<std::int64_t> list;
  const auto from_front = [&](std::int64_t i) { return i < 0 ? i + extent : i; };
  const bool up = range.step > 0;
  for (std::int64_t i = up ? 0 : extent - 1; i >= 0 && i < extent; i += up ? 1 : -1) {
    const std::int64_t start = range.start ? from_front(*range.start) : i;
    const std::int64_t first = up ? std::max<std::int64_t>(start, 0) : std::min(start, extent - 1);
    const bool begun = !range.start || (up ? i >= first : i <= first);
    const bool ended = range.stop && (up ? i >= from_front(*range.stop) : i <= from_front(*range.stop));
    const std::int64_t origin = range.start ? first : up ? 0 : extent - 1;
    if (begun && !ended && (i - origin) % range.step == 0) list.push_back(i);
  }
  return list;
}

/// A mask as index arrays, one for each of its dimensions.
std::vector<Axis> axes_of_mask(const Array<std::int64_t>& mask) {
  std::vector<Axis> axes(static_cast<std::size_t>(mask.shape.size()), {Axis::Chosen});
  std::int64_t count = 0;
  for (const Dims& at : coordinates(mask.shape)) {
    if (mask.values[element_at(mask.shape, at)] == 0) continue;
    ++count;
    for (int d = 0; d < at.size(); ++d)
      axes[static_cast<std::size_t>(d)].places.values.push_back(at[d]);
  }
  if (axes.empty()) {
    axes.push_back({Axis::Chosen, {}, {{}, std::vector<std::int64_t>(std::size_t(count))}, false});
  }
  for (Axis& axis : axes) axis.places.shape = {count};
  return axes;
}

int dims_taken(const HostIndex& it) {
  if (it.kind == HostIndex::Mask) return it.places.shape.size();
  return it.kind == HostIndex::New || it.kind == HostIndex::Whole ? 0 : 1;
}

std::vector<Axis> axes_of(const Shape& x, std::vector<HostIndex> indices) {
  int rest = x.size(), dim = 0;
  bool has_ellipsis = false;
  for (const HostIndex& it : indices) {
    rest -= dims_taken(it);
    has_ellipsis |= it.kind == HostIndex::Whole;
  }
  if (!has_ellipsis) indices.push_back({HostIndex::Whole});
  std::vector<Axis> axes;
  for (const HostIndex& it : indices) {
    if (it.kind == HostIndex::Whole) {
      axes.push_back({Axis::Gap});
      for (int i = 0; i < rest; ++i) axes.push_back({Axis::Kept, numbers_of({}, x[dim++])});
    }
    if (it.kind == HostIndex::New) axes.push_back({Axis::Added});
    if (it.kind == HostIndex::Range) axes.push_back({Axis::Kept, numbers_of(it.range, x[dim])});
    if (it.kind == HostIndex::Integer) axes.push_back({Axis::Chosen, {}, {{}, {it.integer}}});
    if (it.kind == HostIndex::Places) axes.push_back({Axis::Chosen, {}, it.places});
    if (it.kind == HostIndex::Mask)
      for (const Axis& axis : axes_of_mask(it.places)) axes.push_back(axis);
    dim += dims_taken(it);
  }
  return axes;
}

/// The shape of the index arrays, and how many kept or new dimensions come before it.
struct Chosen {
  Shape shape;
  int front = 0;
};
Chosen chosen_of(const std::vector<Axis>& axes, bool has_arrays) {
  Chosen chosen;
  int kept = 0, first = -1;
  bool ended = false, apart = false;
  for (const Axis& axis : axes) {
    if (axis.kind == Axis::Chosen) {
      chosen.shape = stretched(chosen.shape, axis.places.shape);
      if (first < 0) first = kept;
      apart |= ended;
    } else {
      kept += axis.kind == Axis::Gap ? 0 : 1;
      ended = first >= 0;
    }
  }
  if (has_arrays && !apart) chosen.front = first;
  return chosen;
}

Shape result_shape(const std::vector<Axis>& axes, const Chosen& chosen) {
  Shape shape;
  for (const Axis& axis : axes) {
    if (axis.kind == Axis::Kept) shape.push_back(static_cast<std::int64_t>(axis.list.size()));
    if (axis.kind == Axis::Added) shape.push_back(1);
  }
  for (int d = 0; d < chosen.shape.size(); ++d) shape.insert(chosen.front + d, chosen.shape[d]);
  return shape;
}

}  // namespace

Index HostIndex::on(Device device) const {
  switch (kind) {
    case Integer:
      return integer;
    case Range:
      return range;
    case Whole:
      return ellipsis;
    case New:
      return newaxis;
    case Places:
    case Mask:
      break;
  }
  return from_values(std::span<const std::int64_t>(places.values), places.shape,
                     {.dtype = kind == Mask ? bool_ : i32, .device = device});
}

Array<std::int64_t> elements_of(const Shape& x, const std::vector<HostIndex>& indices) {
  const std::vector<Axis> axes = axes_of(x, indices);
  const bool has_arrays = std::any_of(indices.begin(), indices.end(), [](const HostIndex& it) {
    return it.kind == HostIndex::Places || it.kind == HostIndex::Mask;
  });
  const Chosen chosen = chosen_of(axes, has_arrays);
  Array<std::int64_t> result{result_shape(axes, chosen), {}};
  for (const Dims& at : coordinates(result.shape)) {
    Dims rest = at, picked, from;
    for (int d = 0; d < chosen.shape.size(); ++d) {
      picked.push_back(rest[chosen.front]);
      rest.erase(chosen.front);
    }
    int next = 0;
    for (const Axis& axis : axes) {
      if (axis.kind == Axis::Chosen && axis.is_dimension) {
        const std::int64_t i = axis.places.values[element_at(axis.places.shape, picked)];
        from.push_back(i < 0 ? i + x[from.size()] : i);
      }
      if (axis.kind == Axis::Added) ++next;
      if (axis.kind == Axis::Kept) from.push_back(axis.list[static_cast<std::size_t>(rest[next++])]);
    }
    result.values.push_back(static_cast<std::int64_t>(element_at(x, from)));
  }
  return result;
}

}  // namespace tenon::test
