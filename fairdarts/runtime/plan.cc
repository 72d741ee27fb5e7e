#include "fairdarts/runtime/plan.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/fold_batch_norm.h"
#include "fairdarts/runtime/memory_planner.h"
#include "fairdarts/runtime/network_graph.h"
#include "ops/kernels/depthwise/depthwise.h"
#include "ops/kernels/gemm/gemm.h"
#include "ops/kernels/isa.h"

namespace fairdarts {
namespace {

// Floats that a dense convolution gathers at a time.
constexpr int64_t kGatherFloats = 32 * 1024;

int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Planes lie a cache line further apart than they need: maps of 1024 or 4096
// pixels would else all begin in the same few sets of the cache.
int64_t PlaneStride(int64_t pixels) {
  return RoundUp(pixels, kPlaneSlack) + kPlaneSlack;
}

int64_t Pixels(const MapShape& shape) {
  return int64_t{shape.height} * shape.width;
}

class Planner {
 public:
  explicit Planner(const NetworkGraph& graph)
      : graph_(graph), live_(graph_.Live()) {
    plan_.image = graph_.image;
    plan_.classes = graph_.layers.back().out.channels;
  }

  Plan Run() {
    PlaceLayers();
    for (size_t i = 0; i < graph_.layers.size(); ++i) {
      if (live_[i]) AddSteps(static_cast<int>(i));
    }
    PlaceBuffers();
    return std::move(plan_);
  }

 private:
  // Where the output of each live layer goes.
  void PlaceLayers() {
    const int layers = static_cast<int>(graph_.layers.size());
    views_.resize(layers);
    placed_.assign(layers, false);
    written_.assign(layers, false);
    sum_of_.assign(layers, -1);
    std::vector<int> readers(layers, 0);
    for (int i = 0; i < layers; ++i) {
      if (!live_[i]) continue;
      for (const int input : graph_.layers[i].inputs) {
        if (input != NetworkGraph::kImage) ++readers[input];
      }
    }
    for (int i = 0; i < layers; ++i) {
      const Layer& layer = graph_.layers[i];
      if (!live_[i] || layer.kind != Layer::Kind::kConcat) continue;
      const int buffer = NewBuffer(layer.out);
      Place(i, {buffer, 0});
      int channel = 0;
      for (const int input : layer.inputs) {
        Place(input, {buffer, channel});
        channel += graph_.layers[input].out.channels;
      }
    }
    for (int i = 0; i < layers; ++i) {
      const Layer& layer = graph_.layers[i];
      if (!live_[i] || layer.kind != Layer::Kind::kSum) continue;
      if (!placed_[i]) Place(i, {NewBuffer(layer.out), 0});
      // What only the sum reads adds to it, instead of standing alone.
      for (size_t k = 0; k < layer.inputs.size(); ++k) {
        const int input = layer.inputs[k];
        if (readers[input] != 1 || !CanAdd(graph_.layers[input])) continue;
        Place(input, views_[i]);
        sum_of_[input] = i;
        scales_[input] = layer.scales[k];
      }
    }
    for (int i = 0; i < layers; ++i) {
      if (!live_[i] || placed_[i]) continue;
      const Layer& layer = graph_.layers[i];
      if (layer.kind == Layer::Kind::kLinear) {
        Place(i, {PlanView::kLogits, 0});
      } else if (layer.kind == Layer::Kind::kMapAverage) {
        Place(i, {NewVector(layer.out.channels), 0});
      } else {
        Place(i, {NewBuffer(layer.out), 0});
      }
    }
  }

  // Whether a layer's kernels can add to what is there.
  static bool CanAdd(const Layer& layer) {
    return layer.kind == Layer::Kind::kConvolution ||
           layer.kind == Layer::Kind::kFactorizedReduce ||
           layer.kind == Layer::Kind::kMaxPool ||
           layer.kind == Layer::Kind::kAveragePool;
  }

  void Place(int layer, PlanView view) {
    FD_CHECK(!placed_[layer]) << "layer " << layer << " has two places";
    placed_[layer] = true;
    views_[layer] = view;
  }

  int NewBuffer(const MapShape& shape) {
    const int64_t stride = PlaneStride(Pixels(shape));
    plan_.buffers.push_back({stride, stride * shape.channels, 0});
    return static_cast<int>(plan_.buffers.size()) - 1;
  }

  int NewVector(int channels) {
    plan_.buffers.push_back({1, int64_t{channels}, 0});
    return static_cast<int>(plan_.buffers.size()) - 1;
  }

  // A step from the input of a layer to its place.
  PlanStep StepOf(PlanStep::Kind kind, int index) {
    const Layer& layer = graph_.layers[index];
    PlanStep step;
    step.kind = kind;
    step.layer = index;
    step.scale = ScaleOf(index);
    const int input = layer.inputs.front();
    if (input != NetworkGraph::kImage) step.in = views_[input];
    step.in_shape = graph_.ShapeOf(input);
    step.out = views_[index];
    step.out_shape = layer.out;
    step.kernel_height = layer.kernel_height;
    step.kernel_width = layer.kernel_width;
    step.stride_height = layer.stride_height;
    step.stride_width = layer.stride_width;
    step.dilation = layer.dilation;
    step.relu = layer.relu;
    return step;
  }

  // Whether what a layer writes is added to what is there already.
  bool Accumulates(int layer) {
    const int sum = sum_of_[layer];
    if (sum < 0) return false;
    const bool accumulates = written_[sum];
    written_[sum] = true;
    return accumulates;
  }

  float ScaleOf(int layer) const {
    const auto found = scales_.find(layer);
    return found == scales_.end() ? 1 : found->second;
  }

  void AddStep(const PlanStep& step) {
    switch (step.kind) {
      case PlanStep::Kind::kDense: {
        NeedScratch(GatherDepth(step) * GatherStride(step, DenseRows(step)));
        break;
      }
      case PlanStep::Kind::kDepthwise:
        NeedScratch(DepthwiseScratch(
            {step.in_shape.channels, step.in_shape.height, step.in_shape.width,
             step.kernel_height, step.stride_height, step.dilation}));
        break;
      default:
        break;
    }
    plan_.steps.push_back(step);
  }

  void NeedScratch(int64_t floats) {
    plan_.scratch_floats = std::max(plan_.scratch_floats, floats + kPlaneSlack);
  }

  void AddConvolution(int index) {
    const Layer& layer = graph_.layers[index];
    if (layer.depthwise) {
      FD_CHECK(layer.batch_norm.empty() && sum_of_[index] < 0)
          << "a depthwise convolution is followed by a 1x1 one";
      AddStep(StepOf(PlanStep::Kind::kDepthwise, index));
      return;
    }
    const bool pointwise = layer.kernel_height == 1 &&
                           layer.kernel_width == 1 && layer.stride_height == 1;
    PlanStep step = StepOf(
        pointwise ? PlanStep::Kind::kPointwise : PlanStep::Kind::kDense, index);
    step.pad_top = layer.padding_height();
    step.pad_left = layer.padding_width();
    step.accumulate = Accumulates(index);
    AddStep(step);
  }

  void AddFactorizedReduce(int index) {
    PlanStep step = StepOf(PlanStep::Kind::kDense, index);
    step.accumulate = Accumulates(index);
    const int half = graph_.layers[index].out.channels / 2;
    step.out_shape.channels = half;
    AddStep(step);
    step.out.channel += half;
    step.first_row = half;
    step.pad_top = step.pad_left = -1;
    AddStep(step);
  }

  // The terms that others read too, or that a sum has twice.
  void AddSum(int index) {
    const Layer& layer = graph_.layers[index];
    for (size_t k = 0; k < layer.inputs.size(); ++k) {
      const int input = layer.inputs[k];
      if (sum_of_[input] == index) continue;
      PlanStep step;
      step.kind = PlanStep::Kind::kAddScaled;
      step.layer = index;
      step.in = views_[input];
      step.out = views_[index];
      step.in_shape = step.out_shape = layer.out;
      step.scale = layer.scales[k];
      step.accumulate = written_[index];
      written_[index] = true;
      AddStep(step);
    }
  }

  void AddSteps(int index) {
    const Layer& layer = graph_.layers[index];
    switch (layer.kind) {
      case Layer::Kind::kConvolution:
        AddConvolution(index);
        break;
      case Layer::Kind::kFactorizedReduce:
        AddFactorizedReduce(index);
        break;
      case Layer::Kind::kMaxPool:
      case Layer::Kind::kAveragePool: {
        PlanStep step = StepOf(layer.kind == Layer::Kind::kMaxPool
                                   ? PlanStep::Kind::kMaxPool
                                   : PlanStep::Kind::kAveragePool,
                               index);
        step.accumulate = Accumulates(index);
        AddStep(step);
        break;
      }
      case Layer::Kind::kSum:
        AddSum(index);
        break;
      case Layer::Kind::kConcat:
        break;
      case Layer::Kind::kMapAverage:
        AddStep(StepOf(PlanStep::Kind::kMapAverage, index));
        break;
      case Layer::Kind::kLinear:
        AddStep(StepOf(PlanStep::Kind::kLinear, index));
        break;
    }
  }

  void PlaceBuffers() {
    std::vector<BufferLife> lives;
    const int steps = static_cast<int>(plan_.steps.size());
    for (const PlanBuffer& buffer : plan_.buffers) {
      lives.push_back({buffer.floats, steps, -1});
    }
    for (int i = 0; i < steps; ++i) {
      for (const PlanView& view : {plan_.steps[i].in, plan_.steps[i].out}) {
        if (view.buffer < 0) continue;
        BufferLife& life = lives[view.buffer];
        life.first = std::min(life.first, i);
        life.last = std::max(life.last, i);
      }
    }
    const MemoryPlan memory = PlanMemory(lives);
    for (size_t i = 0; i < plan_.buffers.size(); ++i) {
      plan_.buffers[i].offset = memory.offsets[i];
    }
    plan_.arena_floats = memory.floats;
  }

  const NetworkGraph& graph_;
  const std::vector<bool> live_;
  Plan plan_;
  std::vector<PlanView> views_;
  std::vector<bool> placed_;
  std::vector<int> sum_of_;      // the sum that a layer adds into, or -1
  std::map<int, float> scales_;  // of those layers
  std::vector<bool> written_;    // whether a sum has its first term
};

// Puts the constants of a plan's steps where their kernels find them.
class Packer {
 public:
  Packer(const ModelFile& file, Plan* plan) : file_(file), plan_(*plan) {}

  absl::Status Run() {
    for (const PlanStep& step : plan_.steps) {
      const Sizes sizes = SizesOf(step);
      plan_.constant_floats += RoundUp(sizes.weights, kArenaAlignment) +
                               RoundUp(sizes.bias, kArenaAlignment);
    }
    plan_.constants = FloatBuffer::Allocate(plan_.constant_floats);
    if (plan_.constants.data() == nullptr) {
      return absl::ResourceExhaustedError(
          absl::StrCat("no memory for ", sizeof(float) * plan_.constant_floats,
                       " bytes of weights"));
    }
    for (PlanStep& step : plan_.steps) FD_RETURN_IF_ERROR(Pack(&step));
    return absl::OkStatus();
  }

 private:
  struct Sizes {
    int64_t weights = 0;
    int64_t bias = 0;
  };

  static Sizes SizesOf(const PlanStep& step) {
    const int64_t rows = step.out_shape.channels;
    switch (step.kind) {
      case PlanStep::Kind::kPointwise:
      case PlanStep::Kind::kDense:
        return {rows * GatherDepth(step), rows};
      case PlanStep::Kind::kDepthwise:
        return {rows * step.kernel_height * step.kernel_width, 0};
      case PlanStep::Kind::kLinear:
        return {rows * step.in_shape.channels, rows};
      default:
        return {};
    }
  }

  absl::Status Pack(PlanStep* step) {
    const Sizes sizes = SizesOf(*step);
    if (sizes.weights == 0) return absl::OkStatus();
    float* const weights = Room(sizes.weights, &step->weights);
    float* const bias = Room(sizes.bias, &step->bias);
    const Layer& layer = file_.graph().layers[step->layer];
    if (step->kind == PlanStep::Kind::kLinear) {
      FD_RETURN_IF_ERROR(CopyFinite(file_, layer.weight, weights));
      return CopyFinite(file_, layer.bias, bias);
    }
    if (step->layer != folded_layer_) {
      FD_RETURN_IF_ERROR(FoldBatchNorm(file_, layer, step->scale, &folded_));
      folded_layer_ = step->layer;
    }
    if (step->kind == PlanStep::Kind::kDepthwise) {
      std::copy(folded_.weights.begin(), folded_.weights.end(), weights);
      return absl::OkStatus();
    }
    const int64_t depth = GatherDepth(*step);
    PackGemmWeights(folded_.weights.data() + step->first_row * depth,
                    step->out_shape.channels, static_cast<int>(depth), weights);
    const float* const biases = folded_.bias.data() + step->first_row;
    std::copy(biases, biases + sizes.bias, bias);
    return absl::OkStatus();
  }

  // Where so many floats go, whose offset in the constants it says.
  float* Room(int64_t floats, int64_t* offset) {
    *offset = used_;
    used_ += RoundUp(floats, kArenaAlignment);
    FD_CHECK_LE(used_, plan_.constant_floats);
    return plan_.constants.data() + *offset;
  }

  const ModelFile& file_;
  Plan& plan_;
  int64_t used_ = 0;
  int folded_layer_ = -1;
  FoldedConvolution folded_;  // of that one
};

}  // namespace

int64_t GatherStride(const PlanStep& step, int rows) {
  return PlaneStride(int64_t{rows} * step.out_shape.width);
}

int64_t GatherDepth(const PlanStep& step) {
  return int64_t{step.in_shape.channels} * step.kernel_height *
         step.kernel_width;
}

int DenseRows(const PlanStep& step) {
  const int height = step.out_shape.height;
  const int width = step.out_shape.width;
  // Rows that together are a multiple of whole vectors.
  const int unit = kPlaneSlack / std::gcd(kPlaneSlack, width);
  const int64_t rows = kGatherFloats / (GatherDepth(step) * width);
  const int64_t units = std::max<int64_t>(1, rows / unit);
  return static_cast<int>(std::min<int64_t>(height, units * unit));
}

absl::Status CheckMaps(const MapShape& image, int64_t numbers) {
  if (numbers <= kMaxMapFloats) return absl::OkStatus();
  return ModelFileError(absl::StrCat(
      "image_shape: is [", image.channels, ",", image.height, ",", image.width,
      "]; the maps of such an image take ", sizeof(float) * numbers,
      " bytes, and may take ", sizeof(float) * kMaxMapFloats));
}

Plan MakeSteps(const NetworkGraph& graph) { return Planner(graph).Run(); }

absl::StatusOr<Plan> MakePlan(const ModelFile& file) {
  Plan plan = MakeSteps(file.graph());
  FD_RETURN_IF_ERROR(Packer(file, &plan).Run());
  FD_RETURN_IF_ERROR(
      CheckMaps(plan.image, plan.arena_floats + plan.scratch_floats));
  return plan;
}

}  // namespace fairdarts
