#include "ops/cuda/stage_kernel.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "fairdarts/base/random.h"
#include "ops/cuda/element.h"
#include "ops/cuda/host_stage.h"
#include "ops/cuda/stage.h"

namespace fairdarts {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Half the distance of neighbouring elements, relative to them.
double RoundOff(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return 0x1p-24;
    case Precision::kFloat16:
      return 0x1p-11;
    case Precision::kBFloat16:
      return 0x1p-8;
  }
  return 0;
}

// And where they are subnormal. (Those of the others are too small to meet.)
double SmallestRoundOff(Precision precision) {
  return precision == Precision::kFloat16 ? 0x1p-25 : 0;
}

double Rounded(double value, Precision precision) {
  const float single = static_cast<float>(value);
  switch (precision) {
    case Precision::kFloat32:
      return single;
    case Precision::kFloat16:
      return ToFloat(FromFloat<Half>(single));
    case Precision::kBFloat16:
      return ToFloat(FromFloat<BFloat16>(single));
  }
  return 0;
}

template <typename T>
std::vector<char> BytesOf(const std::vector<double>& values) {
  std::vector<char> bytes(values.size() * sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    const T element = FromFloat<T>(static_cast<float>(values[i]));
    memcpy(bytes.data() + i * sizeof(T), &element, sizeof(T));
  }
  return bytes;
}

std::vector<char> Encode(const std::vector<double>& values,
                         Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return BytesOf<float>(values);
    case Precision::kFloat16:
      return BytesOf<Half>(values);
    case Precision::kBFloat16:
      return BytesOf<BFloat16>(values);
  }
  return {};
}

template <typename T>
std::vector<double> ValuesOf(const std::vector<char>& bytes) {
  std::vector<double> values(bytes.size() / sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    T element;
    memcpy(&element, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = ToFloat(element);
  }
  return values;
}

std::vector<double> Decode(const std::vector<char>& bytes,
                           Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return ValuesOf<float>(bytes);
    case Precision::kFloat16:
      return ValuesOf<Half>(bytes);
    case Precision::kBFloat16:
      return ValuesOf<BFloat16>(bytes);
  }
  return {};
}

// A copy of bytes, a multiple of 16, in front of a page that must not be
// touched: who reads beyond them does not get away with it.
class Guarded {
 public:
  explicit Guarded(const std::vector<char>& bytes) {
    const size_t page = sysconf(_SC_PAGESIZE);
    size_ = (bytes.size() + page - 1) / page * page + page;
    begin_ = static_cast<char*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_NE(begin_, MAP_FAILED);
    EXPECT_EQ(mprotect(begin_ + size_ - page, page, PROT_NONE), 0);
    data_ = begin_ + size_ - page - bytes.size();
    std::copy(bytes.begin(), bytes.end(), data_);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(begin_, size_); }

  char* data() const { return data_; }

 private:
  char* begin_;
  size_t size_;
  char* data_;
};

// A value, and how far a kernel may be off.
struct Bounded {
  double value = 0;
  double error = 0;
};

// A launch with its memory, made up, and what it should compute. Whatever lies
// beside a map is not a number.
class Launch {
 public:
  // Exact: the numbers have so few bits that no sum of them is rounded in
  // float, whatever the order; what is left to round are elements.
  Launch(Precision precision, bool exact, uint64_t seed)
      : precision_(precision),
        exact_(exact),
        random_("stage kernel test", {seed}) {}

  RandomStream& random() { return random_; }
  // A launch has one of them at most.
  bool has_image() const { return !image_.empty(); }
  bool has_logits() const { return !logits_.empty(); }
  int Pick(const std::vector<int>& from) {
    return from[random_.Below(from.size())];
  }

  // A number in [-2, 2].
  double Draw() {
    if (exact_) return (static_cast<double>(random_.Below(33)) - 16) / 8;
    return Rounded(4 * random_.Uniform() - 2, precision_);
  }

  // A map that lies between others: there are more channels in a pixel.
  StageMap AddMap(int images, int channels, int height, int width,
                  bool filled) {
    StageMap map;
    map.channels = channels;
    map.height = height;
    map.width = width;
    const int before = kStageVector * static_cast<int>(random_.Below(3));
    const int after = kStageVector * static_cast<int>(random_.Below(2));
    map.pitch = before + channels + after;
    map.offset = static_cast<int64_t>(arena_.size()) + before;
    const int64_t pixels = int64_t{images} * height * width;
    arena_.resize(arena_.size() + pixels * map.pitch, kNone);
    for (int64_t p = 0; filled && p < pixels; ++p) {
      for (int c = 0; c < channels; ++c) {
        arena_[map.offset + p * map.pitch + c] = Draw();
      }
    }
    return map;
  }

  // Its weights are drawn, after those before.
  void AddSegment(StageTask& task, StageSegment segment) {
    const int taps = segment.kernel_height * segment.kernel_width;
    int made = segment.in.channels;
    if (segment.kind == StageSegment::kDepthwise) {
      segment.depthwise = static_cast<int64_t>(weights_.size());
      for (int i = 0; i < taps * made; ++i) weights_.push_back(Draw());
    } else {
      made *= taps;
    }
    segment.depth = (made + kStageTile - 1) / kStageTile * kStageTile;
    weights_.resize((weights_.size() + kStageTileElements - 1) /
                        kStageTileElements * kStageTileElements,
                    kNone);
    segment.matrix = static_cast<int64_t>(weights_.size());
    const int tiles = StageColumnTiles(task);
    weights_.resize(
        weights_.size() + int64_t{segment.depth} * tiles * kStageTile, kNone);
    // Weights of channels that are never written stay what is not a number.
    for (int k = 0; k < segment.depth; ++k) {
      for (int c = 0; c < task.out.channels; ++c) {
        Weight(segment, task, k, c) = k < made ? Draw() : 0;
      }
    }
    if (task.segments == 0) {
      task.first_segment = static_cast<int>(segments_.size());
    }
    ++task.segments;
    segments_.push_back(segment);
  }

  void AddDirect(StageTask& task, const StageDirect& direct) {
    if (task.directs == 0) {
      task.first_direct = static_cast<int>(directs_.size());
    }
    ++task.directs;
    directs_.push_back(direct);
  }

  StageMap AddImage(int images, int channels, int height, int width) {
    for (int64_t i = 0; i < int64_t{images} * channels * height * width; ++i) {
      image_.push_back(static_cast<float>(Draw()));
    }
    return {0, 0, channels, height, width};
  }

  void AddBias(StageTask& task) {
    task.bias = static_cast<int64_t>(biases_.size());
    for (int c = 0; c < task.out.channels; ++c) {
      biases_.push_back(static_cast<float>(Draw()));
    }
  }

  void AddTask(StageTask task) {
    task.column_blocks =
        (StageColumnTiles(task) + task.block_tiles - 1) / task.block_tiles;
    task.first_block = blocks_;
    const int pixels = task.images * task.out.height * task.out.width;
    blocks_ +=
        (pixels + StageRows(task) - 1) / StageRows(task) * task.column_blocks;
    shared_bytes_ = std::max(shared_bytes_,
                             StageSharedBytes(task, ElementBytes(precision_)));
    if (task.logits != 0) logits_.assign(task.images * task.logits + 1, -7);
    tasks_.push_back(task);
  }

  // Runs it and compares what it wrote, and that it wrote nothing else.
  void Check() {
    const Guarded weights(Encode(weights_, precision_));
    const std::vector<char> before = Encode(arena_, precision_);
    const Guarded arena(before);
    StageArguments arguments;
    arguments.tasks = tasks_.data();
    arguments.task_count = static_cast<int>(tasks_.size());
    arguments.segments = segments_.data();
    arguments.directs = directs_.data();
    arguments.weights = weights.data();
    arguments.biases = biases_.data();
    arguments.arena = arena.data();
    arguments.image = image_.data();
    arguments.logits = logits_.data();
    RunStageOnHost(arguments, precision_, blocks_, shared_bytes_);

    const std::vector<char> after(arena.data(), arena.data() + before.size());
    const std::vector<double> actual = Decode(after, precision_);
    std::vector<bool> written(arena_.size());
    for (const StageTask& task : tasks_) {
      const StageMap& out = task.out;
      for (int n = 0; n < task.images; ++n) {
        for (int y = 0; y < out.height; ++y) {
          for (int x = 0; x < out.width; ++x) {
            for (int c = 0; c < out.channels; ++c) {
              const std::string place =
                  "task " + std::to_string(&task - tasks_.data()) + " at " +
                  std::to_string(n) + "," + std::to_string(y) + "," +
                  std::to_string(x) + "," + std::to_string(c);
              const Bounded expected = Expected(task, n, y, x, c);
              if (task.logits != 0) {
                if (c >= task.logits) continue;
                ASSERT_NEAR(logits_[n * task.logits + c], expected.value,
                            expected.error)
                    << place;
                continue;
              }
              const int64_t i = Index(out, n, y, x) + c;
              written[i] = true;
              if (exact_) {
                ASSERT_EQ(actual[i], Rounded(expected.value, precision_))
                    << place;
              } else {
                ASSERT_NEAR(
                    actual[i], expected.value,
                    expected.error +
                        RoundOff(precision_) *
                            (std::abs(expected.value) + expected.error) +
                        SmallestRoundOff(precision_))
                    << place;
              }
            }
          }
        }
      }
      if (task.logits != 0) {
        ASSERT_EQ(logits_[task.images * task.logits], -7);
      }
    }
    const int bytes = ElementBytes(precision_);
    for (size_t i = 0; i < written.size(); ++i) {
      if (written[i]) continue;
      ASSERT_EQ(
          memcmp(after.data() + i * bytes, before.data() + i * bytes, bytes), 0)
          << "written at " << i;
    }
  }

 private:
  double& Weight(const StageSegment& segment, const StageTask& task, int k,
                 int column) {
    const int64_t tile =
        int64_t{k / kStageTile} * StageColumnTiles(task) + column / kStageTile;
    return weights_[segment.matrix + tile * kStageTileElements +
                    k % kStageTile * kStageTile + column % kStageTile];
  }

  int64_t Index(const StageMap& map, int n, int y, int x) const {
    return map.offset +
           ((int64_t{n} * map.height + y) * map.width + x) * map.pitch;
  }

  // Zero outside of the map.
  double Input(const StageMap& map, int n, int y, int x, int c) const {
    if (y < 0 || y >= map.height || x < 0 || x >= map.width) return 0;
    return arena_[Index(map, n, y, x) + c];
  }

  // Adds up terms as a kernel may, in any order in float: each addition, and
  // each product, is off by at most half a unit of what is below the sum of all
  // magnitudes.
  class Sum {
   public:
    void Add(double term, double error = 0) {
      value_ += term;
      magnitude_ += std::abs(term);
      error_ += error;
      ++terms_;
    }
    Bounded Get(bool exact) const {
      if (exact) return {value_, 0};
      return {value_, error_ + (magnitude_ + error_) * (terms_ + 2) *
                                   RoundOff(Precision::kFloat32)};
    }

   private:
    double value_ = 0;
    double magnitude_ = 0;
    double error_ = 0;
    int terms_ = 0;
  };

  // Element k of f at a pixel.
  Bounded Value(const StageSegment& segment, int n, int y, int x, int k) const {
    const StageMap& in = segment.in;
    const auto input = [&](int r, int s, int c) {
      const double value = Input(
          in, n,
          y * segment.stride_height - segment.pad_top + r * segment.dilation,
          x * segment.stride_width - segment.pad_left + s * segment.dilation,
          c);
      return segment.relu != 0 ? std::max(value, 0.0) : value;
    };
    if (segment.kind == StageSegment::kDense) {
      const int tap = k / in.channels;
      return {input(tap / segment.kernel_width, tap % segment.kernel_width,
                    k % in.channels),
              0};
    }
    Sum sum;
    for (int r = 0; r < segment.kernel_height; ++r) {
      for (int s = 0; s < segment.kernel_width; ++s) {
        sum.Add(input(r, s, k) *
                weights_[segment.depthwise +
                         (int64_t{r} * segment.kernel_width + s) * in.channels +
                         k]);
      }
    }
    Bounded result = sum.Get(exact_);
    if (exact_) {
      result.value = Rounded(result.value, precision_);
    } else {
      // Not rounded here; there it may go either way.
      result.error +=
          RoundOff(precision_) * (std::abs(result.value) + result.error) +
          SmallestRoundOff(precision_);
    }
    return result;
  }

  Bounded Direct(const StageDirect& direct, int n, int y, int x, int c) const {
    const StageMap& in = direct.in;
    if (direct.kind == StageDirect::kImage) {
      if (c >= in.channels) return {};
      return {
          image_[((int64_t{n} * in.channels + c) * in.height + y) * in.width +
                 x],
          0};
    }
    if (direct.kind == StageDirect::kCopy) return {Input(in, n, y, x, c), 0};
    const bool map = direct.kind == StageDirect::kMapAverage;
    const int first_row = map ? 0 : y * direct.stride - 1;
    const int first_column = map ? 0 : x * direct.stride - 1;
    const int rows = map ? direct.window_height : 3;
    const int columns = map ? direct.window_width : 3;
    Sum sum;
    double largest = -std::numeric_limits<double>::infinity();
    int count = 0;
    for (int r = first_row; r < first_row + rows; ++r) {
      for (int s = first_column; s < first_column + columns; ++s) {
        if (r < 0 || r >= in.height || s < 0 || s >= in.width) continue;
        const double value = Input(in, n, r, s, c);
        largest = std::max(largest, value);
        sum.Add(value);
        ++count;
      }
    }
    if (direct.kind == StageDirect::kMaxPool) return {largest, 0};
    Bounded result = sum.Get(exact_);
    result.value /= count;
    // The quotient is rounded once more than other terms.
    result.error = result.error / count +
                   std::abs(result.value) * RoundOff(Precision::kFloat32);
    return result;
  }

  Bounded Expected(const StageTask& task, int n, int y, int x, int c) {
    if (values_at_ != std::make_tuple(&task, n, y, x)) {
      values_at_ = {&task, n, y, x};
      values_.clear();
      for (int s = 0; s < task.segments; ++s) {
        const StageSegment& segment = segments_[task.first_segment + s];
        const int made = segment.kind == StageSegment::kDense
                             ? segment.in.channels * segment.kernel_height *
                                   segment.kernel_width
                             : segment.in.channels;
        for (int k = 0; k < made; ++k) {
          values_.push_back(Value(segment, n, y, x, k));
        }
      }
    }
    Sum sum;
    size_t next = 0;
    for (int s = 0; s < task.segments; ++s) {
      const StageSegment& segment = segments_[task.first_segment + s];
      const int made = segment.kind == StageSegment::kDense
                           ? segment.in.channels * segment.kernel_height *
                                 segment.kernel_width
                           : segment.in.channels;
      for (int k = 0; k < made; ++k) {
        const Bounded& value = values_[next++];
        const double weight = Weight(segment, task, k, c);
        sum.Add(value.value * weight, value.error * std::abs(weight));
      }
    }
    for (int d = 0; d < task.directs; ++d) {
      const StageDirect& direct = directs_[task.first_direct + d];
      const Bounded term = Direct(direct, n, y, x, c);
      sum.Add(direct.scale * term.value, std::abs(direct.scale) * term.error);
    }
    if (task.bias >= 0) sum.Add(biases_[task.bias + c]);
    Bounded result = sum.Get(exact_);
    if (task.relu != 0) result.value = std::max(result.value, 0.0);
    return result;
  }

  Precision precision_;
  bool exact_;
  RandomStream random_;
  std::vector<double> arena_;
  std::vector<double> weights_;
  std::vector<float> biases_ = std::vector<float>(kStageVector);
  std::vector<float> image_;
  std::vector<float> logits_;
  std::vector<StageTask> tasks_;
  std::vector<StageSegment> segments_;
  std::vector<StageDirect> directs_;
  int blocks_ = 0;
  int64_t shared_bytes_ = 0;
  // Of the pixel that was looked at last.
  std::tuple<const StageTask*, int, int, int> values_at_ = {nullptr, 0, 0, 0};
  std::vector<Bounded> values_;
};

// A task without terms, made in the simplest way.
StageTask TaskFor(const StageMap& out, int images) {
  StageTask task = {};
  task.out = out;
  task.images = images;
  task.bias = -1;
  task.block_tiles = 1;
  task.warp_rows = 1;
  task.chunk = kStageTile;
  return task;
}

struct Shape {
  int height;
  int width;
};

// What a convolution does to the plane.
struct Window {
  StageSegment::Kind kind;
  int kernel_height;
  int kernel_width;
  int stride_height;
  int stride_width;
  int dilation;
  int pad_top;
  int pad_left;
};

StageSegment SegmentFor(const Window& window, const StageMap& in, int relu) {
  StageSegment segment = {};
  segment.in = in;
  segment.kind = window.kind;
  segment.kernel_height = window.kernel_height;
  segment.kernel_width = window.kernel_width;
  segment.stride_height = window.stride_height;
  segment.stride_width = window.stride_width;
  segment.dilation = window.dilation;
  segment.pad_top = window.pad_top;
  segment.pad_left = window.pad_left;
  segment.relu = relu;
  return segment;
}

constexpr auto kDense = StageSegment::kDense;
constexpr auto kDepthwise = StageSegment::kDepthwise;

// Those of the networks: 1x1, with stride 2 also from the second pixel on,
// dense ones, depthwise ones with padding that keeps a map's size; and others.
const std::vector<Window>& Windows() {
  static const auto* const windows = new std::vector<Window>{
      {kDense, 1, 1, 1, 1, 1, 0, 0},      {kDense, 1, 1, 2, 2, 1, 0, 0},
      {kDense, 1, 1, 2, 2, 1, -1, -1},    {kDense, 3, 3, 1, 1, 1, 1, 1},
      {kDense, 3, 3, 2, 2, 1, 1, 1},      {kDense, 1, 7, 1, 2, 1, 0, 3},
      {kDense, 7, 1, 2, 1, 1, 3, 0},      {kDense, 3, 2, 1, 1, 2, 2, 1},
      {kDepthwise, 3, 3, 1, 1, 1, 1, 1},  {kDepthwise, 3, 3, 2, 2, 1, 1, 1},
      {kDepthwise, 5, 5, 1, 1, 1, 2, 2},  {kDepthwise, 5, 5, 2, 2, 1, 2, 2},
      {kDepthwise, 3, 3, 1, 1, 2, 2, 2},  {kDepthwise, 3, 3, 2, 2, 2, 2, 2},
      {kDepthwise, 5, 5, 1, 1, 2, 4, 4},  {kDepthwise, 5, 5, 2, 2, 2, 4, 4},
      {kDepthwise, 7, 7, 1, 1, 1, 3, 3},  {kDepthwise, 7, 7, 2, 2, 1, 3, 3},
      {kDepthwise, 3, 5, 1, 2, 1, -1, 0}, {kDepthwise, 1, 1, 1, 1, 1, 0, 0},
  };
  return *windows;
}

class StageKernelTest : public testing::TestWithParam<Precision> {};

TEST_P(StageKernelTest, EachWindowOnEachShape) {
  const std::vector<Shape> shapes = {{1, 1}, {1, 5},  {2, 3},   {7, 7},
                                     {8, 8}, {5, 16}, {13, 12}, {33, 31}};
  uint64_t seed = 0;
  for (const Window& window : Windows()) {
    for (const Shape& shape : shapes) {
      for (const int warp_rows : {1, 4}) {
        Launch launch(GetParam(), /*exact=*/true, ++seed);
        const int images = shape.height < 10 ? 3 : 1;
        // An even or an odd map that gives this size.
        const int height =
            shape.height * window.stride_height -
            static_cast<int>(launch.random().Below(window.stride_height));
        const int width =
            shape.width * window.stride_width -
            static_cast<int>(launch.random().Below(window.stride_width));
        const int channels = shape.height > 30 ? 24 : launch.Pick({8, 40, 72});
        const StageMap in =
            launch.AddMap(images, channels, height, width, true);
        const StageMap out =
            launch.AddMap(images, 24, shape.height, shape.width, false);
        StageTask task = TaskFor(out, images);
        task.warp_rows = warp_rows;
        task.block_tiles = launch.Pick({1, 2});
        task.chunk = launch.Pick({16, 32, 48, 64, 96, 128});
        launch.AddSegment(task, SegmentFor(window, in, seed % 2));
        launch.AddTask(task);
        launch.Check();
        if (HasFatalFailure()) {
          FAIL() << "window " << &window - Windows().data() << ", "
                 << shape.height << "x" << shape.width << ", warp rows "
                 << warp_rows << ", seed " << seed;
        }
      }
    }
  }
}

TEST_P(StageKernelTest, EachTiling) {
  uint64_t seed = 1000;
  for (const int channels : {8, 16, 40, 72, 144, 200, 384}) {
    for (const int warp_rows : {1, 2, 4}) {
      const int most = kStageFragments * kStageWarps / warp_rows;
      for (const int block_tiles : {1, 2, 3, 4, 5, 6, 7, 11, 12, 17, 24}) {
        if (block_tiles > most) continue;
        Launch launch(GetParam(), /*exact=*/true, ++seed);
        const StageMap in = launch.AddMap(3, 40, 3, 4, true);
        const StageMap other = launch.AddMap(3, 24, 3, 4, true);
        const StageMap out = launch.AddMap(3, channels, 3, 4, false);
        StageTask task = TaskFor(out, 3);
        task.warp_rows = warp_rows;
        task.block_tiles = std::min(block_tiles, StageColumnTiles(task));
        task.chunk = launch.Pick({16, 32, 48, 64, 80, 112, 128});
        launch.AddSegment(task, SegmentFor(Windows()[0], in, 1));
        launch.AddSegment(task, SegmentFor(Windows()[8], other, 0));
        launch.AddBias(task);
        launch.AddTask(task);
        launch.Check();
        if (HasFatalFailure()) {
          FAIL() << channels << " channels, warp rows " << warp_rows
                 << ", block tiles " << block_tiles;
        }
      }
    }
  }
}

// A block keeps the first few at hand.
TEST_P(StageKernelTest, ManySegmentsAndDirects) {
  for (const int count : {7, 8, 9, 16, 17, 20}) {
    Launch launch(GetParam(), /*exact=*/true, 1500 + count);
    StageTask task = TaskFor(launch.AddMap(2, 24, 3, 4, false), 2);
    for (int i = 0; i < count; ++i) {
      const StageMap in = launch.AddMap(2, 8 * (1 + i % 3), 3, 4, true);
      launch.AddSegment(task, SegmentFor(Windows()[i % 2 * 8], in, i % 2));
      StageDirect direct = {};
      direct.in = launch.AddMap(2, 24, 3, 4, true);
      direct.kind = i % 2 == 0 ? StageDirect::kCopy : StageDirect::kMaxPool;
      direct.stride = 1;
      direct.scale = i % 3 == 0 ? 0.5f : 1;
      launch.AddDirect(task, direct);
    }
    launch.AddTask(task);
    launch.Check();
    ASSERT_FALSE(HasFatalFailure()) << count;
  }
}

// Anything that stage.h allows.
void AddRandomTask(Launch& launch, bool exact, bool logits) {
  RandomStream& random = launch.random();
  const int images = 1 + static_cast<int>(random.Below(4));
  const int height = logits ? 1 : launch.Pick({1, 2, 5, 8, 9});
  const int width = logits ? 1 : launch.Pick({1, 3, 4, 8, 12, 13});
  const int channels = launch.Pick({8, 16, 24, 40, 72, 144});
  StageTask task =
      TaskFor(launch.AddMap(images, channels, height, width, false), images);
  task.warp_rows = launch.Pick({1, 2, 4});
  task.block_tiles = 1 + static_cast<int>(random.Below(std::min(
                             StageColumnTiles(task),
                             kStageFragments * kStageWarps / task.warp_rows)));
  task.chunk = kStageTile * (1 + static_cast<int>(random.Below(8)));
  task.relu = static_cast<int>(random.Below(2));
  if (random.Below(2) == 0) launch.AddBias(task);
  if (logits) {
    task.logits = 1 + static_cast<int>(random.Below(channels));
  }
  const int segments = static_cast<int>(random.Below(5));
  for (int i = 0; i < segments; ++i) {
    const Window& window = Windows()[random.Below(Windows().size())];
    const int in_height = height * window.stride_height -
                          static_cast<int>(random.Below(window.stride_height));
    const int in_width = width * window.stride_width -
                         static_cast<int>(random.Below(window.stride_width));
    const StageMap in = launch.AddMap(images, launch.Pick({8, 16, 24, 40}),
                                      in_height, in_width, true);
    launch.AddSegment(
        task, SegmentFor(window, in, static_cast<int>(random.Below(2))));
  }
  const int directs = static_cast<int>(random.Below(4));
  for (int i = 0; i < directs; ++i) {
    StageDirect direct = {};
    direct.scale = exact ? 0.5f : 2 * random.Uniform() - 1;
    direct.stride = 1;
    const int kind = static_cast<int>(random.Below(exact ? 3 : 5));
    if (kind == 0) {
      direct.kind = StageDirect::kCopy;
      direct.in = launch.AddMap(images, channels, height, width, true);
    } else if (kind == 1) {
      if (launch.has_image()) continue;
      direct.kind = StageDirect::kImage;
      direct.in =
          launch.AddImage(images, launch.Pick({1, 3, 12}), height, width);
    } else if (kind < 4) {
      direct.kind =
          kind == 2 ? StageDirect::kMaxPool : StageDirect::kAveragePool;
      direct.stride = 1 + static_cast<int>(random.Below(2));
      direct.in = launch.AddMap(
          images, channels,
          height * direct.stride -
              static_cast<int>(random.Below(direct.stride)),
          width * direct.stride - static_cast<int>(random.Below(direct.stride)),
          true);
    } else {
      if (height * width != 1) continue;
      direct.kind = StageDirect::kMapAverage;
      direct.in = launch.AddMap(images, channels, 9, 11, true);
      direct.window_height = launch.Pick({1, 7, 9});
      direct.window_width = launch.Pick({1, 8, 11});
    }
    launch.AddDirect(task, direct);
  }
  launch.AddTask(task);
}

void RunRandomLaunches(Precision precision, bool exact, int count,
                       uint64_t first_seed) {
  for (int i = 0; i < count; ++i) {
    const uint64_t seed = first_seed + i;
    Launch launch(precision, exact, seed);
    const int tasks = 1 + static_cast<int>(launch.random().Below(3));
    for (int t = 0; t < tasks; ++t) {
      AddRandomTask(launch, exact,
                    !launch.has_logits() && launch.random().Below(4) == 0);
    }
    launch.Check();
    if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed;
  }
}

TEST_P(StageKernelTest, WhateverIsAllowed) {
  RunRandomLaunches(GetParam(), /*exact=*/true, 60, 2000);
}

// With numbers of any bits, within what rounding explains.
TEST_P(StageKernelTest, RoundsOnceWhereItSays) {
  RunRandomLaunches(GetParam(), /*exact=*/false, 60, 3000);
}

INSTANTIATE_TEST_SUITE_P(AllPrecisions, StageKernelTest,
                         testing::Values(Precision::kFloat32,
                                         Precision::kFloat16,
                                         Precision::kBFloat16),
                         [](const auto& info) {
                           switch (info.param) {
                             case Precision::kFloat32:
                               return "Float32";
                             case Precision::kFloat16:
                               return "Float16";
                             default:
                               return "BFloat16";
                           }
                         });

}  // namespace
}  // namespace fairdarts
