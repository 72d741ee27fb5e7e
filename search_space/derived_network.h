#ifndef SEARCH_SPACE_DERIVED_NETWORK_H_
#define SEARCH_SPACE_DERIVED_NETWORK_H_

// The network that a genotype describes: what training and evaluation see of
// it, whatever images it is made for.

#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "genotypes/cost.h"
#include "genotypes/genotype.h"
#include "search_space/auxiliary_head.h"
#include "search_space/derived_cell.h"
#include "search_space/path_dropper.h"

namespace fairdarts {

// A stem, `layers` cells, an average pool and a linear classifier. Cells
// layers/3 and 2*layers/3 are reduction cells, which double the channels of a
// node (DARTS, arXiv 1806.09055, section 3.2). Behind the second one sits the
// auxiliary head, if the network has one. State-dict names are upstream's. Not
// thread-safe in training.
class DerivedNetwork : public torch::nn::Module {
 public:
  struct Output {
    torch::Tensor logits;  // [N, classes]
    // [N, classes] in training with an auxiliary head, else undefined. A
    // single image has none: batch norm cannot normalise one value.
    torch::Tensor auxiliary_logits;
  };

  // Images [N, image_channels, H, W] float, H and W the config's image_size.
  // Paths are dropped in training only. Throws what torch throws.
  Output Forward(const torch::Tensor& images, PathDropper& dropper);

  // The logits alone, no path dropped.
  torch::Tensor Logits(const torch::Tensor& images);

  // How many paths Forward() drops in training.
  int64_t paths() const;

  const Genotype& genotype() const { return genotype_; }
  const NetworkConfig& config() const { return config_; }

 protected:
  struct Features {
    torch::Tensor pooled;     // [N, C], what the classifier reads
    torch::Tensor auxiliary;  // what the auxiliary head reads, if asked for
  };

  // Stem, cells and pool.
  virtual Features ComputeFeatures(const torch::Tensor& images,
                                   PathDropper& dropper, bool auxiliary);

  // The first two inputs of cells.
  struct StemOutput {
    torch::Tensor before_previous;
    torch::Tensor previous;
  };

  // Both have passed ComputeNetworkCost.
  DerivedNetwork(const Genotype& genotype, const NetworkConfig& config);

  // Registers everything behind the stem, so that names come in upstream's
  // order: to be called when the stem's modules are registered. The maps that
  // enter the first cell have `channels` channels and are `map_size` high and
  // wide; `halved` where the two inputs differ in size.
  void BuildCells(int64_t channels, int64_t map_size, bool halved);

  virtual StemOutput Stem(const torch::Tensor& images) = 0;
  // Features [N, C, h, w] to [N, C].
  virtual torch::Tensor Pool(const torch::Tensor& features) = 0;

 private:
  const Genotype genotype_;
  const NetworkConfig config_;
  std::vector<std::shared_ptr<DerivedCell>> cells_;
  std::shared_ptr<AuxiliaryHead> auxiliary_head_;
  torch::nn::Linear classifier_{nullptr};
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_DERIVED_NETWORK_H_
