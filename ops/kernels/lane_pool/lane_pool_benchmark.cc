// The pools of the search network (C=16) and their gradients, a block of 16
// images, in bytes of inputs and outputs: channels, size, stride.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "ops/kernels/lane_pool/lane_pool.h"
#include "ops/kernels/lanes.h"

namespace fairdarts {
namespace {

LanePoolShape ShapeOf(const benchmark::State& state) {
  const int size = static_cast<int>(state.range(1));
  return {static_cast<int>(state.range(2)), static_cast<int>(state.range(0)),
          size, size};
}

int64_t InRow(const LanePoolShape& s) {
  return int64_t{s.channels} * s.width * kLanes;
}
int64_t OutRow(const LanePoolShape& s) {
  return int64_t{s.channels} * s.out_width() * kLanes;
}

void CountBytes(benchmark::State& state, const LanePoolShape& s) {
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(sizeof(float)) *
                          (s.height * InRow(s) + s.out_height() * OutRow(s)));
}

void Forward(benchmark::State& state, LanePoolFunction pool) {
  const LanePoolShape s = ShapeOf(state);
  const std::vector<float> in(s.height * InRow(s), 0.5f);
  std::vector<float> out(s.out_height() * OutRow(s));
  std::vector<uint8_t> taps(out.size());
  for (auto _ : state) {
    for (int y = 0; y < s.out_height(); ++y) {
      pool({s, in.data(), InRow(s), y, &out[y * OutRow(s)],
            &taps[y * OutRow(s)]});
    }
    benchmark::ClobberMemory();
  }
  CountBytes(state, s);
}

void Gradient(benchmark::State& state, LanePoolGradientFunction gradient) {
  const LanePoolShape s = ShapeOf(state);
  const std::vector<float> dout(s.out_height() * OutRow(s), 0.5f);
  // The middle of each window.
  const std::vector<uint8_t> taps(dout.size(), 4);
  std::vector<float> din(s.height * InRow(s));
  for (auto _ : state) {
    for (int y = 0; y < s.height; ++y) {
      gradient({s, dout.data(), OutRow(s), taps.data(), y, &din[y * InRow(s)]});
    }
    benchmark::ClobberMemory();
  }
  CountBytes(state, s);
}

void BM_Max(benchmark::State& state) {
  Forward(state, LaneMaxPoolFor(BestIsa()));
}
void BM_Average(benchmark::State& state) {
  Forward(state, LaneAveragePoolFor(BestIsa()));
}
void BM_MaxGradient(benchmark::State& state) {
  Gradient(state, LaneMaxPoolGradientFor(BestIsa()));
}
void BM_AverageGradient(benchmark::State& state) {
  Gradient(state, LaneAveragePoolGradientFor(BestIsa()));
}

void Shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Args({16, 32, 1})
      ->Args({32, 16, 1})
      ->Args({64, 8, 1})
      ->Args({32, 32, 2});
}

BENCHMARK(BM_Max)->Apply(Shapes);
BENCHMARK(BM_Average)->Apply(Shapes);
BENCHMARK(BM_MaxGradient)->Apply(Shapes);
BENCHMARK(BM_AverageGradient)->Apply(Shapes);

}  // namespace
}  // namespace fairdarts
