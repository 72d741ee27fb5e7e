#ifndef TRAINING_CHECKPOINT_RUN_KIND_H_
#define TRAINING_CHECKPOINT_RUN_KIND_H_

// Which program a checkpoint belongs to.

#include "absl/strings/string_view.h"

namespace fairdarts {

enum class RunKind { kSearch, kTrain };

// "search" or "train", as checkpoints spell it.
inline absl::string_view RunKindName(RunKind kind) {
  return kind == RunKind::kSearch ? "search" : "train";
}

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_RUN_KIND_H_
