#ifndef TRAINING_SEARCH_COMMAND_H_
#define TRAINING_SEARCH_COMMAND_H_

// The program //training:search.

#include "training/run_log.h"

namespace fairdarts {

// Runs a search from the command line and gives the exit code.
int SearchCommand(int argc, const char* const* argv, RunLog& log);

}  // namespace fairdarts

#endif  // TRAINING_SEARCH_COMMAND_H_
