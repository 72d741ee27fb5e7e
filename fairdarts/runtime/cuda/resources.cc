#include "fairdarts/runtime/cuda/resources.h"

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::StatusOr<CudaMemory> AllocateOnDevice(const CudaDriver& driver,
                                            int64_t bytes) {
  CUdeviceptr memory = 0;
  const CUresult result =
      driver.cuMemAlloc(&memory, static_cast<size_t>(bytes));
  if (result != CUDA_SUCCESS) {
    size_t free = 0;
    size_t total = 0;
    const bool known = driver.cuMemGetInfo(&free, &total) == CUDA_SUCCESS;
    return CudaError(driver, result,
                     absl::StrCat("allocating ", bytes, " bytes on the GPU",
                                  known ? absl::StrCat(", where ", free, " of ",
                                                       total, " are free")
                                        : ""));
  }
  return CudaMemory(memory, driver.cuMemFree);
}

absl::StatusOr<CudaHostMemory> AllocateOnHost(const CudaDriver& driver,
                                              int64_t bytes) {
  void* memory = nullptr;
  const CUresult result =
      driver.cuMemAllocHost(&memory, static_cast<size_t>(bytes));
  if (result != CUDA_SUCCESS) {
    return CudaError(
        driver, result,
        absl::StrCat("allocating ", bytes, " bytes of pinned memory"));
  }
  return CudaHostMemory(memory, driver.cuMemFreeHost);
}

absl::StatusOr<CudaEvent> CreateEvent(const CudaDriver& driver) {
  CUevent event = nullptr;
  FD_RETURN_IF_ERROR(
      CudaCheck(driver, driver.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING),
                "creating an event"));
  return CudaEvent(event, driver.cuEventDestroy);
}

absl::StatusOr<CudaOwnStream> CreateStream(const CudaDriver& driver) {
  CUstream stream = nullptr;
  FD_RETURN_IF_ERROR(
      CudaCheck(driver, driver.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING),
                "creating a stream"));
  return CudaOwnStream(stream, driver.cuStreamDestroy);
}

absl::StatusOr<CudaModule> LoadModule(const CudaDriver& driver,
                                      const void* image) {
  CUmodule module = nullptr;
  const CUresult loaded = driver.cuModuleLoadData(&module, image);
  if (loaded == CUDA_ERROR_UNSUPPORTED_PTX_VERSION) {
    int version = 0;
    FD_RETURN_IF_ERROR(CudaCheck(driver, driver.cuDriverGetVersion(&version),
                                 "asking CUDA's driver for its version"));
    return EnvironmentError(absl::StrCat(
        "loading the kernels: there is no machine code for this GPU, and to "
        "compile it a driver for CUDA ",
        CudaVersionText(CUDA_VERSION), " or newer is needed; this one is for ",
        CudaVersionText(version)));
  }
  FD_RETURN_IF_ERROR(CudaCheck(driver, loaded, "loading the kernels"));
  return CudaModule(module, driver.cuModuleUnload);
}

absl::StatusOr<PrimaryContext> PrimaryContext::Retain(const CudaDriver& driver,
                                                      CUdevice device) {
  CUcontext context = nullptr;
  FD_RETURN_IF_ERROR(
      CudaCheck(driver, driver.cuDevicePrimaryCtxRetain(&context, device),
                "opening the GPU's primary context"));
  return PrimaryContext(driver, device, context);
}

PrimaryContext::~PrimaryContext() {
  if (context_ != nullptr) driver_->cuDevicePrimaryCtxRelease(device_);
}

}  // namespace fairdarts
