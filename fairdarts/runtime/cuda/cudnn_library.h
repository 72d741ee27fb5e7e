#ifndef FAIRDARTS_RUNTIME_CUDA_CUDNN_LIBRARY_H_
#define FAIRDARTS_RUNTIME_CUDA_CUDNN_LIBRARY_H_

// cuDNN as a table of its functions, loaded when first asked for: nothing is
// linked, and the program finds the library as the dynamic linker would.

#include <cudnn_graph.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

#define FD_CUDNN_FUNCTIONS(X)      \
  X(cudnnBackendCreateDescriptor)  \
  X(cudnnBackendDestroyDescriptor) \
  X(cudnnBackendExecute)           \
  X(cudnnBackendFinalize)          \
  X(cudnnBackendGetAttribute)      \
  X(cudnnBackendSetAttribute)      \
  X(cudnnCreate)                   \
  X(cudnnDestroy)                  \
  X(cudnnGetCudartVersion)         \
  X(cudnnGetErrorString)           \
  X(cudnnGetLastErrorString)       \
  X(cudnnGetVersion)               \
  X(cudnnSetStream)

struct Cudnn {
#define FD_CUDNN_MEMBER(name) decltype(&::name) name = nullptr;
  FD_CUDNN_FUNCTIONS(FD_CUDNN_MEMBER)
#undef FD_CUDNN_MEMBER
};

// What is linked with: another major version may change every call. The texts
// of errors come with 9.0.
inline constexpr int kCudnnMajor = 9;
// Of CUDA: cuDNN is made for each apart, under the same name, and wants the
// other libraries of that CUDA.
inline constexpr int kCudnnCudaMajor = 13;

// The functions of a library, which stays loaded; an environment error where it
// cannot be loaded, is of another major version or for one of CUDA's, or lacks
// a function.
absl::StatusOr<Cudnn> LoadCudnn(const std::string& library);

// Those of libcudnn.so.9, loaded once for the process; what that gave is what
// later calls give. Thread-safe.
absl::StatusOr<const Cudnn*> SystemCudnn();

// The version of a loaded library, such as "9.19.0".
std::string CudnnVersion(const Cudnn& cudnn);

// An error of cuDNN's: what was being done, the error's name and what cuDNN
// says of the calling thread's last one. Resource exhausted for want of memory,
// unimplemented for what it does not support, else an environment error.
absl::Status CudnnError(const Cudnn& cudnn, cudnnStatus_t result,
                        absl::string_view doing);

// OK, or CudnnError.
inline absl::Status CudnnCheck(const Cudnn& cudnn, cudnnStatus_t result,
                               absl::string_view doing) {
  return result == CUDNN_STATUS_SUCCESS ? absl::OkStatus()
                                        : CudnnError(cudnn, result, doing);
}

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_CUDNN_LIBRARY_H_
