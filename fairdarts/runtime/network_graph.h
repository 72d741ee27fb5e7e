#ifndef FAIRDARTS_RUNTIME_NETWORK_GRAPH_H_
#define FAIRDARTS_RUNTIME_NETWORK_GRAPH_H_

// A derived network (DARTS, Liu et al., 2019, section A) as a list of layers,
// without weights: what inference plans from, what an exporter writes, and
// which tensors a file of weights has to hold. Names of tensors are those of
// the published code's state dicts.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"

namespace fairdarts {

// What batch norm adds to a variance before it takes the root.
inline constexpr double kBatchNormEpsilon = 1e-5;

// The most operations on edges that all cells of a network may have together:
// hundreds of times those of a published network, and few enough that a graph
// stays small whatever a file asks for.
inline constexpr int64_t kMaxNetworkOperations = 1 << 16;

// A map of one image.
struct MapShape {
  int channels = 0;
  int height = 0;
  int width = 0;
};

struct Layer {
  enum class Kind {
    kConvolution,       // then batch norm, where it has one
    kFactorizedReduce,  // two 1x1 convolutions of stride 2, the second on the
                        // odd rows and columns (a missing last one is 0),
                        // concatenated; then batch norm
    kMaxPool,           // 3x3, padded by 1
    kAveragePool,       // 3x3, padded by 1, which is not counted
    kSum,               // of inputs of one shape, each times its scale
    kConcat,            // along the channels
    kMapAverage,        // of the window at the top left, to 1x1
    kLinear,            // with a bias
  };

  Kind kind;
  // Earlier layers by index, or kImage.
  std::vector<int> inputs;
  MapShape out;

  // max(x, 0) of the input first; kConvolution and kFactorizedReduce.
  bool relu = false;
  // Kernel, or window of kMapAverage. Convolutions are padded such that stride
  // 1 keeps the size, pools by 1.
  int kernel_height = 1;
  int kernel_width = 1;
  int stride_height = 1;
  int stride_width = 1;
  int dilation = 1;
  bool depthwise = false;

  std::vector<float> scales;  // kSum: one for each input

  // Names; a convolution's weight is [out, in, kh, kw], or [out, 1, kh, kw]
  // where depthwise; a linear layer's [out, in].
  std::string weight;
  std::string weight_odd;  // kFactorizedReduce: of the second half
  std::string batch_norm;  // "" without; else with .weight, .bias,
                           // .running_mean, .running_var below it
  std::string bias;        // kLinear

  // What the zero padding of a convolution adds on the top and on the left.
  int padding_height() const { return dilation * (kernel_height - 1) / 2; }
  int padding_width() const { return dilation * (kernel_width - 1) / 2; }
};

struct NetworkGraph {
  static constexpr int kImage = -1;

  MapShape image;
  // Each reads only earlier ones; the last one makes the logits.
  std::vector<Layer> layers;

  const MapShape& ShapeOf(int layer) const {
    return layer == kImage ? image : layers[layer].out;
  }
  // Whether the logits depend on a layer.
  std::vector<bool> Live() const;
};

// The network of `config`, whose auxiliary head is left out. Errors are those
// of ComputeNetworkCost, and a usage error above kMaxNetworkOperations.
absl::StatusOr<NetworkGraph> MakeNetworkGraph(const Genotype& genotype,
                                              const NetworkConfig& config);

// A tensor that a network needs, all of them float32.
struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;
};

// The tensors of a graph, each once, layers that nothing depends on included:
// the state dict without counters of batches.
std::vector<TensorSpec> ExpectedTensors(const NetworkGraph& graph);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_NETWORK_GRAPH_H_
