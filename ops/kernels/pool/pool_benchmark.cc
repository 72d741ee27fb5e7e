// The pools of published networks (C=36 and 20 layers, C=48 and 14 layers), in
// bytes read and written: channels, size, stride, average.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "ops/kernels/pool/pool.h"

namespace fairdarts {
namespace {

void BM_Pool(benchmark::State& state) {
  const int channels = static_cast<int>(state.range(0));
  const int size = static_cast<int>(state.range(1));
  const int stride = static_cast<int>(state.range(2));
  const bool average = state.range(3) != 0;
  const int64_t planes = int64_t{size} * size + kPlaneSlack;
  const std::vector<float> in(kPlaneSlack + channels * planes, 0.5f);
  std::vector<float> out(channels * planes);
  const PoolFunction pool = PoolFor(BestIsa());
  for (auto _ : state) {
    pool({channels, size, size, stride, average, in.data() + kPlaneSlack,
          planes, out.data(), planes, /*scale=*/1, /*accumulate=*/true});
    benchmark::ClobberMemory();
  }
  const int64_t pixels = int64_t{size} * size;
  state.SetBytesProcessed(state.iterations() * channels *
                          static_cast<int64_t>(sizeof(float)) *
                          (pixels + 2 * pixels / (stride * stride)));
}

BENCHMARK(BM_Pool)
    ->Args({36, 32, 1, 0})
    ->Args({36, 32, 1, 1})
    ->Args({72, 16, 1, 0})
    ->Args({144, 8, 1, 1})
    ->Args({72, 32, 2, 0})
    ->Args({144, 16, 2, 1})
    // ImageNet.
    ->Args({48, 56, 2, 0})
    ->Args({48, 28, 1, 0})
    ->Args({96, 28, 2, 0})
    ->Args({96, 14, 1, 1})
    ->Args({192, 7, 1, 0});

}  // namespace
}  // namespace fairdarts
