#ifndef TRAINING_EVALUATE_COMMAND_H_
#define TRAINING_EVALUATE_COMMAND_H_

#include "training/run_log.h"

namespace fairdarts {

// //training:evaluate: how well a trained network does on images that it was
// not trained on. Returns the exit code.
int EvaluateCommand(int argc, const char* const* argv, RunLog& log);

}  // namespace fairdarts

#endif  // TRAINING_EVALUATE_COMMAND_H_
