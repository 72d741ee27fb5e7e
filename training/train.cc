// Trains a derived network: ./bazelw run //training:train -- --help

#include "training/run_log.h"
#include "training/train_command.h"

int main(int argc, char** argv) {
  fairdarts::RunLog log = fairdarts::RunLog::Standard();
  return fairdarts::TrainCommand(argc, argv, log);
}
