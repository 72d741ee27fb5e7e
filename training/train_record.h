#ifndef TRAINING_TRAIN_RECORD_H_
#define TRAINING_TRAIN_RECORD_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "training/train_config.pb.h"

namespace fairdarts {

// The configuration that a training recorded in its folder; none where no
// training left the folder (IsRunOf). A model-file error that begins with the
// record's path where it is damaged.
absl::StatusOr<absl::optional<TrainConfig>> FindTrainRecord(
    const std::string& folder);

}  // namespace fairdarts

#endif  // TRAINING_TRAIN_RECORD_H_
