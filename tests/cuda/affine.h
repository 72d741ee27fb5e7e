#ifndef TESTS_CUDA_AFFINE_H_
#define TESTS_CUDA_AFFINE_H_

#ifdef __CUDACC__
#define FD_TEST_HOST_DEVICE __host__ __device__
#else
#define FD_TEST_HOST_DEVICE
#endif

namespace fairdarts {

// a x + b, on the host and on the GPU.
FD_TEST_HOST_DEVICE inline float Affine(float a, float x, float b) {
  return a * x + b;
}

}  // namespace fairdarts

#endif  // TESTS_CUDA_AFFINE_H_
