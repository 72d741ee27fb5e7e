#include "fairdarts/classifier/top_classes.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::StatusOr<std::vector<ClassProbability>> TopClasses(
    absl::Span<const float> logits, int top) {
  FD_CHECK(!logits.empty() && top >= 1);
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!std::isfinite(logits[i])) {
      return NumbersError(absl::StrCat("the network's output for class ", i,
                                       " is ", logits[i],
                                       " instead of a finite number"));
    }
  }
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);

  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto end = order.begin() + std::min<ptrdiff_t>(top, order.size());
  std::partial_sort(order.begin(), end, order.end(), [&](int a, int b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  std::vector<ClassProbability> classes;
  for (auto index = order.begin(); index != end; ++index) {
    classes.push_back({*index, std::exp(logits[*index] - largest) / sum});
  }
  return classes;
}

}  // namespace fairdarts
