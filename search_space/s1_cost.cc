#include "search_space/s1_cost.h"

#include "fairdarts/base/status.h"
#include "genotypes/cost.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"
#include "genotypes/reduction_cells.h"

namespace fairdarts {
namespace {

struct Map {
  int height;
  int width;
  Map Halved() const { return {(height + 1) / 2, (width + 1) / 2}; }
  int64_t pixels() const { return int64_t{height} * width; }
};

}  // namespace

absl::StatusOr<S1Macs> S1ForwardMacs(const S1Config& config, int height,
                                     int width) {
  constexpr int64_t kStemMultiplier = 3;
  constexpr int64_t kStemTaps = 9;
  S1Macs macs;
  Map map{height, width};
  const int64_t stem = kStemMultiplier * config.channels;
  macs.stem = kStemTaps * config.image_channels * stem * map.pixels();
  int64_t before_previous = stem;
  int64_t previous = stem;
  int64_t channels = config.channels;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const bool reduction = IsReduction(layer, config.layers);
    if (reduction) channels *= 2;
    // A FactorizedReduce makes half of the channels in each of two halves.
    macs.cells += (before_previous + previous) * channels * map.pixels();
    for (const CellEdge& edge : EdgeLayout(kS1Nodes)) {
      const int stride = reduction && edge.from < kCellInputs ? 2 : 1;
      const Map in = reduction && stride == 1 ? map.Halved() : map;
      for (const Primitive op : kS1Candidates) {
        FD_ASSIGN_OR_RETURN(const Cost cost,
                            OperationCost(op, static_cast<int>(channels),
                                          in.height, in.width, stride));
        macs.cells += cost.macs;
      }
    }
    if (reduction) map = map.Halved();
    before_previous = previous;
    previous = kS1Nodes * channels;
  }
  macs.classifier = previous * config.classes;
  return macs;
}

int64_t SearchStepMacs(const S1Macs& forward, bool single_level) {
  const int64_t passes = single_level ? 3 : 5;
  const int64_t stem = single_level ? 2 : 3;
  return passes * (forward.cells + forward.classifier) + stem * forward.stem;
}

}  // namespace fairdarts
