// The generator of combinations itself: all pairs meet, in far fewer choices than the product.
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "tests/support/pairwise.h"

namespace tenon::test {
namespace {

using Sizes = std::vector<std::size_t>;

TEST(Pairwise, EveryPairOfValuesMeets) {
  for (const Sizes& sizes : std::vector<Sizes>{
           {1}, {7}, {2, 3}, {1, 1, 1}, {4, 1, 5}, {2, 2, 2, 2, 2, 2, 2}, {13, 13, 4, 6, 2, 3}}) {
    std::set<std::tuple<std::size_t, std::size_t, std::size_t, std::size_t>> met;
    const std::vector<Choice> all = pairwise(sizes);
    for (const Choice& choice : all) {
      ASSERT_EQ(choice.size(), sizes.size());
      for (std::size_t p = 0; p < sizes.size(); ++p) {
        ASSERT_LT(choice[p], sizes[p]);
        for (std::size_t q = 0; q < sizes.size(); ++q) met.insert({p, choice[p], q, choice[q]});
      }
    }
    for (std::size_t p = 0; p < sizes.size(); ++p) {
      for (std::size_t q = 0; q < sizes.size(); ++q) {
        for (std::size_t i = 0; i < sizes[p]; ++i) {
          for (std::size_t j = 0; j < sizes[q]; ++j) {
            if (p == q && i != j) continue;
            EXPECT_TRUE(met.contains({p, i, q, j}))
                << "value " << i << " of parameter " << p << " never met " << j << " of " << q;
          }
        }
      }
    }
  }
}

TEST(Pairwise, StaysNearTheProductOfTheTwoLargest) {
  EXPECT_LE(pairwise({2, 2, 2, 2, 2, 2, 2, 2, 2, 2}).size(), 12u);
  EXPECT_LE(pairwise({13, 13, 8, 6, 6, 4, 2}).size(), 220u);
  EXPECT_EQ(pairwise({5, 4, 3}), pairwise({5, 4, 3})) << "the same choices each time";
}

TEST(Pairwise, EveryChoiceIsTheProduct) {
  const std::vector<Choice> all = every_choice({2, 3, 4});
  EXPECT_EQ(std::set<Choice>(all.begin(), all.end()).size(), 24u);
}

}  // namespace
}  // namespace tenon::test
