#ifndef SEARCH_SPACE_ENGINE_DERIVED_LAYOUT_H_
#define SEARCH_SPACE_ENGINE_DERIVED_LAYOUT_H_

// Where the parameters and running statistics of a derived CIFAR network lie in
// two flat buffers, and what its cells compute in which order.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"
#include "search_space/engine/network_layout.h"

namespace fairdarts {

// Offsets of the weight and bias of a batch norm.
struct AffineLayout {
  int64_t weight = 0;
  int64_t bias = 0;
};

struct AffinePointwiseLayout {
  PointwiseLayout convolution;
  AffineLayout affine;
};

struct AffineSeparableLayout {
  SeparableLayout convolution;
  AffineLayout affine;
  int kernel = 3;
  int stride = 1;
  int dilation = 1;
};

// An edge that reads a state that exists.
struct DerivedEdgeLayout {
  enum class Kind { kIdentity, kMaxPool, kAveragePool, kReduce, kSeparable };

  Kind kind = Kind::kIdentity;
  int from = 0;
  int to = 0;
  float weight = 1;
  // Which path of the network is dropped with it; -1: none. Paths are numbered
  // in the order in which the plain network draws them.
  int path = -1;
  AffinePointwiseLayout reduce;
  // One behind the other: two of a sep_conv, one of a dil_conv.
  std::vector<AffineSeparableLayout> units;
};

struct DerivedCellLayout {
  int64_t channels_before_previous = 0;
  int64_t channels_previous = 0;
  int64_t channels = 0;
  bool reduction = false;
  bool previous_reduction = false;
  std::array<AffinePointwiseLayout, kCellInputs> preprocess;
  int64_t begin = 0;  // of all parameters of the cell
  int64_t end = 0;
  int states = 0;
  std::vector<bool> exists;              // [states]
  std::vector<int> output;               // the states that are concatenated
  std::vector<DerivedEdgeLayout> edges;  // in the order of their nodes
  int64_t output_channels() const {
    return channels * static_cast<int64_t>(output.size());
  }
};

// Whether the engine computes this network; else a usage error that says what
// it lacks. For what ComputeNetworkCost accepts.
absl::Status CheckDerivedEngine(const Genotype& genotype,
                                const NetworkConfig& config);

// The stem and the cells; neither auxiliary head nor classifier.
struct DerivedLayout {
  // Both have passed ComputeNetworkCost and CheckDerivedEngine.
  DerivedLayout(const Genotype& genotype, const NetworkConfig& config);

  std::vector<FlatTensor> parameters;
  int64_t parameter_size = 0;
  // running_mean and running_var, one behind the other, of every batch norm.
  std::vector<FlatTensor> statistics;
  int64_t statistic_size = 0;

  int64_t image_channels = 0;
  int64_t stem_channels = 0;
  int64_t stem_weight = 0;
  AffineLayout stem_affine;
  int64_t stem_norm = 0;
  std::vector<DerivedCellLayout> cells;
  int auxiliary_cell = 0;  // whose output the auxiliary head reads
  int paths = 0;           // that may be dropped

  // Of each parameter, whether a gradient reaches it: from the last cell's
  // output, and from that of `auxiliary_cell` where `auxiliary` says so.
  std::vector<bool> Reached(bool auxiliary) const;

 private:
  int64_t AddParameter(const std::string& name, std::vector<int64_t> shape);
  int64_t AddStatistics(const std::string& name, int64_t channels);
  AffineLayout AddAffine(const std::string& name, int64_t channels);
  AffinePointwiseLayout AddPointwise(const std::string& name, int64_t in,
                                     int64_t out, bool reduce);
  AffineSeparableLayout AddSeparable(const std::string& name, int first,
                                     int64_t channels, int kernel, int stride,
                                     int dilation);
  void AddOperation(const std::string& name, Primitive op, int64_t channels,
                    int stride, DerivedEdgeLayout& edge);
  DerivedCellLayout AddCell(const std::string& name, const GenotypeCell& cell,
                            GenotypeForm form, DerivedCellLayout layout);
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_DERIVED_LAYOUT_H_
