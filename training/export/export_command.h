#ifndef TRAINING_EXPORT_EXPORT_COMMAND_H_
#define TRAINING_EXPORT_EXPORT_COMMAND_H_

// The program //training:export_model: a trained network in, the file that the
// inference library loads or an ONNX file out. Free of LibTorch.

#include "training/run_log.h"

namespace fairdarts {

// Exports as the command line says and gives the exit code.
int ExportCommand(int argc, const char* const* argv, RunLog& log);

}  // namespace fairdarts

#endif  // TRAINING_EXPORT_EXPORT_COMMAND_H_
