#include "fairdarts/sweep_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

PlotPanel Panel() {
  PlotPanel panel;
  panel.title = "time";
  panel.series = {{"a", {{1, 1}, {4, 0.99}, {16, 1.038}}}, {"b", {{1, 1}}}};
  return panel;
}

TEST(SweepOutputTest, TheSpreadIsRelativeToTheFirst) {
  EXPECT_EQ(SpreadText(Panel(), "batch 1"),
            "a: -1.0 % to +3.8 % against batch 1\n"
            "b: +0.0 % to +0.0 % against batch 1\n");
}

TEST(SweepOutputTest, BothFilesAreThere) {
  SweepOutput output;
  output.path = testing::TempDir() + "/sweep";
  output.csv = "a,b\n1,2\n";
  output.title = "a title";
  output.caption = "the fastest counts";
  output.panels = {Panel()};
  ASSERT_THAT(WriteSweep(output, 12.34e9), IsOk());
  EXPECT_THAT(ReadFile(output.path + ".csv"), IsOkAndHolds(output.csv));
  EXPECT_THAT(ReadFile(output.path + ".svg"),
              IsOkAndHolds(HasSubstr("peak 12.3 GFLOP/s a thread; the "
                                     "fastest counts")));
}

TEST(SweepOutputTest, AFolderThatIsNotThereIsAnError) {
  SweepOutput output;
  output.path = testing::TempDir() + "/nowhere/sweep";
  output.panels = {Panel()};
  EXPECT_THAT(WriteSweep(output, 1), ExitCodeIs(ExitCode::kEnvironment));
}

}  // namespace
}  // namespace fairdarts
