// GATHER and SCATTER: every way that indices reach into a table, every dtype and layout; bad indices
// touch nothing, and the first of them is reported.
#include <algorithm>
#include <numeric>

#include "tests/conformance/harness.h"
#include "tests/conformance/index_oracle.h"
#include "tests/support/pairwise.h"

namespace tenon::conformance {
namespace {

// How the dimensions of an iteration space and the indices move in a table.
struct Pattern {
  struct Index {
    std::size_t axis;                    ///< of the table
    std::vector<std::size_t> over = {};  ///< the dimensions of the space that it varies over
  };
  const char* name;
  Dims space, table;
  std::vector<int> along;  ///< for each dimension of the space one of the table, or -1
  std::vector<Index> indices;
};

const std::vector<Pattern> kPatterns = {
    {"rows", {9, 7}, {65, 7}, {-1, 1}, {{0, {0}}}},
    {"along an axis", {5, 7}, {65, 7}, {-1, 1}, {{0, {0, 1}}}},
    {"columns", {6, 5}, {6, 19}, {0, -1}, {{1, {1}}}},
    {"two indices", {4, 7}, {13, 11}, {-1, -1}, {{0, {0}}, {1, {1}}}},
    {"a batch of rows", {2, 3, 5}, {17, 5}, {-1, -1, 1}, {{0, {0, 1}}}},
    {"elements", {257}, {300}, {-1}, {{0, {0}}}},
    {"no rows", {0, 7}, {5, 7}, {-1, 1}, {{0, {0}}}},
    {"out of nothing", {3, 7}, {0, 7}, {-1, 1}, {{0, {0}}}},
};

enum class How { gather, assign, add, max, min };
enum class Bad { none, once, twice };

struct Case {
  Pattern pattern;
  How how = How::gather;
  std::uint8_t dtype = TENON_DTYPE_F32, index_dtype = TENON_DTYPE_I32;
  Lay table = Lay::contiguous, rows = Lay::contiguous;
  bool computed = false;  ///< the indices are INDEX operands
  Lay index = Lay::contiguous;
  int packs = 1;
  Bad bad = Bad::none;

  bool gathers() const { return how == How::gather; }
  std::uint32_t scatter() const { return gathers() ? 0 : static_cast<std::uint32_t>(how) - 1; }
};

Dims coordinates(const Dims& dims, std::int64_t i) {
  Dims at(dims.size());
  for (std::size_t d = dims.size(); d-- > 0; i /= dims[d]) at[d] = i % dims[d];
  return at;
}

std::int64_t as_integer(std::uint8_t dtype, Bits bits) {
  return static_cast<std::int64_t>(cast(TENON_DTYPE_I64, dtype, bits));
}

class GatherAndScatter : public OnDevice {
 protected:
  // One pack of a case, what it has to give, and the first fault.
  struct Job {
    Array *table, *rows;
    std::vector<Array*> indices;
    Pack pack;
    Places places;
    std::optional<TenonFault> fault;
    std::vector<Bits> before;  ///< the table
  };

  std::string describe(const Case& c) {
    const char* names[] = {"gather", "scatter assign", "scatter add", "scatter max", "scatter min"};
    return rig.name() + ": " + names[static_cast<int>(c.how)] + " of " + c.pattern.name + ", " +
           name_of(c.dtype) + " by " + (c.computed ? "computed " : "") + name_of(c.index_dtype) +
           ", table " + name_of(c.table) + ", rows " + name_of(c.rows) + ", indices " +
           name_of(c.index) + ", " + std::to_string(c.packs) + " pack(s), bad " +
           std::to_string(static_cast<int>(c.bad));
  }

  // The values of an index: all over the axis, some of them again and again.
  void fill(const Case& c, Array& index, std::int64_t extent, int pack) {
    const std::int64_t top = std::clamp<std::int64_t>(extent, 1, 100);
    for (std::int64_t i = 0; i < index.count(); ++i) {
      index.set(i, from_integer(c.index_dtype, (i * 11 + 3 + pack) % top / (i % 3 == 2 ? 2 : 1)));
    }
    if (c.bad == Bad::none || index.count() == 0 || (c.packs > 1 && pack == 0)) return;
    const std::int64_t last = index.count() - 1;
    index.set(last / 2, from_integer(c.index_dtype, extent));
    if (c.bad == Bad::twice) index.set(last, from_integer(c.index_dtype, -1));
  }

  Array* index_array(const Case& c, const Pattern& p, const Pattern::Index& it, int pack) {
    Dims dims;
    for (const std::size_t d : it.over) dims.push_back(p.space[d]);
    if (c.computed) {
      const std::int64_t offset = c.bad == Bad::none ? 1 : -2;
      return rig.index(c.index_dtype, dims, offset, Dims(dims.size(), 1));
    }
    const bool whole = c.index == Lay::contiguous && dims == p.space;
    Array* index = rig.array(c.index_dtype, dims, strides_of(dims, c.index),
                             whole ? TENON_LAYOUT_CONTIGUOUS : TENON_LAYOUT_STRIDED);
    fill(c, *index, p.table[it.axis], pack);
    return index;
  }

  // The element of the table that each element of the space meets, and the first bad index.
  static void find_places(const Pattern& p, Job& job) {
    for (std::int64_t i = 0; i < element_count(p.space); ++i) {
      const Dims at = coordinates(p.space, i);
      Dims in_table(p.table.size());
      for (std::size_t d = 0; d < at.size(); ++d) {
        if (p.along[d] >= 0) in_table[static_cast<std::size_t>(p.along[d])] = at[d];
      }
      bool good = true;
      for (std::size_t k = 0; k < p.indices.size(); ++k) {
        std::int64_t from = 0;
        for (const std::size_t d : p.indices[k].over) from = from * p.space[d] + at[d];
        const Array& index = *job.indices[k];
        const std::int64_t value = as_integer(index.dtype, index.at(from));
        in_table[p.indices[k].axis] = value;
        if (value >= 0 && value < p.table[p.indices[k].axis]) continue;
        if (!job.fault) {
          job.fault = TenonFault{0, TENON_INDEX, 0, value, i, 0, static_cast<std::uint32_t>(2 + k)};
        }
        good = false;
      }
      std::int64_t place = good ? 0 : -1;
      for (std::size_t d = 0; d < p.table.size() && good; ++d) place = place * p.table[d] + in_table[d];
      job.places.push_back(place);
    }
  }

  // Strides of an array over the space, of whose dimensions `over` are its own.
  static Dims spread(const Array& array, std::size_t rank, const std::vector<std::size_t>& over) {
    Dims strides(rank, 0);
    for (std::size_t k = 0; k < over.size(); ++k) strides[over[k]] = array.strides[k];
    return strides;
  }

  Job make(const Case& c, int pack) {
    Pattern p = c.pattern;
    p.space[0] += p.space[0] > 0 ? pack : 0;
    if (p.along[0] >= 0) p.table[static_cast<std::size_t>(p.along[0])] = p.space[0];
    Job job{};
    Dims table_strides(p.space.size(), 0);
    job.table = rig.array(c.dtype, p.table, strides_of(p.table, c.table), TENON_LAYOUT_STRIDED);
    for (std::size_t d = 0; d < p.space.size(); ++d) {
      if (p.along[d] >= 0) table_strides[d] = job.table->strides[static_cast<std::size_t>(p.along[d])];
    }
    const auto moves = [](int d) { return d >= 0; };
    if (std::none_of(p.along.begin(), p.along.end(), moves)) job.table->layout = TENON_LAYOUT_SCALAR;
    job.rows = rig.array(c.dtype, p.space, c.rows);
    job.table->set(random_values(c.dtype, 997, 1));
    job.rows->set(random_values(c.dtype, 499, 2));
    job.before = job.table->values();
    job.pack.dims = p.space;
    job.pack.operands = {job.table, job.rows};
    job.pack.strides = {table_strides, job.rows->strides};
    if (c.gathers()) {
      std::swap(job.pack.operands[0], job.pack.operands[1]);
      std::swap(job.pack.strides[0], job.pack.strides[1]);
    }
    for (const Pattern::Index& it : p.indices) {
      job.indices.push_back(index_array(c, p, it, pack));
      job.pack.operands.push_back(job.indices.back());
      job.pack.strides.push_back(spread(*job.indices.back(), p.space.size(), it.over));
      job.pack.dims.insert(job.pack.dims.end(), {p.table[it.axis], job.table->strides[it.axis]});
    }
    find_places(p, job);
    return job;
  }

  static OpSpec op_of(const Case& c, const Job& job) {
    OpSpec op;
    op.kind = c.gathers() ? TENON_KIND_GATHER : TENON_KIND_SCATTER;
    op.rank = static_cast<std::uint8_t>(c.pattern.space.size());
    for (const Array* each : job.pack.operands) op.operands.push_back(each->spec());
    op.attrs = as_block(TenonIndexAttrs{
        sizeof(TenonIndexAttrs), static_cast<std::uint32_t>(job.indices.size()), c.scatter(), 0});
    return op;
  }

  // Every plugin takes one index operand of 32 or 64 bits.
  static bool optional(const Case& c) {
    const bool usual = c.index_dtype == TENON_DTYPE_I32 || c.index_dtype == TENON_DTYPE_I64;
    return !usual || c.computed || c.pattern.indices.size() > 1;
  }

  bool makes_sense(const Case& c) {
    if (!rig.stores(c.dtype) || !rig.stores(c.index_dtype)) return false;
    const bool arithmetic = !c.gathers() && c.how != How::assign;
    return !arithmetic || (rig.computes(c.dtype) && c.dtype != TENON_DTYPE_BOOL);
  }

  void check(const Case& c) {
    if (!makes_sense(c)) return;
    SCOPED_TRACE(describe(c));
    std::vector<Job> jobs;
    std::vector<Pack> packs;
    for (int pack = 0; pack < c.packs; ++pack) {
      jobs.push_back(make(c, pack));
      packs.push_back(jobs.back().pack);
    }
    const Outcome outcome = rig.run(op_of(c, jobs[0]), packs);
    if (outcome.refused() && optional(c)) return refused(outcome.text);
    for (const Job& job : jobs) compare(c, job);
    compare_fault(jobs, outcome);
    rig.clear();
  }

  void compare(const Case& c, const Job& job) {
    const Array& result = c.gathers() ? *job.rows : *job.table;
    const std::vector<Bits> got = result.values();
    const std::vector<Bits> want =
        c.gathers() ? gathered(job.before, job.places)
                    : scattered(c.scatter(), c.dtype, job.before, job.places, job.rows->values());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_TRUE(same(c.dtype, got[i], want[i]))
          << "element " << i << ": got " << show(c.dtype, got[i]) << ", expected "
          << show(c.dtype, want[i]);
    }
  }

  // The first fault in logical order of the first pack that has one; nothing else is wrong afterwards.
  void compare_fault(const std::vector<Job>& jobs, const Outcome& outcome) {
    for (std::size_t pack = 0; pack < jobs.size(); ++pack) {
      if (!jobs[pack].fault) continue;
      ASSERT_EQ(outcome.code, TENON_INDEX) << outcome;
      ASSERT_TRUE(outcome.fault.has_value()) << "no fault was reported";
      EXPECT_EQ(outcome.fault->code, TENON_INDEX);
      EXPECT_EQ(outcome.fault->corr, rig.last_corr());
      EXPECT_EQ(outcome.fault->value, jobs[pack].fault->value);
      EXPECT_EQ(outcome.fault->position, jobs[pack].fault->position);
      EXPECT_EQ(outcome.fault->operand, jobs[pack].fault->operand);
      EXPECT_EQ(outcome.fault->pack, pack);
      EXPECT_TRUE(rig.finish().ok()) << "INDEX is cleared by reporting it";
      return;
    }
    EXPECT_TRUE(outcome.ok()) << outcome;
    EXPECT_FALSE(outcome.fault.has_value());
  }

  std::vector<std::uint8_t> index_dtypes() {
    std::vector<std::uint8_t> all = all_dtypes();
    std::erase_if(all, [&](std::uint8_t dtype) { return !is_integer(dtype) || !rig.stores(dtype); });
    return all;
  }
};
INSTANTIATE_TEST_SUITE_P(Conformance, GatherAndScatter, testing::ValuesIn(test::test_devices()),
                         test::device_test_name);

constexpr Lay kLays[] = {Lay::contiguous, Lay::transposed, Lay::slice,
                         Lay::negative,   Lay::broadcast,  Lay::scalar};

TEST_P(GatherAndScatter, Combinations) {
  for (const test::Choice& pick :
       test::choices({kPatterns.size(), 5, all_dtypes().size(), 4, 6, 3, 5})) {
    Case c{kPatterns[pick[0]], static_cast<How>(pick[1]), all_dtypes()[pick[2]]};
    c.table = kLays[pick[3]];
    c.rows = kLays[c.gathers() ? pick[4] % 4 : pick[4]];
    c.index = kLays[pick[5]];
    c.packs = pick[6] < 3 ? 1 : 3;
    c.bad = static_cast<Bad>(pick[6] % 3);
    c.index_dtype = pick[6] % 2 == 0 ? TENON_DTYPE_I32 : TENON_DTYPE_I64;
    check(c);
    if (HasFailure()) return;
  }
}

TEST_P(GatherAndScatter, IndicesOfEveryDtype) {
  const std::vector<std::uint8_t> dtypes = index_dtypes();
  for (const test::Choice& pick : test::choices({dtypes.size(), kPatterns.size(), 5, 2, 3})) {
    Case c{kPatterns[pick[1]], static_cast<How>(pick[2])};
    c.index_dtype = dtypes[pick[0]];
    c.computed = pick[3] == 1;
    c.bad = static_cast<Bad>(pick[4]);
    check(c);
    if (HasFailure()) return;
  }
}

// Bad in 64 bits, good in the low 32 or 31.
TEST_P(GatherAndScatter, AnIndexIsReadWhole) {
  for (const std::uint8_t dtype : {TENON_DTYPE_I64, TENON_DTYPE_U64}) {
    for (const std::int64_t bad :
         {(std::int64_t{1} << 32) + 3, INT64_MIN + 2, INT64_MAX, std::int64_t{-1}}) {
      if (!rig.stores(dtype)) continue;
      for (const How how : {How::gather, How::assign}) {
        const Case c{.pattern = kPatterns[0], .how = how, .index_dtype = dtype};
        Job job = make(c, 0);
        job.indices[0]->set(4, from_integer(dtype, bad));
        job.places.clear();
        find_places(c.pattern, job);
        const Outcome outcome = rig.run(op_of(c, job), job.pack);
        if (outcome.refused() && optional(c)) continue;
        compare(c, job);
        compare_fault({job}, outcome);
      }
    }
  }
}

// Many small addends to one element, and a table of more elements than any device sums at a time.
TEST_P(GatherAndScatter, SmallFloatsAreRoundedOnce) {
  for (const std::uint8_t dtype : {TENON_DTYPE_F16, TENON_DTYPE_BF16}) {
    if (!rig.stores(dtype) || !rig.computes(dtype)) continue;
    const Case c{.pattern = {"a long table", {5, 700}, {150000}, {-1, -1}, {{0, {0, 1}}}},
                 .how = How::add,
                 .dtype = dtype};
    Job job = make(c, 0);
    job.places.clear();
    job.rows->set({from_real(dtype, 0.001L), from_real(dtype, 3), from_real(dtype, -0.25L)});
    for (std::int64_t i = 0; i < 3500; ++i) {
      job.indices[0]->set(i, from_integer(TENON_DTYPE_I32, i % 7 < 4 ? 11 : i * 41 % 150000));
    }
    find_places(c.pattern, job);
    const Outcome outcome = rig.run(op_of(c, job), job.pack);
    ASSERT_TRUE(outcome.ok()) << outcome;
    compare(c, job);
  }
}

TEST_P(GatherAndScatter, NaNWinsAndStays) {
  const std::uint8_t f32 = TENON_DTYPE_F32;
  for (const How how : {How::max, How::min}) {
    const Case c{.pattern = kPatterns[5], .how = how};
    Job job = make(c, 0);
    for (const std::int64_t i : {3, 40, 41}) job.table->set(i, 0x7fc00000);
    for (const std::int64_t i : {1, 2, 100}) job.rows->set(i, 0x7fc00000);
    job.before = job.table->values();
    const Outcome outcome = rig.run(op_of(c, job), job.pack);
    ASSERT_TRUE(outcome.ok()) << outcome;
    compare(c, job);
    EXPECT_TRUE(is_nan(f32, job.table->at(3)));
  }
}

TEST_P(GatherAndScatter, TwoRunsGiveTheSameBits) {
  const Case c{.pattern = kPatterns[5], .how = How::add};
  std::vector<Bits> first;
  for (int run = 0; run < 3; ++run) {
    const Job job = make(c, 0);
    ASSERT_TRUE(rig.run(op_of(c, job), job.pack).ok());
    if (run == 0) first = job.table->values();
    EXPECT_EQ(job.table->values(), first);
  }
}

}  // namespace
}  // namespace tenon::conformance
