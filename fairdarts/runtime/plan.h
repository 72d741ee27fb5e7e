#ifndef FAIRDARTS_RUNTIME_PLAN_H_
#define FAIRDARTS_RUNTIME_PLAN_H_

// What a network does for one image, as a list of kernel calls over one arena.
//
// MakeSteps says what is computed, whatever computes it; MakePlan adds what the
// CPU's kernels need: the constants as they want them.
//
// Layers that the logits do not depend on are gone, and so are batch norms and
// the weights of edges (in the convolutions before them), ReLU (on load), sums
// (each of a node's operations adds into the node's planes) and concatenations
// (a node's planes are those of its cell's output).

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "fairdarts/runtime/float_buffer.h"
#include "fairdarts/runtime/model_file.h"
#include "fairdarts/runtime/network_graph.h"

namespace fairdarts {

// Where a tensor lies: channels from `channel` on of a buffer.
struct PlanView {
  static constexpr int kImage = -1;   // the caller's image: no gaps
  static constexpr int kLogits = -2;  // the caller's logits

  int buffer = kImage;
  int channel = 0;
};

struct PlanBuffer {
  int64_t plane_stride;  // in floats
  int64_t floats;
  int64_t offset;  // in the arena
};

struct PlanStep {
  enum class Kind {
    kPointwise,  // 1x1 convolution of stride 1
    kDense,      // any other dense convolution
    kDepthwise,
    kMaxPool,
    kAveragePool,
    kAddScaled,
    kMapAverage,
    kLinear,
  };

  Kind kind;
  int layer = 0;      // of the graph: whose tensors these are
  int first_row = 0;  // kDense: the output channel of the layer at out.channel
  PlanView in;
  PlanView out;
  MapShape in_shape;
  MapShape out_shape;
  int kernel_height = 1;  // or window of kMapAverage
  int kernel_width = 1;
  int stride_height = 1;
  int stride_width = 1;
  int dilation = 1;
  int pad_top = 0;  // kDense; -1 where it begins one further in
  int pad_left = 0;
  bool relu = false;
  bool accumulate = false;
  float scale = 1;      // of what is written; a convolution's is in its weights
  int64_t weights = 0;  // offset in Plan::constants, as the kernel wants them
  int64_t bias = 0;
};

struct Plan {
  MapShape image;
  int classes = 0;
  std::vector<PlanBuffer> buffers;
  std::vector<PlanStep> steps;
  FloatBuffer constants;  // folded, and packed for the kernels
  int64_t constant_floats = 0;
  int64_t arena_floats = 0;    // of all buffers
  int64_t scratch_floats = 0;  // that one step works in
};

// Rows of outputs that a kDense step gathers at a time: as many as keep what
// is gathered within the second-level cache, and a multiple of kPlaneSlack
// pixels unless all.
int DenseRows(const PlanStep& step);

// The planes that it gathers: input channels times kernel.
int64_t GatherDepth(const PlanStep& step);

// How far apart they lie for so many rows.
int64_t GatherStride(const PlanStep& step, int rows);

// The most floats of maps that an image may take, arena and scratch: 256 MiB.
// The published networks take about 2 MB. It is what a session allocates for
// each thread, and without a limit a file of 3 KB could ask for gigabytes: no
// tensor of it shows how large its images are.
inline constexpr int64_t kMaxMapFloats = int64_t{64} << 20;

// A model-file error where the maps of an image are more than kMaxMapFloats.
absl::Status CheckMaps(const MapShape& image, int64_t numbers);

// The steps of a graph and the buffers that they use, without constants.
Plan MakeSteps(const NetworkGraph& graph);

// Errors are those of FoldBatchNorm, a model-file error where the maps are more
// than kMaxMapFloats, and resource exhausted where there is no memory for the
// constants, which are about as large as the file.
absl::StatusOr<Plan> MakePlan(const ModelFile& file);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_PLAN_H_
