#ifndef GENOTYPES_QUOTE_H_
#define GENOTYPES_QUOTE_H_

// Foreign text inside an error message.

#include <string>

#include "absl/strings/string_view.h"

namespace fairdarts {

// The text with its unprintable bytes escaped ("\n", "\xff"): one line,
// whatever it holds.
std::string EscapeUnprintable(absl::string_view text);

// The same in single quotes, cut after 40 bytes.
std::string Quote(absl::string_view text);

}  // namespace fairdarts

#endif  // GENOTYPES_QUOTE_H_
