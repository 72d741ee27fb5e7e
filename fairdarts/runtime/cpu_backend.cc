#include "fairdarts/runtime/cpu_backend.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/memory_planner.h"
#include "ops/kernels/head/head.h"

namespace fairdarts {
namespace {

int64_t Aligned(int64_t floats) {
  return (floats + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

// In front of the first plane (see isa.h).
constexpr int64_t kLead = kArenaAlignment;
static_assert(kLead >= kPlaneSlack, "kernels read as much");

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
  const GemmBlocks blocks(rows);
  const Range range = PartOf(blocks.count, 1, part, parts);
  return {blocks.Begin(range.begin), blocks.Begin(range.end)};
}

// Steps of fewer operations are not shared: other threads would hear of them
// when they are nearly done.
constexpr int64_t kOperationsToShare = 1 << 15;

// Multiplications and additions of pairs of numbers, roughly.
int64_t Operations(const PlanStep& step) {
  const MapShape& out = step.out_shape;
  const int64_t outputs = int64_t{out.channels} * out.height * out.width;
  switch (step.kind) {
    case PlanStep::Kind::kPointwise:
    case PlanStep::Kind::kDense:
      return outputs * GatherDepth(step);
    case PlanStep::Kind::kDepthwise:
    case PlanStep::Kind::kMapAverage:
      return outputs * step.kernel_height * step.kernel_width;
    case PlanStep::Kind::kMaxPool:
    case PlanStep::Kind::kAveragePool:
      return outputs * 9;
    case PlanStep::Kind::kAddScaled:
      return outputs;
    case PlanStep::Kind::kLinear:
      return 0;  // its kernel has no parts
  }
  return 0;
}

}  // namespace

absl::StatusOr<CpuBackend> CpuBackend::Create(
    Plan plan, Isa isa, std::unique_ptr<Executor> executor) {
  FD_ASSIGN_OR_RETURN(CpuBackend backend,
                      Create(std::move(plan), isa, executor.get()));
  backend.owned_executor_ = std::move(executor);
  return backend;
}

absl::StatusOr<CpuBackend> CpuBackend::Create(Plan plan, Isa isa,
                                              Executor* executor) {
  const int slots = executor->threads();
  const int64_t arena_floats = Aligned(plan.arena_floats);
  const int64_t floats =
      kLead + slots * (arena_floats + Aligned(plan.scratch_floats));
  FloatBuffer memory = FloatBuffer::Allocate(floats);
  if (memory.data() == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "no memory for ", sizeof(float) * floats, " bytes of maps"));
  }
  // Before the first call, which should take no longer than others.
  memory.Touch();
  return CpuBackend(std::move(plan), isa, std::move(memory), arena_floats,
                    executor, slots);
}

CpuBackend::CpuBackend(Plan plan, Isa isa, FloatBuffer memory,
                       int64_t arena_floats, Executor* executor, int slots)
    : plan_(std::move(plan)),
      memory_(std::move(memory)),
      arena_floats_(arena_floats),
      executor_(executor),
      slots_(slots),
      isa_(isa),
      gemm_(GemmFor(isa)),
      depthwise_(DepthwiseFor(isa)),
      gather_(GatherFor(isa)),
      pool_kernel_(PoolFor(isa)),
      add_scaled_(AddScaledFor(isa)) {
  parts_.reserve(plan_.steps.size());
  for (const PlanStep& step : plan_.steps) {
    parts_.push_back(Operations(step) < kOperationsToShare ? 1 : slots);
  }
}

float* CpuBackend::ArenaOf(int slot) {
  return memory_.data() + kLead +
         slot * (arena_floats_ + Aligned(plan_.scratch_floats));
}

float* CpuBackend::ScratchOf(int slot) { return ArenaOf(slot) + arena_floats_; }

void CpuBackend::Run(const float* images, int64_t count, float* logits) {
  const int64_t image_floats =
      int64_t{plan_.image.channels} * plan_.image.height * plan_.image.width;
  const int64_t alone = count / slots_ * slots_;
  if (alone > 0) {
    // Whoever is done takes the next one: no two cores are equally fast.
    std::atomic<int64_t> next{0};
    const auto work = [&](int slot) {
      const Worker worker = {ArenaOf(slot), ScratchOf(slot), 0, 1};
      for (int64_t i = next++; i < alone; i = next++) {
        for (const PlanStep& step : plan_.steps) {
          RunStep(step, worker, images + i * image_floats,
                  logits + i * plan_.classes);
        }
      }
    };
    executor_->Run(slots_, work);
  }
  for (int64_t i = alone; i < count; ++i) {
    RunShared(images + i * image_floats, logits + i * plan_.classes);
  }
}

void CpuBackend::RunShared(const float* image, float* logits) {
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    const PlanStep& step = plan_.steps[i];
    const int parts = parts_[i];
    // All of them in the first slot's maps.
    const auto work = [&](int part) {
      RunStep(step, {ArenaOf(0), ScratchOf(part), part, parts}, image, logits);
    };
    if (parts == 1) {
      work(0);
    } else {
      executor_->Run(parts, work);
    }
  }
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
  gemm.weights = plan_.constants.data() + step.weights;
  gemm.bias = plan_.constants.data() + step.bias;
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
    gather_(gather);
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
    Linear({plan_.constants.data() + step.weights,
            plan_.constants.data() + step.bias, in, logits,
            step.out_shape.channels, step.in_shape.channels});
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
  const float* const weights = plan_.constants.data() + step.weights;
  if (step.kind == PlanStep::Kind::kPointwise) {
    gemm_({weights + int64_t{part.begin} * step.in_shape.channels,
           plan_.constants.data() + step.bias + part.begin, in, in_stride, out,
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
                    out, out_stride, step.scale, step.accumulate});
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
