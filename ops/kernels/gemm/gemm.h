#ifndef OPS_KERNELS_GEMM_GEMM_H_
#define OPS_KERNELS_GEMM_GEMM_H_

// The 1x1 convolution of one image, and with gathered inputs every other dense
// one: out[m][p] (+)= bias[m] + sum over k of weights[m][k] * act(in[k][p]).
//
// Vectors run over pixels and weights are broadcast, so that any number of
// channels fills the registers; see the layout of planes in ../isa.h.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ops/kernels/isa.h"

namespace fairdarts {

struct GemmArguments {
  const float* weights;  // PackGemmWeights
  const float* bias;     // [rows]
  const float* in;       // [depth] planes
  int64_t in_stride;
  float* out;  // [rows] planes; none of them overlaps `in`
  int64_t out_stride;
  int rows;
  int depth;
  // At least 1. Up to the next multiple of kPlaneSlack are read and written.
  int pixels;
  bool relu;        // act is max(x, 0), else the identity
  bool accumulate;  // add to what `out` holds
};

// Thread-safe; allocates nothing.
using GemmFunction = void (*)(const GemmArguments&);

// Our own bug (FD_CHECK) where the machine cannot run it.
GemmFunction GemmFor(Isa isa);

// Rows are taken in blocks of at most this many.
inline constexpr int kGemmBlock = 6;

// As few blocks as possible, and those of nearly one size, larger ones first:
// then any successive ones of them are also those of as many rows alone.
struct GemmBlocks {
  explicit GemmBlocks(int rows)
      : count((rows + kGemmBlock - 1) / kGemmBlock),
        size(rows / count),
        larger(rows % count) {}

  int RowsOf(int block) const { return size + (block < larger ? 1 : 0); }
  // Its first row; of block `count`, the row behind the last.
  int Begin(int block) const { return block * size + std::min(block, larger); }

  int count;
  int size;    // rows of most
  int larger;  // so many have one more
};

// weights [rows][depth] in the order of the kernel: block by block, in each
// [depth][rows of the block]. As many floats as before.
void PackGemmWeights(const float* weights, int rows, int depth, float* packed);
std::vector<float> PackGemmWeights(const std::vector<float>& weights, int rows,
                                   int depth);

}  // namespace fairdarts

#endif  // OPS_KERNELS_GEMM_GEMM_H_
