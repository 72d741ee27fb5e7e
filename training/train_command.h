#ifndef TRAINING_TRAIN_COMMAND_H_
#define TRAINING_TRAIN_COMMAND_H_

#include "training/run_log.h"

namespace fairdarts {

// //training:train: trains the network of a genotype and leaves a run folder.
// Returns the exit code.
int TrainCommand(int argc, const char* const* argv, RunLog& log);

}  // namespace fairdarts

#endif  // TRAINING_TRAIN_COMMAND_H_
