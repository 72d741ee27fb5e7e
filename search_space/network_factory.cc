#include "search_space/network_factory.h"

#include "fairdarts/base/status.h"
#include "ops/torch_status.h"
#include "search_space/cifar_network.h"
#include "search_space/imagenet_network.h"

namespace fairdarts {

absl::StatusOr<std::shared_ptr<DerivedNetwork>> MakeDerivedNetwork(
    const Genotype& genotype, const NetworkConfig& config) {
  FD_RETURN_IF_ERROR(ComputeNetworkCost(genotype, config));
  return CatchTorch("network", [&]() -> std::shared_ptr<DerivedNetwork> {
    if (config.kind == NetworkConfig::Kind::kImageNet) {
      return std::make_shared<ImageNetNetwork>(genotype, config);
    }
    return std::make_shared<CifarNetwork>(genotype, config);
  });
}

}  // namespace fairdarts
