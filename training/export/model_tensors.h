#ifndef TRAINING_EXPORT_MODEL_TENSORS_H_
#define TRAINING_EXPORT_MODEL_TENSORS_H_

// From the state dicts that people have to the tensors of a model file.

#include <vector>

#include "absl/status/statusor.h"
#include "fairdarts/base/safetensors.h"
#include "fairdarts/runtime/model_file.h"
#include "training/torch_import/state_dict_names.h"
#include "training/torch_import/torch_file.h"

namespace fairdarts {

// The tensors that SerializeModelFile wants, out of a state dict that has been
// through NormalizeStateDict and may hold more: the auxiliary head, counters of
// batches and what reads a missing node go, and `report` counts them.
// Model-file errors without a file name say which tensors are missing, surplus
// or of another shape. Views point into what the tensors of `state_dict` own.
absl::StatusOr<std::vector<TensorToWrite>> ModelTensors(
    const ModelDescription& description, std::vector<NamedTensor>* state_dict,
    ImportReport* report);

}  // namespace fairdarts

#endif  // TRAINING_EXPORT_MODEL_TENSORS_H_
