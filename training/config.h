#ifndef TRAINING_CONFIG_H_
#define TRAINING_CONFIG_H_

// The configuration of a search from recipe, file and flags.
//
// What is more particular counts: the defaults of config.proto < the recipe <
// the --config file < the flags. The recipe is the one that a flag names, else
// the file's, else kDefaultSearchRecipe.

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "training/config.pb.h"

namespace fairdarts {

inline constexpr char kDefaultSearchRecipe[] = "quick";

struct ResolvedSearch {
  // Every field that this build honours is set and valid, but `config`, whose
  // contents are merged. `dataset` is a name of
  // training/data/dataset.h; `data` is an absolute path, or empty for the
  // dataset's default folder.
  SearchConfig config;
  // A line for the user, or empty: flags changed a recipe that nobody named.
  std::string note;
};

// Usage errors name the flag, or the file and the field, its value and what
// would be right; a --config file that cannot be read is a data error.
absl::StatusOr<ResolvedSearch> SearchFromCommandLine(int argc,
                                                     const char* const* argv);

// The rules of single fields and those between fields.
absl::Status ValidateSearchConfig(const SearchConfig& config);

// The text of --help: the flags with the default recipe's values.
std::string SearchHelp();

// The record of a run, which --config takes: text format with every value.
std::string SearchConfigText(const SearchConfig& config);

}  // namespace fairdarts

#endif  // TRAINING_CONFIG_H_
