#ifndef FAIRDARTS_INFERENCE_CUDA_H_
#define FAIRDARTS_INFERENCE_CUDA_H_

// Found networks on a GPU of NVIDIA in other people's programs: link
// //fairdarts:inference_cuda, built with --config=cuda. Programs need no CUDA
// to be built or started: the driver is loaded with the first session.

#include "fairdarts/runtime/cuda/cuda_session.h"  // IWYU pragma: export

#endif  // FAIRDARTS_INFERENCE_CUDA_H_
