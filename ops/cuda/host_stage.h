#ifndef OPS_CUDA_HOST_STAGE_H_
#define OPS_CUDA_HOST_STAGE_H_

// The stage kernel on the host: the source that the device runs
// (stage_kernel.h), with blocks, phases, warps and lanes as loops. For tests,
// of the kernel and of what launches it.
//
// It is stricter than a device, so that what goes wrong there now and then goes
// wrong here always:
// - shared memory holds NaNs when a block begins;
// - in a phase the warps run one after the other, in an order that differs from
//   phase to phase (the same in each run): who reads what another warp writes
//   in the same phase does not find it;
// - an asynchronous copy happens when its thread waits for it, not before.

#include <cstdint>

#include "ops/cuda/element.h"
#include "ops/cuda/stage.h"

namespace fairdarts {

// Runs a launch of `blocks` blocks with `shared_bytes` of shared memory each.
// Pointers of `arguments` are the host's. Fails (FD_CHECK) on tasks that are
// not as stage.h says, on accesses outside of shared memory and on vectors that
// are not aligned.
void RunStageOnHost(const StageArguments& arguments, Precision precision,
                    int blocks, int64_t shared_bytes);

}  // namespace fairdarts

#endif  // OPS_CUDA_HOST_STAGE_H_
