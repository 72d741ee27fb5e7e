#include "search_space/engine/engine_memory.h"

#include <algorithm>
#include <vector>

#include "fairdarts/base/check.h"
#include "ops/kernels/isa.h"
#include "search_space/engine/lane_tensor.h"

namespace fairdarts {

EngineSizes SizesOf(const NetworkLayout& layout, const Stem& stem,
                    const std::vector<Cell>& cells, MapSize image) {
  const auto output_size = [](int64_t channels, MapSize size) {
    return LaneTensorSize(static_cast<int>(channels), size.height, size.width);
  };
  EngineSizes sizes;
  sizes.largest_output = output_size(layout.stem_channels, image);
  sizes.saved =
      sizes.largest_output + stem.SavedSize(image.height, image.width);
  sizes.gradients = stem.LargestGradientRange();
  sizes.worker = stem.Sizes(image.width);
  sizes.worker.Cover({0, 0, 2 * layout.classifier_channels});
  for (size_t i = 0; i < cells.size(); ++i) {
    const int64_t output = output_size(kS1Nodes * layout.cells[i].channels,
                                       cells[i].output_size());
    sizes.largest_output = std::max(sizes.largest_output, output);
    sizes.saved += output + cells[i].SavedSize();
    sizes.cell_scratch = std::max(sizes.cell_scratch, cells[i].ScratchSize());
    sizes.gradients =
        std::max(sizes.gradients, cells[i].LargestGradientRange());
    sizes.worker.Cover(cells[i].Sizes());
  }
  return sizes;
}

StemLayout StemOf(const NetworkLayout& layout) {
  StemLayout stem;
  stem.image_channels = static_cast<int>(layout.image_channels);
  stem.channels = static_cast<int>(layout.stem_channels);
  stem.weight = layout.stem_weight;
  stem.norm_weight = layout.stem_norm_weight;
  stem.norm_bias = layout.stem_norm_bias;
  return stem;
}

std::vector<Cell> MakeCells(const EngineKernels* kernels,
                            const NetworkLayout& layout, MapSize image,
                            float* statistics) {
  std::vector<Cell> cells;
  std::vector<MapSize> sizes = {image};
  for (const CellLayout& cell : layout.cells) {
    cells.emplace_back(
        kernels, cell,
        sizes.size() < 2 ? sizes.back() : sizes[sizes.size() - 2], statistics);
    sizes.push_back(cells.back().output_size());
  }
  return cells;
}

EngineMemory EngineMemoryFor(const S1Config& config, int threads,
                             int64_t images, int height, int width) {
  FD_CHECK_GE(threads, 1);
  FD_CHECK_GE(images, 1);
  constexpr int64_t kFloat = sizeof(float);
  constexpr int kWorkerPieces = 5;     // of a Worker
  constexpr int64_t kPiece = 2 << 20;  // the least that AllocateLanes takes
  const int64_t blocks = (images + kLanes - 1) / kLanes;
  const NetworkLayout layout(config);
  const EngineKernels kernels(BestIsa());
  std::vector<float> statistics(layout.statistic_size);
  const MapSize image{height, width};
  const Stem stem(&kernels, StemOf(layout), /*parameters=*/nullptr,
                  statistics.data());
  const EngineSizes sizes =
      SizesOf(layout, stem,
              MakeCells(&kernels, layout, image, statistics.data()), image);
  EngineMemory memory;
  memory.saved = sizes.saved * blocks * kFloat;
  memory.scratch = (CellScratch::kTensors * sizes.cell_scratch +
                    kOutputGradients * sizes.largest_output) *
                   blocks * kFloat;
  memory.gradients = sizes.gradients * blocks * kFloat;
  const int64_t worker = (2 * sizes.worker.slab + 2 * sizes.worker.block +
                          sizes.worker.sums * kLanes) *
                         kFloat;
  memory.threads = threads * std::max(worker, kWorkerPieces * kPiece);
  memory.network = (2 * layout.parameter_size + layout.statistic_size) * kFloat;
  return memory;
}

}  // namespace fairdarts
