#include "training/export/model_tensors.h"

#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/network_graph.h"

namespace fairdarts {

absl::StatusOr<std::vector<TensorToWrite>> ModelTensors(
    const ModelDescription& description, std::vector<NamedTensor>* state_dict,
    ImportReport* report) {
  FD_ASSIGN_OR_RETURN(
      const NetworkGraph graph,
      MakeNetworkGraph(description.genotype, description.network));
  FD_RETURN_IF_ERROR(NormalizeStateDict({}, state_dict, report));
  std::vector<ExpectedTensor> expected;
  for (TensorSpec& spec : ExpectedTensors(graph)) {
    expected.push_back({std::move(spec.name), std::move(spec.shape)});
  }
  FD_RETURN_IF_ERROR(MatchStateDict(expected, state_dict, report));

  std::vector<TensorToWrite> tensors;
  for (const NamedTensor& tensor : *state_dict) {
    for (int64_t i = 0; i < tensor.view.elements(); ++i) {
      float value;
      std::memcpy(&value, tensor.view.data.data() + i * sizeof(value),
                  sizeof(value));
      if (!std::isfinite(value)) {
        return ModelFileError(absl::StrCat("tensor ", tensor.name, " holds ",
                                           value, " at ", i,
                                           "; only finite numbers make a "
                                           "model"));
      }
    }
    tensors.push_back({tensor.name, tensor.view});
  }
  return tensors;
}

}  // namespace fairdarts
