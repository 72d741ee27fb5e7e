#ifndef TRAINING_WEIGHT_AVERAGE_H_
#define TRAINING_WEIGHT_AVERAGE_H_

// The exponential moving average of a network's weights.

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "torch/nn/module.h"
#include "training/checkpoint/snapshot.h"

namespace fairdarts {

// After update n, from 0:
//   average = d * average + (1 - d) * value,   d = min(decay, (1 + n) / (10 +
//   n))
// over all parameters and over batch norm's running statistics; counters are
// taken as they are. The average starts from the values at construction; the
// rising d lets it forget them in the first steps, whatever the decay (the form
// is TensorFlow's ExponentialMovingAverage with num_updates; Tarvainen and
// Valpola, arXiv 1703.01780, use such a ramp too). Not thread-safe.
class WeightAverage {
 public:
  // 0 < decay < 1. The module must outlive it.
  WeightAverage(torch::nn::Module* module, double decay);

  void Update();

  // The same in a few operations over all values at once, none of which reads
  // one on the host: a graph may record them. `weight` [] is WeightOf() the
  // update, on the values' device; CountUpdate() has to follow.
  void Update(const torch::Tensor& weight);
  // 1 - d of an update, numbered from 0.
  double WeightOf(int64_t update) const;
  void CountUpdate() { ++updates_; }

  // Updates so far.
  int64_t updates() const { return updates_; }

  // Runs `function` while the module holds the averages, then gives it its
  // own values back, the same bits.
  absl::Status Within(const std::function<absl::Status()>& function);

  void PutInto(Snapshot& snapshot) const;
  absl::Status TakeFrom(const Snapshot& snapshot);

 private:
  struct Value {
    std::string name;
    torch::Tensor live;  // the module's own
    torch::Tensor average;
  };

  void Swap();

  const double decay_;
  int64_t updates_ = 0;
  std::vector<Value> values_;
};

}  // namespace fairdarts

#endif  // TRAINING_WEIGHT_AVERAGE_H_
