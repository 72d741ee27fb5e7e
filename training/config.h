#ifndef TRAINING_CONFIG_H_
#define TRAINING_CONFIG_H_

// The configuration of a search from recipe, file and flags, under the rules
// of training/program_config.h.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "training/config.pb.h"

namespace fairdarts {

inline constexpr char kDefaultSearchRecipe[] = "quick";

struct ResolvedSearch {
  SearchConfig config;  // as ResolveConfig leaves it
  // A line for the user, or empty: flags changed a recipe that nobody named.
  std::string note;
};

absl::StatusOr<ResolvedSearch> SearchFromCommandLine(int argc,
                                                     const char* const* argv);

// The same where a message states what flags would: ResolveGiven.
absl::StatusOr<SearchConfig> SearchFromMessage(const SearchConfig& given);

// The configuration of a search that is resumed from the record in
// `record_name`, with the flags that may differ from it: ResolveFromRecord.
absl::StatusOr<SearchConfig> SearchFromRecord(absl::string_view record,
                                              absl::string_view record_name,
                                              int argc,
                                              const char* const* argv);

// The same where a message states what flags would.
absl::StatusOr<SearchConfig> SearchFromRecord(absl::string_view record,
                                              absl::string_view record_name,
                                              const SearchConfig& given);

// The rules of single fields and those between fields.
absl::Status ValidateSearchConfig(const SearchConfig& config);

// Whether the search network is the fused engine's, of a valid configuration.
bool UsesFusedEngine(const SearchConfig& config);

// What is allowed but seldom meant, a line for each: "warning: NAME: ...".
std::vector<std::string> SearchWarnings(const SearchConfig& config);

// The text of --help.
std::string SearchHelp();

// The record of a run: ConfigText.
std::string SearchConfigText(const SearchConfig& config);

}  // namespace fairdarts

#endif  // TRAINING_CONFIG_H_
