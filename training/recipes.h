#ifndef TRAINING_RECIPES_H_
#define TRAINING_RECIPES_H_

// The named sets of values of recipes/, built into the programs.

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace fairdarts {

struct Recipe {
  absl::string_view name;  // the file's name without ".textproto"
  absl::string_view text;
};

// recipes/search, by name: the recipes of //training:search.
absl::Span<const Recipe> SearchRecipes();

// recipes/train, by name: the recipes of //training:train.
absl::Span<const Recipe> TrainRecipes();

// recipes/study, by name: the recipes of //training:study.
absl::Span<const Recipe> StudyRecipes();

}  // namespace fairdarts

#endif  // TRAINING_RECIPES_H_
