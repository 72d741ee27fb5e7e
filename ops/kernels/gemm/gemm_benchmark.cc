// The 1x1 convolutions of a published network (C=36, 20 layers), and the share
// of the machine's multiply-adds that they reach: rows, depth, pixels.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "ops/kernels/gemm/gemm.h"
#include "ops/kernels/peak/fma_peak.h"

namespace fairdarts {
namespace {

void BM_Gemm(benchmark::State& state) {
  static const double peak = MeasureFmaPeak(BestIsa());
  const int rows = static_cast<int>(state.range(0));
  const int depth = static_cast<int>(state.range(1));
  const int pixels = static_cast<int>(state.range(2));
  const int64_t stride = pixels + kPlaneSlack;
  const std::vector<float> weights = PackGemmWeights(
      std::vector<float>(int64_t{rows} * depth, 0.5f), rows, depth);
  const std::vector<float> bias(rows, 1);
  const std::vector<float> in(depth * stride, -0.25f);
  std::vector<float> out(rows * stride);
  const GemmFunction gemm = GemmFor(BestIsa());
  for (auto _ : state) {
    gemm({weights.data(), bias.data(), in.data(), stride, out.data(), stride,
          rows, depth, pixels, /*relu=*/true, /*accumulate=*/false});
    benchmark::ClobberMemory();
  }
  const double operations = 2.0 * rows * depth * pixels;
  state.counters["peak%"] = benchmark::Counter(
      100 * operations / peak * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
}

BENCHMARK(BM_Gemm)
    ->Args({36, 36, 1024})
    ->Args({36, 108, 1024})
    ->Args({36, 144, 1024})
    ->Args({72, 72, 256})
    ->Args({72, 288, 256})
    ->Args({144, 144, 64})
    ->Args({144, 432, 64})
    ->Args({108, 27, 1024})
    ->Args({48, 192, 784})
    ->Args({192, 192, 49});

}  // namespace
}  // namespace fairdarts
