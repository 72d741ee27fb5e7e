#ifndef SEARCH_SPACE_FUSED_DERIVED_NETWORK_H_
#define SEARCH_SPACE_FUSED_DERIVED_NETWORK_H_

// A derived CIFAR network on the engine of search_space/engine.

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"
#include "search_space/cifar_network.h"
#include "search_space/fused_features.h"
#include "search_space/path_dropper.h"

namespace fairdarts {

// Computes what CifarNetwork computes (gradients, running statistics and
// dropped paths too, up to the order of sums) several times faster and in a
// fraction of the memory. Stem and cells are the engine's, their tensors views
// into its flat buffers that have to stay there: write into them (copy_), but
// do not move or convert the module. Auxiliary head and classifier are torch's.
//
// In training mode images are float32 on the CPU and get no gradient, and only
// the last Forward() can be differentiated, once. Outside of it, where
// gradients are recorded, it is the plain network over the same tensors.
class FusedDerivedNetwork : public CifarNetwork {
 public:
  // Whether the engine has this network (FusedFeatures::Check).
  static absl::Status Check(const Genotype& genotype,
                            const NetworkConfig& config) {
    return FusedFeatures::Check(genotype, config);
  }

  // The errors of MakeDerivedNetwork() and those of FusedFeatures::Create(): a
  // usage error where the engine does not have the network.
  static absl::StatusOr<std::shared_ptr<FusedDerivedNetwork>> Create(
      const Genotype& genotype, const NetworkConfig& config, int threads);

 private:
  FusedDerivedNetwork(const Genotype& genotype, const NetworkConfig& config,
                      std::unique_ptr<FusedFeatures> features);

  Features ComputeFeatures(const torch::Tensor& images, PathDropper& dropper,
                           bool auxiliary) override;

  const std::unique_ptr<FusedFeatures> features_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_FUSED_DERIVED_NETWORK_H_
