// What the dense convolutions of published networks gather (C=36 and 20 layers,
// C=48 and 14 layers), in bytes written: channels, size, kernel height and
// width, stride. All rows at once.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "ops/kernels/gather/gather.h"
#include "ops/kernels/isa.h"

namespace fairdarts {
namespace {

void BM_Gather(benchmark::State& state) {
  GatherArguments arguments;
  arguments.channels = static_cast<int>(state.range(0));
  arguments.height = arguments.width = static_cast<int>(state.range(1));
  arguments.kernel_height = static_cast<int>(state.range(2));
  arguments.kernel_width = static_cast<int>(state.range(3));
  // A 7x1 kernel strides down, a 1x7 one across.
  const int stride = static_cast<int>(state.range(4));
  arguments.stride_height =
      arguments.kernel_height < arguments.kernel_width ? 1 : stride;
  arguments.stride_width =
      arguments.kernel_width < arguments.kernel_height ? 1 : stride;
  arguments.dilation = 1;
  arguments.pad_top = (arguments.kernel_height - 1) / 2;
  arguments.pad_left = (arguments.kernel_width - 1) / 2;
  arguments.first_row = 0;
  arguments.rows = (arguments.height + arguments.stride_height - 1) /
                   arguments.stride_height;
  arguments.out_width =
      (arguments.width + arguments.stride_width - 1) / arguments.stride_width;
  arguments.in_stride = arguments.height * arguments.width + kPlaneSlack;
  const std::vector<float> in(arguments.channels * arguments.in_stride, 0.5f);
  const int64_t planes = int64_t{arguments.channels} * arguments.kernel_height *
                         arguments.kernel_width;
  const int64_t pixels = int64_t{arguments.rows} * arguments.out_width;
  arguments.out_stride = pixels + kPlaneSlack;
  std::vector<float> out(planes * arguments.out_stride);
  arguments.in = in.data();
  arguments.out = out.data();
  const GatherFunction gather = GatherFor(BestIsa());
  for (auto _ : state) {
    gather(arguments);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * planes * pixels *
                          static_cast<int64_t>(sizeof(float)));
}

BENCHMARK(BM_Gather)
    // Stems.
    ->Args({3, 32, 3, 3, 1})
    ->Args({3, 224, 3, 3, 2})
    ->Args({24, 112, 3, 3, 2})
    ->Args({48, 56, 3, 3, 2})
    // Halves of factorized reductions.
    ->Args({144, 32, 1, 1, 2})
    ->Args({288, 16, 1, 1, 2})
    ->Args({48, 56, 1, 1, 2})
    ->Args({192, 28, 1, 1, 2})
    // conv_7x1_1x7.
    ->Args({72, 16, 1, 7, 1})
    ->Args({72, 16, 7, 1, 1})
    ->Args({72, 32, 1, 7, 2})
    ->Args({72, 32, 7, 1, 2});

}  // namespace
}  // namespace fairdarts
