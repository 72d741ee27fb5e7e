#include "training/supernet_evaluation.h"

#include <torch/torch.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "ops/torch_status.h"

namespace fairdarts {

absl::StatusOr<Evaluation> EvaluateSupernet(Supernet& supernet,
                                            const EdgeWeights& weights,
                                            const BatchMaker& batches,
                                            int64_t begin, int64_t end,
                                            int64_t batch_size) {
  FD_CHECK_LT(begin, end);
  FD_CHECK_GT(batch_size, 0);
  supernet.eval();
  const auto restore = absl::MakeCleanup([&] { supernet.train(); });
  const torch::InferenceMode no_gradients;
  return CatchTorch([&]() -> absl::StatusOr<Evaluation> {
    double loss = 0;
    int64_t correct = 0;
    for (int64_t first = begin; first < end; first += batch_size) {
      const Batch batch =
          batches.Plain(first, std::min(first + batch_size, end));
      const torch::Tensor logits = supernet.Forward(batch.images, weights);
      loss += torch::nn::functional::cross_entropy(
                  logits, batch.labels,
                  torch::nn::functional::CrossEntropyFuncOptions().reduction(
                      torch::kSum))
                  .item<double>();
      correct += logits.argmax(1).eq(batch.labels).sum().item<int64_t>();
    }
    const double samples = static_cast<double>(end - begin);
    return Evaluation{loss / samples, static_cast<double>(correct) / samples};
  });
}

}  // namespace fairdarts
