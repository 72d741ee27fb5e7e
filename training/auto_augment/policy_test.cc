#include "training/auto_augment/policy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fairdarts/base/random.h"
#include "fairdarts/base/safetensors.h"
#include "tests/golden/golden_data.h"

namespace fairdarts {
namespace {

TEST(Cifar10PolicyTest, IsTheReferencesTable) {
  const auto golden =
      SafetensorsFile::Load(GoldenPath("autoaugment.safetensors"));
  ASSERT_TRUE(golden.ok()) << golden.status();
  const auto table =
      nlohmann::json::parse(golden->FindMetadata("cifar10_policy").value());
  ASSERT_EQ(table.size(), Cifar10Policy().size());
  for (size_t i = 0; i < table.size(); ++i) {
    for (size_t s = 0; s < 2; ++s) {
      const SubPolicy::Step& step = Cifar10Policy()[i].steps[s];
      EXPECT_EQ(step.probability, table[i][3 * s].get<float>()) << i;
      EXPECT_EQ(std::string(ImageOperationName(step.operation)),
                table[i][3 * s + 1].get<std::string>())
          << i;
      EXPECT_EQ(step.level, table[i][3 * s + 2].get<int>()) << i;
    }
  }
}

// Whether `count` of `trials` with this probability lies within five standard
// deviations. Of the 125 counts below one in 14,000 runs would have one
// outside; the stream is fixed.
bool Plausible(int64_t count, int64_t trials, double probability) {
  const double mean = trials * probability;
  return std::abs(count - mean) <= 5 * std::sqrt(mean * (1 - probability));
}

TEST(Cifar10PolicyTest, DrawsWithTheTablesProbabilities) {
  constexpr int kDraws = 250000;
  struct Counts {
    int64_t picked = 0;
    int64_t applied[2] = {};
    int64_t negative[2] = {};
    int64_t both = 0;
  };
  std::vector<Counts> counts(Cifar10Policy().size());
  RandomStream stream("draws", {1});
  for (int i = 0; i < kDraws; ++i) {
    const PolicyDraw draw = DrawCifar10Policy(stream);
    Counts& c = counts.at(draw.sub_policy);
    ++c.picked;
    for (int s = 0; s < 2; ++s) {
      c.applied[s] += draw.steps[s].applied;
      c.negative[s] += draw.steps[s].negative;
    }
    c.both += draw.steps[0].applied && draw.steps[1].applied;
  }
  for (size_t i = 0; i < counts.size(); ++i) {
    const Counts& c = counts[i];
    const auto& steps = Cifar10Policy()[i].steps;
    EXPECT_TRUE(Plausible(c.picked, kDraws, 1.0 / 25)) << i << " " << c.picked;
    for (int s = 0; s < 2; ++s) {
      EXPECT_TRUE(Plausible(c.applied[s], c.picked, steps[s].probability))
          << i << " " << c.applied[s];
      EXPECT_TRUE(Plausible(c.negative[s], c.picked, 0.5))
          << i << " " << c.negative[s];
    }
    // The two are independent.
    EXPECT_TRUE(
        Plausible(c.both, c.picked,
                  double{steps[0].probability} * double{steps[1].probability}))
        << i << " " << c.both;
  }
}

TEST(Cifar10PolicyTest, ADrawTakesFiveElementsWhateverHappens) {
  for (uint64_t sample = 0; sample < 200; ++sample) {
    RandomStream stream("elements", {sample});
    DrawCifar10Policy(stream);
    EXPECT_EQ(stream.position(), 5u);
  }
}

TEST(Cifar10PolicyTest, AppliesWhatWasDrawnInOrder) {
  const ImageShape shape = {3, 16, 20};
  RandomStream noise("image", {});
  std::vector<uint8_t> image(shape.bytes());
  for (uint8_t& pixel : image) pixel = static_cast<uint8_t>(noise.Below(200));
  for (int sub_policy = 0; sub_policy < 25; ++sub_policy) {
    for (int bits = 0; bits < 16; ++bits) {
      const PolicyDraw draw = {sub_policy,
                               {{{(bits & 1) != 0, (bits & 2) != 0},
                                 {(bits & 4) != 0, (bits & 8) != 0}}}};
      std::vector<uint8_t> expected = image;
      for (int s = 0; s < 2; ++s) {
        if (!draw.steps[s].applied) continue;
        const SubPolicy::Step& step = Cifar10Policy()[sub_policy].steps[s];
        const std::vector<uint8_t> in = expected;
        ApplyImageOperation(step.operation, step.level, draw.steps[s].negative,
                            shape, in.data(), expected.data());
      }
      std::vector<uint8_t> actual = image;
      std::vector<uint8_t> scratch(shape.bytes(), 77);
      ApplyCifar10Policy(shape, draw, actual.data(), scratch.data());
      EXPECT_EQ(actual, expected) << sub_policy << " " << bits;
    }
  }
}

}  // namespace
}  // namespace fairdarts
