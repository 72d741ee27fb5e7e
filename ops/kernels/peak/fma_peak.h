#ifndef OPS_KERNELS_PEAK_FMA_PEAK_H_
#define OPS_KERNELS_PEAK_FMA_PEAK_H_

// What benchmarks measure shares of.

#include "ops/kernels/isa.h"

namespace fairdarts {

// Floating-point operations a second that one thread reaches with fused
// multiply-adds of registers alone, two each: the best of several tries of a
// few milliseconds. 0 for kReference.
double MeasureFmaPeak(Isa isa);

}  // namespace fairdarts

#endif  // OPS_KERNELS_PEAK_FMA_PEAK_H_
