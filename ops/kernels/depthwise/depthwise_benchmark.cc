// The depthwise convolutions of published networks (C=36 and 20 layers, C=48
// and 14 layers), and the share of the machine's multiply-adds that they reach:
// channels, size, kernel, stride, dilation.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "ops/kernels/depthwise/depthwise.h"
#include "ops/kernels/peak/fma_peak.h"

namespace fairdarts {
namespace {

void BM_Depthwise(benchmark::State& state) {
  static const double peak = MeasureFmaPeak(BestIsa());
  const int size = static_cast<int>(state.range(1));
  const DepthwiseShape shape = {static_cast<int>(state.range(0)),
                                size,
                                size,
                                static_cast<int>(state.range(2)),
                                static_cast<int>(state.range(3)),
                                static_cast<int>(state.range(4))};
  const int64_t stride = size * size + kPlaneSlack;
  const std::vector<float> weights(shape.channels * shape.kernel * shape.kernel,
                                   0.5f);
  const std::vector<float> in(kPlaneSlack + shape.channels * stride, -0.25f);
  std::vector<float> out(shape.channels * stride);
  std::vector<float> scratch(DepthwiseScratch(shape));
  const DepthwiseFunction depthwise = DepthwiseFor(BestIsa());
  for (auto _ : state) {
    depthwise({shape, weights.data(), in.data() + kPlaneSlack, stride,
               out.data(), stride,
               /*relu=*/true, scratch.data()});
    benchmark::ClobberMemory();
  }
  const double operations = 2.0 * shape.channels * shape.kernel * shape.kernel *
                            shape.out_height() * shape.out_width();
  state.counters["peak%"] = benchmark::Counter(
      100 * operations / peak * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
}

BENCHMARK(BM_Depthwise)
    ->Args({36, 32, 3, 1, 1})
    ->Args({36, 32, 5, 1, 1})
    ->Args({36, 32, 3, 1, 2})
    ->Args({36, 32, 5, 1, 2})
    ->Args({36, 32, 7, 1, 1})
    ->Args({72, 16, 3, 1, 1})
    ->Args({72, 16, 5, 1, 1})
    ->Args({72, 16, 5, 1, 2})
    ->Args({144, 8, 3, 1, 1})
    ->Args({144, 8, 5, 1, 1})
    ->Args({144, 8, 5, 1, 2})
    ->Args({72, 32, 3, 2, 1})
    ->Args({72, 32, 5, 2, 1})
    ->Args({144, 16, 3, 2, 2})
    ->Args({144, 16, 5, 2, 2})
    ->Args({144, 16, 7, 2, 1})
    // ImageNet.
    ->Args({48, 56, 3, 2, 1})
    ->Args({48, 56, 5, 2, 2})
    ->Args({48, 28, 3, 1, 1})
    ->Args({48, 28, 5, 1, 2})
    ->Args({96, 28, 5, 2, 1})
    ->Args({96, 14, 3, 1, 1})
    ->Args({96, 14, 5, 1, 2})
    ->Args({192, 14, 3, 2, 2})
    ->Args({192, 7, 3, 1, 2})
    ->Args({192, 7, 5, 1, 1});

}  // namespace
}  // namespace fairdarts
