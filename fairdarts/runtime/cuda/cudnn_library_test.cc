#include "fairdarts/runtime/cuda/cudnn_library.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <string>

#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using testing::Not;

std::string Stub(const std::string& name) {
  return "./fairdarts/runtime/cuda/libcudnn_stub_" + name + ".so";
}

void ExpectRefusal(const std::string& library, const std::string& message) {
  SCOPED_TRACE(library);
  const absl::StatusOr<Cudnn> cudnn = LoadCudnn(library);
  EXPECT_THAT(cudnn, StatusIs(absl::StatusCode::kUnavailable, message));
  EXPECT_THAT(cudnn.status(), ExitCodeIs(ExitCode::kEnvironment));
  EXPECT_THAT(cudnn, StatusIs(absl::StatusCode::kUnavailable,
                              "cuDNN 9 for CUDA 13 (libcudnn.so.9, with the "
                              "libraries beside it) is needed"));
}

TEST(CudnnLibraryTest, LoadsEveryFunction) {
  const absl::StatusOr<Cudnn> cudnn = LoadCudnn(Stub("90000"));
  ASSERT_THAT(cudnn, IsOk());
#define FD_EXPECT_FUNCTION(name) EXPECT_NE(cudnn->name, nullptr) << #name;
  FD_CUDNN_FUNCTIONS(FD_EXPECT_FUNCTION)
#undef FD_EXPECT_FUNCTION
  EXPECT_EQ(CudnnVersion(*cudnn), "9.0.0");
  // Each by its own name.
  EXPECT_STREQ(cudnn->cudnnGetErrorString(CUDNN_STATUS_SUCCESS), "of the stub");
}

TEST(CudnnLibraryTest, SaysWhatWasFoundInPlaceOfCudnn9) {
  ExpectRefusal("libcudnn_of_no_machine.so.9",
                "no cuDNN: libcudnn_of_no_machine.so.9: cannot open");
  ExpectRefusal("libm.so.6", "libm.so.6 has no cudnnGetVersion: ");
  ExpectRefusal(Stub("8907"), "libcudnn_stub_8907.so is cuDNN 8.9: ");
  ExpectRefusal(Stub("100203"), "libcudnn_stub_100203.so is cuDNN 10.2.3: ");
  ExpectRefusal(Stub("cuda12"),
                "libcudnn_stub_cuda12.so is cuDNN 9.19.1 for CUDA 12: ");
  ExpectRefusal(Stub("lacking"),
                "libcudnn_stub_lacking.so is cuDNN 9.19.1 and has no "
                "cudnnSetStream: ");
}

// What cudnnGetLastErrorString gives.
const char* last_error = "";

Cudnn WithErrors() {
  Cudnn cudnn;
  cudnn.cudnnGetErrorString = [](cudnnStatus_t) { return "CUDNN_STATUS_X"; };
  cudnn.cudnnGetLastErrorString = [](char* text, size_t size) {
    std::snprintf(text, size, "%s", last_error);
  };
  return cudnn;
}

TEST(CudnnLibraryTest, ErrorsSayWhatWasDoneAndWhatCudnnSays) {
  const Cudnn cudnn = WithErrors();
  last_error = "one reason\nanother\n";
  const absl::Status error =
      CudnnError(cudnn, CUDNN_STATUS_BAD_PARAM, "running a test");
  EXPECT_EQ(error.message(),
            "running a test: CUDNN_STATUS_X (one reason; another)");
  EXPECT_THAT(error, ExitCodeIs(ExitCode::kEnvironment));
  last_error = "";
  EXPECT_EQ(CudnnError(cudnn, CUDNN_STATUS_BAD_PARAM, "a").message(),
            "a: CUDNN_STATUS_X");
  EXPECT_THAT(CudnnCheck(cudnn, CUDNN_STATUS_SUCCESS, "a"), IsOk());
  EXPECT_THAT(CudnnCheck(cudnn, CUDNN_STATUS_EXECUTION_FAILED, "a"),
              Not(IsOk()));
}

TEST(CudnnLibraryTest, WantOfMemoryAndOfAnEngineAreTold) {
  const Cudnn cudnn = WithErrors();
  for (const cudnnStatus_t status :
       {CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED,
        CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED}) {
    EXPECT_THAT(CudnnError(cudnn, status, "a"),
                StatusIs(absl::StatusCode::kResourceExhausted, "a: "));
  }
  for (const cudnnStatus_t status :
       {CUDNN_STATUS_NOT_SUPPORTED, CUDNN_STATUS_NOT_SUPPORTED_LAYOUT,
        CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH}) {
    EXPECT_THAT(CudnnError(cudnn, status, "a"),
                StatusIs(absl::StatusCode::kUnimplemented, "a: "));
  }
}

}  // namespace
}  // namespace fairdarts
