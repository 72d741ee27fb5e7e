#include "fairdarts/image/image.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "fairdarts/base/status.h"
#include "gtest/gtest.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

TEST(ImageTest, SizesWithinTheLimits) {
  for (const auto& [width, height] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {65535, 1}, {1, 65535}, {10000, 10000}}) {
    EXPECT_THAT(CheckImageSize(width, height), IsOk());
  }
}

TEST(ImageTest, SizesBeyondTheLimits) {
  for (const auto& [width, height] : std::vector<std::pair<int64_t, int64_t>>{
           {0, 1},
           {1, 0},
           {-1, 5},
           {65536, 1},
           {1, 65536},
           {10000, 10001},
           {int64_t{1} << 62, int64_t{1} << 62}}) {
    EXPECT_THAT(CheckImageSize(width, height), ExitCodeIs(ExitCode::kData));
  }
}

}  // namespace
}  // namespace fairdarts
