#ifndef TRAINING_TRAIN_NETWORK_H_
#define TRAINING_TRAIN_NETWORK_H_

// The network of a training on the engine that its configuration asks for.

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"
#include "search_space/derived_network.h"
#include "training/train_config.pb.h"

namespace fairdarts {

struct TrainNetwork {
  std::shared_ptr<DerivedNetwork> network;
  bool fused = false;
  std::string engine;  // a line for the log: which it is, and why
};

// --engine=auto takes the fused engine where it has the network, the device,
// the precision and the memory format, else the plain one. The errors of
// MakeDerivedNetwork, and a usage error that says what the fused engine lacks
// where it is asked for.
absl::StatusOr<TrainNetwork> CreateTrainNetwork(const TrainConfig& config,
                                                const Genotype& genotype,
                                                const NetworkConfig& network,
                                                int threads);

}  // namespace fairdarts

#endif  // TRAINING_TRAIN_NETWORK_H_
