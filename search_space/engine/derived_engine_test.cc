// Instruction sets, threads and memory of the engine; that it computes the
// right thing is the business of //search_space:fused_derived_network_test.

#include "search_space/engine/derived_engine.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "fairdarts/base/random.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using P = Primitive;

// Every operation, an input in the concat, a node outside of it.
Genotype Pairs() {
  Genotype genotype;
  genotype.normal = {{{P::kSepConv3x3, 2, 0},
                      {P::kSkipConnect, 2, 1},
                      {P::kMaxPool3x3, 3, 1},
                      {P::kDilConv5x5, 3, 2},
                      {P::kSepConv7x7, 4, 2},
                      {P::kAvgPool3x3, 4, 0}},
                     {1, 3, 4}};
  genotype.reduce = {{{P::kSepConv5x5, 2, 0},
                      {P::kSkipConnect, 2, 1},
                      {P::kMaxPool3x3, 3, 1},
                      {P::kDilConv3x3, 3, 2},
                      {P::kAvgPool3x3, 4, 0},
                      {P::kSkipConnect, 4, 3}},
                     {2, 3, 4}};
  return genotype;
}

// Several operations an edge, a missing node.
Genotype Threshold() {
  Genotype genotype;
  genotype.form = GenotypeForm::kThreshold;
  genotype.normal = {{{P::kSepConv3x3, 3, 0},
                      {P::kSkipConnect, 3, 0},
                      {P::kMaxPool3x3, 3, 2},
                      {P::kDilConv3x3, 4, 3},
                      {P::kAvgPool3x3, 4, 3},
                      {P::kSepConv5x5, 5, 1}},
                     {}};
  genotype.reduce = {{{P::kSkipConnect, 2, 0},
                      {P::kMaxPool3x3, 2, 0},
                      {P::kSepConv3x3, 2, 1},
                      {P::kDilConv5x5, 5, 2}},
                     {}};
  return genotype;
}

NetworkConfig Config() {
  NetworkConfig config = NetworkConfig::Cifar();
  config.init_channels = 4;
  config.layers = 4;
  config.image_channels = 2;
  return config;
}

std::vector<float> Values(int64_t size, const char* name) {
  std::vector<float> values(size);
  RandomStream stream(name, {});
  for (float& v : values) v = static_cast<float>(2 * stream.Uniform() - 1);
  return values;
}

std::unique_ptr<DerivedEngine> EngineOf(const Genotype& genotype, int threads,
                                        Isa isa) {
  absl::StatusOr<std::unique_ptr<DerivedEngine>> engine =
      DerivedEngine::Create(genotype, Config(), {threads, isa});
  EXPECT_THAT(engine, IsOk());
  const std::vector<float> parameters =
      Values((*engine)->layout().parameter_size, "parameters");
  std::copy(parameters.begin(), parameters.end(), (*engine)->parameters());
  return *std::move(engine);
}

struct Step {
  std::vector<float> pooled;
  std::vector<float> auxiliary;
  std::vector<float> gradients;
};

Step RunStep(DerivedEngine& engine, int images, int height, int width) {
  const std::vector<float> pixels =
      Values(int64_t{images} * Config().image_channels * height * width, "x");
  // Two of three images stay.
  std::vector<float> scales =
      Values(int64_t{engine.layout().paths} * images, "paths");
  for (float& scale : scales) scale = scale < -1 / 3.0f ? 0 : 1.5f;
  const MapSize map = engine.AuxiliaryMap({height, width});
  Step step;
  step.pooled.resize(images * engine.pooled_channels());
  step.auxiliary.resize(images * engine.auxiliary_channels() * map.pixels());
  step.gradients.resize(engine.layout().parameter_size);
  EXPECT_THAT(
      engine.Forward({pixels.data(), images, height, width}, {scales.data()},
                     step.pooled.data(), step.auxiliary.data()),
      IsOk());
  const std::vector<float> d_pooled = Values(step.pooled.size(), "d");
  const std::vector<float> d_auxiliary = Values(step.auxiliary.size(), "e");
  engine.Backward(d_pooled.data(), d_auxiliary.data(), step.gradients.data());
  return step;
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

void ExpectSame(const Step& actual, const Step& expected) {
  EXPECT_EQ(actual.pooled, expected.pooled);
  EXPECT_EQ(actual.auxiliary, expected.auxiliary);
  EXPECT_EQ(actual.gradients, expected.gradients);
}

class DerivedEngineTest : public testing::TestWithParam<Genotype> {};

TEST_P(DerivedEngineTest, InstructionSetsAgree) {
  // Twice what float32 may be off from double in the gradients of
  // fused_derived_network_test; means of maps are off by less.
  constexpr double kTolerance = 2 * 2.52e-5;
  const Step expected =
      RunStep(*EngineOf(GetParam(), 1, Isa::kReference), 18, 9, 6);
  for (const Isa isa : SupportedIsas()) {
    const Step actual = RunStep(*EngineOf(GetParam(), 1, isa), 18, 9, 6);
    EXPECT_LT(Difference(actual.pooled, expected.pooled), kTolerance)
        << IsaName(isa);
    EXPECT_LT(Difference(actual.auxiliary, expected.auxiliary), kTolerance)
        << IsaName(isa);
    EXPECT_LT(Difference(actual.gradients, expected.gradients), kTolerance)
        << IsaName(isa);
  }
}

TEST_P(DerivedEngineTest, ThreadsChangeNoBit) {
  const Step expected = RunStep(*EngineOf(GetParam(), 1, BestIsa()), 50, 8, 8);
  for (const int threads : {2, 3, 7}) {
    SCOPED_TRACE(threads);
    ExpectSame(RunStep(*EngineOf(GetParam(), threads, BestIsa()), 50, 8, 8),
               expected);
  }
}

TEST_P(DerivedEngineTest, StepsBeforeChangeNoBit) {
  const Step expected = RunStep(*EngineOf(GetParam(), 1, BestIsa()), 5, 8, 8);
  const std::unique_ptr<DerivedEngine> engine =
      EngineOf(GetParam(), 1, BestIsa());
  RunStep(*engine, 5, 4, 12);  // another size
  RunStep(*engine, 40, 8, 8);  // more blocks
  ExpectSame(RunStep(*engine, 5, 8, 8), expected);
}

INSTANTIATE_TEST_SUITE_P(Forms, DerivedEngineTest,
                         testing::Values(Pairs(), Threshold()),
                         [](const auto& info) {
                           return info.index == 0 ? "Pairs" : "Threshold";
                         });

TEST(DerivedEngineRefusalTest, OneValueAChannel) {
  const std::unique_ptr<DerivedEngine> engine = EngineOf(Pairs(), 1, BestIsa());
  const std::vector<float> values(2 * 4 * 3, 0.5f);
  std::vector<float> pooled(engine->pooled_channels());
  EXPECT_THAT(
      engine->Forward({values.data(), 1, 4, 3}, {}, pooled.data(), nullptr),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "more than one value a channel"));
  EXPECT_EQ(engine->pending(), 0);
}

TEST(DerivedEngineRefusalTest, WhatItDoesNotHave) {
  Genotype genotype = Pairs();
  genotype.reduce.edges[0].op = P::kConv7x1_1x7;
  EXPECT_THAT(DerivedEngine::Create(genotype, Config(), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, "conv_7x1_1x7"));
  EXPECT_THAT(DerivedEngine::Create(Pairs(), NetworkConfig::ImageNet(), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, "CIFAR"));
}

// Parameters of an edge that leads nowhere, and of an input that nothing reads.
TEST(DerivedLayoutTest, TellsWhatAGradientReaches) {
  Genotype genotype = Pairs();
  genotype.normal = {{{P::kSepConv3x3, 2, 1},
                      {P::kSkipConnect, 2, 1},
                      {P::kDilConv3x3, 3, 1},
                      {P::kSkipConnect, 3, 2}},
                     {2}};
  const DerivedLayout layout(genotype, Config());
  for (const bool auxiliary : {false, true}) {
    const std::vector<bool> reached = layout.Reached(auxiliary);
    for (size_t i = 0; i < reached.size(); ++i) {
      const std::string& name = layout.parameters[i].name;
      // Cells 1 and 2 are reduction cells, 3 the last one.
      const bool normal =
          name.rfind("cells.0", 0) == 0 || name.rfind("cells.3", 0) == 0;
      const bool lost =
          normal && (name.find("_ops.2") != std::string::npos ||
                     name.find("preprocess0") != std::string::npos);
      EXPECT_EQ(reached[i], !lost) << name;
    }
  }
}

}  // namespace
}  // namespace fairdarts
