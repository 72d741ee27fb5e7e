#include "fairdarts/runtime/cuda/stage_plan.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/cuda/stored_elements.h"
#include "fairdarts/runtime/fold_batch_norm.h"
#include "fairdarts/runtime/memory_planner.h"
#include "fairdarts/runtime/plan.h"

namespace fairdarts {
namespace {

int RoundUp(int value, int multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// The largest finite number of a precision.
float Largest(Precision precision) {
  switch (precision) {
    case Precision::kFloat16:
      return 65504;
    case Precision::kBFloat16:
      return FloatOfBits(0x7f7f0000u);
    case Precision::kFloat32:
      break;
  }
  return FloatOfBits(0x7f7fffffu);
}

// Channels [begin, end) of one of the plan's buffers: what one task writes.
struct Region {
  int begin;
  int end;
  int padded = 0;  // where they begin in the map
  int task;

  int channels() const { return end - begin; }
};

// A buffer of the plan as a map: its regions one behind the other.
struct Buffer {
  std::vector<Region> regions;  // by begin
  int height = 1;
  int width = 1;
  int pitch = 0;
  int64_t offset = 0;
  int written = 0;             // the first stage
  int read = -1;               // the last one
  bool only_rectified = true;  // whether every reader takes ReLU of it
};

// A task before it has a place: the steps of the plan that write it.
struct Group {
  PlanView out;
  MapShape shape;
  std::vector<int> steps;
  int stage = 0;
};

// Channels of a map as its reader sees them.
struct Source {
  StageMap map;
  int channel;              // where in its buffer's pixels it begins
  std::vector<int> padded;  // where each of the plan's channels lies in it
};

class Lowering {
 public:
  Lowering(const ModelFile& file, Precision precision)
      : file_(file), steps_(MakeSteps(file.graph())) {
    plan_.image = steps_.image;
    plan_.classes = steps_.classes;
    plan_.precision = precision;
  }

  absl::StatusOr<StagePlan> Run() {
    FindDepthwise();
    FindGroups();
    PlaceRegions();
    FindStages();
    PlaceBuffers();
    FD_RETURN_IF_ERROR(CheckMaps(plan_.image, plan_.arena_elements));
    for (size_t i = 0; i < order_.size(); ++i) {
      FD_RETURN_IF_ERROR(AddTask(order_[i]));
    }
    plan_.weights = StoredElements(weights_, plan_.precision);
    return std::move(plan_);
  }

 private:
  // The caller's image becomes a map like any other; its buffer comes last.
  int image_buffer() const { return static_cast<int>(steps_.buffers.size()); }
  int BufferOf(const PlanView& view) const {
    return view.buffer == PlanView::kImage ? image_buffer() : view.buffer;
  }

  // The depthwise convolution that makes what a step reads, or null.
  const PlanStep* DepthwiseOf(const PlanStep& step) const {
    if (step.in.buffer < 0) return nullptr;
    const int found = depthwise_[step.in.buffer];
    return found < 0 ? nullptr : &steps_.steps[found];
  }

  // Where a step's task reads.
  const PlanStep& ReaderOf(const PlanStep& step) const {
    const PlanStep* const depthwise = DepthwiseOf(step);
    return depthwise == nullptr ? step : *depthwise;
  }

  void FindDepthwise() {
    depthwise_.assign(steps_.buffers.size(), -1);
    for (size_t i = 0; i < steps_.steps.size(); ++i) {
      const PlanStep& step = steps_.steps[i];
      if (step.kind == PlanStep::Kind::kDepthwise) {
        depthwise_[step.out.buffer] = static_cast<int>(i);
      } else if (DepthwiseOf(step) != nullptr) {
        FD_CHECK(step.kind == PlanStep::Kind::kPointwise && !step.relu)
            << "a depthwise convolution is followed by a 1x1 one";
      }
    }
  }

  // Steps that write to the same channels, or that are halves of one layer.
  void FindGroups() {
    groups_.push_back({{PlanView::kImage, 0}, steps_.image, {}, 0});
    std::map<int, std::vector<size_t>> by_buffer;
    for (size_t i = 0; i < steps_.steps.size(); ++i) {
      const PlanStep& step = steps_.steps[i];
      if (step.kind == PlanStep::Kind::kDepthwise) continue;
      Group group = {step.out, step.out_shape, {static_cast<int>(i)}, 0};
      // What it joins ends; it stands where its last step does.
      std::vector<size_t>& others = by_buffer[step.out.buffer];
      const auto joined = [&](size_t other) {
        if (!Belong(groups_[other], group)) return false;
        Join(groups_[other], &group);
        groups_[other].steps.clear();
        return true;
      };
      others.erase(std::remove_if(others.begin(), others.end(), joined),
                   others.end());
      others.push_back(groups_.size());
      groups_.push_back(std::move(group));
    }
    groups_.erase(
        std::remove_if(groups_.begin() + 1, groups_.end(),
                       [](const Group& group) { return group.steps.empty(); }),
        groups_.end());
  }

  // Of one buffer.
  bool Belong(const Group& a, const Group& b) const {
    if (steps_.steps[a.steps.back()].layer ==
        steps_.steps[b.steps.back()].layer) {
      return true;
    }
    return a.out.channel < b.out.channel + b.shape.channels &&
           b.out.channel < a.out.channel + a.shape.channels;
  }

  static void Join(const Group& earlier, Group* group) {
    const int begin = std::min(earlier.out.channel, group->out.channel);
    const int end = std::max(earlier.out.channel + earlier.shape.channels,
                             group->out.channel + group->shape.channels);
    group->out.channel = begin;
    group->shape.channels = end - begin;
    group->steps.insert(group->steps.begin(), earlier.steps.begin(),
                        earlier.steps.end());
  }

  void PlaceRegions() {
    buffers_.resize(steps_.buffers.size() + 1);
    for (size_t i = 0; i < groups_.size(); ++i) {
      const Group& group = groups_[i];
      if (group.out.buffer == PlanView::kLogits) continue;
      Buffer& buffer = buffers_[BufferOf(group.out)];
      buffer.height = group.shape.height;
      buffer.width = group.shape.width;
      if (AverageOf(group) != nullptr) continue;
      Region region;
      region.begin = group.out.channel;
      region.end = group.out.channel + group.shape.channels;
      region.task = static_cast<int>(i);
      buffer.regions.push_back(region);
    }
    for (Buffer& buffer : buffers_) {
      std::sort(
          buffer.regions.begin(), buffer.regions.end(),
          [](const Region& a, const Region& b) { return a.begin < b.begin; });
      for (Region& region : buffer.regions) {
        region.padded = buffer.pitch;
        buffer.pitch += RoundUp(region.channels(), kStageVector);
      }
    }
    // An average has its channels where what it averages has them.
    for (size_t i = 0; i < groups_.size(); ++i) {
      const PlanStep* const step = AverageOf(groups_[i]);
      if (step == nullptr) continue;
      Buffer& buffer = buffers_[BufferOf(step->out)];
      for (Region region : RegionsOf(*step)) {
        region.begin -= step->in.channel;
        region.end -= step->in.channel;
        region.task = static_cast<int>(i);
        region.padded = buffer.pitch;
        buffer.pitch += RoundUp(region.channels(), kStageVector);
        buffer.regions.push_back(region);
      }
    }
  }

  // The step of a group that averages a map, or null.
  const PlanStep* AverageOf(const Group& group) const {
    if (group.steps.empty()) return nullptr;  // the image
    const PlanStep& step = steps_.steps[group.steps.front()];
    return step.kind == PlanStep::Kind::kMapAverage ? &step : nullptr;
  }

  // Groups come after what they read: each stands where its last step does.
  void FindStages() {
    int stages = 1;
    for (size_t i = 1; i < groups_.size(); ++i) {
      Group& group = groups_[i];
      for (const int index : group.steps) {
        const PlanStep& reader = ReaderOf(steps_.steps[index]);
        Buffer& buffer = buffers_[BufferOf(reader.in)];
        buffer.only_rectified &= reader.relu;
        for (const Region& region : RegionsOf(reader)) {
          FD_CHECK_LT(region.task, static_cast<int>(i));
          group.stage = std::max(group.stage, groups_[region.task].stage + 1);
        }
      }
      stages = std::max(stages, group.stage + 1);
    }
    order_.resize(groups_.size());
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [&](int a, int b) {
      return groups_[a].stage < groups_[b].stage;
    });
    plan_.stages.assign(stages, {0, 0});
    for (const Group& group : groups_) ++plan_.stages[group.stage].tasks;
    for (int stage = 1; stage < stages; ++stage) {
      plan_.stages[stage].first_task =
          plan_.stages[stage - 1].first_task + plan_.stages[stage - 1].tasks;
    }
  }

  // Those that a step reads.
  std::vector<Region> RegionsOf(const PlanStep& reader) const {
    const int end = reader.in.channel + reader.in_shape.channels;
    std::vector<Region> found;
    for (const Region& region : buffers_[BufferOf(reader.in)].regions) {
      if (region.begin < end && region.end > reader.in.channel) {
        found.push_back(region);
      }
    }
    FD_CHECK(!found.empty() && found.front().begin == reader.in.channel &&
             found.back().end == end)
        << "a step reads part of what another writes";
    return found;
  }

  void PlaceBuffers() {
    for (Buffer& buffer : buffers_) {
      buffer.written = static_cast<int>(plan_.stages.size());
    }
    for (const Group& group : groups_) {
      if (group.out.buffer != PlanView::kLogits) {
        Buffer& buffer = buffers_[BufferOf(group.out)];
        buffer.written = std::min(buffer.written, group.stage);
        buffer.read = std::max(buffer.read, group.stage);
      }
      for (const int index : group.steps) {
        Buffer& buffer = buffers_[BufferOf(ReaderOf(steps_.steps[index]).in)];
        buffer.read = std::max(buffer.read, group.stage);
      }
    }
    std::vector<BufferLife> lives;
    for (const Buffer& buffer : buffers_) {
      lives.push_back({int64_t{buffer.height} * buffer.width * buffer.pitch,
                       buffer.written, buffer.read});
    }
    const MemoryPlan memory = PlanMemory(lives);
    for (size_t i = 0; i < buffers_.size(); ++i) {
      buffers_[i].offset = memory.offsets[i];
    }
    plan_.arena_elements = memory.floats;
  }

  static StageMap MapOf(const Buffer& buffer, int channels) {
    return {buffer.offset, buffer.pitch, channels, buffer.height, buffer.width};
  }

  Source SourceOf(const PlanStep& reader) const {
    const Buffer& buffer = buffers_[BufferOf(reader.in)];
    const std::vector<Region> regions = RegionsOf(reader);
    const int begin = regions.front().padded;
    Source source;
    for (const Region& region : regions) {
      for (int c = 0; c < region.channels(); ++c) {
        source.padded.push_back(region.padded - begin + c);
      }
    }
    source.channel = begin;
    source.map = MapOf(
        buffer, regions.back().padded +
                    RoundUp(regions.back().channels(), kStageVector) - begin);
    return source;
  }

  // ReLU on load, unless what is written went through it already.
  int ReluOnLoad(const PlanStep& reader) const {
    return reader.relu && !buffers_[BufferOf(reader.in)].only_rectified;
  }

  absl::Status AddTask(int index) {
    const Group& group = groups_[index];
    StageTask task = {};
    task.images = 1;
    task.first_segment = static_cast<int>(plan_.segments.size());
    task.first_direct = static_cast<int>(plan_.directs.size());
    task.bias = -1;
    int channel = 0;
    if (group.out.buffer == PlanView::kLogits) {
      const int channels = RoundUp(group.shape.channels, kStageVector);
      task.logits = plan_.classes;
      task.out = {0, channels, channels, 1, 1};
    } else {
      const Buffer& buffer = buffers_[BufferOf(group.out)];
      channel = buffer.pitch;
      int end = 0;
      for (const Region& region : buffer.regions) {
        if (region.task != index) continue;
        channel = std::min(channel, region.padded);
        end = region.padded + RoundUp(region.channels(), kStageVector);
      }
      task.out = MapOf(buffer, end - channel);
      task.relu = buffer.only_rectified;
    }
    if (group.out.buffer == PlanView::kImage) {
      AddDirect(StageDirect::kImage, {{0, 0, steps_.image.channels,
                                       steps_.image.height, steps_.image.width},
                                      0,
                                      {}});
    }
    for (const int step : group.steps) {
      FD_RETURN_IF_ERROR(AddStep(steps_.steps[step], group, &task));
    }
    task.segments =
        static_cast<int>(plan_.segments.size()) - task.first_segment;
    task.directs = static_cast<int>(plan_.directs.size()) - task.first_direct;
    plan_.tasks.push_back(task);
    plan_.channels.tasks.push_back(channel);
    return absl::OkStatus();
  }

  StageDirect& AddDirect(StageDirect::Kind kind, const Source& in) {
    StageDirect direct = {};
    direct.in = in.map;
    direct.kind = kind;
    direct.stride = direct.window_height = direct.window_width = 1;
    direct.scale = 1;
    plan_.directs.push_back(direct);
    plan_.channels.directs.push_back(in.channel);
    return plan_.directs.back();
  }

  absl::Status AddStep(const PlanStep& step, const Group& group,
                       StageTask* task) {
    switch (step.kind) {
      case PlanStep::Kind::kPointwise:
      case PlanStep::Kind::kDense:
      case PlanStep::Kind::kLinear:
        return AddSegment(step, group, task);
      case PlanStep::Kind::kMaxPool:
      case PlanStep::Kind::kAveragePool: {
        StageDirect& direct = AddDirect(step.kind == PlanStep::Kind::kMaxPool
                                            ? StageDirect::kMaxPool
                                            : StageDirect::kAveragePool,
                                        SourceOf(step));
        FD_CHECK_EQ(step.stride_height, step.stride_width);
        direct.stride = step.stride_height;
        direct.scale = step.scale;
        return absl::OkStatus();
      }
      case PlanStep::Kind::kAddScaled:
        AddDirect(StageDirect::kCopy, SourceOf(step)).scale = step.scale;
        return absl::OkStatus();
      case PlanStep::Kind::kMapAverage: {
        StageDirect& direct =
            AddDirect(StageDirect::kMapAverage, SourceOf(step));
        direct.window_height = step.kernel_height;
        direct.window_width = step.kernel_width;
        return absl::OkStatus();
      }
      case PlanStep::Kind::kDepthwise:
        break;  // in the segment of the step behind it
    }
    return absl::OkStatus();
  }

  // Weights [out][in][kernel] and biases of a step's layer.
  absl::Status LoadLayer(const PlanStep& step) {
    if (step.layer == folded_layer_) return absl::OkStatus();
    const Layer& layer = file_.graph().layers[step.layer];
    if (step.kind == PlanStep::Kind::kLinear) {
      folded_.weights.resize(file_.Tensor(layer.weight).elements());
      folded_.bias.resize(file_.Tensor(layer.bias).elements());
      FD_RETURN_IF_ERROR(
          CopyFinite(file_, layer.weight, folded_.weights.data()));
      FD_RETURN_IF_ERROR(CopyFinite(file_, layer.bias, folded_.bias.data()));
    } else {
      FD_RETURN_IF_ERROR(FoldBatchNorm(file_, layer, step.scale, &folded_));
    }
    const float largest = Largest(plan_.precision);
    for (const float weight : folded_.weights) {
      if (std::abs(weight) > largest) {
        return ModelFileError(absl::StrCat(layer.weight, ": holds ", weight,
                                           " with its batch norm; the "
                                           "precision goes to ",
                                           largest));
      }
    }
    folded_layer_ = step.layer;
    return absl::OkStatus();
  }

  // Room for so many weights, all 0; where they begin.
  int64_t AddWeights(int64_t count) {
    const int64_t offset = static_cast<int64_t>(weights_.size());
    weights_.resize(offset + (count + kStageTileElements - 1) /
                                 kStageTileElements * kStageTileElements);
    return offset;
  }

  absl::Status AddSegment(const PlanStep& step, const Group& group,
                          StageTask* task) {
    const PlanStep& reader = ReaderOf(step);
    const bool fused = &reader != &step;
    const Source source = SourceOf(reader);
    StageSegment segment = {};
    segment.in = source.map;
    segment.kind = fused ? StageSegment::kDepthwise : StageSegment::kDense;
    segment.kernel_height = reader.kernel_height;
    segment.kernel_width = reader.kernel_width;
    segment.stride_height = reader.stride_height;
    segment.stride_width = reader.stride_width;
    segment.dilation = reader.dilation;
    segment.pad_top = reader.pad_top;
    segment.pad_left = reader.pad_left;
    segment.relu = ReluOnLoad(reader);
    const int taps = reader.kernel_height * reader.kernel_width;
    if (fused) {
      const Layer& layer = file_.graph().layers[reader.layer];
      segment.pad_top = layer.padding_height();
      segment.pad_left = layer.padding_width();
      FD_RETURN_IF_ERROR(LoadLayer(reader));
      segment.depthwise = AddWeights(int64_t{taps} * source.map.channels);
      float* const weights = weights_.data() + segment.depthwise;
      for (int c = 0; c < reader.in_shape.channels; ++c) {
        for (int tap = 0; tap < taps; ++tap) {
          weights[tap * source.map.channels + source.padded[c]] =
              folded_.weights[c * taps + tap];
        }
      }
    }
    FD_RETURN_IF_ERROR(LoadLayer(step));
    AddMatrix(step, fused ? 1 : taps, source,
              step.out.channel - group.out.channel, *task, &segment);
    AddBias(step, step.out.channel - group.out.channel, task);
    plan_.segments.push_back(segment);
    plan_.channels.segments.push_back(source.channel);
    return absl::OkStatus();
  }

  // The layer's weights from step.first_row on as columns of the task from
  // `column` on.
  void AddMatrix(const PlanStep& step, int taps, const Source& source,
                 int column, const StageTask& task, StageSegment* segment) {
    segment->depth = RoundUp(taps * source.map.channels, kStageTile);
    const int tiles = StageColumnTiles(task);
    segment->matrix = AddWeights(int64_t{segment->depth} * tiles * kStageTile);
    const int channels = step.in_shape.channels;
    for (int row = 0; row < step.out_shape.channels; ++row) {
      const int n = column + row;
      for (int c = 0; c < channels; ++c) {
        for (int tap = 0; tap < taps; ++tap) {
          const int k = tap * source.map.channels + source.padded[c];
          weights_[MatrixElement(*segment, tiles, k, n)] =
              folded_.weights[(int64_t{step.first_row + row} * channels + c) *
                                  taps +
                              tap];
        }
      }
    }
  }

  void AddBias(const PlanStep& step, int column, StageTask* task) {
    if (task->bias < 0) {
      task->bias = static_cast<int64_t>(plan_.biases.size());
      plan_.biases.resize(plan_.biases.size() + task->out.channels);
    }
    for (int row = 0; row < step.out_shape.channels; ++row) {
      plan_.biases[task->bias + column + row] +=
          folded_.bias[step.first_row + row];
    }
  }

  const ModelFile& file_;
  const Plan steps_;
  StagePlan plan_;
  std::vector<int> depthwise_;   // by buffer: the step that writes it, or -1
  std::vector<Group> groups_;    // the image first
  std::vector<Buffer> buffers_;  // of the plan, and the image's
  std::vector<int> order_;       // groups, stage by stage
  std::vector<float> weights_;
  FoldedConvolution folded_;
  int folded_layer_ = -1;
};

}  // namespace

absl::StatusOr<StagePlan> LowerPlan(const ModelFile& file,
                                    Precision precision) {
  return Lowering(file, precision).Run();
}

int64_t MatrixElement(const StageSegment& segment, int tiles, int k, int n) {
  const int64_t tile = int64_t{k / kStageTile} * tiles + n / kStageTile;
  return segment.matrix + tile * kStageTileElements +
         k % kStageTile * kStageTile + n % kStageTile;
}

bool IsPlainConvolution(const StagePlan& plan, const StageTask& task) {
  if (task.segments != 1 || task.directs != 0 || task.logits != 0) return false;
  const StageSegment& segment = plan.segments[task.first_segment];
  return segment.kind == StageSegment::kDense && segment.relu == 0 &&
         segment.kernel_height * segment.kernel_width > 1;
}

}  // namespace fairdarts
