#ifndef TRAINING_STUDIES_STUDY_LOOP_H_
#define TRAINING_STUDIES_STUDY_LOOP_H_

// All runs of a study, and what they come to. Free of LibTorch itself: only
// study_loop.cc is not.

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "training/checkpoint/stop_signals.h"
#include "training/data/dataset.h"
#include "training/run_folder.h"
#include "training/run_log.h"
#include "training/studies/run_row.h"
#include "training/studies/study_plan.h"

namespace fairdarts {

struct StudyData {
  const Dataset* train;  // the training split
  // The test images: called at most once, when every run is finished and a
  // network that was chosen has not seen them yet.
  std::function<absl::StatusOr<Dataset>()> load_test;
};

// Runs what the folder (study_folder.h) does not hold yet: a run that is
// finished is only read, one that was begun goes on from its checkpoint. Each
// search and each training leaves the files of its own program. A genotype that
// no network can be built from and a loss that is not finite end their run
// alone and are told in its row. In the end the chosen networks are evaluated
// on the test images, each once however often the study is taken up.
//
// A study that was stopped and taken up again leaves the same tables, picture
// and weights, but for timing.csv and the logs, on the same machine with the
// same number of threads. A usage error where a run in the folder was made with
// other values; else the errors of the loops, under variant and seed. A signal
// ends it with StopSignals' error.
absl::StatusOr<std::vector<RunRow>> RunStudy(const StudyPlan& plan,
                                             const StudyMachine& machine,
                                             const StudyData& data,
                                             const RunFolder& folder,
                                             StopSignals& signals, RunLog& log);

}  // namespace fairdarts

#endif  // TRAINING_STUDIES_STUDY_LOOP_H_
