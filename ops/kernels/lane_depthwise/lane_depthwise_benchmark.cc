// The depthwise convolutions of the search network (C=16) with both gradients,
// a block of 16 images, and the share of the machine's multiply-adds that they
// reach (taps outside of the image count): kernel, stride, dilation, channels,
// size of the input.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "ops/kernels/lane_depthwise/lane_depthwise.h"
#include "ops/kernels/lanes.h"
#include "ops/kernels/peak/fma_peak.h"

namespace fairdarts {
namespace {

LaneDepthwiseShape ShapeOf(const benchmark::State& state) {
  const int size = static_cast<int>(state.range(4));
  return {static_cast<int>(state.range(0)),
          static_cast<int>(state.range(1)),
          static_cast<int>(state.range(2)),
          static_cast<int>(state.range(3)),
          size,
          size};
}

// A block of [height][channels][width][kLanes].
struct Block {
  Block(int channels, int height, int width)
      : channel(int64_t{width} * kLanes),
        row(channels * channel),
        values(height * row, 0.5f) {}
  LaneRows rows() const { return {values.data(), row, channel}; }

  int64_t channel;
  int64_t row;
  std::vector<float> values;
};

void CountOperations(benchmark::State& state, const LaneDepthwiseShape& s) {
  static const double peak = MeasureFmaPeak(BestIsa());
  const double operations = 2.0 * s.kernel * s.kernel * s.channels *
                            s.out_height() * s.out_width() * kLanes;
  state.counters["peak%"] = benchmark::Counter(
      100 * operations / peak * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
}

void BM_Forward(benchmark::State& state) {
  const LaneDepthwiseShape s = ShapeOf(state);
  const Block in(s.channels, s.height, s.width);
  Block out(s.channels, s.out_height(), s.out_width());
  const std::vector<float> weights(s.channels * s.kernel * s.kernel, 0.1f);
  const LaneDepthwiseFunction depthwise = LaneDepthwiseFor(BestIsa(), s);
  for (auto _ : state) {
    for (int y = 0; y < s.out_height(); ++y) {
      depthwise({s, weights.data(), in.rows(), y, &out.values[y * out.row],
                 out.channel, /*accumulate=*/false});
    }
    benchmark::ClobberMemory();
  }
  CountOperations(state, s);
}

void BM_InputGradient(benchmark::State& state) {
  const LaneDepthwiseShape s = ShapeOf(state);
  const Block dout(s.channels, s.out_height(), s.out_width());
  Block din(s.channels, s.height, s.width);
  const std::vector<float> weights(s.channels * s.kernel * s.kernel, 0.1f);
  const LaneDepthwiseFunction gradient = LaneDepthwiseGradientFor(BestIsa(), s);
  for (auto _ : state) {
    for (int y = 0; y < s.height; ++y) {
      gradient({s, weights.data(), dout.rows(), y, &din.values[y * din.row],
                din.channel, /*accumulate=*/false});
    }
    benchmark::ClobberMemory();
  }
  CountOperations(state, s);
}

void BM_WeightGradient(benchmark::State& state) {
  const LaneDepthwiseShape s = ShapeOf(state);
  const Block in(s.channels, s.height, s.width);
  const Block dout(s.channels, s.out_height(), s.out_width());
  std::vector<float> weights(s.channels * s.kernel * s.kernel);
  const LaneDepthwiseWeightFunction gradient =
      LaneDepthwiseWeightGradientFor(BestIsa(), s);
  for (auto _ : state) {
    gradient({s, in.rows(), dout.rows(), 0, s.out_height(), weights.data()});
    benchmark::ClobberMemory();
  }
  CountOperations(state, s);
}

void Shapes(benchmark::internal::Benchmark* benchmark) {
  for (const int stage : {1, 2, 4}) {
    for (const int kernel : {3, 5}) {
      for (const int dilation : {1, 2}) {
        benchmark->Args({kernel, 1, dilation, 16 * stage, 32 / stage});
      }
    }
  }
  for (const int kernel : {3, 5}) {
    for (const int dilation : {1, 2}) {
      benchmark->Args({kernel, 2, dilation, 32, 32});
    }
  }
}

BENCHMARK(BM_Forward)->Apply(Shapes);
BENCHMARK(BM_InputGradient)->Apply(Shapes);
BENCHMARK(BM_WeightGradient)->Apply(Shapes);

}  // namespace
}  // namespace fairdarts
