#include "tests/golden/filler.h"

#include <gmock/gmock.h>

namespace fairdarts {
namespace {

using ::testing::ElementsAre;

TEST(FillerTest, MatchesTheCheckValues) {
  EXPECT_THAT(GoldenUnit("x", 4, 0),
              ElementsAre(-0x1.31f678p-1f, 0x1.3bee7p-1f, 0x1.2586d8p-2f,
                          0x1.4ffbe8p-1f));
  EXPECT_THAT(GoldenUnit("stem.0.weight", 3, 41),
              ElementsAre(-0x1.cd26e8p-2f, -0x1.69464p-5f, -0x1.0fb5ap-3f));
  EXPECT_THAT(GoldenLabels("y", 6, 10, 21), ElementsAre(4, 4, 9, 0, 3, 8));
}

TEST(FillerTest, ScalesByTheKindOfTensor) {
  const float u = GoldenUnit("a.running_mean", 1, 3)[0];
  EXPECT_EQ(GoldenParameter("a.running_mean", {1}, true, 3)[0], u * 0.2f);
  const float v = GoldenUnit("a.running_var", 1, 3)[0];
  EXPECT_EQ(GoldenParameter("a.running_var", {1}, true, 3)[0], v * 0.5f + 1);
  const float b = GoldenUnit("a.bias", 1, 3)[0];
  EXPECT_EQ(GoldenParameter("a.bias", {1}, true, 3)[0], b * 0.2f);
  EXPECT_EQ(GoldenParameter("a.bias", {1}, false, 3)[0], b * 0.1f);
  const float w = GoldenUnit("a.weight", 1, 3)[0];
  EXPECT_EQ(GoldenParameter("a.weight", {1}, true, 3)[0], w * 0.5f + 1);
  // 27 elements per output channel: sqrt(3 / 27) = 1/3.
  EXPECT_EQ(GoldenParameter("a.weight", {4, 3, 3, 3}, false, 3)[0],
            w * (1.f / 3));
  EXPECT_EQ(GoldenImages("a.weight", 1, 3)[0], w * 1.5f);
}

}  // namespace
}  // namespace fairdarts
