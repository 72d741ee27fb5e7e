#ifndef TRAINING_CHECKPOINT_OPTIMIZER_STATE_H_
#define TRAINING_CHECKPOINT_OPTIMIZER_STATE_H_

// What optimisers remember between steps, in and out of a snapshot.
//
// Entries are PREFIX/PARAMETER/momentum_buffer for SGD; for Adam
// PREFIX/PARAMETER/exp_avg, exp_avg_sq and (with amsgrad) max_exp_avg_sq, and
// the text PREFIX/PARAMETER/step. A parameter that has not been stepped yet
// has the text PREFIX/PARAMETER/state, "none". Options such as the learning
// rate are not state: whoever sets them sets them again.
//
// `names` are the parameters' in the order in which the optimiser was given
// them, over all groups (those of named_parameters(), as a rule); another
// number of names is our own bug (FD_CHECK).

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "torch/optim/adam.h"
#include "torch/optim/sgd.h"
#include "training/checkpoint/snapshot.h"

namespace fairdarts {

void PutSgd(absl::string_view prefix, const torch::optim::SGD& optimizer,
            const std::vector<std::string>& names, Snapshot& snapshot);
void PutAdam(absl::string_view prefix, const torch::optim::Adam& optimizer,
             const std::vector<std::string>& names, Snapshot& snapshot);

// Exact, as Snapshot::LoadModule: what is missing, left over or of another
// shape is named, and the optimiser is then as it was.
absl::Status LoadSgd(const Snapshot& snapshot, absl::string_view prefix,
                     const std::vector<std::string>& names,
                     torch::optim::SGD& optimizer);
absl::Status LoadAdam(const Snapshot& snapshot, absl::string_view prefix,
                      const std::vector<std::string>& names,
                      torch::optim::Adam& optimizer);

// The names of a module's parameters, in the order of parameters().
std::vector<std::string> ParameterNames(const torch::nn::Module& module);

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_OPTIMIZER_STATE_H_
