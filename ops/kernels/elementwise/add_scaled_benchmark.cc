// The skip connections of published networks (C=36 and 20 layers, C=48 and 14
// layers), in bytes read and written: channels, size, whether they add.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "ops/kernels/elementwise/add_scaled.h"

namespace fairdarts {
namespace {

void BM_AddScaled(benchmark::State& state) {
  const int channels = static_cast<int>(state.range(0));
  const int pixels = static_cast<int>(state.range(1) * state.range(1));
  const bool accumulate = state.range(2) != 0;
  const int64_t stride = pixels + 2 * kPlaneSlack;
  const std::vector<float> in(channels * stride, 0.5f);
  std::vector<float> out(channels * stride);
  const AddScaledFunction add_scaled = AddScaledFor(BestIsa());
  for (auto _ : state) {
    add_scaled({in.data(), stride, out.data(), stride, channels, pixels,
                /*scale=*/1, accumulate});
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * channels * pixels *
                          static_cast<int64_t>(sizeof(float)) *
                          (accumulate ? 3 : 2));
}

BENCHMARK(BM_AddScaled)
    ->Args({36, 32, 0})
    ->Args({36, 32, 1})
    ->Args({72, 16, 1})
    ->Args({144, 8, 1})
    ->Args({48, 28, 1})
    ->Args({96, 14, 1})
    ->Args({192, 7, 1});

}  // namespace
}  // namespace fairdarts
