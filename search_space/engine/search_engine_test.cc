// Instruction sets, threads and memory of the engine; that it computes the
// right thing is the business of //search_space:fused_supernet_test.

#include "search_space/engine/search_engine.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "fairdarts/base/random.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr S1Config kConfig = {/*channels=*/2, /*layers=*/3, /*classes=*/5,
                              /*image_channels=*/1};

struct Step {
  std::vector<float> logits;
  std::vector<float> gradients;  // of parameters, then of both weights
};

std::vector<float> Values(int64_t size, const char* name) {
  std::vector<float> values(size);
  RandomStream stream(name, {});
  for (float& v : values) v = static_cast<float>(2 * stream.Uniform() - 1);
  return values;
}

std::unique_ptr<SearchEngine> EngineOf(int threads, Isa isa) {
  absl::StatusOr<std::unique_ptr<SearchEngine>> engine =
      SearchEngine::Create(kConfig, {threads, isa});
  EXPECT_THAT(engine, IsOk());
  const std::vector<float> parameters =
      Values((*engine)->layout().parameter_size, "parameters");
  std::copy(parameters.begin(), parameters.end(), (*engine)->parameters());
  return *std::move(engine);
}

constexpr SkipNoise kNoise = {SkipNoise::Kind::kNormal, 0.5f, 3};

Step RunStep(SearchEngine& engine, int images, int height, int width,
             bool weight_gradients = true) {
  const std::vector<float> pixels =
      Values(int64_t{images} * height * width, "pixels");
  const std::vector<float> weights =
      Values(kS1Edges * kEdgeCandidates, "weights");
  const std::vector<float> d_logits = Values(images * kConfig.classes, "d");
  Step step;
  step.logits.resize(images * kConfig.classes);
  step.gradients.resize(engine.layout().parameter_size);
  EXPECT_THAT(
      engine.Forward({pixels.data(), images, height, width},
                     {weights.data(), weights.data()}, step.logits.data()),
      IsOk());
  const SearchEngine::WeightGradients d_weights =
      engine.Backward(d_logits.data(), step.gradients.data(), weight_gradients);
  for (const std::vector<float>* d : {&d_weights.normal, &d_weights.reduce}) {
    step.gradients.insert(step.gradients.end(), d->begin(), d->end());
  }
  return step;
}

Step NoisyStep(const SkipNoise& noise, int threads, Isa isa, int images,
               int height, int width) {
  const std::unique_ptr<SearchEngine> engine = EngineOf(threads, isa);
  EXPECT_THAT(engine->SetSkipNoise(noise), IsOk());
  return RunStep(*engine, images, height, width);
}

// The largest difference relative to the largest entry.
double Difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  double difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(double{b[i]}));
    difference = std::max(difference, std::abs(double{a[i]} - b[i]));
  }
  return difference / largest;
}

TEST(SearchEngineTest, InstructionSetsAgree) {
  // Twice what float32 may be off from double in fused_supernet_test.
  constexpr double kTolerance = 2 * 4.4e-5;
  for (const SkipNoise& noise : {SkipNoise(), kNoise}) {
    const Step expected = NoisyStep(noise, 1, Isa::kReference, 18, 9, 6);
    for (const Isa isa : SupportedIsas()) {
      const Step actual = NoisyStep(noise, 1, isa, 18, 9, 6);
      EXPECT_LT(Difference(actual.logits, expected.logits), kTolerance)
          << IsaName(isa);
      EXPECT_LT(Difference(actual.gradients, expected.gradients), kTolerance)
          << IsaName(isa);
    }
  }
}

TEST(SearchEngineTest, ThreadsChangeNoBit) {
  for (const SkipNoise& noise : {SkipNoise(), kNoise}) {
    const Step expected = NoisyStep(noise, 1, BestIsa(), 50, 8, 8);
    for (const int threads : {2, 3, 7}) {
      const Step actual = NoisyStep(noise, threads, BestIsa(), 50, 8, 8);
      EXPECT_EQ(actual.logits, expected.logits) << threads;
      EXPECT_EQ(actual.gradients, expected.gradients) << threads;
    }
  }
}

TEST(SearchEngineTest, NoiseIsOfItsKeyAndTheForwardsSince) {
  const std::unique_ptr<SearchEngine> engine = EngineOf(1, BestIsa());
  const auto run = [&] { return RunStep(*engine, 18, 8, 8); };
  const Step without = run();
  ASSERT_THAT(engine->SetSkipNoise(kNoise), IsOk());
  const Step first = run();
  EXPECT_NE(first.logits, without.logits);
  const Step second = run();
  EXPECT_NE(second.logits, first.logits);
  // Set again, or in another engine: the same.
  ASSERT_THAT(engine->SetSkipNoise(kNoise), IsOk());
  EXPECT_EQ(run().logits, first.logits);
  EXPECT_EQ(run().gradients, second.gradients);
  EXPECT_EQ(NoisyStep(kNoise, 1, BestIsa(), 18, 8, 8).gradients,
            first.gradients);
  SkipNoise other = kNoise;
  other.key = 4;
  ASSERT_THAT(engine->SetSkipNoise(other), IsOk());
  EXPECT_NE(run().logits, first.logits);
  other = kNoise;
  other.kind = SkipNoise::Kind::kUniform;
  ASSERT_THAT(engine->SetSkipNoise(other), IsOk());
  EXPECT_NE(run().logits, first.logits);
  // None, by its scale or its kind, changes no bit.
  other.scale = 0;
  ASSERT_THAT(engine->SetSkipNoise(other), IsOk());
  EXPECT_EQ(run().gradients, without.gradients);
  ASSERT_THAT(engine->SetSkipNoise({}), IsOk());
  EXPECT_EQ(run().gradients, without.gradients);
}

TEST(SearchEngineTest, ARefusedForwardCountsForNoNoise) {
  const std::unique_ptr<SearchEngine> engine = EngineOf(1, BestIsa());
  ASSERT_THAT(engine->SetSkipNoise(kNoise), IsOk());
  const std::vector<float> values(196, 0.5f);
  std::vector<float> logits(5);
  EXPECT_FALSE(engine
                   ->Forward({values.data(), 1, 4, 3},
                             {values.data(), values.data()}, logits.data())
                   .ok());
  engine->Evaluate({values.data(), 1, 4, 3}, {values.data(), values.data()},
                   logits.data());
  EXPECT_EQ(RunStep(*engine, 18, 8, 8).logits,
            NoisyStep(kNoise, 1, BestIsa(), 18, 8, 8).logits);
}

TEST(SearchEngineTest, BackwardHasTheNoiseOfItsForward) {
  const Step expected = NoisyStep(kNoise, 1, BestIsa(), 5, 8, 8);
  const std::unique_ptr<SearchEngine> engine = EngineOf(1, BestIsa());
  ASSERT_THAT(engine->SetSkipNoise(kNoise), IsOk());
  const std::vector<float> pixels = Values(5 * 64, "pixels");
  const std::vector<float> weights =
      Values(kS1Edges * kEdgeCandidates, "weights");
  std::vector<float> logits(5 * kConfig.classes);
  ASSERT_THAT(engine->Forward({pixels.data(), 5, 8, 8},
                              {weights.data(), weights.data()}, logits.data()),
              IsOk());
  ASSERT_THAT(engine->SetSkipNoise({}), IsOk());
  std::vector<float> gradients(engine->layout().parameter_size);
  const SearchEngine::WeightGradients d = engine->Backward(
      Values(5 * kConfig.classes, "d").data(), gradients.data());
  gradients.insert(gradients.end(), d.normal.begin(), d.normal.end());
  gradients.insert(gradients.end(), d.reduce.begin(), d.reduce.end());
  EXPECT_EQ(gradients, expected.gradients);
}

TEST(SearchEngineTest, WeightGradientsMayBeLeftOut) {
  const Step expected = NoisyStep(kNoise, 1, BestIsa(), 18, 8, 8);
  const std::unique_ptr<SearchEngine> engine = EngineOf(1, BestIsa());
  ASSERT_THAT(engine->SetSkipNoise(kNoise), IsOk());
  const Step actual = RunStep(*engine, 18, 8, 8, /*weight_gradients=*/false);
  std::vector<float> parameters = expected.gradients;
  parameters.resize(engine->layout().parameter_size);
  EXPECT_EQ(actual.gradients, parameters);
}

TEST(SearchEngineTest, RefusesNoiseThatIsOutOfRange) {
  const std::unique_ptr<SearchEngine> engine = EngineOf(1, BestIsa());
  EXPECT_THAT(engine->SetSkipNoise({SkipNoise::Kind::kNormal, -1, 0}),
              StatusIs(absl::StatusCode::kInvalidArgument, "scale is -1"));
}

TEST(SearchEngineTest, StepsBeforeChangeNoBit) {
  const Step expected = RunStep(*EngineOf(1, BestIsa()), 5, 8, 8);
  const std::unique_ptr<SearchEngine> engine = EngineOf(1, BestIsa());
  RunStep(*engine, 5, 4, 12);  // another size
  RunStep(*engine, 40, 8, 8);  // more blocks
  const Step actual = RunStep(*engine, 5, 8, 8);
  EXPECT_EQ(actual.logits, expected.logits);
  EXPECT_EQ(actual.gradients, expected.gradients);
}

TEST(SearchEngineTest, EvaluationKeepsToTheMemoryAndToEachImage) {
  const std::vector<float> pixels = Values(50 * 64, "pixels");
  const std::vector<float> weights =
      Values(kS1Edges * kEdgeCandidates, "weights");
  const auto evaluate = [&](SearchEngine& engine, int images) {
    std::vector<float> logits(images * kConfig.classes);
    engine.Evaluate({pixels.data(), images, 8, 8},
                    {weights.data(), weights.data()}, logits.data());
    EXPECT_EQ(engine.pending(), 0);
    return logits;
  };
  const std::vector<float> expected = evaluate(*EngineOf(1, BestIsa()), 50);
  EXPECT_EQ(evaluate(*EngineOf(3, BestIsa()), 50), expected);
  const std::unique_ptr<SearchEngine> noisy = EngineOf(1, BestIsa());
  ASSERT_THAT(noisy->SetSkipNoise(kNoise), IsOk());
  EXPECT_EQ(evaluate(*noisy, 50), expected);
  const std::unique_ptr<SearchEngine> engine = EngineOf(1, BestIsa());
  const std::vector<float> statistics(
      engine->statistics(),
      engine->statistics() + engine->layout().statistic_size);
  const std::vector<float> alone = evaluate(*engine, 1);
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), expected.begin()));
  EXPECT_EQ(evaluate(*engine, 50), expected);
  EXPECT_TRUE(
      std::equal(statistics.begin(), statistics.end(), engine->statistics()));
}

TEST(SearchEngineTest, GoesOnAfterMemoryWasRefused) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "this allocator ends the program";
#endif
  const Step expected = RunStep(*EngineOf(1, BestIsa()), 5, 8, 8);
  const std::unique_ptr<SearchEngine> engine = EngineOf(1, BestIsa());
  RunStep(*engine, 5, 8, 8);
  // More than any machine can address; pixels are not read before.
  const std::vector<float> weights(kS1Edges * kEdgeCandidates, 0.5f);
  float logits = 0;
  EXPECT_THROW(engine
                   ->Forward({nullptr, 1 << 30, 64, 64},
                             {weights.data(), weights.data()}, &logits)
                   .IgnoreError(),
               std::bad_alloc);
  EXPECT_EQ(engine->pending(), 0);
  const Step actual = RunStep(*engine, 5, 8, 8);
  EXPECT_EQ(actual.logits, expected.logits);
  EXPECT_EQ(actual.gradients, expected.gradients);
}

TEST(SearchEngineTest, RefusesOneValueAChannel) {
  const std::unique_ptr<SearchEngine> engine = EngineOf(1, BestIsa());
  const std::vector<float> values(196, 0.5f);
  std::vector<float> logits(5);
  EXPECT_THAT(engine->Forward({values.data(), 1, 4, 3},
                              {values.data(), values.data()}, logits.data()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "more than one value a channel"));
  EXPECT_EQ(engine->pending(), 0);
}

}  // namespace
}  // namespace fairdarts
