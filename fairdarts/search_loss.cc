#include "fairdarts/search_loss.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "ops/autocast.h"

namespace fairdarts {

SearchLoss ComputeSearchLoss(Supernet& supernet, const EdgeWeights& weights,
                             const Batch& batch,
                             const SearchLossOptions& options) {
  SearchLoss loss;
  {
    const Autocast autocast(options.bfloat16, batch.images.device().type());
    loss.logits = supernet.Forward(batch.images, weights);
  }
  if (options.bfloat16) loss.logits = loss.logits.to(torch::kFloat);
  loss.cross_entropy =
      torch::nn::functional::cross_entropy(loss.logits, batch.labels);
  loss.zero_one = ZeroOneLoss(weights, options.form);
  loss.total = loss.cross_entropy + options.zero_one_weight * loss.zero_one;
  if (options.prices.normal.defined()) {
    loss.cost = (weights.normal * options.prices.normal).sum() +
                (weights.reduce * options.prices.reduce).sum();
    loss.total = loss.total + loss.cost;
  }
  return loss;
}

absl::Status CheckFinite(const LossValues& values, absl::string_view side) {
  const struct {
    absl::string_view name;
    double value;
  } parts[] = {{"cross-entropy", values.cross_entropy},
               {"zero-one loss", values.zero_one},
               {"cost", values.cost},
               {"loss", values.total}};
  for (const auto& part : parts) {
    if (!std::isfinite(part.value)) {
      return NumbersError(absl::StrCat(
          side, " ", part.name, " is ", part.value,
          "; a smaller learning rate or gradient clip may keep it finite"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<LossValues> FiniteLossValues(const SearchLoss& loss,
                                            absl::string_view side) {
  const LossValues values{loss.total.item<double>(),
                          loss.cross_entropy.item<double>(),
                          loss.zero_one.item<double>(),
                          loss.cost.defined() ? loss.cost.item<double>() : 0};
  FD_RETURN_IF_ERROR(CheckFinite(values, side));
  return values;
}

}  // namespace fairdarts
