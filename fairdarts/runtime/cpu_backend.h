#ifndef FAIRDARTS_RUNTIME_CPU_BACKEND_H_
#define FAIRDARTS_RUNTIME_CPU_BACKEND_H_

// Runs a plan with the kernels of one instruction set.

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "fairdarts/runtime/executor.h"
#include "fairdarts/runtime/float_buffer.h"
#include "fairdarts/runtime/plan.h"
#include "ops/kernels/depthwise/depthwise.h"
#include "ops/kernels/elementwise/add_scaled.h"
#include "ops/kernels/gather/gather.h"
#include "ops/kernels/gemm/gemm.h"
#include "ops/kernels/isa.h"
#include "ops/kernels/pool/pool.h"

namespace fairdarts {

// Used by one caller at a time.
//
// As long as there are enough images, each task of the executor takes one after
// the other, in an arena of its own; what is left is shared step by step, by
// channels or by rows of the maps. Neither changes a result.
class CpuBackend {
 public:
  // Resource exhausted where there is no memory for the arenas, as many as the
  // executor has threads. `isa` is one of SupportedIsas().
  static absl::StatusOr<CpuBackend> Create(Plan plan, Isa isa,
                                           std::unique_ptr<Executor> executor);
  // The same over an executor that outlives the backend.
  static absl::StatusOr<CpuBackend> Create(Plan plan, Isa isa,
                                           Executor* executor);

  // Images [N, C, H, W] to their logits [N, classes]. Allocates nothing unless
  // the executor does.
  void Run(const float* images, int64_t count, float* logits);

  const Plan& plan() const { return plan_; }
  Isa isa() const { return isa_; }
  int threads() const { return slots_; }

 private:
  // Where a task works, and which part of each step it does.
  struct Worker {
    float* arena;
    float* scratch;
    int part;
    int parts;
  };

  CpuBackend(Plan plan, Isa isa, FloatBuffer memory, int64_t arena_floats,
             Executor* executor, int slots);

  float* ArenaOf(int slot);
  float* ScratchOf(int slot);
  void RunShared(const float* image, float* logits);
  void RunStep(const PlanStep& step, const Worker& worker, const float* image,
               float* logits) const;
  void RunDense(const PlanStep& step, const Worker& worker, const float* in,
                int64_t in_stride) const;

  Plan plan_;
  FloatBuffer memory_;    // for each slot the buffers, then scratch
  int64_t arena_floats_;  // the buffers of one
  std::unique_ptr<Executor> owned_executor_;  // or null
  Executor* executor_;
  int slots_;               // the threads of the executor
  std::vector<int> parts_;  // among how many tasks a step is shared
  Isa isa_;
  GemmFunction gemm_;
  DepthwiseFunction depthwise_;
  GatherFunction gather_;
  PoolFunction pool_kernel_;
  AddScaledFunction add_scaled_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CPU_BACKEND_H_
