// Searches for a cell: ./bazelw run //training:search -- --help

#include "training/run_log.h"
#include "training/search_command.h"

int main(int argc, char** argv) {
  fairdarts::RunLog log = fairdarts::RunLog::Standard();
  return fairdarts::SearchCommand(argc, argv, log);
}
