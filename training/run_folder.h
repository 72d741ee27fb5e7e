#ifndef TRAINING_RUN_FOLDER_H_
#define TRAINING_RUN_FOLDER_H_

// The folder that a run leaves behind.

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairdarts {

// A usage error unless `name` can begin a folder's name: not empty, at most 100
// bytes, no '/', no control characters, no '.' in front.
absl::Status CheckRunName(absl::string_view name);

// Immutable; may be used from several threads.
class RunFolder {
 public:
  // Makes `parent`/`name`-YYYYMMDD-HHMMSS (local time), with -2, -3, ... behind
  // it where that is taken: an earlier run is never written over. `parent` is
  // made where it is missing. An environment error names the folder that
  // cannot be made.
  static absl::StatusOr<RunFolder> Create(const std::string& parent,
                                          absl::string_view name,
                                          absl::Time now);

  // An earlier run's folder, to go on in; a usage error where none is.
  static absl::StatusOr<RunFolder> Open(const std::string& path);

  const std::string& path() const { return path_; }

  // The path of a file of the run: File("normal/history_weight.json").
  std::string File(absl::string_view name) const;

  // Removes a file of the run; one that is not there is no error.
  absl::Status Remove(absl::string_view name) const;

  // Writes a file of the run, whole or not at all, over an earlier version of
  // itself; folders in `name` are made.
  absl::Status Write(absl::string_view name, absl::string_view contents) const;

 private:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace fairdarts

#endif  // TRAINING_RUN_FOLDER_H_
