#include "training/random_search_command.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/status.h"
#include "fairdarts/random_search.h"
#include "genotypes/python_literal.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace fairdarts {

absl::Status CheckRandomSearchFlags(const SearchConfig& flags) {
  std::vector<const google::protobuf::FieldDescriptor*> given;
  flags.GetReflection()->ListFields(flags, &given);
  for (const google::protobuf::FieldDescriptor* const field : given) {
    bool known = false;
    for (const absl::string_view name :
         {"random_search", "seed", "num_identity", "num_arch",
          "flops_threshold", "recipe", "config"}) {
      known |= field->name() == std::string(name);
    }
    if (known) continue;
    return UsageError(absl::StrCat(
        "--", field->name(),
        ": random search looks only at --seed, --num_identity, --num_arch and "
        "--flops_threshold; leave it out"));
  }
  return absl::OkStatus();
}

absl::Status RandomSearch(const SearchConfig& config, RunLog& log) {
  constexpr double kMega = 1e6;
  RandomSearchOptions options;
  options.seed = config.seed();
  options.num_arch = config.num_arch();
  options.num_identity = config.num_identity();
  options.min_mega_macs = config.flops_threshold();
  FD_ASSIGN_OR_RETURN(const std::vector<RandomGenotype> list,
                      RandomGenotypes(options));
  log.Info(absl::StrCat(
      "# Random genotypes of seed ", options.seed,
      ". Skips: in the normal cell; FLOPS: multiply-adds, Params: without the\n"
      "# auxiliary head, of the CIFAR network with 36 channels and 20 cells."));
  for (size_t i = 0; i < list.size(); ++i) {
    const RandomGenotype& found = list[i];
    log.Info(absl::StrFormat(
        "# Skips: %d, FLOPS: %.2fM, Params: %.3fM\narch_%d = %s", found.skips,
        static_cast<double>(found.cost.macs) / kMega,
        static_cast<double>(found.cost.parameters) / kMega, i,
        ToPythonText(found.genotype)));
  }
  return absl::OkStatus();
}

}  // namespace fairdarts
