#ifndef TRAINING_DERIVE_COMMAND_H_
#define TRAINING_DERIVE_COMMAND_H_

// The program //training:derive: two matrices of relaxed weights, a rule and a
// threshold in, a genotype and its picture out. Free of LibTorch.

#include "training/run_log.h"

namespace fairdarts {

// Derives a genotype as the command line says and gives the exit code.
int DeriveCommand(int argc, const char* const* argv, RunLog& log);

}  // namespace fairdarts

#endif  // TRAINING_DERIVE_COMMAND_H_
