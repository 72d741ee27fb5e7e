#ifndef TRAINING_NETWORK_WEIGHTS_H_
#define TRAINING_NETWORK_WEIGHTS_H_

// Between a network in training and the file that evaluation, export and the
// inference library read (fairdarts/runtime/model_file.h).

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "fairdarts/runtime/model_file.h"
#include "search_space/derived_network.h"
#include "training/data/dataset.h"

namespace fairdarts {

// What a network trained on `dataset` says about itself.
ModelDescription DescribeNetwork(const DerivedNetwork& network,
                                 const Dataset& dataset);

// The bytes of the file with the weights that the network has now, but for its
// auxiliary head and batch norm's counters. A numbers error names the first
// tensor with a number that is not finite: such a network is of no use.
absl::StatusOr<std::string> SerializeNetwork(
    const DerivedNetwork& network, const ModelDescription& description);

// The network of a model file with its weights, without an auxiliary head.
// What torch throws comes back as a Status.
absl::StatusOr<std::shared_ptr<DerivedNetwork>> LoadNetwork(
    const ModelFile& file);

}  // namespace fairdarts

#endif  // TRAINING_NETWORK_WEIGHTS_H_
