#ifndef TRAINING_TRAIN_CONFIG_H_
#define TRAINING_TRAIN_CONFIG_H_

// The configuration of the training of a derived network from recipe, file and
// flags, under the rules of training/program_config.h.

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "training/train_config.pb.h"

namespace fairdarts {

inline constexpr char kDefaultTrainRecipe[] = "quick";

struct ResolvedTrain {
  // As ResolveConfig leaves it. `genotype` is what was typed; the run records
  // GenotypeArgument::record in its place (training/genotype_argument.h).
  TrainConfig config;
  // A line for the user, or empty: flags changed a recipe that nobody named.
  std::string note;
};

absl::StatusOr<ResolvedTrain> TrainFromCommandLine(int argc,
                                                   const char* const* argv);

// The same where a message states what flags would: ResolveGiven.
absl::StatusOr<TrainConfig> TrainFromMessage(const TrainConfig& given);

// The configuration of a training that is resumed from the record in
// `record_name`, with the flags that may differ from it: ResolveFromRecord. A
// genotype may be given by another name of the same one, a parse method if it
// is that of the tuples.
absl::StatusOr<TrainConfig> TrainFromRecord(absl::string_view record,
                                            absl::string_view record_name,
                                            int argc, const char* const* argv);

// The same where a message states what flags would.
absl::StatusOr<TrainConfig> TrainFromRecord(absl::string_view record,
                                            absl::string_view record_name,
                                            const TrainConfig& given);

// The rules of single fields and those between fields.
absl::Status ValidateTrainConfig(const TrainConfig& config);

// The text of --help.
std::string TrainHelp();

// The record of a run: ConfigText.
std::string TrainConfigText(const TrainConfig& config);

}  // namespace fairdarts

#endif  // TRAINING_TRAIN_CONFIG_H_
