#ifndef FAIRDARTS_SEARCH_LOSS_H_
#define FAIRDARTS_SEARCH_LOSS_H_

// What a search minimises, over the weights w and over the alphas alike
// (FairDARTS, arXiv 1911.12126):
//
//   L(w, alpha) = cross_entropy(f(x; w, relaxed alpha), y)
//                 + zero_one_weight * L_01(alpha) + cost(alpha)
//
// The cost is what the candidates are expected to cost where each is taken
// with its relaxed weight as its probability (ProxylessNAS, arXiv 1812.00332,
// section 3.3):
//
//   cost(alpha) = sum over edges e and candidates o of weight_eo * price_eo

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fairdarts/batch.h"
#include "fairdarts/zero_one_loss.h"
#include "search_space/supernet.h"

namespace fairdarts {

struct SearchLossOptions {
  ZeroOneForm form = ZeroOneForm::kL2;
  double zero_one_weight = 10;
  // Of each candidate on each edge, already weighted; undefined: none.
  EdgeWeights prices;
  bool bfloat16 = false;  // autocast of the network's forward
};

struct SearchLoss {
  torch::Tensor total;
  torch::Tensor cross_entropy;  // mean over the batch
  torch::Tensor zero_one;       // unweighted
  torch::Tensor cost;           // undefined without prices
  torch::Tensor logits;         // [N, classes]
};

// The same as plain numbers.
struct LossValues {
  double total = 0;
  double cross_entropy = 0;
  double zero_one = 0;
  double cost = 0;
};

// Runs the network forward. Throws what torch throws.
SearchLoss ComputeSearchLoss(Supernet& supernet, const EdgeWeights& weights,
                             const Batch& batch,
                             const SearchLossOptions& options);

// OK, or a numbers error that names the first part that is not finite.
absl::Status CheckFinite(const LossValues& values, absl::string_view side);

// The values of a loss, or a numbers error that names the first part that is
// not finite: "SIDE cross-entropy is nan; ...". Waits for the device.
absl::StatusOr<LossValues> FiniteLossValues(const SearchLoss& loss,
                                            absl::string_view side);

}  // namespace fairdarts

#endif  // FAIRDARTS_SEARCH_LOSS_H_
