#include "training/train_record.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "training/config_file.h"
#include "training/newest_run.h"
#include "training/train_config.h"

namespace fairdarts {

absl::StatusOr<absl::optional<TrainConfig>> FindTrainRecord(
    const std::string& folder) {
  absl::optional<TrainConfig> record;
  if (!IsRunOf(folder, RunKind::kTrain)) return record;
  const std::string path = absl::StrCat(folder, "/", kConfigFile);
  FD_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxConfigBytes));
  const char* const no_flags[] = {"program"};
  FD_ASSIGN_OR_RETURN(record, TrainFromRecord(text, path, 1, no_flags));
  return record;
}

}  // namespace fairdarts
