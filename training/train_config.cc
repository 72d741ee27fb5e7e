#include "training/train_config.h"

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "google/protobuf/message.h"
#include "training/field_value.h"
#include "training/genotype_argument.h"
#include "training/program_config.h"
#include "training/recipes.h"

namespace fairdarts {
namespace {

absl::Status Validate(const google::protobuf::Message& message) {
  const auto& config = static_cast<const TrainConfig&>(message);
  if (config.warmup_epochs() >= config.epochs()) {
    return UsageError(absl::StrCat("warmup_epochs ", config.warmup_epochs(),
                                   ": must be below epochs, which is ",
                                   config.epochs()));
  }
  return CheckCommonRules(config);
}

// A genotype has many names.
absl::StatusOr<bool> Agree(absl::string_view field, const std::string& given,
                           const std::string& recorded) {
  if (field != "genotype") return false;
  if (given.empty()) return true;  // none is named
  FD_ASSIGN_OR_RETURN(const GenotypeArgument named,
                      ResolveGenotypeArgument(given, {}));
  const auto record = ResolveGenotypeArgument(recorded, {});
  return !recorded.empty() && record.ok() && record->genotype == named.genotype;
}

ProgramConfig Program() {
  ProgramConfig program;
  program.program = "train";
  program.summary = "Trains the network that a genotype describes.";
  program.recipes = TrainRecipes();
  program.default_recipe = kDefaultTrainRecipe;
  program.paper_recipe = "fairdarts-cifar10";
  program.validate = Validate;
  program.agree = Agree;
  return program;
}

}  // namespace

absl::StatusOr<ResolvedTrain> TrainFromCommandLine(int argc,
                                                   const char* const* argv) {
  ResolvedTrain resolved;
  FD_RETURN_IF_ERROR(
      ResolveConfig(Program(), argc, argv, resolved.config, resolved.note));
  return resolved;
}

absl::StatusOr<TrainConfig> TrainFromMessage(const TrainConfig& given) {
  TrainConfig config;
  FD_RETURN_IF_ERROR(ResolveGiven(Program(), given, config));
  return config;
}

absl::StatusOr<TrainConfig> TrainFromRecord(absl::string_view record,
                                            absl::string_view record_name,
                                            int argc, const char* const* argv) {
  TrainConfig given;
  FD_RETURN_IF_ERROR(GivenOnCommandLine(argc, argv, given));
  return TrainFromRecord(record, record_name, given);
}

absl::StatusOr<TrainConfig> TrainFromRecord(absl::string_view record,
                                            absl::string_view record_name,
                                            const TrainConfig& given) {
  TrainConfig config;
  FD_RETURN_IF_ERROR(
      ResolveFromRecord(Program(), given, record, record_name, config));
  if (given.has_parse_method() && !config.genotype().empty()) {
    GenotypeArgumentOptions options;
    options.parse_method = given.parse_method();
    FD_RETURN_IF_ERROR(ResolveGenotypeArgument(config.genotype(), options));
  }
  return config;
}

absl::Status ValidateTrainConfig(const TrainConfig& config) {
  FD_RETURN_IF_ERROR(CheckFields(config));
  return Validate(config);
}

std::string TrainHelp() { return ConfigHelp(Program(), TrainConfig()); }

std::string TrainConfigText(const TrainConfig& config) {
  return ConfigText(config);
}

}  // namespace fairdarts
