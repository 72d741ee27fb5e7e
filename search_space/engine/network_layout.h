#ifndef SEARCH_SPACE_ENGINE_NETWORK_LAYOUT_H_
#define SEARCH_SPACE_ENGINE_NETWORK_LAYOUT_H_

// Where the parameters and running statistics of the S1 search network lie in
// two flat buffers: in the order and under the names of the state dict.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "genotypes/edge_layout.h"
#include "search_space/s1_config.h"

namespace fairdarts {

struct FlatTensor {
  std::string name;
  std::vector<int64_t> shape;
  int64_t offset = 0;
  int64_t size() const {
    int64_t size = 1;
    for (const int64_t extent : shape) size *= extent;
    return size;
  }
};

// What the running statistics of new batch norms begin with: variances of 1.
// The others are left as they are.
void StartStatistics(const std::vector<FlatTensor>& layout, float* statistics);

// Offsets of a 1x1 convolution with batch norm: of one weight, or of two, one
// behind the other, each half of the output channels (FactorizedReduce).
struct PointwiseLayout {
  int64_t weight = 0;
  int64_t norm = 0;
};

// Of ReLU, depthwise, 1x1, batch norm.
struct SeparableLayout {
  int64_t depthwise = 0;
  int64_t pointwise = 0;
  int64_t norm = 0;
};

inline constexpr int kS1Edges = 14;

// The separable convolutions of an edge: both halves of sep_conv_3x3 and of
// sep_conv_5x5, dil_conv_3x3, dil_conv_5x5.
inline constexpr int kEdgeUnits = 6;

struct EdgeLayoutOffsets {
  int64_t begin = 0;  // of all parameters of the edge
  int64_t end = 0;
  int64_t max_pool_norm = 0;
  int64_t average_pool_norm = 0;
  PointwiseLayout skip;  // at stride 2
  std::array<SeparableLayout, kEdgeUnits> units;
};

struct CellLayout {
  int64_t channels_before_previous = 0;
  int64_t channels_previous = 0;
  int64_t channels = 0;
  bool reduction = false;
  bool previous_reduction = false;
  std::array<PointwiseLayout, kCellInputs> preprocess;
  std::array<EdgeLayoutOffsets, kS1Edges> edges;
};

struct NetworkLayout {
  explicit NetworkLayout(const S1Config& config);

  std::vector<FlatTensor> parameters;
  int64_t parameter_size = 0;
  // running_mean and running_var, one behind the other, of every batch norm.
  std::vector<FlatTensor> statistics;
  int64_t statistic_size = 0;

  int64_t image_channels = 0;
  int64_t stem_channels = 0;
  int64_t stem_weight = 0;
  int64_t stem_norm_weight = 0;
  int64_t stem_norm_bias = 0;
  int64_t stem_norm = 0;
  std::vector<CellLayout> cells;
  int64_t classifier_channels = 0;
  int64_t classifier_weight = 0;
  int64_t classifier_bias = 0;

 private:
  int64_t AddParameter(const std::string& name, std::vector<int64_t> shape);
  int64_t AddNorm(const std::string& name, int64_t channels);
  PointwiseLayout AddPointwise(const std::string& name, int64_t in, int64_t out,
                               bool reduce);
  CellLayout AddCell(const std::string& name, CellLayout cell);
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_NETWORK_LAYOUT_H_
