// Repeats and compares searches: ./bazelw run //training:study -- --help

#include "training/run_log.h"
#include "training/studies/study_command.h"

int main(int argc, char** argv) {
  fairdarts::RunLog log = fairdarts::RunLog::Standard();
  return fairdarts::StudyCommand(argc, argv, log);
}
