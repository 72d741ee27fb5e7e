#ifndef TRAINING_NEAREST_NAME_H_
#define TRAINING_NEAREST_NAME_H_

// Suggestions for a mistyped name.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairdarts {

// The known names within a third of their length in edits (Levenshtein,
// without regard to case and to '-' against '_'), nearest first, at most three.
std::vector<std::string> NearestNames(absl::string_view name,
                                      const std::vector<std::string>& known);

// What would be right in place of `name`: "did you mean A?", "did you mean A
// or B?", or, when nothing is near, "known: A, B, C".
std::string Suggestion(absl::string_view name,
                       const std::vector<std::string>& known);

}  // namespace fairdarts

#endif  // TRAINING_NEAREST_NAME_H_
