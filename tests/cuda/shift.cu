#include "tests/cuda/affine.h"

extern "C" __global__ void Shift(const float* x, float* y, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) y[i] = fairdarts::Affine(1.0f, x[i], FD_TEST_OFFSET);
}
