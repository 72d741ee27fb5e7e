#ifndef FAIRDARTS_BASE_NEAREST_NAME_H_
#define FAIRDARTS_BASE_NEAREST_NAME_H_

// Suggestions for a mistyped name.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairdarts {

// The known names within a third of their length in typing errors (a letter
// too many, too few or wrong, or two swapped; neither case nor '-' against '_'
// counts), nearest first, at most three.
std::vector<std::string> NearestNames(absl::string_view name,
                                      const std::vector<std::string>& known);

// "did you mean A?", "did you mean A or B?", or "" when nothing is near.
std::string DidYouMean(absl::string_view name,
                       const std::vector<std::string>& known);

// What would be right in place of a name out of a short list: "must be A, B or
// C", and a guess behind it where one is near.
std::string MustBeOneOf(absl::string_view name,
                        const std::vector<std::string>& known);

}  // namespace fairdarts

#endif  // FAIRDARTS_BASE_NEAREST_NAME_H_
