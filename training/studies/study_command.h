#ifndef TRAINING_STUDIES_STUDY_COMMAND_H_
#define TRAINING_STUDIES_STUDY_COMMAND_H_

// The program //training:study.

#include "training/run_log.h"

namespace fairdarts {

// Runs a study from the command line and gives the exit code.
int StudyCommand(int argc, const char* const* argv, RunLog& log);

}  // namespace fairdarts

#endif  // TRAINING_STUDIES_STUDY_COMMAND_H_
