#ifndef FAIRDARTS_CLASSIFIER_CLASSIFY_COMMAND_H_
#define FAIRDARTS_CLASSIFIER_CLASSIFY_COMMAND_H_

#include <istream>
#include <ostream>

namespace fairdarts {

// The program classify; options.h has its flags. Classes go to `out`, errors to
// `err` in one line each, an image "-" comes from `in`. Returns the exit code.
int ClassifyCommand(int argc, const char* const* argv, std::istream& in,
                    std::ostream& out, std::ostream& err);

}  // namespace fairdarts

#endif  // FAIRDARTS_CLASSIFIER_CLASSIFY_COMMAND_H_
