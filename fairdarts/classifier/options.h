#ifndef FAIRDARTS_CLASSIFIER_OPTIONS_H_
#define FAIRDARTS_CLASSIFIER_OPTIONS_H_

// The command line of classify.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "fairdarts/image/raw_image.h"

namespace fairdarts {

struct ClassifyOptions {
  enum class Format { kText, kJson };

  std::string model;
  int top = 5;      // classes of an image, at most those there are
  int threads = 1;  // 1 to 1024
  Format format = Format::kText;
  absl::optional<RawLayout> raw;    // images are pixels and nothing else
  std::vector<std::string> images;  // paths, or "-" for standard input
};

// Whether --help or -h is among the arguments, before a "--".
bool ClassifyHelpRequested(int argc, const char* const* argv);

// Flags are written --name=value or --name value, and may stand anywhere before
// a "--", behind which all are images.
// Where a flag is repeated the last one counts. Usage errors: an unknown flag
// (with the nearest ones), a missing or bad value, no model, no image, standard
// input twice.
absl::StatusOr<ClassifyOptions> ParseClassifyOptions(int argc,
                                                     const char* const* argv);

// What --help prints, in lines of at most 80 columns.
std::string ClassifyHelp();

}  // namespace fairdarts

#endif  // FAIRDARTS_CLASSIFIER_OPTIONS_H_
