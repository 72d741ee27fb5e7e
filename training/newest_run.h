#ifndef TRAINING_NEWEST_RUN_H_
#define TRAINING_NEWEST_RUN_H_

// The run that a program takes when nobody names one.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "training/checkpoint/run_kind.h"

namespace fairdarts {

// Whether a run of this kind left the folder: the head of its config.textproto
// names the program's message.
bool IsRunOf(const std::string& folder, RunKind kind);

// The path of the newest folder in `runs_folder` that a run of this kind left
// and that holds one of `files` (as they are named in the folder). Newest by
// the time in its name, as RunFolder writes it; a folder that was given another
// name counts by its last change.
//
// Whatever else lies there is passed over: other files, folders that cannot be
// read, runs of other programs.
absl::optional<std::string> NewestRun(const std::string& runs_folder,
                                      RunKind kind,
                                      const std::vector<std::string>& files);

}  // namespace fairdarts

#endif  // TRAINING_NEWEST_RUN_H_
