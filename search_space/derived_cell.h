#ifndef SEARCH_SPACE_DERIVED_CELL_H_
#define SEARCH_SPACE_DERIVED_CELL_H_

// A cell of the network that a genotype describes.

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "genotypes/genotype.h"
#include "ops/operation.h"
#include "search_space/path_dropper.h"

namespace fairdarts {

struct DerivedCellOptions {
  int64_t channels_before_previous = 0;  // of the cell before the previous one
  int64_t channels_previous = 0;
  int64_t channels = 0;             // of each node
  bool reduction = false;           // halves height and width
  bool previous_reduction = false;  // the previous cell did
};

// node_j = sum over its edges of w_e * op_e(state_from(e)); w_e is 1 but in a
// weighted genotype. The output is the states of the cell's graph
// (genotypes/cell_graph.h) side by side. States 0 and 1 are the two inputs,
// brought to `channels`; in a reduction cell edges from them have stride 2.
//
// In training paths are dropped, in pair and weighted cells on each edge but
// identities, in threshold cells on each node's sum. State-dict names are
// upstream's: _ops.EDGE in pair cells, _ops.TO.FROM.K in threshold cells, where
// an edge that reads a missing node has none.
class DerivedCell : public torch::nn::Module {
 public:
  // `cell` is one of a genotype of this form that CheckBuildable accepts, and
  // channels are even where a skip connection has stride 2.
  DerivedCell(const GenotypeCell& cell, GenotypeForm form,
              const DerivedCellOptions& options);

  torch::Tensor Forward(const torch::Tensor& before_previous,
                        const torch::Tensor& previous, PathDropper& dropper);

  int64_t output_channels() const { return output_channels_; }

  // How many paths Forward() drops in training.
  int64_t paths() const;

 private:
  struct Edge {
    std::shared_ptr<Operation> op;
    int from;
    double weight;
    bool identity;
  };
  struct Node {
    int state;
    std::vector<Edge> edges;  // those that read a state that exists
  };

  const GenotypeForm form_;
  std::shared_ptr<Operation> preprocess0_;
  std::shared_ptr<Operation> preprocess1_;
  std::vector<Node> nodes_;  // ascending, so that sources come first
  std::vector<int> output_;
  int states_;
  int64_t output_channels_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_DERIVED_CELL_H_
