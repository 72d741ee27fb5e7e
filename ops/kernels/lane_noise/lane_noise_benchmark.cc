// Noise on the rows of a map of 16 images, in elements a second: channels,
// size.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "ops/kernels/lane_noise/lane_noise.h"
#include "ops/kernels/lanes.h"

namespace fairdarts {
namespace {

void Run(benchmark::State& state, LaneNoiseFunction noise) {
  const int channels = static_cast<int>(state.range(0));
  const int size = static_cast<int>(state.range(1));
  const int64_t row = int64_t{channels} * size * kLanes;
  const std::vector<float> x(size * row, 0.5f);
  std::vector<float> to(row);
  std::vector<uint64_t> keys(kLanes);
  for (uint64_t lane = 0; lane < kLanes; ++lane) keys[lane] = lane;
  for (auto _ : state) {
    for (int y = 0; y < size; ++y) {
      noise({channels, size, &x[y * row], keys.data(), y, 0.5f, to.data()});
    }
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * size * row);
}

void BM_Normal(benchmark::State& state) {
  Run(state, LaneNormalNoiseFor(BestIsa()));
}

void BM_Uniform(benchmark::State& state) {
  Run(state, LaneUniformNoiseFor(BestIsa()));
}

BENCHMARK(BM_Normal)->Args({4, 28})->Args({16, 32})->Args({64, 8});
BENCHMARK(BM_Uniform)->Args({4, 28})->Args({16, 32})->Args({64, 8});

}  // namespace
}  // namespace fairdarts
