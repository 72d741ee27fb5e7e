#ifndef SEARCH_SPACE_CIFAR_NETWORK_H_
#define SEARCH_SPACE_CIFAR_NETWORK_H_

#include <torch/nn/modules/container/sequential.h>

#include "search_space/derived_network.h"

namespace fairdarts {

// The network for small images: a 3x3 convolution to 3C and batch norm in
// front, a global average pool behind. Takes images of any size.
// Names: stem.0, stem.1, cells.N, auxiliary_head, classifier.
class CifarNetwork : public DerivedNetwork {
 public:
  // Both have passed ComputeNetworkCost, and the config is of this kind.
  CifarNetwork(const Genotype& genotype, const NetworkConfig& config);

 private:
  StemOutput Stem(const torch::Tensor& images) override;
  torch::Tensor Pool(const torch::Tensor& features) override;

  torch::nn::Sequential stem_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_CIFAR_NETWORK_H_
