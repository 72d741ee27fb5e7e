#include "fairdarts/runtime/cuda/cudnn_convolution.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "fairdarts/runtime/cuda/fake_cudnn.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using testing::HasSubstr;

constexpr int64_t kWorkspace = 1 << 20;

// A convolution by its definition.
struct Shape {
  int images = 2;
  int height = 9;
  int width = 7;
  int in = 8;
  int in_pitch = 8;
  int out = 16;
  int out_pitch = 16;
  int kernel_height = 3;
  int kernel_width = 3;
  int stride_height = 1;
  int stride_width = 1;
  int dilation = 1;
  int pad_top = 1;
  int pad_left = 1;
  int out_height = 9;
  int out_width = 7;
  bool relu = false;

  StageSegment Segment() const {
    StageSegment segment = {};
    segment.in = {0, in_pitch, in, height, width};
    segment.kind = StageSegment::kDense;
    segment.kernel_height = kernel_height;
    segment.kernel_width = kernel_width;
    segment.stride_height = stride_height;
    segment.stride_width = stride_width;
    segment.dilation = dilation;
    segment.pad_top = pad_top;
    segment.pad_left = pad_left;
    return segment;
  }

  StageTask Task() const {
    StageTask task = {};
    task.out = {0, out_pitch, out, out_height, out_width};
    task.images = images;
    task.segments = 1;
    task.relu = relu;
    return task;
  }

  std::string Text() const {
    return std::to_string(height) + "x" + std::to_string(width) + " to " +
           std::to_string(out_height) + "x" + std::to_string(out_width) +
           ", kernel " + std::to_string(kernel_height) + "x" +
           std::to_string(kernel_width);
  }
};

std::vector<Shape> Shapes() {
  std::vector<Shape> shapes(1);
  const auto add = [&]() -> Shape& { return shapes.emplace_back(); };
  add().relu = true;
  // Views of some channels of wider maps.
  {
    Shape& shape = add();
    shape.in_pitch = 24;
    shape.out_pitch = 40;
    shape.relu = true;
  }
  // The stems' second convolutions, at an even size and an odd one.
  for (const int size : {8, 9}) {
    Shape& shape = add();
    shape.height = shape.width = size;
    shape.stride_height = shape.stride_width = 2;
    shape.out_height = shape.out_width = (size + 1) / 2;
  }
  // Rows and columns apart.
  {
    Shape& shape = add();
    shape.kernel_height = 1;
    shape.kernel_width = 7;
    shape.pad_top = 0;
    shape.pad_left = 3;
    shape.stride_width = 2;
    shape.out_width = 4;
  }
  {
    Shape& shape = add();
    shape.kernel_height = 5;
    shape.kernel_width = 1;
    shape.pad_top = 2;
    shape.pad_left = 0;
    shape.stride_height = 3;
    shape.out_height = 3;
    shape.images = 1;
  }
  {
    Shape& shape = add();
    shape.dilation = 2;
    shape.pad_top = shape.pad_left = 2;
  }
  // More zeros behind the map than in front of it, and fewer.
  {
    Shape& shape = add();
    shape.pad_top = 0;
    shape.pad_left = 0;
  }
  {
    Shape& shape = add();
    shape.pad_top = 2;
    shape.out_height = 9;
    shape.pad_left = 2;
    shape.out_width = 7;
  }
  // A stride over the last row and column.
  {
    Shape& shape = add();
    shape.kernel_height = shape.kernel_width = 2;
    shape.pad_top = shape.pad_left = 0;
    shape.stride_height = shape.stride_width = 2;
    shape.out_height = 4;
    shape.out_width = 3;
  }
  return shapes;
}

// Elements whose first is at a multiple of 16, but not of 32.
template <typename T>
class Elements {
 public:
  Elements(size_t count, T fill) : storage_(count + 64, fill) {
    const uintptr_t first = reinterpret_cast<uintptr_t>(storage_.data());
    data_ = storage_.data() + ((32 - first % 32) + 16) / sizeof(T);
  }
  T* data() { return data_; }
  T& operator[](size_t i) { return data_[i]; }

 private:
  std::vector<T> storage_;
  T* data_;
};

constexpr int64_t kUntouched = 77;

// Small whole numbers, so that every sum is exact in all precisions' float32
// sums; what the library's result is rounded to is rounded here too.
template <typename T>
void CheckAgainstDefinition(const Shape& shape, Precision precision) {
  SCOPED_TRACE(shape.Text());
  FakeCudnn fake;
  std::mt19937 random(5);
  std::uniform_int_distribution<int> small(-2, 2);
  const auto draw = [&] {
    return FromFloat<T>(static_cast<float>(small(random)));
  };
  const int64_t pixels = int64_t{shape.images} * shape.height * shape.width;
  const int64_t out_pixels =
      int64_t{shape.images} * shape.out_height * shape.out_width;
  // What lies beside a view is not to be read.
  Elements<T> x(pixels * shape.in_pitch,
                FromFloat<T>(std::numeric_limits<float>::quiet_NaN()));
  for (int64_t i = 0; i < pixels; ++i) {
    for (int c = 0; c < shape.in; ++c) x[i * shape.in_pitch + c] = draw();
  }
  const int taps = shape.kernel_height * shape.kernel_width;
  Elements<T> w(int64_t{shape.out} * taps * shape.in, T());
  for (int64_t i = 0; i < int64_t{shape.out} * taps * shape.in; ++i) {
    w[i] = draw();
  }
  Elements<T> b(shape.out, T());
  for (int k = 0; k < shape.out; ++k) b[k] = draw();
  Elements<T> y(out_pixels * shape.out_pitch,
                FromFloat<T>(static_cast<float>(kUntouched)));

  {
    absl::StatusOr<CudnnHandle> handle = CudnnHandle::Create(fake.cudnn());
    ASSERT_THAT(handle, IsOk());
    CudnnTarget target;
    target.handle = handle->get();
    absl::StatusOr<CudnnConvolution> convolution =
        CudnnConvolution::Create(fake.cudnn(), target, precision, shape.Task(),
                                 shape.Segment(), kWorkspace);
    ASSERT_THAT(convolution, IsOk());
    ASSERT_THAT(
        convolution->Bind(x.data(), w.data(), b.data(), y.data(), x.data()),
        IsOk());
    ASSERT_THAT(convolution->Execute(handle->get()), IsOk());
  }
  EXPECT_EQ(fake.live, 0);

  int wrong = 0;
  for (int n = 0; n < shape.images; ++n) {
    for (int p = 0; p < shape.out_height; ++p) {
      for (int q = 0; q < shape.out_width; ++q) {
        for (int k = 0; k < shape.out_pitch; ++k) {
          const int64_t pixel =
              (int64_t{n} * shape.out_height + p) * shape.out_width + q;
          float expected = kUntouched;
          if (k < shape.out) {
            expected = ToFloat(b[k]);
            for (int r = 0; r < shape.kernel_height; ++r) {
              for (int s = 0; s < shape.kernel_width; ++s) {
                const int row = p * shape.stride_height - shape.pad_top +
                                r * shape.dilation;
                const int column = q * shape.stride_width - shape.pad_left +
                                   s * shape.dilation;
                if (row < 0 || row >= shape.height || column < 0 ||
                    column >= shape.width) {
                  continue;
                }
                for (int c = 0; c < shape.in; ++c) {
                  const int64_t in_pixel =
                      (int64_t{n} * shape.height + row) * shape.width + column;
                  expected +=
                      ToFloat(x[in_pixel * shape.in_pitch + c]) *
                      ToFloat(
                          w[(int64_t{k} * taps + r * shape.kernel_width + s) *
                                shape.in +
                            c]);
                }
              }
            }
            if (shape.relu) expected = std::max(expected, 0.0f);
          }
          // Compared so that what is not a number is wrong.
          wrong += !(ToFloat(y[pixel * shape.out_pitch + k]) ==
                     ToFloat(FromFloat<T>(expected)));
        }
      }
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST(CudnnConvolutionTest, DescribesWhatIsAskedFor) {
  for (const Shape& shape : Shapes()) {
    CheckAgainstDefinition<float>(shape, Precision::kFloat32);
    CheckAgainstDefinition<Half>(shape, Precision::kFloat16);
    CheckAgainstDefinition<BFloat16>(shape, Precision::kBFloat16);
  }
}

class EnginesTest : public testing::Test {
 protected:
  EnginesTest() : handle_(CudnnHandle::Create(fake_.cudnn())) {
    EXPECT_THAT(handle_, IsOk());
  }

  absl::StatusOr<CudnnConvolution> Create(
      Precision precision = Precision::kFloat32, const Shape& shape = {}) {
    CudnnTarget target;
    target.handle = handle_->get();
    return CudnnConvolution::Create(fake_.cudnn(), target, precision,
                                    shape.Task(), shape.Segment(), kWorkspace);
  }

  // Which engine is taken, by the workspace that it alone wants; -1: none.
  int64_t Taken(Precision precision) {
    const absl::StatusOr<CudnnConvolution> convolution = Create(precision);
    if (convolution.ok()) return convolution->workspace_bytes();
    EXPECT_THAT(convolution, StatusIs(absl::StatusCode::kUnimplemented, ""));
    return -1;
  }

  FakeCudnn fake_;
  absl::StatusOr<CudnnHandle> handle_;
};

TEST_F(EnginesTest, TheFirstThatComputesAsWantedIsTaken) {
  fake_.engines = {{CUDNN_HEUR_MODE_A,
                    {{{CUDNN_NUMERICAL_NOTE_TENSOR_CORE,
                       CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC},
                      1},
                     {{CUDNN_NUMERICAL_NOTE_WINOGRAD}, 2},
                     {{CUDNN_NUMERICAL_NOTE_FFT}, 3},
                     {{CUDNN_NUMERICAL_NOTE_TENSOR_CORE,
                       CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS},
                      4},
                     {{CUDNN_NUMERICAL_NOTE_TENSOR_CORE,
                       CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION},
                      5},
                     // One that is not known yet.
                     {{static_cast<cudnnBackendNumericalNote_t>(
                          CUDNN_NUMERICAL_NOTE_TYPE_COUNT)},
                      6},
                     {{},
                      10,
                      CUDNN_STATUS_SUCCESS,
                      {CUDNN_BEHAVIOR_NOTE_CUBLASLT_DEPENDENCY,
                       CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION}},
                     {{CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 7},
                     {{CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP},
                      8,
                      CUDNN_STATUS_SUCCESS,
                      {CUDNN_BEHAVIOR_NOTE_SUPPORTS_CUDA_GRAPH_NATIVE_API}},
                     {{}, 9}}}};
  // Of float32 the tensor cores take the upper bits alone.
  EXPECT_EQ(Taken(Precision::kFloat32), 8);
  EXPECT_EQ(Taken(Precision::kFloat16), 7);
  EXPECT_EQ(Taken(Precision::kBFloat16), 7);
}

TEST_F(EnginesTest, ListsAreReadInTheirOrderUntilOneWorks) {
  const FakeCudnn::Engine refused = {{}, 1, CUDNN_STATUS_NOT_SUPPORTED};
  const FakeCudnn::Engine large = {{}, kWorkspace + 1};
  fake_.engines = {{CUDNN_HEUR_MODE_A, {refused, large}},
                   {CUDNN_HEUR_MODE_B, {}},
                   {CUDNN_HEUR_MODE_FALLBACK, {refused, {{}, kWorkspace}}}};
  EXPECT_EQ(Taken(Precision::kFloat32), kWorkspace);
  fake_.engines[CUDNN_HEUR_MODE_B] = {{{}, 5}, {{}, 4}};
  EXPECT_EQ(Taken(Precision::kFloat32), 5);
  fake_.engines[CUDNN_HEUR_MODE_A].push_back({{}, 6});
  EXPECT_EQ(Taken(Precision::kFloat32), 6);
  // Neither A nor B at all.
  fake_.engines.erase(CUDNN_HEUR_MODE_A);
  fake_.engines.erase(CUDNN_HEUR_MODE_B);
  EXPECT_EQ(Taken(Precision::kFloat32), kWorkspace);
}

TEST_F(EnginesTest, SaysWhyNoneWillDo) {
  fake_.engines = {{CUDNN_HEUR_MODE_A,
                    {{{CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 0},
                     {{CUDNN_NUMERICAL_NOTE_WINOGRAD}, 0},
                     {{}, kWorkspace + 1},
                     {{}, 0, CUDNN_STATUS_EXECUTION_FAILED}}},
                   {CUDNN_HEUR_MODE_B, {}},
                   {CUDNN_HEUR_MODE_FALLBACK, {}}};
  EXPECT_THAT(
      Create(),
      StatusIs(absl::StatusCode::kUnimplemented,
               "a convolution of 3x3 from 8 to 16 channels of 2 x 9x7: cuDNN "
               "9.19.0 has no engine for it: 2 compute otherwise or are "
               "compiled at run time, 1 want more "
               "workspace than 1048576 bytes, 1 do not work, the last: "
               "describing a plan to cuDNN: CUDNN_STATUS_OF_THE_FAKE (a plan; "
               "refused)"));
}

TEST_F(EnginesTest, WantOfMemoryEndsTheSearch) {
  fake_.engines = {
      {CUDNN_HEUR_MODE_A,
       {{{}, 0, CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED},
        {{}, 0}}}};
  EXPECT_THAT(Create(), StatusIs(absl::StatusCode::kResourceExhausted,
                                 "a convolution of 3x3"));
}

TEST_F(EnginesTest, RunsInTheHandlesStreamWithTheWorkspaceGiven) {
  alignas(16) float values[2 * 9 * 7 * 16] = {};
  fake_.engines = {{CUDNN_HEUR_MODE_A, {{{}, 12}}}};
  absl::StatusOr<CudnnConvolution> convolution = Create();
  ASSERT_THAT(convolution, IsOk());
  char workspace[12] = "";
  const auto stream = reinterpret_cast<CUstream>(workspace);
  ASSERT_THAT(handle_->SetStream(stream), IsOk());
  ASSERT_THAT(convolution->Bind(values, values, values, values, workspace),
              IsOk());
  const int calls = fake_.calls;
  ASSERT_THAT(convolution->Execute(handle_->get()), IsOk());
  // Nothing is described anew.
  EXPECT_EQ(fake_.calls, calls + 1);
  ASSERT_EQ(fake_.runs.size(), 1u);
  EXPECT_EQ(fake_.runs[0].workspace, workspace);
  EXPECT_EQ(fake_.runs[0].stream, stream);
}

TEST_F(EnginesTest, WhateverCallFailsNothingIsKept) {
  alignas(16) float values[2 * 9 * 7 * 16] = {};
  Shape shape;
  shape.relu = true;
  fake_.engines = {{CUDNN_HEUR_MODE_A,
                    {{{CUDNN_NUMERICAL_NOTE_WINOGRAD}},
                     {{}, 0, CUDNN_STATUS_NOT_SUPPORTED}}},
                   {CUDNN_HEUR_MODE_FALLBACK, {{{}, kWorkspace + 1}, {{}, 1}}}};
  const auto run = [&]() -> absl::Status {
    absl::StatusOr<CudnnConvolution> convolution =
        Create(Precision::kFloat16, shape);
    FD_RETURN_IF_ERROR(convolution.status());
    FD_RETURN_IF_ERROR(
        convolution->Bind(values, values, values, values, values));
    return convolution->Execute(handle_->get());
  };
  fake_.calls = 0;
  ASSERT_THAT(run(), IsOk());
  const int calls = fake_.calls;
  ASSERT_GT(calls, 50);
  int failed = 0;
  for (int call = 0; call < calls; ++call) {
    SCOPED_TRACE(call);
    fake_.calls = 0;
    fake_.failing_call = call;
    const absl::Status status = run();
    EXPECT_EQ(fake_.live, 1);  // the handle
    if (status.ok()) continue;
    ++failed;
    EXPECT_THAT(std::string(status.message()), HasSubstr("to fail"));
  }
  // Two lists and two plans, of four calls each, are passed over: others do.
  EXPECT_EQ(failed, calls - 16);
  fake_.failing_call = -1;
  EXPECT_THAT(run(), IsOk());
}

TEST_F(EnginesTest, SaysWhatItCannotDescribe) {
  const auto can = [](const Shape& shape) {
    return CudnnCanDescribe(shape.Task(), shape.Segment());
  };
  for (const Shape& shape : Shapes()) EXPECT_TRUE(can(shape)) << shape.Text();
  Shape shape;
  shape.pad_top = -1;
  EXPECT_FALSE(can(shape));
  EXPECT_THAT(Create(Precision::kFloat32, shape),
              StatusIs(absl::StatusCode::kUnimplemented,
                       "a convolution of 3x3 from 8 to 16 channels"));
  shape = {};
  shape.pad_left = -1;
  EXPECT_FALSE(can(shape));
  // The last row that a window could begin at is left out.
  shape = {};
  shape.pad_top = 0;
  shape.out_height = 6;
  EXPECT_FALSE(can(shape));
  shape = {};
  shape.pad_left = 0;
  shape.out_width = 4;
  EXPECT_FALSE(can(shape));

  shape = {};
  StageTask task = shape.Task();
  task.bias = -1;
  EXPECT_FALSE(CudnnCanDescribe(task, shape.Segment()));
  task = shape.Task();
  task.directs = 1;
  EXPECT_FALSE(CudnnCanDescribe(task, shape.Segment()));
  task = shape.Task();
  task.segments = 2;
  EXPECT_FALSE(CudnnCanDescribe(task, shape.Segment()));
  task = shape.Task();
  task.logits = 10;
  EXPECT_FALSE(CudnnCanDescribe(task, shape.Segment()));
  StageSegment segment = shape.Segment();
  segment.relu = 1;
  EXPECT_FALSE(CudnnCanDescribe(shape.Task(), segment));
  segment = shape.Segment();
  segment.kind = StageSegment::kDepthwise;
  EXPECT_FALSE(CudnnCanDescribe(shape.Task(), segment));
}

}  // namespace
}  // namespace fairdarts
