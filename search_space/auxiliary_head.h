#ifndef SEARCH_SPACE_AUXILIARY_HEAD_H_
#define SEARCH_SPACE_AUXILIARY_HEAD_H_

#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>

#include "genotypes/cost.h"

namespace fairdarts {

// The second classifier of a network in training (DARTS, arXiv 1806.09055,
// after Inception): ReLU, average pool 5, 1x1 to 128, batch norm, ReLU, 2x2 to
// 768, batch norm (not in the ImageNet network), ReLU, linear.
//
// The pool's stride leaves a 2x2 map: 3 for maps of 8x8 to 10x10 in the CIFAR
// network; 2 for its 7x7 map, of 28x28 images, and in the ImageNet network,
// 7x7 and 8x8. Names: features.0 ... features.7, classifier.
class AuxiliaryHead : public torch::nn::Module {
 public:
  AuxiliaryHead(NetworkConfig::Kind kind, int64_t channels, int64_t map_size,
                int64_t classes);

  // Features [N, channels, map_size, map_size] to logits [N, classes]. In
  // training batch norm needs N > 1: its last map has a single pixel.
  torch::Tensor Forward(const torch::Tensor& features);

 private:
  torch::nn::Sequential features_;
  torch::nn::Linear classifier_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_AUXILIARY_HEAD_H_
