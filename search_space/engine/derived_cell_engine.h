#ifndef SEARCH_SPACE_ENGINE_DERIVED_CELL_ENGINE_H_
#define SEARCH_SPACE_ENGINE_DERIVED_CELL_ENGINE_H_

// A cell of a derived network in training mode, forward and backward
// (derived_cell.h has it in plain words). As in cell.h only the outputs of 1x1
// convolutions are kept, before batch norm, and nodes; beyond that
//
// - the cell's inputs are kept as the outputs of their 1x1 as well, and
//   normalised by whoever reads them;
// - what an edge adds to its node is w * s * (a*y + b) with the batch norm's a
//   and b and the scale s that drop path gives the image: a weighted sum whose
//   factors differ from lane to lane. The gradient takes the same way back: the
//   sums for the batch norm are scaled as their lanes are added;
// - states are taken level by level (a level's states read those of earlier
//   ones alone), so that threads wait for each other two or three times a level
//   and not for every edge.
//
// All threads call each function together.

#include <cstdint>
#include <vector>

#include "search_space/engine/batch_norm.h"
#include "search_space/engine/cell.h"
#include "search_space/engine/derived_layout.h"
#include "search_space/engine/lane_tensor.h"
#include "search_space/engine/pointwise.h"
#include "search_space/engine/separable.h"
#include "search_space/engine/worker.h"

namespace fairdarts {

// What drop path multiplies the images of each path with; none drops nothing.
struct PathScales {
  const float* scales = nullptr;  // [paths][images]
};

// One thread's memory beside its Worker.
struct CellWorker {
  // The sizes that the largest cell asks for, in floats.
  CellWorker(int64_t map, int64_t channels);

  LaneMemory state;   // of the block at hand: a state,
  LaneMemory relu;    // max(state, 0),
  LaneMemory source;  // the gradient of that
  // Factors and terms of each lane, for weighted sums.
  std::vector<float> factors;  // [kLaneInputs][channels][kLanes]
  std::vector<float> terms;    // [channels][kLanes]
};

class DerivedCellEngine {
 public:
  // `parameters` stay where they are. The sizes of the input maps: that of
  // `previous` follows from it.
  DerivedCellEngine(const EngineKernels* kernels,
                    const DerivedCellLayout& layout, MapSize before_previous,
                    const float* parameters, float* running);

  MapSize state_size() const { return state_size_; }
  MapSize output_size() const { return output_size_; }
  WorkerSizes Sizes() const;
  // Floats of CellWorker's maps.
  int64_t MapFloats() const;
  // Floats of a block: kept from forward to backward, and of the memory that
  // cells use one after the other.
  int64_t SavedSize() const;
  int64_t ScratchSize() const;
  int64_t LargestGradientRange() const { return layout_.end - layout_.begin; }

  void SetMemory(float* saved, float* scratch, int blocks);

  // The convolutions' weights, by number: the threads share the work.
  int units() const { return kCellInputs + static_cast<int>(edges_.size()); }
  void Pack(int unit);

  void Forward(Team& team, int thread, const BatchBlocks& batch,
               const CellTensors& tensors, const PathScales& paths,
               NormStatistics statistics, Worker& worker, CellWorker& memory);

  // Of the gradient of the output (changed on the way), those of the inputs, to
  // which is added; those of the parameters into `block_gradients` and from
  // there into `parameter_gradients`. What it puts into `block_gradients` may
  // still be read when it returns.
  struct BackwardArguments {
    CellTensors tensors;
    CellTensors gradients;
    PathScales paths;
    float* parameter_gradients;
    BlockGradients* block_gradients;
  };
  void Backward(Team& team, int thread, const BatchBlocks& batch,
                const BackwardArguments& arguments, Worker& worker,
                CellWorker& memory);

 private:
  using Kind = DerivedEdgeLayout::Kind;

  struct Edge {
    const DerivedEdgeLayout* layout;
    std::vector<Separable> units;
    std::vector<Pointwise> reduce;  // one at most
    LaneTensor reduce_y;
    LaneTensor half;  // the gradient between two units

    bool separable() const { return layout->units.size() == 2; }
    bool normalized() const { return !units.empty() || !reduce.empty(); }
    LaneBatchNorm* norm();  // of the output; null where there is none
    const LaneBatchNorm* norm() const;
    const AffineLayout& affine() const;
  };
  struct State {
    int level = 0;
    std::vector<int> entering;  // edges
    std::vector<int> leaving;
    bool max_pool = false;  // that an edge reads
    bool average_pool = false;
    bool relu = false;
    LaneTensor node;      // that is no part of the output
    LaneTensor gradient;  // the same; also of an input
    LaneTensor max_y;
    LaneTensor average_y;
    uint8_t* taps = nullptr;
  };
  // Input rows of a weighted sum, with what they are scaled by.
  struct Term {
    LaneTensor rows;
    const LaneBatchNorm* norm;  // may be null
    float weight;
    int path;
  };

  int channels() const { return static_cast<int>(layout_.channels); }
  int stride(int state) const {
    return layout_.reduction && state < kCellInputs ? 2 : 1;
  }
  MapSize SizeOf(int state) const {
    return state < kCellInputs ? state_size_ : output_size_;
  }
  int OutputPart(int state) const;  // its place in the output, or -1
  int64_t Count(const BatchBlocks& batch, MapSize size) const {
    return batch.images * size.pixels();
  }
  int64_t MapSizeOf(MapSize size) const;
  LaneTensor Map(float* data, MapSize size) const;
  // Of the block at hand, at every number of a block.
  LaneTensor OneBlock(const LaneMemory& memory, MapSize size) const;
  LaneTensor Node(const CellTensors& tensors, int state) const;
  LaneTensor Gradient(const BackwardArguments& a, int state) const;
  Term EdgeOutput(const Edge& edge, const CellTensors& tensors) const;
  double* BlockSums(int block, int slot);
  std::vector<double> SumBlocks(const BatchBlocks& batch, int slot);

  // The lanes' factors `weight * scale * factors` and the terms that belong to
  // them; null factors are ones, null terms zeros.
  void SetLanes(const BatchBlocks& batch, int block, const PathScales& paths,
                const Term& term, int input, const float* factors,
                const float* terms, CellWorker& memory) const;
  // to = the sum of `terms`, all rows of a block.
  void WeightedSum(const BatchBlocks& batch, int block, const PathScales& paths,
                   const std::vector<Term>& terms, const LaneTensor& to,
                   CellWorker& memory) const;
  LaneFactors GradientLanes(const BatchBlocks& batch, int block,
                            const PathScales& paths, const Edge& edge,
                            CellWorker& memory) const;

  void FinishForward(LaneBatchNorm& norm, const AffineLayout& affine,
                     const BatchBlocks& batch, MapSize size,
                     NormStatistics statistics);
  void FinishBackward(LaneBatchNorm& norm, const AffineLayout& affine,
                      const BatchBlocks& batch, MapSize size, int slot,
                      BlockGradients& gradients);

  // The rows [begin, end) of max(state, 0), and of the state where a pool reads
  // it, into the worker's memory.
  void LoadRows(const BatchBlocks& batch, int block, int state,
                const CellTensors& tensors, int begin, int end, bool pools,
                CellWorker& memory) const;
  void ForwardState(const BatchBlocks& batch, int block, int state,
                    const CellTensors& tensors, const PathScales& paths,
                    Worker& worker, CellWorker& memory);
  void SecondHalf(Edge& edge, const BatchBlocks& batch, int block,
                  Worker& worker);

  void Dots(const BatchBlocks& batch, int block, int level, int node,
            const BackwardArguments& a, Worker& worker);
  void SecondHalfBackward(const Edge& edge, const BatchBlocks& batch, int block,
                          const BackwardArguments& a, Worker& worker,
                          CellWorker& memory);
  void StateBackward(const BatchBlocks& batch, int block, int state,
                     const BackwardArguments& a, Worker& worker,
                     CellWorker& memory);
  void InputBackward(const BatchBlocks& batch, int block, int input,
                     const BackwardArguments& a, Worker& worker);

  const EngineKernels* kernels_;
  DerivedCellLayout layout_;
  const float* parameters_;
  MapSize state_size_;   // of states 0 and 1
  MapSize output_size_;  // of the nodes
  std::vector<Pointwise> preprocess_;
  LaneTensor inputs_[kCellInputs];  // before batch norm
  std::vector<Edge> edges_;
  std::vector<State> states_;
  std::vector<std::vector<int>> levels_;  // states that exist
  // [blocks][slots][2][channels]: two slots an edge, behind them the inputs'.
  std::vector<double> block_sums_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_DERIVED_CELL_ENGINE_H_
