#ifndef TESTS_TEST_DEVICE_H_
#define TESTS_TEST_DEVICE_H_

#include "c10/core/Device.h"

namespace fairdarts {

// Where the tensors of a test go: the CPU, or the GPU in a target of
// fd_torch_gpu_test, deterministic and in float32. Aborts with a reason where
// there is none.
c10::Device TestDevice();

}  // namespace fairdarts

#endif  // TESTS_TEST_DEVICE_H_
