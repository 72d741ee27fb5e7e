// What genotypes cost: ./bazelw run //training:profile -- --help

#include "training/profile_command.h"
#include "training/run_log.h"

int main(int argc, char** argv) {
  fairdarts::RunLog log = fairdarts::RunLog::Standard();
  return fairdarts::ProfileCommand(argc, argv, log);
}
