// Relaxed weights to a genotype: ./bazelw run //training:derive -- --help

#include "training/derive_command.h"
#include "training/run_log.h"

int main(int argc, char** argv) {
  fairdarts::RunLog log = fairdarts::RunLog::Standard();
  return fairdarts::DeriveCommand(argc, argv, log);
}
