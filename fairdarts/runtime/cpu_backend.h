#ifndef FAIRDARTS_RUNTIME_CPU_BACKEND_H_
#define FAIRDARTS_RUNTIME_CPU_BACKEND_H_

// Runs a plan with the kernels of one instruction set.

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "absl/status/statusor.h"
#include "fairdarts/runtime/plan.h"
#include "fairdarts/runtime/thread_pool.h"
#include "ops/kernels/depthwise/depthwise.h"
#include "ops/kernels/elementwise/add_scaled.h"
#include "ops/kernels/gemm/gemm.h"
#include "ops/kernels/isa.h"
#include "ops/kernels/pool/pool.h"

namespace fairdarts {

// Used by one caller at a time.
//
// Several threads take an image each as long as there are enough of them, each
// in an arena of its own; what is left they share step by step, by channels or
// by rows of the maps. Neither changes a result.
class CpuBackend {
 public:
  // Resource exhausted where the arenas cannot be had, an environment error
  // where the threads cannot. `isa` is one of SupportedIsas(), `threads` 1 at
  // least.
  static absl::StatusOr<CpuBackend> Create(Plan plan, Isa isa, int threads);

  // Images [N, C, H, W] to their logits [N, classes]. Allocates nothing.
  void Run(const float* images, int64_t count, float* logits);

  const Plan& plan() const { return plan_; }

 private:
  struct Free {
    void operator()(float* floats) const { std::free(floats); }
  };
  using Floats = std::unique_ptr<float[], Free>;

  // Zeros, on a cache line; null where there is no memory.
  static Floats Allocate(int64_t floats);

  // Where a thread works, and which part of each step it does.
  struct Worker {
    float* arena;
    float* scratch;
    int part;
    int parts;
  };

  CpuBackend(Plan plan, Isa isa, Floats constants, Floats memory,
             int64_t arena_floats, std::unique_ptr<ThreadPool> pool);

  void RunStep(const PlanStep& step, const Worker& worker, const float* image,
               float* logits) const;
  void RunDense(const PlanStep& step, const Worker& worker, const float* in,
                int64_t in_stride) const;

  Plan plan_;  // its constants moved to constants_
  Floats constants_;
  Floats memory_;         // for each thread the buffers, then scratch
  int64_t arena_floats_;  // the buffers of one
  std::unique_ptr<ThreadPool> pool_;
  GemmFunction gemm_;
  DepthwiseFunction depthwise_;
  PoolFunction pool_kernel_;
  AddScaledFunction add_scaled_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CPU_BACKEND_H_
