#include "training/profiling/conventions.h"

#include <limits>

#include "absl/numeric/int128.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

absl::StatusOr<int64_t> Checked(absl::int128 count) {
  if (count > std::numeric_limits<int64_t>::max()) {
    return UsageError("the network is too large to count");
  }
  return static_cast<int64_t>(count);
}

// A pool costs thop its kernel as written in the code plus a division, per
// output. It multiplies the kernel's sizes over the tuple it is given; a 3x3
// pool is given the number 3, so it costs 3 additions, not 9. The CIFAR
// network's last pool is an adaptive one, whose kernel is worked out in both
// directions; the ImageNet network's is an average pool of "7".
absl::int128 LastPool(const NetworkCost& cost, const NetworkConfig& config) {
  constexpr int kImageNetPool = 7;
  const absl::int128 additions =
      config.kind == NetworkConfig::Kind::kCifar
          ? absl::int128(cost.feature_map) * cost.feature_map
          : absl::int128(kImageNetPool);
  return cost.features * (additions + 1);
}

absl::int128 Thop(const NetworkCost& cost, const NetworkConfig& config,
                  int per_max_pool_output) {
  constexpr int kPerAveragePoolOutput = 3 + 1;
  // Of the linear layer both the products and the sums between them.
  const absl::int128 linear_sums =
      absl::int128(cost.features - 1) * config.classes;
  return cost.total.macs + linear_sums + LastPool(cost, config) +
         absl::int128(cost.total.average_pool_outputs) * kPerAveragePoolOutput +
         absl::int128(cost.total.max_pool_outputs) * per_max_pool_output;
}

absl::StatusOr<int64_t> LateThop(const NetworkCost& cost,
                                 const NetworkConfig& config) {
  return Checked(Thop(cost, config, /*per_max_pool_output=*/0));
}

absl::StatusOr<int64_t> EarlyThop(const NetworkCost& cost,
                                  const NetworkConfig& config) {
  return Checked(Thop(cost, config, /*per_max_pool_output=*/3));
}

absl::StatusOr<int64_t> Macs(const NetworkCost& cost, const NetworkConfig&) {
  return cost.total.macs;
}

absl::StatusOr<int64_t> WithHead(const NetworkCost& cost,
                                 const NetworkConfig&) {
  return cost.total.parameters;
}

absl::StatusOr<int64_t> WithoutHead(const NetworkCost& cost,
                                    const NetworkConfig&) {
  return cost.total.parameters - cost.auxiliary.parameters;
}

}  // namespace

const std::vector<Convention>& FlopsConventions() {
  static const auto& conventions = *new std::vector<Convention>{
      {"thop-0.0.31",
       "multiply-accumulates of convolutions; multiplications and additions of "
       "the classifier; 4 an output of a 3x3 average pool; the last pool's "
       "additions and division; no batch norm, no max pool",
       LateThop},
      {"thop-0.0.22",
       "as thop-0.0.31, and 3 an output of a max pool (versions up to June "
       "2019)",
       EarlyThop},
      {"conv+linear", "multiply-accumulates of convolutions and classifier",
       Macs},
  };
  return conventions;
}

const std::vector<Convention>& ParameterConventions() {
  static const auto& conventions = *new std::vector<Convention>{
      {"with-head", "all that is trained, the auxiliary head's too", WithHead},
      {"without-head", "all that is trained but the auxiliary head's",
       WithoutHead},
  };
  return conventions;
}

absl::StatusOr<int64_t> CountBy(const Convention& convention,
                                const Genotype& genotype,
                                NetworkConfig config) {
  config.auxiliary = true;
  FD_ASSIGN_OR_RETURN(const NetworkCost cost,
                      ComputeNetworkCost(genotype, config));
  return convention.count(cost, config);
}

}  // namespace fairdarts
