#ifndef TRAINING_FLAGS_H_
#define TRAINING_FLAGS_H_

// The command line over a configuration message: one flag a field, read from
// the message's descriptor and the FlagOptions of its fields.
//
//   --batch_size 32  --batch-size=32  --cutout  --nocutout  --cutout=false
//
// Names may be spelled with '-' or '_'. A bool is a switch, which takes a value
// only after '='. Where a flag is repeated the last one counts, as in Python's
// argparse. There are no positional arguments and no abbreviations.

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace fairdarts {

// Whether --help or -h is among the arguments.
bool HelpRequested(int argc, const char* const* argv);

// Sets in `message` the fields that the arguments after argv[0] name, and
// leaves the others as they are. Usage errors: an unknown flag (with the
// nearest known ones), a missing or bad value, a flag that is not honoured yet
// (with its reason), a positional argument. `message` is then half set.
absl::Status ParseFlags(int argc, const char* const* argv,
                        google::protobuf::Message& message);

// The flags by group, each with its help and with its value in `defaults`, in
// lines of at most 80 columns. What is refused is named in the last line only.
std::string FlagsHelp(const google::protobuf::Message& defaults);

}  // namespace fairdarts

#endif  // TRAINING_FLAGS_H_
