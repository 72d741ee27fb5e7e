#include "search_space/imagenet_network.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

namespace fairdarts {
namespace {

constexpr int64_t kPool = 7;

// 3x3 of stride 2.
torch::nn::Conv2d HalvingConv(int64_t in_channels, int64_t out_channels) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in_channels, out_channels, 3)
          .stride(2)
          .padding(1)
          .bias(false));
}

int64_t Halved(int64_t size) { return (size + 1) / 2; }

}  // namespace

ImageNetNetwork::ImageNetNetwork(const Genotype& genotype,
                                 const NetworkConfig& config)
    : DerivedNetwork(genotype, config) {
  const int64_t channels = config.init_channels;
  stem0_ = register_module(
      "stem0", torch::nn::Sequential(
                   HalvingConv(config.image_channels, channels / 2),
                   torch::nn::BatchNorm2d(channels / 2), torch::nn::ReLU(),
                   HalvingConv(channels / 2, channels),
                   torch::nn::BatchNorm2d(channels)));
  stem1_ = register_module(
      "stem1",
      torch::nn::Sequential(torch::nn::ReLU(), HalvingConv(channels, channels),
                            torch::nn::BatchNorm2d(channels)));
  BuildCells(channels, Halved(Halved(Halved(config.image_size))),
             /*halved=*/true);
}

DerivedNetwork::StemOutput ImageNetNetwork::Stem(const torch::Tensor& images) {
  const torch::Tensor quarter = stem0_->forward(images);
  return {quarter, stem1_->forward(quarter)};
}

torch::Tensor ImageNetNetwork::Pool(const torch::Tensor& features) {
  return torch::avg_pool2d(features, kPool).flatten(1);
}

}  // namespace fairdarts
