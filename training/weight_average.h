#ifndef TRAINING_WEIGHT_AVERAGE_H_
#define TRAINING_WEIGHT_AVERAGE_H_

// The exponential moving average of a network's weights.

#include <torch/types.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "torch/nn/module.h"
#include "training/checkpoint/snapshot.h"

namespace fairdarts {

// average = decay * average + (1 - decay) * value after each step, over all
// parameters and over batch norm's running statistics; counters are taken as
// they are. Starts from the values at construction (Polyak and Juditsky, 1992;
// the form is Tarvainen and Valpola's, arXiv 1703.01780). Not thread-safe.
class WeightAverage {
 public:
  // 0 < decay < 1. The module must outlive it.
  WeightAverage(torch::nn::Module* module, double decay);

  void Update();

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
  std::vector<Value> values_;
};

}  // namespace fairdarts

#endif  // TRAINING_WEIGHT_AVERAGE_H_
