#include "fairdarts/runtime/plan.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

Plan PlanOf(const std::string& genotype) {
  NetworkConfig config;
  config.init_channels = 4;
  config.layers = 3;
  config.image_size = 16;
  absl::StatusOr<Plan> plan =
      MakePlan(FilledModel(DescriptionOf(genotype, config), 3));
  EXPECT_THAT(plan, IsOk());
  return *std::move(plan);
}

std::map<PlanStep::Kind, int> Count(const Plan& plan) {
  std::map<PlanStep::Kind, int> counts;
  for (const PlanStep& step : plan.steps) ++counts[step.kind];
  return counts;
}

TEST(PlanTest, SumsAndConcatenationsAreNoSteps) {
  // In each normal cell two nodes of two terms, one of them a skip.
  const Plan plan = PlanOf(
      "Genotype(normal=[('sep_conv_3x3', 0), ('max_pool_3x3', 1), "
      "('dil_conv_3x3', 0), ('skip_connect', 1)], normal_concat=[2, 3], "
      "reduce=[('max_pool_3x3', 0), ('avg_pool_3x3', 1)], "
      "reduce_concat=[2])");
  std::map<PlanStep::Kind, int> counts = Count(plan);
  // One normal cell: 2 preprocessings, 2 + 1 halves of separables; two
  // reduction cells with 2 preprocessings, of which the second cell's first is
  // two dense steps. The stem is dense.
  EXPECT_EQ(counts[PlanStep::Kind::kPointwise], 2 + 3 + 2 + 1);
  EXPECT_EQ(counts[PlanStep::Kind::kDense], 1 + 2);
  EXPECT_EQ(counts[PlanStep::Kind::kDepthwise], 3);
  EXPECT_EQ(counts[PlanStep::Kind::kMaxPool], 3);
  EXPECT_EQ(counts[PlanStep::Kind::kAveragePool], 2);
  EXPECT_EQ(counts[PlanStep::Kind::kAddScaled], 1);
  EXPECT_EQ(counts[PlanStep::Kind::kMapAverage], 1);
  EXPECT_EQ(counts[PlanStep::Kind::kLinear], 1);
  // Every sum of two has one term that adds.
  const auto adds =
      std::count_if(plan.steps.begin(), plan.steps.end(),
                    [](const PlanStep& step) { return step.accumulate; });
  EXPECT_EQ(adds, 2 + 1 + 1);
}

TEST(PlanTest, DeadNodesAreGone) {
  const Plan plan = PlanOf(
      "Genotype(normal=[('max_pool_3x3', 1), ('skip_connect', 1), "
      "('sep_conv_5x5', 0), ('sep_conv_7x7', 0)], normal_concat=[2], "
      "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1)], "
      "reduce_concat=[2])");
  EXPECT_EQ(Count(plan)[PlanStep::Kind::kDepthwise], 0);
  // The normal cell's first preprocessing fed the dead node alone.
  EXPECT_EQ(Count(plan)[PlanStep::Kind::kPointwise], 1 + 2 + 1);
}

TEST(PlanTest, BuffersOfOneStepLieApart) {
  for (const CatalogEntry& entry : Catalog()) {
    SCOPED_TRACE(entry.key());
    NetworkConfig config;
    config.init_channels = 2;
    config.layers = 6;
    config.image_size = 8;
    const ModelDescription description = DescriptionOf(entry.genotype, config);
    const absl::StatusOr<Plan> plan = MakePlan(FilledModel(description, 3));
    ASSERT_THAT(plan, IsOk());
    std::vector<bool> written(plan->buffers.size(), false);
    for (const PlanStep& step : plan->steps) {
      if (step.in.buffer >= 0) {
        EXPECT_TRUE(written[step.in.buffer]);
      }
      if (step.out.buffer >= 0) written[step.out.buffer] = true;
      if (step.in.buffer < 0 || step.out.buffer < 0) continue;
      const PlanBuffer& in = plan->buffers[step.in.buffer];
      const PlanBuffer& out = plan->buffers[step.out.buffer];
      EXPECT_LE(in.offset + in.floats, plan->arena_floats);
      if (step.in.buffer == step.out.buffer) {
        // Nodes of one output: other channels of it.
        EXPECT_TRUE(
            step.in.channel + step.in_shape.channels <= step.out.channel ||
            step.out.channel + step.out_shape.channels <= step.in.channel);
        continue;
      }
      EXPECT_TRUE(in.offset + in.floats <= out.offset ||
                  out.offset + out.floats <= in.offset);
    }
  }
}

TEST(PlanTest, RefusesMapsOfGigabytes) {
  NetworkConfig config;
  config.init_channels = 2;
  config.layers = 1;
  const auto plan_of = [&](int image_size) {
    config.image_size = image_size;
    return MakePlan(FilledModel(
        DescriptionOf("Genotype(normal=[('max_pool_3x3', 2, 0)], "
                      "normal_concat=[2], reduce=[('max_pool_3x3', 2, 0)], "
                      "reduce_concat=[2])",
                      config),
        3));
  };
  EXPECT_THAT(plan_of(1024), IsOk());
  EXPECT_THAT(plan_of(8192),
              StatusIs(absl::StatusCode::kDataLoss,
                       "image_shape: is [3,8192,8192]; the maps of such an "
                       "image take 2"));
}

TEST(PlanTest, DenseRowsAreWholeVectors) {
  PlanStep step;
  step.in_shape = {3, 32, 32};
  step.out_shape = {108, 32, 32};
  step.kernel_height = step.kernel_width = 3;
  EXPECT_EQ(DenseRows(step), 32);
  step.in_shape = {48, 56, 56};
  step.out_shape = {48, 28, 28};
  EXPECT_EQ(DenseRows(step), 4);  // 112 pixels
  step.in_shape.channels = 4096;
  EXPECT_EQ(DenseRows(step), 4);
  step.out_shape = {48, 7, 7};
  EXPECT_EQ(DenseRows(step), 7);
}

}  // namespace
}  // namespace fairdarts
