#ifndef SEARCH_SPACE_ENGINE_BATCH_NORM_H_
#define SEARCH_SPACE_ENGINE_BATCH_NORM_H_

// One batch norm as the weighted sums that lane_norm applies.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fairdarts {

// What batch norm normalises with.
enum class NormStatistics {
  kBatch,    // in training: the batch's, which move the running ones
  kRunning,  // in evaluation
};

// Sums over the lanes of [rows][kLanes], in order.
void AddLanes(const float* lanes, int rows, double* sums);

// The statistics of a batch come together in two steps, so that the number of
// threads does not change a bit: each block's in a slot of its own, then
// those of all blocks in order.
class LaneBatchNorm {
 public:
  explicit LaneBatchNorm(int channels);

  void Resize(int blocks);

  // `running` is [2][channels], the mean and behind it the variance, and moves
  // with each forward. A batch norm that several edges share has several.
  void AddRunning(float* running) { running_.push_back(running); }

  // [2][channels] of a block: sum of y, sum of y * y.
  double* block_sums(int block) { return &blocks_[2 * channels_ * block]; }

  // From all blocks' sums, `count` values a channel: yhat = a*y + b. Moves the
  // running statistics as torch does (momentum 0.1, variance unbiased).
  void FinishForward(int blocks, int64_t count);

  // From the running statistics instead: those added as number `index`.
  void UseRunning(size_t index);

  // Gives yhat' = weight * yhat + bias instead.
  void SetAffine(const float* weight, const float* bias);

  // a, b: [channels].
  const float* factors() const { return factors_.data(); }
  const float* terms() const { return terms_.data(); }
  const std::vector<double>& mean() const { return mean_; }
  const std::vector<double>& inverse_deviation() const { return inverse_; }

  // From `sums` and `dots`, those of g and g*y over the whole batch, the
  // gradient dy = A*g + B*y + D where the gradient of yhat is weight * g.
  // Returns sum of g*yhat over all channels: the gradient of `weight`, where it
  // scales the output.
  double FinishBackward(const double* sums, const double* dots, int64_t count,
                        double weight);

  // The same in terms of yhat: dy = A*g + B*yhat + D from the sums of g and
  // g*yhat.
  void FinishBackwardNormalized(const double* sums, const double* dots,
                                int64_t count);

  // The same behind SetAffine(): g is the gradient of the affine output; gives
  // those of weight and bias as well.
  void FinishAffineBackward(const double* sums, const double* dots,
                            int64_t count, const float* weight, float* d_weight,
                            float* d_bias);

  // FinishBackward() for an output that several edges scale: between Begin and
  // the last Add, the g of each edge has its own A = weight * inverse
  // deviation.
  void BeginBackward();
  double AddBackward(const double* sums, const double* dots, int64_t count,
                     double weight);

  // A and B: [2][channels]; D: [channels].
  const float* gradient_factors() const { return gradient_factors_.data(); }
  const float* gradient_terms() const { return gradient_terms_.data(); }

 private:
  void SetStatistics(int channel, double mean, double variance);

  int channels_;
  std::vector<float*> running_;
  std::vector<double> blocks_;
  std::vector<double> mean_;
  std::vector<double> inverse_;
  std::vector<float> factors_;
  std::vector<float> terms_;
  std::vector<float> gradient_factors_;
  std::vector<float> gradient_terms_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_BATCH_NORM_H_
