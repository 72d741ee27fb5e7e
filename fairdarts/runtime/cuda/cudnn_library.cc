#include "fairdarts/runtime/cuda/cudnn_library.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr char kNeeded[] =
    "cuDNN 9 for CUDA 13 (libcudnn.so.9, with the libraries beside it) is "
    "needed where the dynamic linker looks, as in a folder of LD_LIBRARY_PATH";

std::string VersionText(size_t version) {
  return absl::StrCat(version / 10000, ".", version % 10000 / 100, ".",
                      version % 100);
}

// What is wrong with a loaded library, or OK with all of its functions.
absl::Status Look(void* library, const std::string& name, Cudnn* cudnn) {
  cudnn->cudnnGetVersion = reinterpret_cast<decltype(&::cudnnGetVersion)>(
      dlsym(library, "cudnnGetVersion"));
  if (cudnn->cudnnGetVersion == nullptr) {
    return EnvironmentError(
        absl::StrCat(name, " has no cudnnGetVersion: ", kNeeded));
  }
  // Before version 9 it was counted in thousands, so that 8.9.7 is 8907.
  const size_t version = cudnn->cudnnGetVersion();
  if (version / 10000 != kCudnnMajor) {
    return EnvironmentError(absl::StrCat(
        name, " is cuDNN ",
        version < 10000
            ? absl::StrCat(version / 1000, ".", version % 1000 / 100)
            : VersionText(version),
        ": ", kNeeded));
  }
#define FD_CUDNN_LOAD(name_)                                                   \
  cudnn->name_ = reinterpret_cast<decltype(&::name_)>(dlsym(library, #name_)); \
  if (cudnn->name_ == nullptr) {                                               \
    return EnvironmentError(                                                   \
        absl::StrCat(name, " is cuDNN ", VersionText(version),                 \
                     " and has no " #name_ ": ", kNeeded));                    \
  }
  FD_CUDNN_FUNCTIONS(FD_CUDNN_LOAD)
#undef FD_CUDNN_LOAD
  // Counted as cuDriverGetVersion does.
  const size_t cuda = cudnn->cudnnGetCudartVersion() / 1000;
  if (cuda != kCudnnCudaMajor) {
    return EnvironmentError(absl::StrCat(name, " is cuDNN ",
                                         VersionText(version), " for CUDA ",
                                         cuda, ": ", kNeeded));
  }
  return absl::OkStatus();
}

absl::StatusCode CodeOf(cudnnStatus_t result) {
  switch (result) {
    case CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED:
    case CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED:
      return absl::StatusCode::kResourceExhausted;
    default:
      return CUDNN_STATUS_CATEGORY(result) == CUDNN_STATUS_NOT_SUPPORTED
                 ? absl::StatusCode::kUnimplemented
                 : absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::StatusOr<Cudnn> LoadCudnn(const std::string& library) {
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const why = dlerror();
    return EnvironmentError(absl::StrCat(
        "no cuDNN: ", why == nullptr ? library : why, "; ", kNeeded));
  }
  Cudnn cudnn;
  const absl::Status fault = Look(handle, library, &cudnn);
  if (!fault.ok()) {
    dlclose(handle);
    return fault;
  }
  return cudnn;
}

absl::StatusOr<const Cudnn*> SystemCudnn() {
  static const auto* const cudnn =
      new absl::StatusOr<Cudnn>(LoadCudnn("libcudnn.so.9"));
  if (!cudnn->ok()) return cudnn->status();
  return &**cudnn;
}

std::string CudnnVersion(const Cudnn& cudnn) {
  return VersionText(cudnn.cudnnGetVersion());
}

absl::Status CudnnError(const Cudnn& cudnn, cudnnStatus_t result,
                        absl::string_view doing) {
  char text[512] = "";
  cudnn.cudnnGetLastErrorString(text, sizeof(text));
  text[sizeof(text) - 1] = '\0';
  const char* const name = cudnn.cudnnGetErrorString(result);
  std::string message = absl::StrCat(
      doing, ": ",
      name == nullptr ? absl::StrCat("cuDNN error ", static_cast<int>(result))
                      : name);
  // It may be several lines, the last of them empty.
  const absl::string_view detail = absl::StripAsciiWhitespace(text);
  if (!detail.empty()) {
    absl::StrAppend(&message, " (", absl::StrReplaceAll(detail, {{"\n", "; "}}),
                    ")");
  }
  const absl::StatusCode code = CodeOf(result);
  return code == absl::StatusCode::kInternal ? EnvironmentError(message)
                                             : absl::Status(code, message);
}

}  // namespace fairdarts
