#include "training/config.h"

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/discretization.h"
#include "google/protobuf/message.h"
#include "training/field_value.h"
#include "training/program_config.h"
#include "training/recipes.h"

namespace fairdarts {
namespace {

absl::Status Validate(const google::protobuf::Message& message) {
  const auto& config = static_cast<const SearchConfig&>(message);
  // Weights are compared with it as floats.
  FD_RETURN_IF_ERROR(
      Annotate(CheckThreshold(static_cast<float>(config.op_threshold())),
               "op_threshold"));
  if (config.engine() == SearchConfig::FUSED &&
      config.memory_format() != Machine::AUTO) {
    return UsageError(
        "memory_format: the fused engine has an order of its own; give auto, "
        "or --engine=plain");
  }
  if (config.unrolled() && config.single_level()) {
    return UsageError(
        "unrolled: DARTS of second order looks a step of the weights ahead, "
        "which a single-level search has no other batch for; leave out one of "
        "--unrolled and --single_level");
  }
  if (config.reweight() && config.parse_method() != SearchConfig::DARTS) {
    return UsageError(
        "reweight: only genotypes of --parse_method=darts carry weights");
  }
  if (config.random_search() && config.estimate()) {
    return UsageError(
        "random_search: takes no steps whose time could be estimated; leave "
        "out --estimate");
  }
  return CheckCommonRules(config);
}

ProgramConfig Program() {
  ProgramConfig program;
  program.program = "search";
  program.summary = "Searches for the cells of a network with FairDARTS.";
  program.recipes = SearchRecipes();
  program.default_recipe = kDefaultSearchRecipe;
  program.paper_recipe = "fairdarts-cifar10";
  program.validate = Validate;
  return program;
}

}  // namespace

absl::StatusOr<ResolvedSearch> SearchFromCommandLine(int argc,
                                                     const char* const* argv) {
  ResolvedSearch resolved;
  FD_RETURN_IF_ERROR(
      ResolveConfig(Program(), argc, argv, resolved.config, resolved.note));
  return resolved;
}

absl::StatusOr<SearchConfig> SearchFromRecord(absl::string_view record,
                                              absl::string_view record_name,
                                              int argc,
                                              const char* const* argv) {
  SearchConfig given;
  FD_RETURN_IF_ERROR(GivenOnCommandLine(argc, argv, given));
  SearchConfig config;
  FD_RETURN_IF_ERROR(
      ResolveFromRecord(Program(), given, record, record_name, config));
  return config;
}

absl::Status ValidateSearchConfig(const SearchConfig& config) {
  FD_RETURN_IF_ERROR(CheckFields(config));
  return Validate(config);
}

std::string SearchHelp() { return ConfigHelp(Program(), SearchConfig()); }

std::string SearchConfigText(const SearchConfig& config) {
  return ConfigText(config);
}

}  // namespace fairdarts
