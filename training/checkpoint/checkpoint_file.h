#ifndef TRAINING_CHECKPOINT_CHECKPOINT_FILE_H_
#define TRAINING_CHECKPOINT_CHECKPOINT_FILE_H_

// A snapshot as one safetensors file (envelope.h): its tensors by name, its
// texts in __metadata__.

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "training/checkpoint/run_kind.h"
#include "training/checkpoint/snapshot.h"

namespace fairdarts {

// The same snapshot gives the same bytes.
std::string SerializeCheckpoint(const Snapshot& snapshot);

// Whole or not at all, and on the disk when this returns (WriteFileAtomic). On
// an environment error, such as a full disk, an earlier file of that name is
// as it was and nothing is left beside it.
absl::Status WriteCheckpoint(const std::string& path, const Snapshot& snapshot);

// Model-file errors that begin with the path; see OpenCheckpoint.
absl::StatusOr<Snapshot> ReadCheckpoint(const std::string& path, RunKind kind);

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_CHECKPOINT_FILE_H_
