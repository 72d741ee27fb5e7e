#ifndef OPS_KERNELS_LANE_GEMM_LANE_GEMM_H_
#define OPS_KERNELS_LANE_GEMM_LANE_GEMM_H_

// The 1x1 convolution with both its gradients in the layout of lanes.h:
//
//   out[m]    = sum over k of w[m][k] * in[k]             (a row)
//   din[k]    = the same with the transpose of w
//   dw[m][k] += sum over rows, pixels and lanes of dout[m] * in[k].

#include <cstdint>

#include "ops/kernels/isa.h"

namespace fairdarts {

// Memory that the caller will want next, asked for on the way: the product
// leaves the memory idle, and what follows would wait for it. Floats in whole
// cache lines, 0 for nothing.
struct LanePrefetch {
  const float* read = nullptr;
  int64_t read_size = 0;
  const float* read_too = nullptr;
  int64_t read_too_size = 0;
  float* write = nullptr;
  int64_t write_size = 0;
};

struct LaneGemmArguments {
  const float* weights;  // PackLaneRows() or PackLaneColumns()
  int rows;              // m
  int depth;             // k
  int width;
  const float* in;  // [depth] channels
  int64_t in_channel;
  float* out;  // [rows] channels; does not overlap `in`
  int64_t out_channel;
  LanePrefetch prefetch = {};
};

struct LaneGemmWeightArguments {
  int rows;    // m
  int depth;   // k
  int height;  // rows of the image
  int width;
  const float* dout;  // [height] rows of [rows] channels
  int64_t dout_row;
  int64_t dout_channel;
  const float* in;  // [height] rows of [depth] channels
  int64_t in_row;
  int64_t in_channel;
  float* weights;  // dw, [rows][depth]
};

// Thread-safe; allocate nothing.
using LaneGemmFunction = void (*)(const LaneGemmArguments&);
using LaneGemmWeightFunction = void (*)(const LaneGemmWeightArguments&);

// Our own bug (FD_CHECK) where the machine cannot run it.
LaneGemmFunction LaneGemmFor(Isa isa);
LaneGemmWeightFunction LaneGemmWeightGradientFor(Isa isa);

// weights [rows][depth] in the order in which the product reads them: for
// out = w * in, and for din = w^T * dout (rows and depth of that product are
// those of the transpose). As many floats as before.
void PackLaneRows(const float* weights, int rows, int depth, float* packed);
void PackLaneColumns(const float* weights, int rows, int depth, float* packed);

}  // namespace fairdarts

#endif  // OPS_KERNELS_LANE_GEMM_LANE_GEMM_H_
