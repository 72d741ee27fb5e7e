#ifndef OPS_KERNELS_ELEMENTWISE_ADD_SCALED_H_
#define OPS_KERNELS_ELEMENTWISE_ADD_SCALED_H_

// out[c][p] (+)= scale * in[c][p]: a skip connection.

#include <cstdint>

#include "ops/kernels/isa.h"

namespace fairdarts {

struct AddScaledArguments {
  const float* in;
  int64_t in_stride;
  float* out;  // no plane overlaps one of `in`
  int64_t out_stride;
  int channels;
  // Up to the next multiple of kPlaneSlack are read and written.
  int pixels;
  float scale;
  bool accumulate;  // add to what `out` holds
};

// Thread-safe; allocates nothing.
using AddScaledFunction = void (*)(const AddScaledArguments&);

// Our own bug (FD_CHECK) where the machine cannot run it.
AddScaledFunction AddScaledFor(Isa isa);

}  // namespace fairdarts

#endif  // OPS_KERNELS_ELEMENTWISE_ADD_SCALED_H_
