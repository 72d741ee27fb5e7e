#ifndef TRAINING_TORCH_IMPORT_SHOWN_H_
#define TRAINING_TORCH_IMPORT_SHOWN_H_

#include <string>

#include "absl/strings/string_view.h"

namespace fairdarts {

// A text out of a file, fit for one line of a message: what is not printable
// is escaped, and the first 100 bytes stand for a long one.
std::string Shown(absl::string_view text);

}  // namespace fairdarts

#endif  // TRAINING_TORCH_IMPORT_SHOWN_H_
