#include "training/random_search_command.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "fairdarts/base/status.h"
#include "fairdarts/random_search.h"
#include "genotypes/python_literal.h"

namespace fairdarts {

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
