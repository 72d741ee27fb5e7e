#ifndef FAIRDARTS_RUNTIME_CPU_BACKEND_H_
#define FAIRDARTS_RUNTIME_CPU_BACKEND_H_

// Runs a plan with the kernels of one instruction set.

#include <cstdlib>
#include <memory>

#include "absl/status/statusor.h"
#include "fairdarts/runtime/plan.h"
#include "ops/kernels/depthwise/depthwise.h"
#include "ops/kernels/elementwise/add_scaled.h"
#include "ops/kernels/gemm/gemm.h"
#include "ops/kernels/isa.h"
#include "ops/kernels/pool/pool.h"

namespace fairdarts {

// One thread at a time.
class CpuBackend {
 public:
  // Resource exhausted where the arena cannot be had. `isa` is one of
  // SupportedIsas().
  static absl::StatusOr<CpuBackend> Create(Plan plan, Isa isa);

  // One image [C, H, W] to its logits [classes]. Allocates nothing.
  void Run(const float* image, float* logits);

  const Plan& plan() const { return plan_; }

 private:
  struct Free {
    void operator()(float* floats) const { std::free(floats); }
  };
  using Floats = std::unique_ptr<float[], Free>;

  // Zeros, on a cache line; null where there is no memory.
  static Floats Allocate(int64_t floats);

  CpuBackend(Plan plan, Isa isa, Floats constants, Floats arena);

  void RunStep(const PlanStep& step, const float* image, float* logits);
  void RunDense(const PlanStep& step, const float* in, int64_t in_stride);

  Plan plan_;  // its constants moved to constants_
  Floats constants_;
  Floats arena_;  // the buffers, then scratch
  float* scratch_;
  GemmFunction gemm_;
  DepthwiseFunction depthwise_;
  PoolFunction pool_;
  AddScaledFunction add_scaled_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CPU_BACKEND_H_
