#include "training/recipes.h"

namespace fairdarts {
namespace {

constexpr Recipe kSearchRecipes[] = {
#include "training/search_recipes.inc"
};

constexpr Recipe kStudyRecipes[] = {
#include "training/study_recipes.inc"
};

constexpr Recipe kTrainRecipes[] = {
#include "training/train_recipes.inc"
};

}  // namespace

absl::Span<const Recipe> SearchRecipes() { return kSearchRecipes; }

absl::Span<const Recipe> StudyRecipes() { return kStudyRecipes; }

absl::Span<const Recipe> TrainRecipes() { return kTrainRecipes; }

}  // namespace fairdarts
