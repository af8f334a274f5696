// The recipes on plugin faulty's other modes: the same losses, or exactly the promised error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/device.h>
#include <tenon/error.h>

#include "tests/support/data.h"
#include "tests/support/new_process.h"
#include "tests/support/thrown.h"
#include "tools/recipes/train.h"

namespace tenon::test {
namespace {

using recipes::TrainOptions;
using testing::HasSubstr;

std::vector<TrainOptions> recipes_on(const std::string& device) {
  TrainOptions linear{.recipe = recipes::Recipe::Linear,
                      .data = example_data("mpg.csv"),
                      .target = "mpg",
                      .drop = {"name"},
                      .missing = recipes::Missing::Drop,
                      .epochs = 2};
  TrainOptions logistic{.recipe = recipes::Recipe::Logistic,
                        .data = example_data("banknote_authentication.csv"),
                        .target = "-1",
                        .epochs = 1,
                        .hidden = 16};
  linear.device = logistic.device = device;
  return {linear, logistic};
}

std::vector<double> losses_of(const TrainOptions& options) {
  std::vector<double> losses;
  recipes::train(options, {.on_batch = [&](auto, auto, double loss) { losses.push_back(loss); }});
  return losses;
}

class Modes : public testing::TestWithParam<const char*> {};

// Without options faulty's losses are reference's, bit for bit (SameSeed in losses_test.cpp).
TEST_P(Modes, GiveTheSameLosses) {
  in_new_process({GetParam()}, [] {
    const auto normal = recipes_on("reference"), other = recipes_on("faulty:0");
    for (std::size_t recipe = 0; recipe < normal.size(); ++recipe) {
      const auto expected = losses_of(normal[recipe]), found = losses_of(other[recipe]);
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_NEAR(found[i], expected[i], 1e-5 * expected[i])
            << recipes::name(normal[recipe].recipe) << ", batch " << i;
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Faulty, Modes,
                         testing::Values("TENON_FAULTY_MINIMAL=1", "TENON_FAULTY_LIMITS=tiny",
                                         "TENON_FAULTY_NOT_READY=30",
                                         "TENON_FAULTY_ALIGNMENT=minimal"));

// The error ends the training, and the other device goes on.
void expect_failure(const std::string& text) {
  const auto error = thrown([] { losses_of(recipes_on("faulty:0")[1]); });
  EXPECT_EQ(error.kind, ErrorKind::DeviceError) << error;
  EXPECT_THAT(error.text, HasSubstr(text));
  EXPECT_FALSE(losses_of(recipes_on("reference")[1]).empty());
}

TEST(Failures, ALateFaultEndsTheTraining) {
  in_new_process({"TENON_FAULTY_LATE_FAULT_AT=60"}, [] {
    expect_failure("[faulty] launch 60 of faulty:0 fails late: option late_fault_at");
    EXPECT_FALSE(losses_of(recipes_on("faulty:0")[1]).empty()) << "the device still works";
  });
}

TEST(Failures, ALostDeviceEndsTheTrainingForGood) {
  in_new_process({"TENON_FAULTY_LOST_AT=60"}, [] {
    const std::string text = "[faulty] faulty:0 is lost: launch 60: option lost_at";
    expect_failure(text);
    expect_failure(text);
  });
}

}  // namespace
}  // namespace tenon::test
