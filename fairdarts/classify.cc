// What images show: ./bazelw run //fairdarts:classify -- --help

#include <iostream>

#include "fairdarts/classifier/classify_command.h"

int main(int argc, char** argv) {
  return fairdarts::ClassifyCommand(argc, argv, std::cin, std::cout, std::cerr);
}
