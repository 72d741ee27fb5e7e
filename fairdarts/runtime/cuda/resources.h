#ifndef FAIRDARTS_RUNTIME_CUDA_RESOURCES_H_
#define FAIRDARTS_RUNTIME_CUDA_RESOURCES_H_

// What a session has of the driver, each given back where its owner ends. Not
// even an error keeps them: after one that spoilt the context they are gone
// with it.

#include <cuda.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "fairdarts/runtime/cuda/driver.h"

namespace fairdarts {

// A handle, or memory, and the function that gives it back. The context that it
// belongs to is current where it ends.
template <typename T>
class CudaOwned {
 public:
  using Release = CUresult(CUDAAPI*)(T);

  CudaOwned() = default;
  CudaOwned(T handle, Release release) : handle_(handle), release_(release) {}
  CudaOwned(CudaOwned&& other) noexcept
      : handle_(other.handle_),
        release_(std::exchange(other.release_, nullptr)) {}
  CudaOwned& operator=(CudaOwned&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(release_, other.release_);
    return *this;
  }
  ~CudaOwned() {
    if (release_ != nullptr) release_(handle_);
  }

  T get() const { return handle_; }

 private:
  T handle_{};
  Release release_ = nullptr;
};

using CudaEvent = CudaOwned<CUevent>;
using CudaGraph = CudaOwned<CUgraph>;
using CudaGraphExec = CudaOwned<CUgraphExec>;
using CudaHostMemory = CudaOwned<void*>;
using CudaMemory = CudaOwned<CUdeviceptr>;
using CudaModule = CudaOwned<CUmodule>;
using CudaOwnStream = CudaOwned<CUstream>;

// Errors of all of these are CudaError's.
absl::StatusOr<CudaMemory> AllocateOnDevice(const CudaDriver& driver,
                                            int64_t bytes);
// Pinned.
absl::StatusOr<CudaHostMemory> AllocateOnHost(const CudaDriver& driver,
                                              int64_t bytes);
// One that orders work and takes no time.
absl::StatusOr<CudaEvent> CreateEvent(const CudaDriver& driver);
// One that does not wait for the legacy default stream.
absl::StatusOr<CudaOwnStream> CreateStream(const CudaDriver& driver);
// A driver that is too old to compile code for a GPU that there is no machine
// code for is told in its version and the one that is needed.
absl::StatusOr<CudaModule> LoadModule(const CudaDriver& driver,
                                      const void* image);

// A GPU's primary context, which CUDA's runtime library and other sessions
// share, kept for as long as this lives.
class PrimaryContext {
 public:
  static absl::StatusOr<PrimaryContext> Retain(const CudaDriver& driver,
                                               CUdevice device);
  PrimaryContext(PrimaryContext&& other) noexcept
      : driver_(other.driver_),
        device_(other.device_),
        context_(std::exchange(other.context_, nullptr)) {}
  PrimaryContext& operator=(PrimaryContext&&) = delete;
  ~PrimaryContext();

  CUcontext get() const { return context_; }

 private:
  PrimaryContext(const CudaDriver& driver, CUdevice device, CUcontext context)
      : driver_(&driver), device_(device), context_(context) {}

  const CudaDriver* driver_;
  CUdevice device_;
  CUcontext context_;
};

// Makes a context the calling thread's for as long as this lives, and the
// caller's own current again afterwards.
class CurrentContext {
 public:
  CurrentContext(const CudaDriver& driver, CUcontext context)
      : driver_(driver), pushed_(driver.cuCtxPushCurrent(context)) {}
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;
  ~CurrentContext() {
    CUcontext context;
    if (pushed_ == CUDA_SUCCESS) driver_.cuCtxPopCurrent(&context);
  }

  CUresult result() const { return pushed_; }

 private:
  const CudaDriver& driver_;
  const CUresult pushed_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_RESOURCES_H_
