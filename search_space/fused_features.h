#ifndef SEARCH_SPACE_FUSED_FEATURES_H_
#define SEARCH_SPACE_FUSED_FEATURES_H_

// Stem and cells of a derived CIFAR network in training, as one function of
// torch's graph on the engine of search_space/engine.

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"
#include "search_space/path_dropper.h"

namespace fairdarts {

class DerivedEngine;
class EngineTensors;

// Not thread-safe.
class FusedFeatures {
 public:
  // Whether the engine has this network; else a usage error that says what it
  // lacks. Both arguments have passed ComputeNetworkCost.
  static absl::Status Check(const Genotype& genotype,
                            const NetworkConfig& config);

  // The errors of Check(), and an environment error where the system gives no
  // more threads.
  static absl::StatusOr<std::unique_ptr<FusedFeatures>> Create(
      const Genotype& genotype, const NetworkConfig& config, int threads);

  // Moves the tensors of stem and cells of `network`, values and all, into the
  // engine's flat buffers, where they have to stay. To be called once.
  void TakeOver(torch::nn::Module& network);

  struct Output {
    torch::Tensor pooled;     // [N, C] means of the last cell's maps
    torch::Tensor auxiliary;  // [N, C, h, w], if asked for
  };
  // Images [N, image_channels, H, W] float32 on the CPU that need no gradient.
  // Draws from `dropper` what the plain network would. Only the last Forward()
  // can be differentiated, once. Throws as torch does.
  Output Forward(const torch::Tensor& images, PathDropper& dropper,
                 bool auxiliary);

  // The means in evaluation mode, of any number of such images; records no
  // gradient.
  torch::Tensor Evaluate(const torch::Tensor& images);

 private:
  explicit FusedFeatures(std::shared_ptr<DerivedEngine> engine);

  const std::shared_ptr<DerivedEngine> engine_;
  std::shared_ptr<EngineTensors> tensors_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_FUSED_FEATURES_H_
