#include "search_space/auxiliary_head.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/pooling.h>

namespace fairdarts {
namespace {

constexpr int64_t kReduced = 128;
constexpr int64_t kFeatures = 768;

int64_t PoolStride(NetworkConfig::Kind kind, int64_t map_size) {
  return kind == NetworkConfig::Kind::kCifar && map_size >= 8 ? 3 : 2;
}

}  // namespace

AuxiliaryHead::AuxiliaryHead(NetworkConfig::Kind kind, int64_t channels,
                             int64_t map_size, int64_t classes)
    : classifier_(nullptr) {
  features_->push_back(torch::nn::ReLU());
  features_->push_back(torch::nn::AvgPool2d(
      torch::nn::AvgPool2dOptions(5).stride(PoolStride(kind, map_size))));
  features_->push_back(torch::nn::Conv2d(
      torch::nn::Conv2dOptions(channels, kReduced, 1).bias(false)));
  features_->push_back(torch::nn::BatchNorm2d(kReduced));
  features_->push_back(torch::nn::ReLU());
  features_->push_back(torch::nn::Conv2d(
      torch::nn::Conv2dOptions(kReduced, kFeatures, 2).bias(false)));
  if (kind == NetworkConfig::Kind::kCifar) {
    features_->push_back(torch::nn::BatchNorm2d(kFeatures));
  }
  features_->push_back(torch::nn::ReLU());
  register_module("features", features_);
  classifier_ =
      register_module("classifier", torch::nn::Linear(kFeatures, classes));
}

torch::Tensor AuxiliaryHead::Forward(const torch::Tensor& features) {
  return classifier_->forward(features_->forward(features).flatten(1));
}

}  // namespace fairdarts
