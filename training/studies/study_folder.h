#ifndef TRAINING_STUDIES_STUDY_FOLDER_H_
#define TRAINING_STUDIES_STUDY_FOLDER_H_

// The folder of a study:
//
//   study.textproto      its recipe
//   VARIANT/seed-N/search, VARIANT/seed-N/train    folders of ordinary runs
//   runs.csv table.csv table.md timing.csv         after each run
//   alphas.svg ranked.csv ranked.md                from its end on

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "training/run_folder.h"
#include "training/run_log.h"
#include "training/studies/study_plan.h"

namespace fairdarts {

inline constexpr char kStudyRecord[] = "study.textproto";
inline constexpr char kStudyRanking[] = "ranked.md";  // written last

// A part of a run that a loss that is not finite has ended: why.
inline constexpr char kDivergedFile[] = "diverged.txt";

// The folders of a run's two parts, which need not be there.
std::string SearchFolder(absl::string_view variant, uint64_t seed);
std::string TrainFolder(absl::string_view variant, uint64_t seed);

// The folder that --resume means, which is not "": a study's, or with "auto"
// the one in `runs_folder` that is not finished, that no other process is
// running and whose log was written last. None where there is no such folder;
// the log then says so. A usage error for a path that is no study's.
absl::StatusOr<absl::optional<std::string>> FindStudyFolder(
    absl::string_view resume, const std::string& runs_folder, RunLog& log);

// A line a run with its steps, and how far it is in a folder; then the sums.
std::string ListRuns(const StudyPlan& plan,
                     const absl::optional<RunFolder>& folder);

}  // namespace fairdarts

#endif  // TRAINING_STUDIES_STUDY_FOLDER_H_
