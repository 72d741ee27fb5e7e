#include "search_space/fused_derived_network.h"

#include <utility>

#include "fairdarts/base/status.h"
#include "ops/torch_status.h"

namespace fairdarts {

absl::StatusOr<std::shared_ptr<FusedDerivedNetwork>>
FusedDerivedNetwork::Create(const Genotype& genotype,
                            const NetworkConfig& config, int threads) {
  FD_RETURN_IF_ERROR(ComputeNetworkCost(genotype, config));
  FD_ASSIGN_OR_RETURN(std::unique_ptr<FusedFeatures> features,
                      FusedFeatures::Create(genotype, config, threads));
  return CatchTorch("network", [&] {
    return std::shared_ptr<FusedDerivedNetwork>(
        new FusedDerivedNetwork(genotype, config, std::move(features)));
  });
}

FusedDerivedNetwork::FusedDerivedNetwork(
    const Genotype& genotype, const NetworkConfig& config,
    std::unique_ptr<FusedFeatures> features)
    : CifarNetwork(genotype, config), features_(std::move(features)) {
  features_->TakeOver(*this);
}

DerivedNetwork::Features FusedDerivedNetwork::ComputeFeatures(
    const torch::Tensor& images, PathDropper& dropper, bool auxiliary) {
  if (!is_training() && torch::GradMode::is_enabled()) {
    return CifarNetwork::ComputeFeatures(images, dropper, auxiliary);
  }
  if (!is_training()) return {features_->Evaluate(images), torch::Tensor()};
  const FusedFeatures::Output output =
      features_->Forward(images, dropper, auxiliary);
  return {output.pooled, output.auxiliary};
}

}  // namespace fairdarts
