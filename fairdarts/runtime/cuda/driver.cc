#include "fairdarts/runtime/cuda/driver.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr char kNeeded[] =
    "a driver for CUDA 13.0 or newer (release 580 or newer) is needed";

// Of the library that lacks a function, for the message.
std::string AgeOf(void* library) {
  const auto get_version = reinterpret_cast<decltype(&::cuDriverGetVersion)>(
      dlsym(library, "cuDriverGetVersion"));
  int version = 0;
  if (get_version == nullptr || get_version(&version) != CUDA_SUCCESS) {
    return "";
  }
  return absl::StrCat(" is for CUDA ", CudaVersionText(version), " and");
}

absl::Status Missing(void* library, const std::string& name,
                     absl::string_view function) {
  return EnvironmentError(
      absl::StrCat(name, AgeOf(library), " has no ", function, ": ", kNeeded));
}

// What the driver calls an error; no driver is asked whether it has a name.
absl::string_view TextOr(CUresult found, const char* text,
                         absl::string_view otherwise) {
  return found == CUDA_SUCCESS && text != nullptr ? text : otherwise;
}

absl::StatusOr<int> Attribute(const CudaDriver& driver, CUdevice device,
                              CUdevice_attribute attribute) {
  int value = 0;
  FD_RETURN_IF_ERROR(
      CudaCheck(driver, driver.cuDeviceGetAttribute(&value, attribute, device),
                "asking the GPU what it has"));
  return value;
}

}  // namespace

std::string CudaVersionText(int version) {
  return absl::StrCat(version / 1000, ".", version % 1000 / 10);
}

absl::StatusOr<CudaDriver> LoadCudaDriver(const std::string& library) {
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const why = dlerror();
    return EnvironmentError(absl::StrCat(
        "no CUDA driver: ", why == nullptr ? library : why, "; ", kNeeded));
  }
  CudaDriver driver;
#define FD_CUDA_DRIVER_NAME(name) #name
#define FD_CUDA_DRIVER_LOAD(name)                            \
  driver.name = reinterpret_cast<decltype(&::name)>(         \
      dlsym(handle, FD_CUDA_DRIVER_NAME(name)));             \
  if (driver.name == nullptr) {                              \
    const absl::Status missing =                             \
        Missing(handle, library, FD_CUDA_DRIVER_NAME(name)); \
    dlclose(handle);                                         \
    return missing;                                          \
  }
  FD_CUDA_DRIVER_FUNCTIONS(FD_CUDA_DRIVER_LOAD)
#undef FD_CUDA_DRIVER_LOAD
#undef FD_CUDA_DRIVER_NAME
  return driver;
}

absl::StatusOr<const CudaDriver*> SystemCudaDriver() {
  static const auto* const driver =
      new absl::StatusOr<CudaDriver>(LoadCudaDriver("libcuda.so.1"));
  if (!driver->ok()) return driver->status();
  return &**driver;
}

absl::Status CudaError(const CudaDriver& driver, CUresult result,
                       absl::string_view doing) {
  const char* name = nullptr;
  const char* text = nullptr;
  const CUresult named = driver.cuGetErrorName(result, &name);
  const CUresult described = driver.cuGetErrorString(result, &text);
  const std::string message = absl::StrCat(
      doing, ": ", TextOr(named, name, absl::StrCat("CUDA error ", result)),
      " (", TextOr(described, text, "the driver does not know it"), ")");
  return result == CUDA_ERROR_OUT_OF_MEMORY
             ? absl::ResourceExhaustedError(message)
             : EnvironmentError(message);
}

bool LeavesContextUsable(CUresult result) {
  switch (result) {
    case CUDA_SUCCESS:
    case CUDA_ERROR_INVALID_VALUE:
    case CUDA_ERROR_OUT_OF_MEMORY:
    case CUDA_ERROR_INVALID_CONTEXT:
    case CUDA_ERROR_INVALID_HANDLE:
    case CUDA_ERROR_NOT_READY:
    case CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
    case CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES:
    case CUDA_ERROR_NOT_PERMITTED:
    case CUDA_ERROR_NOT_SUPPORTED:
    case CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED:
    case CUDA_ERROR_STREAM_CAPTURE_INVALIDATED:
    case CUDA_ERROR_STREAM_CAPTURE_MERGE:
    case CUDA_ERROR_STREAM_CAPTURE_UNMATCHED:
    case CUDA_ERROR_STREAM_CAPTURE_UNJOINED:
    case CUDA_ERROR_STREAM_CAPTURE_ISOLATION:
    case CUDA_ERROR_STREAM_CAPTURE_IMPLICIT:
    case CUDA_ERROR_CAPTURED_EVENT:
    case CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD:
      return true;
    default:
      return false;
  }
}

absl::StatusOr<CudaDevice> OpenCudaDevice(const CudaDriver& driver,
                                          int number) {
  // It can be asked before the driver is started, which one that is too old for
  // its kernel module refuses.
  int version = 0;
  FD_RETURN_IF_ERROR(CudaCheck(driver, driver.cuDriverGetVersion(&version),
                               "asking CUDA's driver for its version"));
  if (version < kMinDriverVersion) {
    return EnvironmentError(absl::StrCat(
        "CUDA's driver is for CUDA ", CudaVersionText(version), ": ", kNeeded));
  }
  const CUresult started = driver.cuInit(0);
  int count = 0;
  if (started != CUDA_ERROR_NO_DEVICE) {
    FD_RETURN_IF_ERROR(CudaCheck(driver, started, "starting CUDA's driver"));
    FD_RETURN_IF_ERROR(CudaCheck(driver, driver.cuDeviceGetCount(&count),
                                 "counting the GPUs"));
  }
  if (count == 0) {
    return EnvironmentError(
        "CUDA's driver finds no GPU: one of compute capability 8.0 or newer is "
        "needed, and CUDA_VISIBLE_DEVICES must not hide it");
  }
  if (number < 0 || number >= count) {
    return UsageError(
        absl::StrCat("device: is ", number, "; there ",
                     count == 1 ? "is GPU 0 alone"
                                : absl::StrCat("are GPUs 0 to ", count - 1)));
  }
  CudaDevice device;
  FD_RETURN_IF_ERROR(CudaCheck(driver,
                               driver.cuDeviceGet(&device.device, number),
                               absl::StrCat("opening GPU ", number)));
  char name[256] = "";
  FD_RETURN_IF_ERROR(CudaCheck(
      driver, driver.cuDeviceGetName(name, sizeof(name), device.device),
      "asking the GPU for its name"));
  device.name = name;
  const auto attribute = [&](CUdevice_attribute which) {
    return Attribute(driver, device.device, which);
  };
  FD_ASSIGN_OR_RETURN(device.major,
                      attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR));
  FD_ASSIGN_OR_RETURN(device.minor,
                      attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR));
  FD_ASSIGN_OR_RETURN(device.multiprocessors,
                      attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT));
  FD_ASSIGN_OR_RETURN(
      device.shared_bytes,
      attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN));
  FD_ASSIGN_OR_RETURN(
      device.multiprocessor_shared_bytes,
      attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR));
  if (device.major < kMinComputeMajor) {
    return EnvironmentError(absl::StrCat(
        "GPU ", number, ", ", device.name, ", is of compute capability ",
        device.major, ".", device.minor, ": 8.0 or newer is needed"));
  }
  if (device.shared_bytes < kMinSharedBytes) {
    return EnvironmentError(absl::StrCat(
        "GPU ", number, ", ", device.name, ", has ", device.shared_bytes,
        " bytes of shared memory for a block: ", kMinSharedBytes,
        " are needed"));
  }
  return device;
}

}  // namespace fairdarts
