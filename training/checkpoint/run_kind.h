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

// What a run of the kind is called: "search" or "training".
inline absl::string_view RunNoun(RunKind kind) {
  return kind == RunKind::kSearch ? "search" : "training";
}

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_RUN_KIND_H_
