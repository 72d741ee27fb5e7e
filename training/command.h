#ifndef TRAINING_COMMAND_H_
#define TRAINING_COMMAND_H_

// What the programs share: how they end, and where their runs go.

#include <string>

#include "absl/status/status.h"
#include "training/run_log.h"

namespace fairdarts {

// Reports an error as "PROGRAM: message" and gives the exit code that goes
// with it; 0 for OK.
int EndProgram(const absl::Status& status, const char* program, RunLog& log);

// The folder that run folders are made in: runs/ where the user typed.
std::string RunsFolder();

}  // namespace fairdarts

#endif  // TRAINING_COMMAND_H_
