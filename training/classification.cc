#include "training/classification.h"

#include <c10/core/InferenceMode.h>
#include <torch/nn/functional/loss.h>

#include <algorithm>
#include <utility>

#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "ops/torch_status.h"

namespace fairdarts {

void Count(const torch::Tensor& logits, const torch::Tensor& labels,
           Classification& counts) {
  FD_CHECK_EQ(logits.size(1), counts.classes);
  const torch::Tensor values = logits.to(torch::kCPU, torch::kFloat);
  counts.images += labels.size(0);
  counts.loss_sum +=
      torch::nn::functional::cross_entropy(
          values, labels,
          torch::nn::functional::CrossEntropyFuncOptions().reduction(
              torch::kSum))
          .item<double>();
  const torch::Tensor rows = values.contiguous();
  const float* row = rows.const_data_ptr<float>();
  for (int64_t n = 0; n < labels.size(0); ++n, row += counts.classes) {
    const int64_t label = labels[n].item<int64_t>();
    const int64_t chosen = std::max_element(row, row + counts.classes) - row;
    ++counts.confusion[label * counts.classes + chosen];
    counts.top1_correct += chosen == label;
    // Classes before the label in the order of the logits. NaN is never ahead
    // of anything, nor is anything ahead of it, so it must not be counted in.
    int64_t ahead = 0;
    for (int64_t c = 0; c < counts.classes; ++c) {
      if (row[c] > row[label] || (c < label && row[c] == row[label])) ++ahead;
    }
    counts.top5_correct += ahead < 5 && row[label] == row[label];
  }
}

absl::StatusOr<Classification> Classify(
    const Classifier& classifier, int classes, const BatchMaker& batches,
    int64_t begin, int64_t end, int64_t batch_size,
    const std::function<absl::Status(const torch::Tensor& logits)>&
        after_batch) {
  FD_CHECK_LT(begin, end);
  FD_CHECK_GT(batch_size, 0);
  return CatchTorch([&]() -> absl::StatusOr<Classification> {
    const c10::InferenceMode no_gradients;
    Classification counts(classes);
    const auto batch_from = [&](int64_t first) {
      return first < end
                 ? batches.Plain(first, std::min(first + batch_size, end))
                 : Batch();
    };
    Batch next = batch_from(begin);
    for (int64_t first = begin; first < end; first += batch_size) {
      const Batch batch = std::move(next);
      const torch::Tensor logits = classifier(batch.images);
      // While a GPU is at it.
      next = batch_from(first + batch_size);
      Count(logits, batch.labels, counts);
      if (after_batch) FD_RETURN_IF_ERROR(after_batch(logits));
    }
    return counts;
  });
}

}  // namespace fairdarts
