#include "fairdarts/runtime/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/memory_planner.h"
#include "ops/kernels/gather/gather.h"
#include "ops/kernels/head/head.h"

namespace fairdarts {
namespace {

int64_t Aligned(int64_t floats) {
  return (floats + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

// What one of several threads does of a number of things.
struct Range {
  int begin;
  int end;
};

// Parts of nearly one size that begin at multiples of `unit`.
Range PartOf(int count, int unit, int part, int parts) {
  const int64_t units = (count + unit - 1) / unit;
  const auto at = [&](int p) {
    return static_cast<int>(std::min<int64_t>(count, units * p / parts * unit));
  };
  return {at(part), at(part + 1)};
}

// The same for rows of a gemm, whose packed weights come in blocks.
Range GemmPartOf(int rows, int part, int parts) {
  const int blocks = (rows + kGemmBlock - 1) / kGemmBlock;
  const Range range = PartOf(blocks, 1, part, parts);
  Range result = {0, 0};
  int row = 0;
  for (int block = 0; block < range.end; ++block) {
    if (block == range.begin) result.begin = row;
    row = GemmBlockEnd(rows, row);
  }
  result.end = range.begin == range.end ? result.begin : row;
  return result;
}

}  // namespace

CpuBackend::Floats CpuBackend::Allocate(int64_t floats) {
  const size_t bytes = sizeof(float) * Aligned(std::max<int64_t>(floats, 1));
  void* const memory =
      std::aligned_alloc(sizeof(float) * kArenaAlignment, bytes);
  if (memory != nullptr) std::memset(memory, 0, bytes);
  return Floats(static_cast<float*>(memory));
}

absl::StatusOr<CpuBackend> CpuBackend::Create(Plan plan, Isa isa, int threads) {
  const int64_t arena_floats = Aligned(plan.arena_floats);
  const int64_t floats =
      threads * (arena_floats + Aligned(plan.scratch_floats));
  Floats constants = Allocate(static_cast<int64_t>(plan.constants.size()));
  Floats memory = Allocate(floats);
  if (constants == nullptr || memory == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "no memory for ", sizeof(float) * (plan.constants.size() + floats),
        " bytes of weights and maps"));
  }
  FD_ASSIGN_OR_RETURN(std::unique_ptr<ThreadPool> pool,
                      ThreadPool::Create(threads));
  std::copy(plan.constants.begin(), plan.constants.end(), constants.get());
  std::vector<float>().swap(plan.constants);
  return CpuBackend(std::move(plan), isa, std::move(constants),
                    std::move(memory), arena_floats, std::move(pool));
}

CpuBackend::CpuBackend(Plan plan, Isa isa, Floats constants, Floats memory,
                       int64_t arena_floats, std::unique_ptr<ThreadPool> pool)
    : plan_(std::move(plan)),
      constants_(std::move(constants)),
      memory_(std::move(memory)),
      arena_floats_(arena_floats),
      pool_(std::move(pool)),
      gemm_(GemmFor(isa)),
      depthwise_(DepthwiseFor(isa)),
      pool_kernel_(PoolFor(isa)),
      add_scaled_(AddScaledFor(isa)) {}

void CpuBackend::Run(const float* images, int64_t count, float* logits) {
  const int64_t image_floats =
      int64_t{plan_.image.channels} * plan_.image.height * plan_.image.width;
  const int threads = pool_->threads();
  const int64_t worker_floats = arena_floats_ + Aligned(plan_.scratch_floats);
  // An image a thread, then the rest step by step.
  const int64_t alone = count / threads * threads;
  pool_->Run([&](int thread) {
    float* const own = memory_.get() + thread * worker_floats;
    const Worker worker = {own, own + arena_floats_, 0, 1};
    for (int64_t i = thread; i < alone; i += threads) {
      for (const PlanStep& step : plan_.steps) {
        RunStep(step, worker, images + i * image_floats,
                logits + i * plan_.classes);
      }
    }
    const Worker shared = {memory_.get(), own + arena_floats_, thread, threads};
    // Nobody may still work in the first thread's arena.
    if (alone > 0 && alone < count) pool_->Barrier();
    for (int64_t i = alone; i < count; ++i) {
      for (const PlanStep& step : plan_.steps) {
        RunStep(step, shared, images + i * image_floats,
                logits + i * plan_.classes);
        pool_->Barrier();
      }
    }
  });
}

void CpuBackend::RunDense(const PlanStep& step, const Worker& worker,
                          const float* in, int64_t in_stride) const {
  const PlanBuffer& to = plan_.buffers[step.out.buffer];
  const int width = step.out_shape.width;
  const int rows_at_a_time = DenseRows(step);
  GatherArguments gather;
  gather.in = in;
  gather.in_stride = in_stride;
  gather.channels = step.in_shape.channels;
  gather.height = step.in_shape.height;
  gather.width = step.in_shape.width;
  gather.kernel_height = step.kernel_height;
  gather.kernel_width = step.kernel_width;
  gather.stride_height = step.stride_height;
  gather.stride_width = step.stride_width;
  gather.dilation = step.dilation;
  gather.pad_top = step.pad_top;
  gather.pad_left = step.pad_left;
  gather.out_width = width;
  gather.out = worker.scratch;
  gather.out_stride = GatherStride(step, rows_at_a_time);
  GemmArguments gemm;
  gemm.weights = constants_.get() + step.weights;
  gemm.bias = constants_.get() + step.bias;
  gemm.in = worker.scratch;
  gemm.in_stride = gather.out_stride;
  gemm.out_stride = to.plane_stride;
  gemm.rows = step.out_shape.channels;
  gemm.depth = static_cast<int>(GatherDepth(step));
  gemm.relu = step.relu;
  gemm.accumulate = step.accumulate;
  float* const out =
      worker.arena + to.offset + step.out.channel * to.plane_stride;
  // A gemm writes whole vectors: parts begin where a vector does.
  const int unit = kPlaneSlack / std::gcd(kPlaneSlack, width);
  const Range rows =
      PartOf(step.out_shape.height, unit, worker.part, worker.parts);
  for (int row = rows.begin; row < rows.end; row += rows_at_a_time) {
    gather.first_row = row;
    gather.rows = std::min(rows_at_a_time, rows.end - row);
    Gather(gather);
    gemm.out = out + int64_t{row} * width;
    gemm.pixels = gather.rows * width;
    gemm_(gemm);
  }
}

void CpuBackend::RunStep(const PlanStep& step, const Worker& worker,
                         const float* image, float* logits) const {
  const float* in = image;
  int64_t in_stride = int64_t{step.in_shape.height} * step.in_shape.width;
  if (step.in.buffer != PlanView::kImage) {
    const PlanBuffer& from = plan_.buffers[step.in.buffer];
    in_stride = from.plane_stride;
    in = worker.arena + from.offset + step.in.channel * in_stride;
  }
  if (step.kind == PlanStep::Kind::kLinear) {
    if (worker.part != 0) return;
    Linear({constants_.get() + step.weights, constants_.get() + step.bias, in,
            in_stride, logits, step.out_shape.channels,
            step.in_shape.channels});
    return;
  }
  if (step.kind == PlanStep::Kind::kDense) {
    RunDense(step, worker, in, in_stride);
    return;
  }
  const PlanBuffer& to = plan_.buffers[step.out.buffer];
  const int64_t out_stride = to.plane_stride;
  const int pixels = step.out_shape.height * step.out_shape.width;
  const Range part =
      step.kind == PlanStep::Kind::kPointwise
          ? GemmPartOf(step.out_shape.channels, worker.part, worker.parts)
          : PartOf(step.out_shape.channels, 1, worker.part, worker.parts);
  const int channels = part.end - part.begin;
  if (channels == 0) return;
  float* const out =
      worker.arena + to.offset + (step.out.channel + part.begin) * out_stride;
  const float* const weights = constants_.get() + step.weights;
  if (step.kind == PlanStep::Kind::kPointwise) {
    gemm_({weights + int64_t{part.begin} * step.in_shape.channels,
           constants_.get() + step.bias + part.begin, in, in_stride, out,
           out_stride, channels, step.in_shape.channels, pixels, step.relu,
           step.accumulate});
    return;
  }
  // The others go channel by channel.
  in += part.begin * in_stride;
  switch (step.kind) {
    case PlanStep::Kind::kDepthwise:
      depthwise_({{channels, step.in_shape.height, step.in_shape.width,
                   step.kernel_height, step.stride_height, step.dilation},
                  weights + int64_t{part.begin} * step.kernel_height *
                                step.kernel_width,
                  in,
                  in_stride,
                  out,
                  out_stride,
                  step.relu,
                  worker.scratch});
      break;
    case PlanStep::Kind::kMaxPool:
    case PlanStep::Kind::kAveragePool:
      pool_kernel_({channels, step.in_shape.height, step.in_shape.width,
                    step.stride_height,
                    step.kind == PlanStep::Kind::kAveragePool, in, in_stride,
                    out, out_stride, step.scale, step.accumulate,
                    worker.scratch});
      break;
    case PlanStep::Kind::kAddScaled:
      add_scaled_({in, in_stride, out, out_stride, channels, pixels, step.scale,
                   step.accumulate});
      break;
    case PlanStep::Kind::kMapAverage:
      MapAverage({in, in_stride, channels, step.in_shape.width,
                  step.kernel_height, step.kernel_width, out, out_stride});
      break;
    case PlanStep::Kind::kPointwise:
    case PlanStep::Kind::kDense:
    case PlanStep::Kind::kLinear:
      break;
  }
}

}  // namespace fairdarts
