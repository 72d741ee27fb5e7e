#include "training/config.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "fairdarts/base/status.h"
#include "fairdarts/collapse.h"
#include "fairdarts/discretization.h"
#include "fairdarts/noise_schedule.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"
#include "google/protobuf/message.h"
#include "training/field_value.h"
#include "training/genotype_choice.h"
#include "training/machine.pb.h"
#include "training/parse_method.h"
#include "training/program_config.h"
#include "training/recipes.h"

namespace fairdarts {
namespace {

// What the end of a search would refuse is refused before it starts: here with
// weights that reach every threshold, so that what nothing can keep is a budget
// below the smallest genotype.
absl::Status CheckChoice(const SearchConfig& config) {
  // Weights are compared with it as floats.
  FD_RETURN_IF_ERROR(
      Annotate(CheckThreshold(static_cast<float>(config.op_threshold())),
               "op_threshold"));
  const int rows = EdgeCount(kS1Nodes);
  const int columns = static_cast<int>(kS1Candidates.size());
  const EdgeMatrix all = {
      rows, columns,
      std::vector<float>(static_cast<size_t>(rows) * columns, 1)};
  return ChooseGenotype(all, all, ChoiceOptions(config)).status();
}

// What the fused engine lacks of what is asked for, or empty.
absl::string_view FusedEngineLacks(const SearchConfig& config) {
  if (config.device() == SearchConfig::CUDA) {
    return "device cuda: the fused engine computes on the CPU alone; give cpu";
  }
  if (config.precision() == Machine::BF16) {
    return "precision bf16: the fused engine computes in fp32 alone; give fp32";
  }
  if (config.memory_format() != Machine::AUTO) {
    return "memory_format: the fused engine has an order of its own; give auto";
  }
  return "";
}

// What the machine cannot do for a search.
absl::Status CheckMachine(const SearchConfig& config) {
  const absl::string_view lacks = FusedEngineLacks(config);
  if (config.engine() == SearchConfig::FUSED && !lacks.empty()) {
    return UsageError(absl::StrCat(lacks, ", or --engine=plain"));
  }
  if (config.unrolled() && config.precision() == Machine::BF16) {
    return UsageError(
        "precision bf16: the difference of gradients that --unrolled takes is "
        "smaller than bf16 can tell; use fp32");
  }
  if (config.estimate() && config.device() == SearchConfig::CUDA) {
    return UsageError(
        "estimate: it measures this process' memory, not a GPU's; leave out "
        "--device=cuda");
  }
  return absl::OkStatus();
}

absl::Status Validate(const google::protobuf::Message& message) {
  const auto& config = static_cast<const SearchConfig&>(message);
  FD_RETURN_IF_ERROR(CheckChoice(config));
  FD_RETURN_IF_ERROR(CheckMachine(config));
  if (config.unrolled() && config.single_level()) {
    return UsageError(
        "unrolled: DARTS of second order looks a step of the weights ahead, "
        "which a single-level search has no other batch for; leave out one of "
        "--unrolled and --single_level");
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
  program.summary =
      "Searches for the cells of a network with FairDARTS or DARTS.";
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

absl::StatusOr<SearchConfig> SearchFromMessage(const SearchConfig& given) {
  SearchConfig config;
  FD_RETURN_IF_ERROR(ResolveGiven(Program(), given, config));
  return config;
}

absl::StatusOr<SearchConfig> SearchFromRecord(absl::string_view record,
                                              absl::string_view record_name,
                                              int argc,
                                              const char* const* argv) {
  SearchConfig given;
  FD_RETURN_IF_ERROR(GivenOnCommandLine(argc, argv, given));
  return SearchFromRecord(record, record_name, given);
}

absl::StatusOr<SearchConfig> SearchFromRecord(absl::string_view record,
                                              absl::string_view record_name,
                                              const SearchConfig& given) {
  SearchConfig config;
  FD_RETURN_IF_ERROR(
      ResolveFromRecord(Program(), given, record, record_name, config));
  return config;
}

absl::Status ValidateSearchConfig(const SearchConfig& config) {
  FD_RETURN_IF_ERROR(CheckFields(config));
  return Validate(config);
}

bool UsesFusedEngine(const SearchConfig& config) {
  return config.engine() != SearchConfig::PLAIN &&
         FusedEngineLacks(config).empty();
}

std::vector<std::string> SearchWarnings(const SearchConfig& config) {
  std::vector<std::string> warnings;
  if (config.relaxation() == SearchConfig::SOFTMAX &&
      config.aux_loss_weight() > 0) {
    warnings.push_back(absl::StrCat(
        "warning: zero-one loss with softmax: the weights of an edge sum to 1, "
        "so that at most one of them can be near 1, and candidates near 0 are "
        "left as ties; --aux_loss_weight=0 is DARTS"));
  }
  if (config.noise_darts()) {
    const absl::StatusOr<float> scale =
        NoiseScale(SchedulerOf(config), config.epochs() - 1, config.max_step());
    if (scale.ok() && *scale > 0) {
      warnings.push_back(absl::StrFormat(
          "warning: noise to the end: max_step %d leaves noise of scale %.3g "
          "in the last of %d epochs",
          config.max_step(), *scale, config.epochs()));
    }
  }
  if (config.early_stop() == SearchConfig::EIGENVALUE &&
      config.epochs() <= 2 * kEigenvalueWindow) {
    warnings.push_back(
        absl::StrFormat("warning: early stop too late: the eigenvalue's rule "
                        "compares two times "
                        "%d epochs, and the search has %d",
                        kEigenvalueWindow, config.epochs()));
  }
  return warnings;
}

std::string SearchHelp() { return ConfigHelp(Program(), SearchConfig()); }

std::string SearchConfigText(const SearchConfig& config) {
  return ConfigText(config);
}

}  // namespace fairdarts
