#ifndef SEARCH_SPACE_IMAGENET_NETWORK_H_
#define SEARCH_SPACE_IMAGENET_NETWORK_H_

#include <torch/nn/modules/container/sequential.h>

#include "search_space/derived_network.h"

namespace fairdarts {

// The network for large images: three 3x3 convolutions of stride 2 (to C/2, C
// and C; batch norm after each, ReLU between) make maps of an eighth of the
// image's size; the first cell reads the second and third. Behind the cells a
// 7x7 average pool of stride 7, of which the image size leaves one place.
// Names: stem0.{0,1,3,4}, stem1.{1,2}, cells.N, auxiliary_head, classifier.
class ImageNetNetwork : public DerivedNetwork {
 public:
  // Both have passed ComputeNetworkCost, and the config is of this kind.
  ImageNetNetwork(const Genotype& genotype, const NetworkConfig& config);

 private:
  StemOutput Stem(const torch::Tensor& images) override;
  torch::Tensor Pool(const torch::Tensor& features) override;

  torch::nn::Sequential stem0_;
  torch::nn::Sequential stem1_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_IMAGENET_NETWORK_H_
