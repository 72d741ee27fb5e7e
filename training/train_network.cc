#include "training/train_network.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "search_space/fused_derived_network.h"
#include "search_space/network_factory.h"

namespace fairdarts {
namespace {

absl::Status CheckFused(const TrainConfig& config, const Genotype& genotype,
                        const NetworkConfig& network) {
  if (config.device() == TrainConfig::CUDA) {
    return UsageError("the fused engine computes on the CPU alone");
  }
  if (config.precision() == Machine::BF16) {
    return UsageError("the fused engine computes in fp32 alone");
  }
  if (config.memory_format() != Machine::AUTO) {
    return UsageError("the fused engine has a memory format of its own");
  }
  return FusedDerivedNetwork::Check(genotype, network);
}

}  // namespace

absl::StatusOr<TrainNetwork> CreateTrainNetwork(const TrainConfig& config,
                                                const Genotype& genotype,
                                                const NetworkConfig& network,
                                                int threads) {
  FD_RETURN_IF_ERROR(ComputeNetworkCost(genotype, network));
  TrainNetwork made;
  made.engine = "engine: plain";
  if (config.engine() != TrainConfig::PLAIN) {
    const absl::Status covered = CheckFused(config, genotype, network);
    made.fused = covered.ok();
    if (!covered.ok() && config.engine() == TrainConfig::FUSED) {
      return UsageError(absl::StrCat("engine fused: ", covered.message(),
                                     "; use auto or plain"));
    }
    made.engine =
        made.fused ? "engine: fused"
                   : absl::StrCat("engine: plain, since ", covered.message());
  }
  if (made.fused) {
    FD_ASSIGN_OR_RETURN(
        made.network, FusedDerivedNetwork::Create(genotype, network, threads));
  } else {
    FD_ASSIGN_OR_RETURN(made.network, MakeDerivedNetwork(genotype, network));
  }
  return made;
}

}  // namespace fairdarts
