#ifndef GENOTYPES_COST_H_
#define GENOTYPES_COST_H_

// What a network made of a genotype costs, without building it.
//
// Multiply-accumulates are those of convolutions and of the classifier for one
// image, as papers count them: no batch norm, pooling, addition or activation,
// and never the auxiliary head, which runs in training only. Parameters are
// everything that is trained: convolution weights (none has a bias), weight
// and bias of batch norms and of linear layers. What pools make is counted
// beside them, for tools that price it.

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "genotypes/genotype.h"

namespace fairdarts {

struct Cost {
  int64_t macs = 0;
  int64_t parameters = 0;
  int64_t max_pool_outputs = 0;  // elements that 3x3 max pools on edges make
  int64_t average_pool_outputs = 0;
};

// One operation on an edge of a cell: `channels` in and out, on a map of
// height x width, with stride 1 or 2. A usage error where the operation does
// not exist: skip_connect at stride 2 needs even channels.
absl::StatusOr<Cost> OperationCost(Primitive op, int channels, int height,
                                   int width, int stride);

// The networks of DARTS (Liu et al., 2019), section A: a stem, `layers` cells,
// two of them reduction cells at layers / 3 and 2 * layers / 3 that double the
// channels, global average pooling and a linear layer.
struct NetworkConfig {
  enum class Kind {
    kCifar,     // stem of one 3x3 convolution to 3 * init_channels
    kImageNet,  // stem of three 3x3 convolutions of stride 2
  };

  static NetworkConfig Cifar();     // C=36, 20 layers, 10 classes, 32x32
  static NetworkConfig ImageNet();  // C=48, 14 layers, 1000 classes, 224x224

  Kind kind = Kind::kCifar;
  int init_channels = 36;  // C, even
  int layers = 20;
  int classes = 10;
  int image_size = 32;  // height and width
  int image_channels = 3;
  bool auxiliary = false;  // with the auxiliary head, after 2 * layers / 3
};

struct NetworkCost {
  Cost total;  // the sum of the others

  Cost stem;
  std::vector<Cost> cells;
  Cost classifier;
  Cost auxiliary;  // macs are 0 by the rule above; all 0 without the head

  // What the pool before the classifier sees: `features` channels of
  // feature_map x feature_map pixels, each pooled to one number.
  int64_t features = 0;
  int feature_map = 0;
};

// A usage error names the field of the config that is out of range or does not
// fit the network (an auxiliary head on a map of a size that it is not made
// for, an ImageNet image whose last map is not 7x7 to 13x13); a data error, the
// cell that no network can be built from.
absl::StatusOr<NetworkCost> ComputeNetworkCost(const Genotype& genotype,
                                               const NetworkConfig& config);

}  // namespace fairdarts

#endif  // GENOTYPES_COST_H_
