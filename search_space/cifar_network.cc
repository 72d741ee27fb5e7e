#include "search_space/cifar_network.h"

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

namespace fairdarts {

CifarNetwork::CifarNetwork(const Genotype& genotype,
                           const NetworkConfig& config)
    : DerivedNetwork(genotype, config) {
  const int64_t channels = int64_t{3} * config.init_channels;
  stem_ = register_module(
      "stem", torch::nn::Sequential(
                  torch::nn::Conv2d(torch::nn::Conv2dOptions(
                                        config.image_channels, channels, 3)
                                        .padding(1)
                                        .bias(false)),
                  torch::nn::BatchNorm2d(channels)));
  BuildCells(channels, config.image_size, /*halved=*/false);
}

DerivedNetwork::StemOutput CifarNetwork::Stem(const torch::Tensor& images) {
  const torch::Tensor stem = stem_->forward(images);
  return {stem, stem};
}

torch::Tensor CifarNetwork::Pool(const torch::Tensor& features) {
  return features.mean({2, 3});
}

}  // namespace fairdarts
