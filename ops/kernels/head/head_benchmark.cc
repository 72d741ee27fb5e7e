// The ends of published networks: 8x8 maps to 10 classes (C=36), 7x7 maps to
// 1000 (C=48). Averages in bytes read: channels, size. Linear layers in bytes
// of weights: rows, depth.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "ops/kernels/head/head.h"
#include "ops/kernels/isa.h"

namespace fairdarts {
namespace {

void BM_MapAverage(benchmark::State& state) {
  const int channels = static_cast<int>(state.range(0));
  const int size = static_cast<int>(state.range(1));
  const int64_t stride = size * size + kPlaneSlack;
  const std::vector<float> in(channels * stride, 0.5f);
  std::vector<float> out(channels);
  for (auto _ : state) {
    MapAverage({in.data(), stride, channels, size, size, size, out.data(),
                /*out_stride=*/1});
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * channels * size * size *
                          static_cast<int64_t>(sizeof(float)));
}

BENCHMARK(BM_MapAverage)->Args({576, 8})->Args({768, 7});

void BM_Linear(benchmark::State& state) {
  const int rows = static_cast<int>(state.range(0));
  const int depth = static_cast<int>(state.range(1));
  const std::vector<float> weights(int64_t{rows} * depth, 0.5f);
  const std::vector<float> bias(rows, 1);
  const std::vector<float> in(depth, 0.25f);
  std::vector<float> out(rows);
  for (auto _ : state) {
    Linear({weights.data(), bias.data(), in.data(), out.data(), rows, depth});
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * int64_t{rows} * depth *
                          static_cast<int64_t>(sizeof(float)));
}

BENCHMARK(BM_Linear)->Args({10, 576})->Args({1000, 768});

}  // namespace
}  // namespace fairdarts
