// The 1x1 convolutions of the search network (C=16) and of derived ones (C=36),
// a row of 16 images at a time, and the share of the machine's multiply-adds
// that they reach: channels, width.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "ops/kernels/lane_gemm/lane_gemm.h"
#include "ops/kernels/lanes.h"
#include "ops/kernels/peak/fma_peak.h"

namespace fairdarts {
namespace {

void CountOperations(benchmark::State& state, int64_t channels, int64_t width) {
  static const double peak = MeasureFmaPeak(BestIsa());
  const double operations =
      2.0 * static_cast<double>(channels * channels * width * kLanes);
  state.counters["peak%"] = benchmark::Counter(
      100 * operations / peak * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
}

void BM_Product(benchmark::State& state) {
  const int channels = static_cast<int>(state.range(0));
  const int width = static_cast<int>(state.range(1));
  const int64_t channel = (int64_t{width} + 1) * kLanes;
  const std::vector<float> weights(int64_t{channels} * channels, 0.5f);
  std::vector<float> packed(weights.size());
  PackLaneRows(weights.data(), channels, channels, packed.data());
  const std::vector<float> in(channels * channel, -0.25f);
  std::vector<float> out(channels * channel);
  const LaneGemmFunction gemm = LaneGemmFor(BestIsa());
  for (auto _ : state) {
    gemm({packed.data(), channels, channels, width, in.data(), channel,
          out.data(), channel});
    benchmark::ClobberMemory();
  }
  CountOperations(state, channels, width);
}

void BM_WeightGradient(benchmark::State& state) {
  const int channels = static_cast<int>(state.range(0));
  const int width = static_cast<int>(state.range(1));
  const int64_t channel = (int64_t{width} + 1) * kLanes;
  const std::vector<float> dout(channels * channel, 0.5f);
  const std::vector<float> in(channels * channel, -0.25f);
  std::vector<float> weights(int64_t{channels} * channels);
  const LaneGemmWeightFunction gradient = LaneGemmWeightGradientFor(BestIsa());
  for (auto _ : state) {
    gradient({channels, channels, /*height=*/1, width, dout.data(), 0, channel,
              in.data(), 0, channel, weights.data()});
    benchmark::ClobberMemory();
  }
  CountOperations(state, channels, width);
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  for (const int channels : {16, 36}) {
    for (const int stage : {1, 2, 4}) {
      benchmark->Args({channels * stage, 32 / stage});
    }
  }
}

BENCHMARK(BM_Product)->Apply(Sizes);
BENCHMARK(BM_WeightGradient)->Apply(Sizes);

}  // namespace
}  // namespace fairdarts
