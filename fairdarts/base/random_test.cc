#include "fairdarts/base/random.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace fairdarts {
namespace {

using ::testing::ElementsAre;

// Draws of each statistical test. The streams are fixed, so a test that passes
// once passes always; the bounds are 5 standard deviations wide.
constexpr int kDraws = 100000;
constexpr double kSigmas = 5;

TEST(RandomTest, Fnv1a64MatchesThePublishedVectors) {
  // From the table of test vectors of the algorithm's authors.
  EXPECT_EQ(Fnv1a64(""), 0xcbf29ce484222325u);
  EXPECT_EQ(Fnv1a64("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(Fnv1a64("foobar"), 0x85944171f73967e8u);
}

TEST(RandomTest, SplitMix64MatchesItsReference) {
  // The first values of the authors' splitmix64.c for state 1234567.
  RandomStream stream(1234567);
  EXPECT_EQ(stream.Next(), 6457827717110365317u);
  EXPECT_EQ(stream.Next(), 3203168211198807973u);
  EXPECT_EQ(stream.Next(), 9817491932198370423u);
}

TEST(RandomTest, MatchesTheGoldenCheckValues) {
  const RandomStream x(Fnv1a64("x") ^ 0);
  std::vector<float> unit;
  for (int i = 0; i < 4; ++i) {
    unit.push_back(
        static_cast<float>(static_cast<double>(x.At(i) >> 40) * 0x1p-23 - 1));
  }
  EXPECT_THAT(unit, ElementsAre(-0x1.31f678p-1f, 0x1.3bee7p-1f, 0x1.2586d8p-2f,
                                0x1.4ffbe8p-1f));
  const RandomStream y(Fnv1a64("y") ^ 21);
  std::vector<int> labels;
  for (int i = 0; i < 6; ++i) labels.push_back((y.At(i) >> 40) % 10);
  EXPECT_THAT(labels, ElementsAre(4, 4, 9, 0, 3, 8));
}

TEST(RandomTest, AtIsNextWithoutMoving) {
  RandomStream stream("purpose", {1, 2});
  const uint64_t third = stream.At(2);
  EXPECT_EQ(stream.position(), 0u);
  stream.Next();
  stream.Next();
  EXPECT_EQ(stream.Next(), third);
  EXPECT_EQ(stream.position(), 3u);
}

TEST(RandomTest, EveryArgumentMakesAnotherStream) {
  std::set<uint64_t> firsts;
  firsts.insert(RandomStream("a", {}).At(0));
  firsts.insert(RandomStream("b", {}).At(0));
  firsts.insert(RandomStream("a", {0}).At(0));
  firsts.insert(RandomStream("a", {0, 0}).At(0));
  firsts.insert(RandomStream("a", {1, 2}).At(0));
  firsts.insert(RandomStream("a", {2, 1}).At(0));
  EXPECT_EQ(firsts.size(), 6u);
  EXPECT_EQ(RandomStream("a", {1, 2}).At(0), RandomStream("a", {1, 2}).At(0));
}

TEST(RandomTest, NeighbouringStreamsAreUncorrelated) {
  // Seeds and sample numbers are consecutive: the correlation of the uniform
  // values of neighbours has standard deviation 1 / sqrt(n).
  for (const bool shifted : {false, true}) {
    double sum = 0;
    for (int i = 0; i < kDraws; ++i) {
      RandomStream a("augment", {2, 0, static_cast<uint64_t>(i)});
      RandomStream b("augment", {2, 0, static_cast<uint64_t>(i) + 1});
      if (shifted) b.Next();
      sum += (a.Uniform() - 0.5) * (b.Uniform() - 0.5) * 12;
    }
    EXPECT_LT(std::abs(sum / kDraws), kSigmas / std::sqrt(kDraws));
  }
}

TEST(RandomTest, BelowIsUniform) {
  RandomStream stream("below", {1});
  for (const uint64_t bound : {1u, 2u, 7u, 10u, 64u}) {
    std::vector<int> counts(bound);
    for (int i = 0; i < kDraws; ++i) ++counts.at(stream.Below(bound));
    const double p = 1.0 / static_cast<double>(bound);
    for (const int count : counts) {
      EXPECT_LE(std::abs(count - kDraws * p),
                kSigmas * std::sqrt(kDraws * p * (1 - p)));
    }
  }
}

TEST(RandomTest, BelowIsUniformWhereAPlainModuloIsNot) {
  // Of 2^64 values modulo 3 * 2^62, those below 2^62 come up twice: half of
  // the draws instead of a third.
  constexpr uint64_t kBound = uint64_t{3} << 62;
  RandomStream stream("below", {2});
  int low = 0;
  for (int i = 0; i < kDraws; ++i) low += stream.Below(kBound) < kBound / 3;
  EXPECT_LE(std::abs(low - kDraws / 3.0),
            kSigmas * std::sqrt(kDraws * 2.0 / 9));
}

TEST(RandomTest, UniformHasItsMeanAndRange) {
  RandomStream stream("uniform", {1});
  double sum = 0;
  for (int i = 0; i < kDraws; ++i) {
    const float value = stream.Uniform();
    ASSERT_GE(value, 0.f);
    ASSERT_LT(value, 1.f);
    sum += value;
  }
  EXPECT_LT(std::abs(sum / kDraws - 0.5), kSigmas / std::sqrt(12.0 * kDraws));
}

TEST(RandomTest, NormalHasItsMoments) {
  RandomStream stream("normal", {1});
  double sum = 0;
  double squares = 0;
  int beyond_two = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = stream.Normal();
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
    beyond_two += std::abs(value) > 2;
  }
  EXPECT_LT(std::abs(sum / kDraws), kSigmas / std::sqrt(kDraws));
  EXPECT_LT(std::abs(squares / kDraws - 1), kSigmas * std::sqrt(2.0 / kDraws));
  const double p = std::erfc(std::sqrt(2.0));
  EXPECT_LT(std::abs(beyond_two - kDraws * p),
            kSigmas * std::sqrt(kDraws * p * (1 - p)));
}

TEST(RandomTest, ShuffleReachesEveryOrderEqually) {
  RandomStream stream("shuffle", {1});
  std::map<std::vector<int>, int> counts;
  for (int i = 0; i < kDraws; ++i) {
    std::vector<int> items = {0, 1, 2, 3};
    stream.Shuffle(items);
    ++counts[items];
  }
  ASSERT_EQ(counts.size(), 24u);
  const double p = 1.0 / 24;
  for (const auto& [order, count] : counts) {
    EXPECT_LE(std::abs(count - kDraws * p),
              kSigmas * std::sqrt(kDraws * p * (1 - p)))
        << testing::PrintToString(order);
  }
}

TEST(RandomDeathTest, BelowZeroIsABug) {
  EXPECT_DEATH(RandomStream(1).Below(0), "bound. > .0u");
}

}  // namespace
}  // namespace fairdarts
