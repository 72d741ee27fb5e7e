#include "fairdarts/runtime/cuda/convolution_weights.h"

#include <cstring>
#include <string>
#include <vector>

#include "fairdarts/runtime/fold_batch_norm.h"
#include "fairdarts/runtime/testing.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

// Three dense convolutions, of channels that no map has as many of.
ModelFile File() {
  NetworkConfig config;
  config.kind = NetworkConfig::Kind::kImageNet;
  config.init_channels = 20;
  config.layers = 3;
  config.image_size = 200;
  return FilledModel(
      DescriptionOf(
          "Genotype(normal=[('skip_connect', 2, 0), ('sep_conv_3x3', 2, 1)], "
          "normal_concat=[2], reduce=[('skip_connect', 2, 0), "
          "('max_pool_3x3', 2, 1)], reduce_concat=[2])",
          config),
      3);
}

StagePlan Lowered(const ModelFile& file, Precision precision) {
  absl::StatusOr<StagePlan> plan = LowerPlan(file, precision);
  EXPECT_THAT(plan, IsOk());
  return *std::move(plan);
}

template <typename T>
float At(const std::vector<char>& elements, int64_t i) {
  EXPECT_LE((i + 1) * sizeof(T), elements.size());
  T element;
  std::memcpy(&element, elements.data() + i * sizeof(T), sizeof(T));
  return ToFloat(element);
}

template <typename T>
void CheckStem(Precision precision) {
  const ModelFile file = File();
  const StagePlan plan = Lowered(file, precision);
  const int channels[] = {3, 10, 20, 20};
  for (int i = 0; i < 3; ++i) {
    SCOPED_TRACE(i);
    const StageTask& task = plan.tasks[plan.stages[i + 1].first_task];
    ASSERT_TRUE(IsPlainConvolution(plan, task));
    const StageMap& in = plan.segments[task.first_segment].in;
    FoldedConvolution folded;
    ASSERT_THAT(FoldBatchNorm(file, file.graph().layers[i], 1, &folded),
                IsOk());
    const std::vector<char> filter = UnpackFilter(plan, task);
    ASSERT_EQ(filter.size(), size_t{9} * task.out.channels * in.channels *
                                 ElementBytes(precision));
    const std::vector<char> bias = RoundBias(plan, task);
    ASSERT_EQ(bias.size(),
              size_t{1} * task.out.channels * ElementBytes(precision));
    int wrong = 0;
    for (int k = 0; k < task.out.channels; ++k) {
      const bool is_there = k < channels[i + 1];
      for (int tap = 0; tap < 9; ++tap) {
        for (int c = 0; c < in.channels; ++c) {
          const float expected =
              is_there && c < channels[i]
                  ? ToFloat(FromFloat<T>(
                        folded.weights[(k * channels[i] + c) * 9 + tap]))
                  : 0;
          wrong += At<T>(filter, (int64_t{k} * 9 + tap) * in.channels + c) !=
                   expected;
        }
      }
      wrong += At<T>(bias, k) !=
               (is_there ? ToFloat(FromFloat<T>(folded.bias[k])) : 0);
    }
    EXPECT_EQ(wrong, 0);
  }
}

TEST(ConvolutionWeightsTest, AreTheModelsInTheLibrarysOrder) {
  CheckStem<float>(Precision::kFloat32);
  CheckStem<Half>(Precision::kFloat16);
  CheckStem<BFloat16>(Precision::kBFloat16);
}

TEST(ConvolutionWeightsTest, AllOfThemLieApart) {
  const StagePlan plan = Lowered(File(), Precision::kFloat16);
  const ConvolutionWeights weights = UnpackConvolutions(plan);
  ASSERT_EQ(weights.places.size(), plan.segments.size());
  int64_t end = 0;
  const auto expect_next = [&](int64_t offset, const std::vector<char>& part) {
    EXPECT_EQ(offset % 256, 0);
    EXPECT_GE(offset, end);
    EXPECT_LT(offset, end + 256);
    end = offset + static_cast<int64_t>(part.size());
    ASSERT_LE(end, static_cast<int64_t>(weights.bytes.size()));
    EXPECT_EQ(
        std::memcmp(weights.bytes.data() + offset, part.data(), part.size()),
        0);
  };
  int plain = 0;
  for (const StageTask& task : plan.tasks) {
    if (IsPlainConvolution(plan, task)) {
      ++plain;
      const ConvolutionWeights::Place& place =
          weights.places[task.first_segment];
      expect_next(place.filter, UnpackFilter(plan, task));
      expect_next(place.bias, RoundBias(plan, task));
      continue;
    }
    for (int i = 0; i < task.segments; ++i) {
      EXPECT_EQ(weights.places[task.first_segment + i].filter, -1);
      EXPECT_EQ(weights.places[task.first_segment + i].bias, -1);
    }
  }
  EXPECT_EQ(plain, 3);
  EXPECT_EQ(end, static_cast<int64_t>(weights.bytes.size()));
}

}  // namespace
}  // namespace fairdarts
