#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "tests/cuda/affine.h"

extern "C" __global__ void ScaleHalf(const __half* x, float* y, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) y[i] = fairdarts::Affine(2.0f, __half2float(x[i]), 0.0f);
}

extern "C" __global__ void ScaleBfloat(const __nv_bfloat16* x, float* y,
                                       int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) y[i] = fairdarts::Affine(2.0f, __bfloat162float(x[i]), 0.0f);
}
