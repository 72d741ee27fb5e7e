#ifndef TRAINING_HISTORY_H_
#define TRAINING_HISTORY_H_

// The relaxed weight of every candidate at the start of every epoch.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "training/run_folder.h"

namespace fairdarts {

// The relaxed weights of both cells of S1, row-major
// [EdgeCount(kS1Nodes), kS1Candidates.size()] = [14, 7].
struct RelaxedWeights {
  std::vector<float> normal;
  std::vector<float> reduce;
};

class History {
 public:
  // Adds the weights at the start of the next epoch (the first call is epoch
  // 0). Another number of values than 14 * 7 is our own bug.
  void Append(RelaxedWeights weights);

  const std::vector<RelaxedWeights>& epochs() const { return epochs_; }

  // epoch,cell,node,from,op,weight: a row for each candidate and epoch, nodes
  // counted from 0 without the cell's inputs, `from` with them.
  std::string Csv() const;

  // Upstream's history_weight.json of one cell: "edge: (node, from), op: NAME"
  // to the list of weights over the epochs.
  std::string NormalJson() const;
  std::string ReduceJson() const;

  // history.csv, history.svg (see history_plot.h; `threshold` is its line),
  // normal/history_weight.json and reduce/history_weight.json.
  absl::Status WriteTo(const RunFolder& folder, double threshold) const;

 private:
  std::vector<RelaxedWeights> epochs_;
};

}  // namespace fairdarts

#endif  // TRAINING_HISTORY_H_
