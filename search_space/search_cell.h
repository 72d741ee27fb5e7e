#ifndef SEARCH_SPACE_SEARCH_CELL_H_
#define SEARCH_SPACE_SEARCH_CELL_H_

// A cell of the search network: four nodes, every edge undecided.

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "ops/operation.h"
#include "search_space/engine/edge_noise.h"
#include "search_space/mixed_op.h"

namespace fairdarts {

struct SearchCellOptions {
  int64_t channels_before_previous = 0;  // of the cell before the previous one
  int64_t channels_previous = 0;
  int64_t channels = 0;    // of each node; the output has four times as many
  bool reduction = false;  // halves height and width
  bool previous_reduction = false;  // the previous cell did
};

// node_j = sum over earlier states i of mixed_ij(state_i); the output is the
// four nodes side by side. States 0 and 1 are the two inputs, brought to
// `channels`. In a reduction cell the edges from them have stride 2.
class SearchCell : public torch::nn::Module {
 public:
  explicit SearchCell(const SearchCellOptions& options);

  // weights [14, 7] in the order of genotypes/edge_layout.h. Each edge takes
  // its own part of the noise.
  torch::Tensor Forward(const torch::Tensor& before_previous,
                        const torch::Tensor& previous,
                        const torch::Tensor& weights, EdgeNoise noise);

 private:
  std::shared_ptr<Operation> preprocess0_;
  std::shared_ptr<Operation> preprocess1_;
  std::vector<std::shared_ptr<MixedOp>> edges_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_SEARCH_CELL_H_
