#ifndef TRAINING_PROFILE_COMMAND_H_
#define TRAINING_PROFILE_COMMAND_H_

// The program //training:profile: what genotypes cost, what was published about
// them and why, and what they take on this machine.

#include "training/run_log.h"

namespace fairdarts {

// Prints the table that the command line asks for and gives the exit code. To
// be called while the process has one thread (see network_measurement.h).
int ProfileCommand(int argc, const char* const* argv, RunLog& log);

}  // namespace fairdarts

#endif  // TRAINING_PROFILE_COMMAND_H_
