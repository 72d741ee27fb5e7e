#ifndef FAIRDARTS_RUNTIME_CUDA_STAGE_PLAN_H_
#define FAIRDARTS_RUNTIME_CUDA_STAGE_PLAN_H_

// A plan lowered to stages: what the network is on a GPU, for any batch.
//
// The steps of a plan that write one node become one task, with a depthwise
// convolution in the segment of the 1x1 one behind it. A stage holds what
// depends on earlier stages alone, so there are as many as the longest chain of
// tasks. The first one takes in the caller's image, the last one makes the
// logits.

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "fairdarts/runtime/model_file.h"
#include "fairdarts/runtime/network_graph.h"
#include "ops/cuda/element.h"
#include "ops/cuda/stage.h"

namespace fairdarts {

struct StagePlan {
  struct Stage {
    int first_task;
    int tasks;
  };

  MapShape image;
  int classes = 0;
  Precision precision = Precision::kFloat32;
  std::vector<Stage> stages;
  // Of one image: a map's offset is that of its buffer in an arena for one, and
  // how blocks share a task is left open (see stage_schedule.h).
  std::vector<StageTask> tasks;  // stage by stage
  std::vector<StageSegment> segments;
  std::vector<StageDirect> directs;
  // Where in the pixels of its buffer each of their maps begins.
  struct {
    std::vector<int> tasks;
    std::vector<int> segments;
    std::vector<int> directs;
  } channels;
  std::vector<char> weights;  // elements of `precision`
  std::vector<float> biases;
  int64_t arena_elements = 0;  // for one image
};

// Errors are those of MakePlan, and a model-file error that names the tensor
// where a weight is beyond what the precision holds.
absl::StatusOr<StagePlan> LowerPlan(const ModelFile& file, Precision precision);

// Where in the weights the one of input k for output channel n lies, in
// elements; `tiles` are the StageColumnTiles of the segment's task.
int64_t MatrixElement(const StageSegment& segment, int tiles, int k, int n);

// Whether a task is a dense convolution of more than one pixel and nothing
// else: one that a library of convolutions can do as well.
bool IsPlainConvolution(const StagePlan& plan, const StageTask& task);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_STAGE_PLAN_H_
