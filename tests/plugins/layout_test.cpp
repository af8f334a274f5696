// The ABI as a table of numbers: plugin_layout.h pins every field while this file compiles; codes and
// the masks made of them are held here.
#include <cstdint>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <tenon/plugin_layout.h>

namespace {

struct Opcode {
  std::string name;
  int code, arity;
  std::string group;
  double ulp;
};

const std::vector<Opcode> kOpcodes = {
#define TENON_OPCODE(name, NAME, code, arity, group, ulp) {#name, code, arity, #group, ulp},
#include <tenon/opcodes.def>
#undef TENON_OPCODE
};

struct DtypeRow {
  std::string name;
  int code, bytes;
};

const std::vector<DtypeRow> kDtypes = {
#define TENON_DTYPE(name, NAME, code, bytes) {#name, code, bytes},
#include <tenon/dtypes.def>
#undef TENON_DTYPE
};

TEST(Layout, OpcodesAreDistinctAndFitTheMask) {
  std::set<int> codes;
  for (const Opcode& it : kOpcodes) {
    EXPECT_TRUE(codes.insert(it.code).second) << it.name;
    EXPECT_GT(it.code, 0) << it.name;
    EXPECT_LT(it.code, 64) << it.name;
  }
}

TEST(Layout, AGroupFixesTheArity) {
  const std::set<std::tuple<std::string, int>> fixed = {{"COMPARE", 2}, {"SELECT", 3}, {"CAST", 1},
                                                        {"BITCAST", 1}, {"SHIFT", 2},  {"PHILOX", 3}};
  const std::set<std::string> free = {"ARITH", "FLOAT", "BITS"};
  for (const Opcode& it : kOpcodes) {
    EXPECT_TRUE(free.count(it.group) == 1 || fixed.count({it.group, it.arity}) == 1) << it.name;
    EXPECT_TRUE(it.arity >= 1 && it.arity <= 3) << it.name;
  }
}

TEST(Layout, TheCodesOfVersionZeroStand) {
  EXPECT_EQ(TENON_OP_ADD, 1);
  EXPECT_EQ(TENON_OP_AND, 9);
  EXPECT_EQ(TENON_OP_CAST, 20);
  EXPECT_EQ(TENON_OP_PHILOX, 26);
  EXPECT_EQ(TENON_OP_FMA, 32);
  EXPECT_EQ(TENON_OP_SIGMOID, 47);
  EXPECT_EQ(TENON_DTYPE_BOOL, 1);
  EXPECT_EQ(TENON_DTYPE_I64, 9);
  EXPECT_EQ(TENON_DTYPE_F64, 13);
  EXPECT_EQ(TENON_KIND_SCATTER, 5);
  EXPECT_EQ(TENON_REDUCE_ALL, 8);
}

TEST(Layout, DtypesAreDistinctAndFitTheMask) {
  std::set<int> codes;
  for (const DtypeRow& it : kDtypes) {
    EXPECT_TRUE(codes.insert(it.code).second) << it.name;
    EXPECT_TRUE(it.code > 0 && it.code < 32) << it.name;
    EXPECT_TRUE(it.bytes == 1 || it.bytes == 2 || it.bytes == 4 || it.bytes == 8) << it.name;
  }
}

TEST(Layout, AReferenceKeepsItsClassAndIndex) {
  for (const uint32_t cls : {0u, 1u, 2u, 3u}) {
    for (const uint32_t index : {0u, 1u, 63u, 0x3fffu}) {
      const uint16_t reference = TENON_REF(cls, index);
      EXPECT_EQ(TENON_REF_CLASS(reference), cls);
      EXPECT_EQ(TENON_REF_INDEX(reference), index);
    }
  }
}

TEST(Layout, TheLargestProgramFitsItsOffsets) {
  const size_t bytes = sizeof(TenonProgram) + TENON_MAX_INSTRUCTIONS * sizeof(TenonInstruction) +
                       TENON_MAX_CONSTANTS * sizeof(uint64_t) + TENON_MAX_OUTPUTS * sizeof(uint16_t) +
                       TENON_MAX_INPUTS + TENON_MAX_SCALARS + TENON_MAX_CONSTANTS;
  EXPECT_LT(bytes, UINT16_MAX);
}

}  // namespace
