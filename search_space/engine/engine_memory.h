#ifndef SEARCH_SPACE_ENGINE_ENGINE_MEMORY_H_
#define SEARCH_SPACE_ENGINE_ENGINE_MEMORY_H_

// How much memory the engine takes for a batch, without taking it.

#include <cstdint>
#include <vector>

#include "search_space/engine/cell.h"
#include "search_space/engine/cell_outputs.h"
#include "search_space/engine/network_layout.h"
#include "search_space/engine/stem.h"
#include "search_space/engine/worker.h"
#include "search_space/s1_config.h"

namespace fairdarts {

// In floats: of a block of images, and what a thread works in.
struct EngineSizes {
  int64_t saved = 0;           // from the forward to the backward
  int64_t cell_scratch = 0;    // each tensor of CellScratch
  int64_t largest_output = 0;  // of stem and cells
  int64_t gradients = 0;       // the largest range of BlockGradients
  WorkerSizes worker;
};
EngineSizes SizesOf(const NetworkLayout& layout, const Stem& stem,
                    const std::vector<Cell>& cells, MapSize image);

StemLayout StemOf(const NetworkLayout& layout);

// The cells for images of this size. `kernels` and the running statistics stay
// where they are.
std::vector<Cell> MakeCells(const EngineKernels* kernels,
                            const NetworkLayout& layout, MapSize image,
                            float* statistics);

// In bytes. A batch counts as whole blocks of kLanes images.
struct EngineMemory {
  int64_t saved = 0;      // from the forward to the backward, for all blocks
  int64_t scratch = 0;    // for all blocks; cells use it in turns
  int64_t gradients = 0;  // of the largest range of parameters, for all blocks
  int64_t threads = 0;    // what threads work in
  int64_t network = 0;    // parameters, packed once more, and statistics
  int64_t total() const {
    return saved + scratch + gradients + threads + network;
  }
};

// What a SearchEngine holds after a step with `images` of height x width, or of
// fewer; all arguments from 1 on. Left out are sums of a few numbers a channel.
EngineMemory EngineMemoryFor(const S1Config& config, int threads,
                             int64_t images, int height, int width);

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_ENGINE_MEMORY_H_
