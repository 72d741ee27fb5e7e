#ifndef FAIRDARTS_RUNTIME_CUDA_CUDNN_RESOURCES_H_
#define FAIRDARTS_RUNTIME_CUDA_CUDNN_RESOURCES_H_

// What is owned of cuDNN, each given back where its owner ends.

#include <cuda.h>
#include <cudnn_graph.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "fairdarts/runtime/cuda/cudnn_library.h"

namespace fairdarts {

// cuDNN on the GPU whose context is current, where it is made, used and ended.
// One thread at a time uses it.
class CudnnHandle {
 public:
  static absl::StatusOr<CudnnHandle> Create(const Cudnn& cudnn);
  CudnnHandle(CudnnHandle&& other) noexcept
      : cudnn_(other.cudnn_), handle_(std::exchange(other.handle_, nullptr)) {}
  CudnnHandle& operator=(CudnnHandle&& other) noexcept {
    std::swap(cudnn_, other.cudnn_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~CudnnHandle() {
    if (handle_ != nullptr) cudnn_->cudnnDestroy(handle_);
  }

  // What is executed from now on works in this stream, null for the legacy
  // default one; it may be one that is being captured.
  absl::Status SetStream(CUstream stream);
  cudnnHandle_t get() const { return handle_; }

 private:
  CudnnHandle(const Cudnn& cudnn, cudnnHandle_t handle)
      : cudnn_(&cudnn), handle_(handle) {}

  const Cudnn* cudnn_;
  cudnnHandle_t handle_;
};

// A descriptor of the backend interface.
class CudnnDescriptor {
 public:
  static absl::StatusOr<CudnnDescriptor> Create(
      const Cudnn& cudnn, cudnnBackendDescriptorType_t type);
  CudnnDescriptor(CudnnDescriptor&& other) noexcept
      : cudnn_(other.cudnn_),
        descriptor_(std::exchange(other.descriptor_, nullptr)) {}
  CudnnDescriptor& operator=(CudnnDescriptor&& other) noexcept {
    std::swap(cudnn_, other.cudnn_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~CudnnDescriptor() {
    if (descriptor_ != nullptr) {
      cudnn_->cudnnBackendDestroyDescriptor(descriptor_);
    }
  }

  cudnnBackendDescriptor_t get() const { return descriptor_; }

 private:
  CudnnDescriptor(const Cudnn& cudnn, cudnnBackendDescriptor_t descriptor)
      : cudnn_(&cudnn), descriptor_(descriptor) {}

  const Cudnn* cudnn_;
  cudnnBackendDescriptor_t descriptor_;
};

// Makes a descriptor. The first error is what Finalize returns:
//
//   FD_ASSIGN_OR_RETURN(
//       CudnnDescriptor map,
//       CudnnBuilder(cudnn, CUDNN_BACKEND_TENSOR_DESCRIPTOR, "a map")
//           .Set(CUDNN_ATTR_TENSOR_UNIQUE_ID, int64_t{1})
//           ...
//           .Finalize());
class CudnnBuilder {
 public:
  // `what` is what errors call it.
  CudnnBuilder(const Cudnn& cudnn, cudnnBackendDescriptorType_t type,
               absl::string_view what);

  CudnnBuilder& Set(cudnnBackendAttributeName_t name,
                    const CudnnDescriptor& value) {
    const cudnnBackendDescriptor_t descriptor = value.get();
    return Set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &descriptor);
  }
  CudnnBuilder& Set(cudnnBackendAttributeName_t name, cudnnHandle_t value) {
    return Set(name, CUDNN_TYPE_HANDLE, 1, &value);
  }
  template <typename T>
  CudnnBuilder& Set(cudnnBackendAttributeName_t name, T value) {
    return Set(name, TypeOf(T()), 1, &value);
  }
  template <typename T>
  CudnnBuilder& Set(cudnnBackendAttributeName_t name,
                    const std::vector<T>& values) {
    return Set(name, TypeOf(T()), static_cast<int64_t>(values.size()),
               values.data());
  }
  CudnnBuilder& Set(cudnnBackendAttributeName_t name,
                    cudnnBackendAttributeType_t type, int64_t count,
                    const void* values);

  absl::StatusOr<CudnnDescriptor> Finalize();

 private:
  static constexpr auto TypeOf(bool) { return CUDNN_TYPE_BOOLEAN; }
  static constexpr auto TypeOf(int64_t) { return CUDNN_TYPE_INT64; }
  static constexpr auto TypeOf(float) { return CUDNN_TYPE_FLOAT; }
  static constexpr auto TypeOf(void*) { return CUDNN_TYPE_VOID_PTR; }
  static constexpr auto TypeOf(cudnnDataType_t) { return CUDNN_TYPE_DATA_TYPE; }
  static constexpr auto TypeOf(cudnnConvolutionMode_t) {
    return CUDNN_TYPE_CONVOLUTION_MODE;
  }
  static constexpr auto TypeOf(cudnnPointwiseMode_t) {
    return CUDNN_TYPE_POINTWISE_MODE;
  }
  static constexpr auto TypeOf(cudnnBackendHeurMode_t) {
    return CUDNN_TYPE_HEUR_MODE;
  }

  const Cudnn& cudnn_;
  const absl::string_view what_;
  absl::StatusOr<CudnnDescriptor> descriptor_;
};

// An attribute that is one number.
absl::StatusOr<int64_t> CudnnNumber(const Cudnn& cudnn,
                                    const CudnnDescriptor& descriptor,
                                    cudnnBackendAttributeName_t name);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_CUDNN_RESOURCES_H_
