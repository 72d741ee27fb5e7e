#include "training/recipes.h"

namespace fairdarts {
namespace {

constexpr Recipe kSearchRecipes[] = {
#include "training/search_recipes.inc"
};

}  // namespace

absl::Span<const Recipe> SearchRecipes() { return kSearchRecipes; }

}  // namespace fairdarts
