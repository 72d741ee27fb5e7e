#include "fairdarts/runtime/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/runtime/memory_planner.h"
#include "ops/kernels/gather/gather.h"
#include "ops/kernels/head/head.h"

namespace fairdarts {
namespace {

int64_t Aligned(int64_t floats) {
  return (floats + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

}  // namespace

CpuBackend::Floats CpuBackend::Allocate(int64_t floats) {
  const size_t bytes = sizeof(float) * Aligned(std::max<int64_t>(floats, 1));
  void* const memory =
      std::aligned_alloc(sizeof(float) * kArenaAlignment, bytes);
  if (memory != nullptr) std::memset(memory, 0, bytes);
  return Floats(static_cast<float*>(memory));
}

absl::StatusOr<CpuBackend> CpuBackend::Create(Plan plan, Isa isa) {
  const int64_t floats = Aligned(plan.arena_floats) + plan.scratch_floats;
  Floats constants = Allocate(static_cast<int64_t>(plan.constants.size()));
  Floats arena = Allocate(floats);
  if (constants == nullptr || arena == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "no memory for ", sizeof(float) * (plan.constants.size() + floats),
        " bytes of weights and maps"));
  }
  std::copy(plan.constants.begin(), plan.constants.end(), constants.get());
  std::vector<float>().swap(plan.constants);
  return CpuBackend(std::move(plan), isa, std::move(constants),
                    std::move(arena));
}

CpuBackend::CpuBackend(Plan plan, Isa isa, Floats constants, Floats arena)
    : plan_(std::move(plan)),
      constants_(std::move(constants)),
      arena_(std::move(arena)),
      scratch_(arena_.get() + Aligned(plan_.arena_floats)),
      gemm_(GemmFor(isa)),
      depthwise_(DepthwiseFor(isa)),
      pool_(PoolFor(isa)),
      add_scaled_(AddScaledFor(isa)) {}

void CpuBackend::Run(const float* image, float* logits) {
  for (const PlanStep& step : plan_.steps) RunStep(step, image, logits);
}

void CpuBackend::RunDense(const PlanStep& step, const float* in,
                          int64_t in_stride) {
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
  gather.out = scratch_;
  gather.out_stride = GatherStride(step, rows_at_a_time);
  GemmArguments gemm;
  gemm.weights = constants_.get() + step.weights;
  gemm.bias = constants_.get() + step.bias;
  gemm.in = scratch_;
  gemm.in_stride = gather.out_stride;
  gemm.out_stride = to.plane_stride;
  gemm.rows = step.out_shape.channels;
  gemm.depth = static_cast<int>(GatherDepth(step));
  gemm.relu = step.relu;
  gemm.accumulate = step.accumulate;
  float* const out =
      arena_.get() + to.offset + step.out.channel * to.plane_stride;
  for (int row = 0; row < step.out_shape.height; row += rows_at_a_time) {
    gather.first_row = row;
    gather.rows = std::min(rows_at_a_time, step.out_shape.height - row);
    Gather(gather);
    gemm.out = out + int64_t{row} * width;
    gemm.pixels = gather.rows * width;
    gemm_(gemm);
  }
}

void CpuBackend::RunStep(const PlanStep& step, const float* image,
                         float* logits) {
  const float* in = image;
  int64_t in_stride = int64_t{step.in_shape.height} * step.in_shape.width;
  if (step.in.buffer != PlanView::kImage) {
    const PlanBuffer& from = plan_.buffers[step.in.buffer];
    in_stride = from.plane_stride;
    in = arena_.get() + from.offset + step.in.channel * in_stride;
  }
  if (step.kind == PlanStep::Kind::kLinear) {
    Linear({constants_.get() + step.weights, constants_.get() + step.bias, in,
            in_stride, logits, step.out_shape.channels,
            step.in_shape.channels});
    return;
  }
  const PlanBuffer& to = plan_.buffers[step.out.buffer];
  float* const out =
      arena_.get() + to.offset + step.out.channel * to.plane_stride;
  const int64_t out_stride = to.plane_stride;
  switch (step.kind) {
    case PlanStep::Kind::kPointwise:
      gemm_({constants_.get() + step.weights, constants_.get() + step.bias, in,
             in_stride, out, out_stride, step.out_shape.channels,
             step.in_shape.channels,
             step.out_shape.height * step.out_shape.width, step.relu,
             step.accumulate});
      break;
    case PlanStep::Kind::kDense:
      RunDense(step, in, in_stride);
      break;
    case PlanStep::Kind::kDepthwise:
      depthwise_(
          {{step.in_shape.channels, step.in_shape.height, step.in_shape.width,
            step.kernel_height, step.stride_height, step.dilation},
           constants_.get() + step.weights,
           in,
           in_stride,
           out,
           out_stride,
           step.relu,
           scratch_});
      break;
    case PlanStep::Kind::kMaxPool:
    case PlanStep::Kind::kAveragePool:
      pool_({step.in_shape.channels, step.in_shape.height, step.in_shape.width,
             step.stride_height, step.kind == PlanStep::Kind::kAveragePool, in,
             in_stride, out, out_stride, step.scale, step.accumulate,
             scratch_});
      break;
    case PlanStep::Kind::kAddScaled:
      add_scaled_({in, in_stride, out, out_stride, step.out_shape.channels,
                   step.out_shape.height * step.out_shape.width, step.scale,
                   step.accumulate});
      break;
    case PlanStep::Kind::kMapAverage:
      MapAverage({in, in_stride, step.in_shape.channels, step.in_shape.width,
                  step.kernel_height, step.kernel_width, out, out_stride});
      break;
    case PlanStep::Kind::kLinear:
      break;
  }
}

}  // namespace fairdarts
