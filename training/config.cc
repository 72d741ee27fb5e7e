#include "training/config.h"

#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/discretization.h"
#include "genotypes/strict_proto.h"
#include "google/protobuf/descriptor.h"
#include "training/data/dataset.h"
#include "training/field_value.h"
#include "training/flags.h"
#include "training/nearest_name.h"
#include "training/recipes.h"
#include "training/run_folder.h"
#include "training/user_path.h"

namespace fairdarts {
namespace {

using ::google::protobuf::FieldDescriptor;

constexpr char kPaperRecipe[] = "fairdarts-cifar10";

// A configuration has some dozens of short lines.
constexpr int64_t kMaxConfigBytes = 1 << 20;

std::vector<std::string> RecipeNames() {
  std::vector<std::string> names;
  for (const Recipe& recipe : SearchRecipes()) names.emplace_back(recipe.name);
  return names;
}

// What is wrong with a configuration is the user's to mend, file or not.
absl::StatusOr<SearchConfig> Parse(absl::string_view text,
                                   absl::string_view name) {
  SearchConfig config;
  const absl::Status parsed = ParseStrictTextproto(text, config);
  if (!parsed.ok()) {
    return UsageError(absl::StrCat(name, ": ", parsed.message()));
  }
  return config;
}

absl::StatusOr<SearchConfig> LoadRecipe(absl::string_view name) {
  for (const Recipe& recipe : SearchRecipes()) {
    if (recipe.name != name) continue;
    FD_ASSIGN_OR_RETURN(SearchConfig config,
                        Parse(recipe.text, absl::StrCat("recipe ", name)));
    config.set_recipe(std::string(name));
    return config;
  }
  return UsageError(
      absl::StrCat("recipe ", name, ": ", MustBeOneOf(name, RecipeNames())));
}

absl::StatusOr<SearchConfig> LoadFile(const std::string& path) {
  FD_ASSIGN_OR_RETURN(const std::string text,
                      ReadFile(UserPath(path), kMaxConfigBytes));
  FD_ASSIGN_OR_RETURN(SearchConfig config, Parse(text, path));
  if (config.has_config()) {
    return UsageError(
        absl::StrCat(path, ": config ", config.config(),
                     ": must not be set in a file; give one --config"));
  }
  FD_RETURN_IF_ERROR(Annotate(CheckFields(config), path));
  return config;
}

// Whether `flags` sets a field that `recipe` sets, other than its name.
bool Changes(const SearchConfig& flags, SearchConfig recipe) {
  recipe.clear_recipe();
  std::vector<const FieldDescriptor*> stated;
  recipe.GetReflection()->ListFields(recipe, &stated);
  for (const FieldDescriptor* const field : stated) {
    if (flags.GetReflection()->HasField(flags, field)) return true;
  }
  return false;
}

// Sets every unset field to the default that the proto gives it.
void MakeDefaultsExplicit(SearchConfig& config) {
  const auto* const reflection = config.GetReflection();
  const auto* const descriptor = config.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor& field = *descriptor->field(i);
    if (!field.has_default_value() || reflection->HasField(config, &field)) {
      continue;
    }
    const absl::Status set =
        ParseField(field.name(), FieldText(config, field), field, config);
    FD_CHECK(set.ok()) << set.ToString();
  }
}

}  // namespace

absl::StatusOr<ResolvedSearch> SearchFromCommandLine(int argc,
                                                     const char* const* argv) {
  SearchConfig flags;
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, flags));
  SearchConfig file;
  if (flags.has_config()) {
    FD_ASSIGN_OR_RETURN(file, LoadFile(flags.config()));
  }
  const bool named = flags.has_recipe() || file.has_recipe();
  absl::StatusOr<SearchConfig> recipe =
      flags.has_recipe()  ? LoadRecipe(flags.recipe())
      : file.has_recipe() ? LoadRecipe(file.recipe())
                          : LoadRecipe(kDefaultSearchRecipe);
  if (!recipe.ok()) {
    return flags.has_recipe() ? recipe.status()
                              : Annotate(recipe.status(), flags.config());
  }

  ResolvedSearch resolved;
  if (!named && Changes(flags, *recipe)) {
    resolved.note = absl::StrCat(
        "The flags change the recipe ", kDefaultSearchRecipe,
        "; for the paper's values add --recipe ", kPaperRecipe, ".");
  }
  resolved.config = *std::move(recipe);
  resolved.config.MergeFrom(file);
  resolved.config.MergeFrom(flags);
  resolved.config.clear_config();
  MakeDefaultsExplicit(resolved.config);
  if (!resolved.config.data().empty()) {
    // The record of the run must mean the same wherever it is read.
    resolved.config.set_data(
        std::filesystem::absolute(UserPath(resolved.config.data())).string());
  }
  const auto dataset = CanonicalDatasetName(resolved.config.dataset());
  if (dataset.ok()) resolved.config.set_dataset(*dataset);
  FD_RETURN_IF_ERROR(ValidateSearchConfig(resolved.config));
  return resolved;
}

absl::Status ValidateSearchConfig(const SearchConfig& config) {
  FD_RETURN_IF_ERROR(CheckFields(config));
  if (!CanonicalDatasetName(config.dataset()).ok()) {
    return UsageError(
        absl::StrCat("dataset '", config.dataset(),
                     "': ", MustBeOneOf(config.dataset(), DatasetNames())));
  }
  // Weights are compared with it as floats.
  FD_RETURN_IF_ERROR(
      Annotate(CheckThreshold(static_cast<float>(config.op_threshold())),
               "op_threshold"));
  if (config.learning_rate_min() > config.learning_rate()) {
    const auto text = [&](const char* name) {
      return FieldText(config,
                       *SearchConfig::descriptor()->FindFieldByName(name));
    };
    return UsageError(absl::StrCat(
        "learning_rate_min ", text("learning_rate_min"),
        ": must be at most learning_rate, which is ", text("learning_rate")));
  }
  return Annotate(CheckRunName(config.save()), "save");
}

std::string SearchHelp() {
  absl::StatusOr<SearchConfig> defaults = LoadRecipe(kDefaultSearchRecipe);
  FD_CHECK(defaults.ok()) << defaults.status().ToString();
  return absl::StrCat(
      "Searches for the cells of a network with FairDARTS.\n"
      "usage: bazel run //training:search -- [--flag value]...\n\n"
      "Recipes: ",
      absl::StrJoin(RecipeNames(), ", "),
      "\nDatasets: ", absl::StrJoin(DatasetNames(), ", "),
      "\nIn brackets: what holds without the flag.\n\n", FlagsHelp(*defaults));
}

std::string SearchConfigText(const SearchConfig& config) {
  return ToTextproto(config);
}

}  // namespace fairdarts
