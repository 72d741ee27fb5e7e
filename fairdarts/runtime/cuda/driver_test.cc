#include "fairdarts/runtime/cuda/driver.h"

#include <dlfcn.h>
#include <gmock/gmock.h>

#include <string>

#include "fairdarts/base/status.h"
#include "fairdarts/runtime/cuda/fake_driver.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

TEST(DriverTest, ALibraryThatIsMissingIsAnEnvironmentError) {
  const absl::StatusOr<CudaDriver> driver = LoadCudaDriver("libnowhere.so.1");
  EXPECT_THAT(driver.status(),
              StatusIs(absl::StatusCode::kUnavailable,
                       "no CUDA driver: libnowhere.so.1: cannot open shared "
                       "object file"));
  EXPECT_THAT(driver.status(),
              StatusIs(absl::StatusCode::kUnavailable,
                       "a driver for CUDA 13.0 or newer (release 580 or newer) "
                       "is needed"));
  EXPECT_EQ(ExitCodeOf(driver.status()), ExitCode::kEnvironment);
}

TEST(DriverTest, ALibraryThatLacksAFunctionIsAnEnvironmentError) {
  EXPECT_THAT(
      LoadCudaDriver("libm.so.6").status(),
      StatusIs(absl::StatusCode::kUnavailable,
               "libm.so.6 has no cuCtxPopCurrent_v2: a driver for CUDA 13.0"));
}

// Whatever this machine has: the same each time, and nothing but a driver that
// works or a sentence.
TEST(DriverTest, TheMachinesDriverIsLoadedOnce) {
  const absl::StatusOr<const CudaDriver*> driver = SystemCudaDriver();
  const absl::StatusOr<const CudaDriver*> again = SystemCudaDriver();
  void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    EXPECT_THAT(driver.status(),
                StatusIs(absl::StatusCode::kUnavailable, "no CUDA driver"));
    EXPECT_EQ(again.status(), driver.status());
    return;
  }
  if (driver.ok()) {
    EXPECT_EQ(*again, *driver);
  } else {
    EXPECT_THAT(driver.status(), StatusIs(absl::StatusCode::kUnavailable,
                                          "a driver for CUDA 13.0"));
  }
  dlclose(library);
}

TEST(DriverTest, ErrorsHaveTheDriversNameAndText) {
  FakeDriver fake;
  EXPECT_THAT(CudaCheck(fake.driver(), CUDA_SUCCESS, "nothing"), IsOk());
  EXPECT_THAT(CudaCheck(fake.driver(), CUDA_ERROR_ILLEGAL_ADDRESS, "running"),
              StatusIs(absl::StatusCode::kUnavailable,
                       "running: CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory "
                       "access was encountered)"));
  EXPECT_THAT(CudaCheck(fake.driver(), CUDA_ERROR_OUT_OF_MEMORY, "asking"),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       "asking: CUDA_ERROR_OUT_OF_MEMORY (out of memory)"));
  EXPECT_THAT(
      CudaCheck(fake.driver(), static_cast<CUresult>(12345), "hoping"),
      StatusIs(absl::StatusCode::kUnavailable,
               "hoping: CUDA error 12345 (the driver does not know it)"));
}

TEST(DriverTest, AnErrorThatIsNotKnownToBeHarmlessSpoilsTheContext) {
  EXPECT_TRUE(LeavesContextUsable(CUDA_SUCCESS));
  EXPECT_TRUE(LeavesContextUsable(CUDA_ERROR_OUT_OF_MEMORY));
  EXPECT_TRUE(LeavesContextUsable(CUDA_ERROR_INVALID_VALUE));
  for (const CUresult spoiling :
       {CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_LAUNCH_FAILED,
        CUDA_ERROR_LAUNCH_TIMEOUT, CUDA_ERROR_ECC_UNCORRECTABLE,
        CUDA_ERROR_MISALIGNED_ADDRESS, CUDA_ERROR_DEINITIALIZED,
        CUDA_ERROR_DEVICE_UNAVAILABLE, CUDA_ERROR_UNKNOWN,
        static_cast<CUresult>(12345)}) {
    EXPECT_FALSE(LeavesContextUsable(spoiling)) << spoiling;
  }
}

TEST(DriverTest, OpensAGpu) {
  FakeDriver fake;
  fake.settings.devices = 2;
  fake.settings.minor = 3;
  const absl::StatusOr<CudaDevice> device = OpenCudaDevice(fake.driver(), 1);
  ASSERT_THAT(device, IsOk());
  EXPECT_EQ(device->device, 1);
  EXPECT_EQ(device->name, "Fake GPU");
  EXPECT_EQ(device->major, 9);
  EXPECT_EQ(device->minor, 3);
  EXPECT_EQ(device->multiprocessors, 8);
  EXPECT_EQ(device->shared_bytes, 227 * 1024);
  EXPECT_EQ(device->multiprocessor_shared_bytes, 228 * 1024);
}

// An error at each of its calls.
TEST(DriverTest, ADriverThatFailsIsAnEnvironmentError) {
  for (int call = 0;; ++call) {
    FakeDriver fake;
    fake.FailCall(call, CUDA_ERROR_INVALID_VALUE);
    const absl::StatusOr<CudaDevice> device = OpenCudaDevice(fake.driver(), 0);
    if (!fake.failed()) {
      EXPECT_EQ(call, 10);
      EXPECT_THAT(device, IsOk());
      break;
    }
    EXPECT_THAT(device.status(), StatusIs(absl::StatusCode::kUnavailable,
                                          "CUDA_ERROR_INVALID_VALUE"))
        << call;
  }
}

}  // namespace
}  // namespace fairdarts
