// Evaluates a trained network: ./bazelw run //training:evaluate -- --help

#include "training/evaluate_command.h"
#include "training/run_log.h"

int main(int argc, char** argv) {
  fairdarts::RunLog log = fairdarts::RunLog::Standard();
  return fairdarts::EvaluateCommand(argc, argv, log);
}
