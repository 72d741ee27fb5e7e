#ifndef TRAINING_NEWEST_RUN_H_
#define TRAINING_NEWEST_RUN_H_

// The run that a program takes when nobody names one.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "training/checkpoint/run_kind.h"

namespace fairdarts {

// The path of the newest folder in `runs_folder` that a run of this kind left
// and that holds one of `files` (as they are named in the folder). Newest by
// the time in its name, as RunFolder writes it; a folder that was given another
// name counts by its last change.
//
// A run is told by its config.textproto, whose head names the program's
// message. Whatever else lies there is passed over: other files, folders that
// cannot be read, runs of other programs.
absl::optional<std::string> NewestRun(const std::string& runs_folder,
                                      RunKind kind,
                                      const std::vector<std::string>& files);

}  // namespace fairdarts

#endif  // TRAINING_NEWEST_RUN_H_
