#ifndef TRAINING_CLASSIFICATION_H_
#define TRAINING_CLASSIFICATION_H_

// How well something classifies.

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "training/data/batch.h"

namespace fairdarts {

// Counts over images; fractions are of `images`.
struct Classification {
  explicit Classification(int classes)
      : classes(classes), confusion(int64_t{classes} * classes) {}

  double loss() const { return loss_sum / static_cast<double>(images); }
  double top1() const { return Fraction(top1_correct); }
  double top5() const { return Fraction(top5_correct); }

  int classes;
  int64_t images = 0;
  double loss_sum = 0;       // of the cross-entropy
  int64_t top1_correct = 0;  // the label has the largest logit
  // The label is among the five largest logits, or among all where there are
  // fewer classes.
  int64_t top5_correct = 0;
  // [label][class with the largest logit], row-major.
  std::vector<int64_t> confusion;

 private:
  double Fraction(int64_t count) const {
    return static_cast<double>(count) / static_cast<double>(images);
  }
};

// Adds a batch: logits [N, classes], labels [N] int64. Of equal logits the
// class with the lower number counts as the larger.
void Count(const torch::Tensor& logits, const torch::Tensor& labels,
           Classification& counts);

// Images [N, C, H, W] to logits [N, classes].
using Classifier = std::function<torch::Tensor(const torch::Tensor& images)>;

// Classifies samples [begin, end) without augmentation, in order, `batch_size`
// at a time; what torch throws comes back as a Status. `after_batch`, where
// there is one, sees the logits of each batch and ends it all with an error.
absl::StatusOr<Classification> Classify(
    const Classifier& classifier, int classes, const BatchMaker& batches,
    int64_t begin, int64_t end, int64_t batch_size,
    const std::function<absl::Status(const torch::Tensor& logits)>&
        after_batch = nullptr);

}  // namespace fairdarts

#endif  // TRAINING_CLASSIFICATION_H_
