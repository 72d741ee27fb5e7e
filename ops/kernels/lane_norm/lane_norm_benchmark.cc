// Sums, dots and weighted sums of the rows of a map of 16 images, in bytes read
// and written: channels, size, inputs.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "ops/kernels/lane_norm/lane_norm.h"
#include "ops/kernels/lanes.h"

namespace fairdarts {
namespace {

struct Maps {
  explicit Maps(const benchmark::State& state)
      : channels(static_cast<int>(state.range(0))),
        size(static_cast<int>(state.range(1))),
        inputs(static_cast<int>(state.range(2))),
        row(int64_t{channels} * size * kLanes),
        values((inputs + 1) * size * row, 0.5f),
        sums((1 + inputs) * channels * kLanes) {}

  // Of input `n`, or behind the last one of the gradient or the result.
  float* Row(int n, int y) { return &values[(int64_t{n} * size + y) * row]; }

  void CountBytes(benchmark::State& state, int64_t maps) const {
    state.SetBytesProcessed(state.iterations() * maps * size * row *
                            static_cast<int64_t>(sizeof(float)));
  }

  int channels;
  int size;
  int inputs;
  int64_t row;
  std::vector<float> values;
  std::vector<float> sums;
};

void BM_Sums(benchmark::State& state) {
  Maps maps(state);
  const LaneSumsFunction sums = LaneSumsFor(BestIsa());
  for (auto _ : state) {
    for (int y = 0; y < maps.size; ++y) {
      sums({{maps.channels, maps.size},
            maps.Row(0, y),
            maps.sums.data(),
            maps.sums.data() + maps.channels * kLanes});
    }
    benchmark::ClobberMemory();
  }
  maps.CountBytes(state, 1);
}

void BM_Dots(benchmark::State& state) {
  Maps maps(state);
  const LaneDotsFunction dots = LaneDotsFor(BestIsa());
  LaneDotsArguments a{};
  a.shape = {maps.channels, maps.size};
  a.inputs = maps.inputs;
  a.sum = maps.sums.data();
  a.dots = maps.sums.data() + maps.channels * kLanes;
  for (auto _ : state) {
    for (int y = 0; y < maps.size; ++y) {
      for (int n = 0; n < maps.inputs; ++n) a.y[n] = maps.Row(n, y);
      a.g = maps.Row(maps.inputs, y);
      dots(a);
    }
    benchmark::ClobberMemory();
  }
  maps.CountBytes(state, maps.inputs + 1);
}

void BM_WeightedSum(benchmark::State& state) {
  Maps maps(state);
  const LaneWeightedSumFunction weighted_sum = LaneWeightedSumFor(BestIsa());
  const std::vector<float> factors(maps.inputs * maps.channels, 0.5f);
  const std::vector<float> terms(maps.channels, 0.1f);
  LaneWeightedSumArguments a{};
  a.shape = {maps.channels, maps.size};
  a.inputs = maps.inputs;
  a.factors = factors.data();
  a.terms = terms.data();
  a.to_channel = int64_t{maps.size} * kLanes;
  for (auto _ : state) {
    for (int y = 0; y < maps.size; ++y) {
      for (int n = 0; n < maps.inputs; ++n) a.y[n] = maps.Row(n, y);
      a.to = maps.Row(maps.inputs, y);
      weighted_sum(a);
    }
    benchmark::ClobberMemory();
  }
  maps.CountBytes(state, maps.inputs + 1);
}

BENCHMARK(BM_Sums)->Args({16, 32, 1})->Args({64, 8, 1});
BENCHMARK(BM_Dots)->Args({16, 32, 7})->Args({64, 8, 7});
BENCHMARK(BM_WeightedSum)
    ->Args({16, 32, 1})
    ->Args({16, 32, 2})
    ->Args({16, 32, 8})
    ->Args({64, 8, 8});

}  // namespace
}  // namespace fairdarts
