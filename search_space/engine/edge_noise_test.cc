#include "search_space/engine/edge_noise.h"

#include <gmock/gmock.h>

#include <cstdint>
#include <limits>
#include <set>
#include <vector>

#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr SkipNoise kNoise = {SkipNoise::Kind::kNormal, 0.5f, 11};

std::vector<float> Fill(const EdgeNoise& edge, const NoiseShape& shape) {
  std::vector<float> values(int64_t{shape.images} * shape.channels *
                            shape.height * shape.width);
  FillNoise(edge, shape, values.data());
  return values;
}

TEST(EdgeNoiseTest, FillsImagesFromTheLanesOfTheKernel) {
  for (const SkipNoise::Kind kind :
       {SkipNoise::Kind::kNormal, SkipNoise::Kind::kUniform}) {
    const EdgeNoise edge = {{kind, 0.25f, 7}, 2, 1, 5};
    const NoiseShape shape = {35, 3, 4, 5};  // two blocks and three images
    const std::vector<float> values = Fill(edge, shape);
    size_t next = 0;
    for (int image = 0; image < shape.images; ++image) {
      const int block = image / kLanes;
      const auto keys = LaneNoiseKeys(edge, int64_t{block} * kLanes);
      for (int c = 0; c < shape.channels; ++c) {
        for (int y = 0; y < shape.height; ++y) {
          std::vector<float> row(shape.channels * shape.width * kLanes);
          LaneNoiseFor(kind,
                       BestIsa())({shape.channels, shape.width, row.data(),
                                   keys.data(), y, 0.25f, row.data()});
          for (int x = 0; x < shape.width; ++x) {
            ASSERT_EQ(
                values[next++],
                row[(c * shape.width + x) * kLanes + image - block * kLanes])
                << image << " " << c << " " << y << " " << x;
          }
        }
      }
    }
  }
}

TEST(EdgeNoiseTest, EveryPlaceHasItsOwnNoise) {
  std::set<float> seen;
  size_t count = 0;
  for (const uint64_t key : {0, 1, 2}) {
    for (const int64_t forward : {0, 1, 2}) {
      for (const int cell : {0, 1, 2}) {
        for (const int edge : {0, 1, 2}) {
          SkipNoise noise = kNoise;
          noise.key = key;
          const std::vector<float> values =
              Fill({noise, forward, cell, edge}, {3, 2, 2, 2});
          seen.insert(values.begin(), values.end());
          count += values.size();
        }
      }
    }
  }
  // Of 2,000 normal numbers few meet in a float's 2^24; whatever was left out
  // of a key would make a third or more of them equal.
  EXPECT_GT(seen.size(), count - 10);
}

TEST(EdgeNoiseTest, OfAnImageDoesNotDependOnSizeOfBatchOrMap) {
  const EdgeNoise edge = {kNoise, 0, 0, 0};
  const std::vector<float> many = Fill(edge, {20, 2, 3, 4});
  const std::vector<float> few = Fill(edge, {17, 1, 2, 3});
  for (int image = 0; image < 17; ++image) {
    for (int y = 0; y < 2; ++y) {
      for (int x = 0; x < 3; ++x) {
        EXPECT_EQ(few[(image * 2 + y) * 3 + x],
                  many[((image * 2) * 3 + y) * 4 + x]);
      }
    }
  }
}

TEST(SkipNoiseTest, RefusesAScaleThatIsNone) {
  SkipNoise noise = kNoise;
  EXPECT_THAT(CheckSkipNoise(noise), IsOk());
  EXPECT_THAT(CheckSkipNoise({}), IsOk());
  for (const float scale : {-0.5f, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    noise.scale = scale;
    EXPECT_THAT(CheckSkipNoise(noise),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         "it must be finite and at least 0"));
  }
}

}  // namespace
}  // namespace fairdarts
