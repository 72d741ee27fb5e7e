#include "fairdarts/runtime/cuda/cudnn_resources.h"

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::StatusOr<CudnnHandle> CudnnHandle::Create(const Cudnn& cudnn) {
  cudnnHandle_t handle = nullptr;
  FD_RETURN_IF_ERROR(
      CudnnCheck(cudnn, cudnn.cudnnCreate(&handle), "starting cuDNN"));
  return CudnnHandle(cudnn, handle);
}

absl::Status CudnnHandle::SetStream(CUstream stream) {
  return CudnnCheck(*cudnn_, cudnn_->cudnnSetStream(handle_, stream),
                    "giving cuDNN a stream");
}

absl::StatusOr<CudnnDescriptor> CudnnDescriptor::Create(
    const Cudnn& cudnn, cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t descriptor = nullptr;
  FD_RETURN_IF_ERROR(
      CudnnCheck(cudnn, cudnn.cudnnBackendCreateDescriptor(type, &descriptor),
                 "asking cuDNN for a descriptor"));
  return CudnnDescriptor(cudnn, descriptor);
}

CudnnBuilder::CudnnBuilder(const Cudnn& cudnn,
                           cudnnBackendDescriptorType_t type,
                           absl::string_view what)
    : cudnn_(cudnn),
      what_(what),
      descriptor_(CudnnDescriptor::Create(cudnn, type)) {}

CudnnBuilder& CudnnBuilder::Set(cudnnBackendAttributeName_t name,
                                cudnnBackendAttributeType_t type, int64_t count,
                                const void* values) {
  if (!descriptor_.ok()) return *this;
  const cudnnStatus_t set = cudnn_.cudnnBackendSetAttribute(
      descriptor_->get(), name, type, count, values);
  if (set != CUDNN_STATUS_SUCCESS) {
    descriptor_ =
        CudnnError(cudnn_, set,
                   absl::StrCat("describing ", what_, " to cuDNN, attribute ",
                                static_cast<int>(name)));
  }
  return *this;
}

absl::StatusOr<CudnnDescriptor> CudnnBuilder::Finalize() {
  if (descriptor_.ok()) {
    FD_RETURN_IF_ERROR(
        CudnnCheck(cudnn_, cudnn_.cudnnBackendFinalize(descriptor_->get()),
                   absl::StrCat("describing ", what_, " to cuDNN")));
  }
  return std::move(descriptor_);
}

absl::StatusOr<int64_t> CudnnNumber(const Cudnn& cudnn,
                                    const CudnnDescriptor& descriptor,
                                    cudnnBackendAttributeName_t name) {
  int64_t value = 0;
  int64_t count = 0;
  FD_RETURN_IF_ERROR(CudnnCheck(
      cudnn,
      cudnn.cudnnBackendGetAttribute(descriptor.get(), name, CUDNN_TYPE_INT64,
                                     1, &count, &value),
      absl::StrCat("asking cuDNN for attribute ", static_cast<int>(name))));
  return value;
}

}  // namespace fairdarts
