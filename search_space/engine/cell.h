#ifndef SEARCH_SPACE_ENGINE_CELL_H_
#define SEARCH_SPACE_ENGINE_CELL_H_

// A cell of the search network, forward and backward (search_cell.h has it in
// plain words). What makes it fast:
//
// - Pools and the ReLU of a state are computed once for all edges that leave
//   it, and so is their backward, on the sum of the gradients of those edges.
// - Of every convolution only the output of the 1x1 is kept, before batch norm:
//   the normalisation happens where the next reader loads it, the depthwise
//   output is computed once more for the weight gradients.
// - The gradient of an edge's weight for candidate o is sum(g * yhat_o), which
//   the backward of o's batch norm needs anyway.
//
// All threads call each function together.

#include <array>
#include <vector>

#include "search_space/engine/batch_norm.h"
#include "search_space/engine/edge_noise.h"
#include "search_space/engine/lane_tensor.h"
#include "search_space/engine/network_layout.h"
#include "search_space/engine/pointwise.h"
#include "search_space/engine/separable.h"
#include "search_space/engine/worker.h"

namespace fairdarts {

inline constexpr int kStates = kCellInputs + kS1Nodes;
// The last node feeds no edge.
inline constexpr int kSources = kStates - 1;
inline constexpr int kEdgeCandidates = 7;

struct MapSize {
  int height = 0;
  int width = 0;
  int64_t pixels() const { return int64_t{height} * width; }
  // Behind a stride of 2.
  MapSize Halved() const { return {(height + 1) / 2, (width + 1) / 2}; }
};

// Memory for the whole batch that cells use one after the other.
struct CellScratch {
  static constexpr int kTensors = 6;  // of Cell::ScratchSize() each

  float* relu = nullptr;    // max(state, 0)
  float* source = nullptr;  // the gradient of that
  float* halves[2] = {};    // the gradients between two halves of a sep_conv
  float* states[2] = {};    // the gradients of the first two states
};

// What a cell works on; all tensors hold all blocks.
struct CellTensors {
  LaneTensor before_previous;
  LaneTensor previous;
  LaneTensor output;
};

class Cell {
 public:
  // The sizes of the input maps: that of `previous` follows from it.
  Cell(const EngineKernels* kernels, const CellLayout& layout,
       MapSize before_previous, float* running);

  MapSize state_size() const { return state_size_; }
  MapSize output_size() const { return output_size_; }
  WorkerSizes Sizes() const;
  // Floats of a block: kept from forward to backward, and of each tensor of
  // CellScratch.
  int64_t SavedSize() const;
  int64_t ScratchSize() const;
  int64_t LargestGradientRange() const;

  // `saved` holds SavedSize() * blocks floats.
  void SetMemory(float* saved, const CellScratch& scratch, int blocks);

  // The convolutions' weights, by number: the threads share the work.
  int units() const { return 2 + kS1Edges * (kEdgeUnits + 1); }
  void Pack(int unit, const float* parameters);

  // weights [kS1Edges][kEdgeCandidates]. Each edge takes its own part of the
  // noise.
  void Forward(Team& team, int thread, const BatchBlocks& batch,
               const CellTensors& tensors, const float* weights,
               NormStatistics statistics, const EdgeNoise& noise,
               Worker& worker);

  // Of the gradient of the output (changed on the way), those of the inputs,
  // to which is added; without data where they are not wanted. The weights'
  // gradients are added to d_weights [kS1Edges][kEdgeCandidates], those of the
  // parameters are written, each where it is not null. The noise is that of the
  // forward: it is made once more, which costs less than to keep it would.
  struct BackwardArguments {
    CellTensors tensors;
    CellTensors gradients;
    const float* weights;
    EdgeNoise noise;
    double* d_weights;
    float* parameter_gradients;
    BlockGradients* block_gradients;
  };
  void Backward(Team& team, int thread, const BatchBlocks& batch,
                const BackwardArguments& arguments, Worker& worker);

 private:
  struct Edge {
    int source;
    int node;
    std::vector<Separable> units;
    std::vector<Pointwise> skip;  // one at stride 2, else none
    LaneTensor skip_y;
  };
  struct Source {
    explicit Source(int channels)
        : max_norm(channels), average_norm(channels) {}
    LaneTensor max_y;
    LaneTensor average_y;
    uint8_t* taps = nullptr;
    LaneBatchNorm max_norm;
    LaneBatchNorm average_norm;
  };

  // The noise of an edge's skip connection in a block of images.
  struct BlockNoise {
    LaneNoiseFunction add = nullptr;  // none
    std::array<uint64_t, kLanes> keys = {};
    float scale = 0;
    float* row = nullptr;  // where the sum goes
  };

  int stride(int source) const {
    return layout_.reduction && source < kCellInputs ? 2 : 1;
  }
  int channels() const { return static_cast<int>(layout_.channels); }
  LaneTensor State(const CellTensors& tensors, int state) const;
  LaneTensor Scratch(float* data, MapSize size) const;
  int64_t Count(const BatchBlocks& batch, MapSize size) const {
    return batch.images * size.pixels();
  }
  BlockNoise NoiseOf(const Edge& edge, EdgeNoise noise, int block,
                     Worker& worker) const;
  // Rows of all candidates. The noisy one lasts until the next call.
  std::array<const float*, kEdgeCandidates> Outputs(
      const Edge& edge, const LaneTensor& state, int block, int row,
      const BlockNoise& noise) const;

  void NormalizeInput(const BatchBlocks& batch, int block, int input);
  void PoolSource(const LaneTensor& state, int source, int block,
                  Worker& worker);
  void FirstHalves(Edge& edge, const LaneTensor& state,
                   const BatchBlocks& batch, int block, Worker& worker);
  void SecondHalves(Edge& edge, const BatchBlocks& batch, int block,
                    Worker& worker);
  void AddToNode(const Edge& edge, const LaneTensor& state,
                 const BatchBlocks& batch, int block, const float* weights,
                 const LaneTensor& node, const BlockNoise& noise);

  void EdgeDots(const Edge& edge, const LaneTensor& state, const LaneTensor& g,
                int block, const BlockNoise& noise, Worker& worker);
  void FinishEdgeDots(Edge& edge, const BatchBlocks& batch,
                      const float* weights, double* d_weights);
  void SecondHalvesBackward(const Edge& edge, const LaneTensor& g,
                            const BatchBlocks& batch, int block,
                            BlockGradients* gradients, Worker& worker);
  void FinishHalves(Edge& edge, const BatchBlocks& batch);
  void FirstHalvesBackward(const Edge& edge, const LaneTensor& state,
                           const LaneTensor& g, bool first,
                           const BatchBlocks& batch, int block,
                           BlockGradients* gradients, Worker& worker);
  void SourceBackward(int source, const BackwardArguments& a,
                      const BatchBlocks& batch, int block, Worker& worker);
  void PoolBackward(int source, bool max, const BackwardArguments& a,
                    const BatchBlocks& batch, int block, const LaneTensor& to,
                    Worker& worker);
  void InputBackward(Team& team, int thread, int input,
                     const BatchBlocks& batch, const BackwardArguments& a,
                     Worker& worker);
  // The gradient of a state: a part of the output's, or scratch.
  LaneTensor StateGradient(const BackwardArguments& a, int state) const;

  const EngineKernels* kernels_;
  CellLayout layout_;
  MapSize state_size_;   // of states 0 and 1
  MapSize output_size_;  // of the nodes
  std::vector<Pointwise> preprocess_;
  std::array<LaneTensor, kCellInputs> inputs_;  // states 0 and 1
  std::vector<Source> sources_;
  std::vector<Edge> edges_;
  std::vector<std::vector<int>> leaving_;  // the edges from each source
  CellScratch scratch_;
  // Sums of each block, [blocks][1 + kEdgeCandidates][channels] at most.
  std::vector<double> block_sums_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_CELL_H_
