#ifndef FAIRDARTS_RUNTIME_CUDA_DRIVER_H_
#define FAIRDARTS_RUNTIME_CUDA_DRIVER_H_

// CUDA's driver as a table of its functions, loaded when first asked for: what
// links this runs on machines without one. Nothing of CUDA's runtime library is
// needed.

#include <cuda.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

// Named as in cuda.h, whose macros turn a name into the version of the function
// that the header declares.
#define FD_CUDA_DRIVER_FUNCTIONS(X) \
  X(cuCtxPopCurrent)                \
  X(cuCtxPushCurrent)               \
  X(cuDeviceGet)                    \
  X(cuDeviceGetAttribute)           \
  X(cuDeviceGetCount)               \
  X(cuDeviceGetName)                \
  X(cuDevicePrimaryCtxRelease)      \
  X(cuDevicePrimaryCtxRetain)       \
  X(cuDriverGetVersion)             \
  X(cuEventCreate)                  \
  X(cuEventDestroy)                 \
  X(cuEventRecord)                  \
  X(cuEventSynchronize)             \
  X(cuFuncGetAttribute)             \
  X(cuFuncSetAttribute)             \
  X(cuGetErrorName)                 \
  X(cuGetErrorString)               \
  X(cuGraphDestroy)                 \
  X(cuGraphExecDestroy)             \
  X(cuGraphExecKernelNodeSetParams) \
  X(cuGraphInstantiate)             \
  X(cuGraphLaunch)                  \
  X(cuGraphUpload)                  \
  X(cuInit)                         \
  X(cuLaunchKernelEx)               \
  X(cuMemAlloc)                     \
  X(cuMemAllocHost)                 \
  X(cuMemFree)                      \
  X(cuMemFreeHost)                  \
  X(cuMemGetInfo)                   \
  X(cuMemcpyDtoHAsync)              \
  X(cuMemcpyHtoDAsync)              \
  X(cuModuleGetFunction)            \
  X(cuModuleLoadData)               \
  X(cuModuleUnload)                 \
  X(cuPointerGetAttributes)         \
  X(cuStreamBeginCapture)           \
  X(cuStreamCreate)                 \
  X(cuStreamDestroy)                \
  X(cuStreamEndCapture)             \
  X(cuStreamGetCaptureInfo)         \
  X(cuStreamIsCapturing)            \
  X(cuStreamSynchronize)            \
  X(cuStreamWaitEvent)

struct CudaDriver {
#define FD_CUDA_DRIVER_MEMBER(name) decltype(&::name) name = nullptr;
  FD_CUDA_DRIVER_FUNCTIONS(FD_CUDA_DRIVER_MEMBER)
#undef FD_CUDA_DRIVER_MEMBER
};

// The oldest driver, as cuDriverGetVersion counts, that loads the kernels'
// machine code, and the oldest GPU that it is for. Where there is none for a
// GPU its driver compiles them, and has to be as new as the toolkit that made
// them (see LoadModule).
inline constexpr int kMinDriverVersion = 13000;
inline constexpr int kMinComputeMajor = 8;

// Shared memory that every such GPU has for a block.
inline constexpr int kMinSharedBytes = 99 * 1024;

// What cuDriverGetVersion, or CUDA_VERSION, counts: 13000 is "13.0".
std::string CudaVersionText(int version);

// The functions of a library, which stays loaded; an environment error where it
// cannot be loaded or lacks one.
absl::StatusOr<CudaDriver> LoadCudaDriver(const std::string& library);

// Those of the machine's driver, loaded once for the process; what that gave is
// what later calls give. Thread-safe.
absl::StatusOr<const CudaDriver*> SystemCudaDriver();

// An error of the driver's: what was being done, the error's name and its text.
// Resource exhausted for want of memory, else an environment error.
absl::Status CudaError(const CudaDriver& driver, CUresult result,
                       absl::string_view doing);

// OK, or CudaError.
inline absl::Status CudaCheck(const CudaDriver& driver, CUresult result,
                              absl::string_view doing) {
  return result == CUDA_SUCCESS ? absl::OkStatus()
                                : CudaError(driver, result, doing);
}

// Whether a context can be used as before after an error. What is not known to
// be harmless, such as a kernel's fault, has spoilt it for good.
bool LeavesContextUsable(CUresult result);

// A GPU that the kernels run on.
struct CudaDevice {
  CUdevice device;
  std::string name;
  int major;  // of its compute capability
  int minor;
  int multiprocessors;
  int shared_bytes;  // that a block can have
  int multiprocessor_shared_bytes;
};

// Starts the driver and looks at a GPU, by its number from 0 on. A usage error
// for a number that there is no GPU for; an environment error for a driver that
// does not start or is too old, for want of any GPU and for one that is too
// old or has not the shared memory of such a one.
absl::StatusOr<CudaDevice> OpenCudaDevice(const CudaDriver& driver, int number);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_DRIVER_H_
