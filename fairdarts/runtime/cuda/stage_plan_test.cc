#include "fairdarts/runtime/cuda/stage_plan.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "fairdarts/runtime/cuda/stage_schedule.h"
#include "fairdarts/runtime/plan.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr char kSkips[] =
    "Genotype(normal=[('skip_connect', 2, 0), ('skip_connect', 2, 1)], "
    "normal_concat=[2], reduce=[('skip_connect', 2, 0), "
    "('skip_connect', 2, 1)], reduce_concat=[2])";

ModelFile FileOf(const Genotype& genotype, const NetworkConfig& config) {
  return FilledModel(DescriptionOf(genotype, config), 3);
}

StagePlan Lowered(const ModelFile& file) {
  absl::StatusOr<StagePlan> plan = LowerPlan(file, Precision::kFloat32);
  EXPECT_THAT(plan, IsOk());
  return *std::move(plan);
}

// The published networks' depth, at a width that is quick to fill.
NetworkConfig Narrow() {
  NetworkConfig config;
  config.init_channels = 4;
  return config;
}

// With convolutions of a library as launches of their own, and without.
int LaunchesOf(const std::string& key, bool library_convolutions) {
  for (const CatalogEntry& entry : Catalog()) {
    if (entry.key() != key) continue;
    const absl::StatusOr<StageSchedule> schedule =
        ScheduleStages(Lowered(FileOf(entry.genotype, Narrow())), 1,
                       StageDevice(), library_convolutions);
    EXPECT_THAT(schedule, IsOk());
    return static_cast<int>(schedule->launches.size());
  }
  ADD_FAILURE() << "no " << key;
  return 0;
}

TEST(StagePlanTest, TheNetworksOfThePapersAreFewLaunches) {
  for (const bool library_convolutions : {false, true}) {
    EXPECT_LE(LaunchesOf("fairdarts/FairDARTS_a", library_convolutions), 70);
    EXPECT_LE(LaunchesOf("fairdarts/DARTS_V2", library_convolutions), 90);
  }
}

// When a layer's output is there, counted in stages from the image's on: said
// by the graph alone, which knows nothing of steps and tasks.
class Chain {
 public:
  explicit Chain(const NetworkGraph& graph)
      : graph_(graph), readers_(graph.layers.size()) {
    const std::vector<bool> live = graph.Live();
    for (size_t i = 0; i < graph.layers.size(); ++i) {
      if (!live[i]) continue;
      for (const int input : graph.layers[i].inputs) {
        if (input != NetworkGraph::kImage) ++readers_[input];
      }
    }
    for (const Layer& layer : graph.layers) {
      stages_.push_back(StageOf(layer));
    }
  }

  int Length() const { return stages_.back() + 1; }

 private:
  int Stage(int index) const {
    return index == NetworkGraph::kImage ? 0 : stages_[index];
  }

  int StageOf(const Layer& layer) const {
    int ready = 0;
    switch (layer.kind) {
      case Layer::Kind::kConcat:
        for (const int input : layer.inputs) {
          ready = std::max(ready, Stage(input));
        }
        return ready;
      case Layer::Kind::kSum:
        // What only the sum reads is made with it.
        for (const int input : layer.inputs) {
          const Layer& term = graph_.layers[input];
          ready = std::max(ready, readers_[input] == 1 && IsOperation(term)
                                      ? InputStage(term)
                                      : Stage(input));
        }
        return ready + 1;
      default:
        return InputStage(layer) + 1;
    }
  }

  static bool IsOperation(const Layer& layer) {
    return layer.kind == Layer::Kind::kConvolution ||
           layer.kind == Layer::Kind::kFactorizedReduce ||
           layer.kind == Layer::Kind::kMaxPool ||
           layer.kind == Layer::Kind::kAveragePool;
  }

  // Of what an operation reads, a depthwise convolution in front included.
  int InputStage(const Layer& layer) const {
    const int input = layer.inputs.front();
    if (input != NetworkGraph::kImage && graph_.layers[input].depthwise) {
      return InputStage(graph_.layers[input]);
    }
    return Stage(input);
  }

  const NetworkGraph& graph_;
  std::vector<int> readers_;
  std::vector<int> stages_;
};

TEST(StagePlanTest, ThereAreAsManyStagesAsTheLongestChainHas) {
  for (const CatalogEntry& entry : Catalog()) {
    SCOPED_TRACE(entry.key());
    const ModelFile file = FileOf(entry.genotype, Narrow());
    const StagePlan plan = Lowered(file);
    EXPECT_EQ(static_cast<int>(plan.stages.size()),
              Chain(file.graph()).Length());
    int tasks = 0;
    for (const StagePlan::Stage& stage : plan.stages) {
      EXPECT_EQ(stage.first_task, tasks);
      EXPECT_GT(stage.tasks, 0);
      tasks += stage.tasks;
    }
    EXPECT_EQ(tasks, static_cast<int>(plan.tasks.size()));
  }
}

TEST(StagePlanTest, EveryStepOfThePlanIsOneTermOfOneTask) {
  for (const CatalogEntry& entry : Catalog()) {
    SCOPED_TRACE(entry.key());
    const ModelFile file = FileOf(entry.genotype, Narrow());
    const StagePlan plan = Lowered(file);
    std::map<PlanStep::Kind, int> steps;
    for (const PlanStep& step : MakeSteps(file.graph()).steps) {
      ++steps[step.kind];
    }
    std::map<StageSegment::Kind, int> segments;
    for (const StageSegment& segment : plan.segments) ++segments[segment.kind];
    std::map<StageDirect::Kind, int> directs;
    for (const StageDirect& direct : plan.directs) ++directs[direct.kind];
    // A depthwise convolution and the 1x1 one behind it are one.
    EXPECT_EQ(segments[StageSegment::kDepthwise],
              steps[PlanStep::Kind::kDepthwise]);
    EXPECT_EQ(segments[StageSegment::kDense],
              steps[PlanStep::Kind::kDense] + steps[PlanStep::Kind::kLinear] +
                  steps[PlanStep::Kind::kPointwise] -
                  steps[PlanStep::Kind::kDepthwise]);
    EXPECT_EQ(directs[StageDirect::kMaxPool], steps[PlanStep::Kind::kMaxPool]);
    EXPECT_EQ(directs[StageDirect::kAveragePool],
              steps[PlanStep::Kind::kAveragePool]);
    EXPECT_EQ(directs[StageDirect::kCopy], steps[PlanStep::Kind::kAddScaled]);
    EXPECT_EQ(directs[StageDirect::kMapAverage], 1);
    EXPECT_EQ(directs[StageDirect::kImage], 1);
    // Terms belong to tasks in their order.
    int first_segment = 0;
    int first_direct = 0;
    for (const StageTask& task : plan.tasks) {
      EXPECT_EQ(task.first_segment, first_segment);
      EXPECT_EQ(task.first_direct, first_direct);
      EXPECT_GT(task.segments + task.directs, 0);
      first_segment += task.segments;
      first_direct += task.directs;
    }
    EXPECT_EQ(first_segment, static_cast<int>(plan.segments.size()));
    EXPECT_EQ(first_direct, static_cast<int>(plan.directs.size()));
  }
}

// Who wrote each element of the arena of one image last, and as what.
class Arena {
 public:
  struct Element {
    int stage = -1;
    int y = -1;
    int x = -1;
    bool rectified = false;
  };

  explicit Arena(int64_t elements) : elements_(elements) {}

  template <typename Function>
  void ForEach(const StageMap& map, int channel, Function&& function) {
    for (int y = 0; y < map.height; ++y) {
      for (int x = 0; x < map.width; ++x) {
        for (int c = 0; c < map.channels; ++c) {
          const int64_t at = map.offset +
                             (int64_t{y} * map.width + x) * map.pitch +
                             channel + c;
          ASSERT_GE(at, 0);
          ASSERT_LT(at, static_cast<int64_t>(elements_.size()));
          function(elements_[at], y, x);
        }
      }
    }
  }

 private:
  std::vector<Element> elements_;
};

TEST(StagePlanTest, StagesReadWhatEarlierOnesWroteAndNothingElseTouches) {
  for (const CatalogEntry& entry : Catalog()) {
    for (const NetworkConfig::Kind kind :
         {NetworkConfig::Kind::kCifar, NetworkConfig::Kind::kImageNet}) {
      SCOPED_TRACE(entry.key());
      NetworkConfig config = Narrow();
      config.kind = kind;
      config.layers = 7;
      config.image_size = kind == NetworkConfig::Kind::kCifar ? 13 : 200;
      const StagePlan plan = Lowered(FileOf(entry.genotype, config));
      Arena arena(plan.arena_elements);
      int wrong = 0;
      for (int s = 0; s < static_cast<int>(plan.stages.size()); ++s) {
        const StagePlan::Stage& stage = plan.stages[s];
        for (int t = 0; t < stage.tasks; ++t) {
          const StageTask& task = plan.tasks[stage.first_task + t];
          // Twice a place in one stage is two writers that race.
          if (task.logits != 0) continue;
          arena.ForEach(task.out, plan.channels.tasks[stage.first_task + t],
                        [&](Arena::Element& element, int y, int x) {
                          wrong += element.stage == s;
                          element = {s, y, x, task.relu != 0};
                        });
        }
        const auto read = [&](const StageMap& map, int channel,
                              bool unrectified) {
          arena.ForEach(map, channel,
                        [&](const Arena::Element& element, int y, int x) {
                          wrong += element.stage < 0 || element.stage >= s ||
                                   element.y != y || element.x != x ||
                                   (unrectified && element.rectified);
                        });
        };
        for (int t = 0; t < stage.tasks; ++t) {
          const StageTask& task = plan.tasks[stage.first_task + t];
          for (int i = 0; i < task.segments; ++i) {
            const int index = task.first_segment + i;
            read(plan.segments[index].in, plan.channels.segments[index],
                 /*unrectified=*/false);
          }
          for (int i = 0; i < task.directs; ++i) {
            const int index = task.first_direct + i;
            if (plan.directs[index].kind == StageDirect::kImage) continue;
            read(plan.directs[index].in, plan.channels.directs[index],
                 /*unrectified=*/true);
          }
        }
      }
      EXPECT_EQ(wrong, 0);
    }
  }
}

TEST(StagePlanTest, ReluIsTakenOnceWhereEveryReaderWantsIt) {
  NetworkConfig config = Narrow();
  config.kind = NetworkConfig::Kind::kImageNet;
  config.layers = 3;
  config.image_size = 200;
  const StagePlan plan = Lowered(FilledModel(
      DescriptionOf(
          "Genotype(normal=[('skip_connect', 2, 0), ('max_pool_3x3', 2, 0), "
          "('dil_conv_3x3', 2, 1)], normal_concat=[2], "
          "reduce=[('skip_connect', 2, 0), ('skip_connect', 2, 1)], "
          "reduce_concat=[2])",
          config),
      3));
  // The image, then the three convolutions of the stem: behind each of them
  // all readers rectify.
  ASSERT_GE(plan.stages.size(), 4u);
  EXPECT_EQ(plan.tasks[0].relu, 0);
  for (int i = 1; i < 4; ++i) {
    EXPECT_EQ(plan.tasks[plan.stages[i].first_task].relu, 1);
  }
  // Beside the image: what the pool and the skip read, the last node, the
  // average and the logits.
  EXPECT_EQ(std::count_if(plan.tasks.begin(), plan.tasks.end(),
                          [](const StageTask& task) { return task.relu == 0; }),
            5);
  for (const StageSegment& segment : plan.segments) EXPECT_EQ(segment.relu, 0);
}

TEST(StagePlanTest, TheStemIsPlainConvolutions) {
  NetworkConfig config = Narrow();
  config.layers = 3;
  const auto count = [&] {
    const StagePlan plan =
        Lowered(FilledModel(DescriptionOf(kSkips, config), 3));
    return std::count_if(
        plan.tasks.begin(), plan.tasks.end(),
        [&](const StageTask& task) { return IsPlainConvolution(plan, task); });
  };
  EXPECT_EQ(count(), 1);
  config.kind = NetworkConfig::Kind::kImageNet;
  config.image_size = 200;
  EXPECT_EQ(count(), 3);
}

TEST(StagePlanTest, RefusesWeightsBeyondThePrecision) {
  NetworkConfig config = Narrow();
  config.layers = 1;
  ModelDescription description = DescriptionOf(kSkips, config);
  const FilledTensors filled(description, 3);
  std::vector<float> large;
  std::vector<TensorToWrite> tensors = filled.tensors();
  for (TensorToWrite& tensor : tensors) {
    if (tensor.name != "classifier.weight") continue;
    large.assign(tensor.tensor.elements(), 0);
    large.back() = 65536;
    tensor.tensor.data =
        absl::string_view(reinterpret_cast<const char*>(large.data()),
                          large.size() * sizeof(float));
  }
  absl::StatusOr<std::string> bytes = SerializeModelFile(description, tensors);
  ASSERT_THAT(bytes, IsOk());
  const absl::StatusOr<ModelFile> file = ModelFile::Parse(*bytes, "large");
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(LowerPlan(*file, Precision::kFloat32), IsOk());
  EXPECT_THAT(LowerPlan(*file, Precision::kBFloat16), IsOk());
  EXPECT_THAT(
      LowerPlan(*file, Precision::kFloat16),
      StatusIs(absl::StatusCode::kDataLoss, "classifier.weight: holds 65536"));
}

TEST(StagePlanTest, RefusesMapsOfGigabytes) {
  NetworkConfig config;
  config.init_channels = 2;
  config.layers = 1;
  config.image_size = 8192;
  EXPECT_THAT(LowerPlan(FilledModel(DescriptionOf(kSkips, config), 3),
                        Precision::kFloat16),
              StatusIs(absl::StatusCode::kDataLoss, "image_shape: is ["));
}

}  // namespace
}  // namespace fairdarts
