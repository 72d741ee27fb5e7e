#include "search_space/engine/engine_memory.h"

#include <algorithm>
#include <vector>

#include "fairdarts/base/check.h"
#include "search_space/engine/cell.h"
#include "search_space/engine/lane_tensor.h"
#include "search_space/engine/network_layout.h"
#include "search_space/engine/worker.h"

namespace fairdarts {

EngineMemory EngineMemoryFor(const S1Config& config, int threads,
                             int64_t images, int height, int width) {
  FD_CHECK_GE(threads, 1);
  FD_CHECK_GE(images, 1);
  constexpr int64_t kFloat = sizeof(float);
  constexpr int kStemTaps = 9;
  constexpr int kCellScratch = 6;      // tensors of CellScratch
  constexpr int kOutputGradients = 3;  // of successive outputs
  constexpr int kWorkerPieces = 5;     // of a Worker
  constexpr int64_t kPiece = 2 << 20;  // the least that AllocateLanes takes
  const int64_t blocks = (images + kLanes - 1) / kLanes;
  const NetworkLayout layout(config);
  const EngineKernels kernels(BestIsa());
  std::vector<float> statistics(layout.statistic_size);
  const int stem_channels = static_cast<int>(layout.stem_channels);
  const int image_channels = static_cast<int>(config.image_channels);

  // A block's, in floats.
  int64_t largest_output = LaneTensorSize(stem_channels, height, width);
  int64_t saved =
      2 * largest_output + LaneTensorSize(image_channels, height, width);
  int64_t scratch = 0;
  int64_t gradients = layout.stem_norm_weight - layout.stem_weight;
  WorkerSizes sizes{
      std::max(kStemTaps * image_channels, stem_channels) * SlabChannel(width),
      0, std::max<int64_t>(2 * stem_channels, 2 * layout.classifier_channels)};
  std::vector<MapSize> maps = {{height, width}};
  for (const CellLayout& cell_layout : layout.cells) {
    const Cell cell(&kernels, cell_layout,
                    maps.size() < 2 ? maps.back() : maps[maps.size() - 2],
                    statistics.data());
    maps.push_back(cell.output_size());
    const int64_t output =
        LaneTensorSize(kS1Nodes * static_cast<int>(cell_layout.channels),
                       maps.back().height, maps.back().width);
    largest_output = std::max(largest_output, output);
    saved += output + cell.SavedSize();
    scratch = std::max(scratch, cell.ScratchSize());
    gradients = std::max(gradients, cell.LargestGradientRange());
    sizes.Cover(cell.Sizes());
  }

  EngineMemory memory;
  memory.saved = saved * blocks * kFloat;
  memory.scratch =
      (kCellScratch * scratch + kOutputGradients * largest_output) * blocks *
      kFloat;
  memory.gradients = gradients * blocks * kFloat;
  const int64_t worker =
      (2 * sizes.slab + 2 * sizes.block + sizes.sums * kLanes) * kFloat;
  memory.threads = threads * std::max(worker, kWorkerPieces * kPiece);
  memory.network = (2 * layout.parameter_size + layout.statistic_size) * kFloat;
  return memory;
}

}  // namespace fairdarts
