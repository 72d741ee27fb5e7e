// A trained network to a file for inference: ./bazelw run
// //training:export_model -- --help

#include "training/export/export_command.h"
#include "training/run_log.h"

int main(int argc, char** argv) {
  fairdarts::RunLog log = fairdarts::RunLog::Standard();
  return fairdarts::ExportCommand(argc, argv, log);
}
