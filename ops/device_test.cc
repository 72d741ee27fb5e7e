#include "ops/device.h"

#include <ATen/Context.h>

#include <cstdlib>
#include <string>

#include "fairdarts/base/status.h"
#include "gtest/gtest.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

TEST(DeviceTest, TheCpuIsAlwaysThere) {
  const absl::StatusOr<c10::Device> device = FindDevice(/*cuda=*/false);
  ASSERT_THAT(device, IsOk());
  EXPECT_TRUE(device->is_cpu());
}

TEST(DeviceTest, WithoutAGpuItIsAnErrorOfTheEnvironmentInOneSentence) {
  if (at::Context::hasCUDA() && at::hasCUDA()) GTEST_SKIP() << "has a GPU";
  const absl::Status status = FindDevice(/*cuda=*/true).status();
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kEnvironment));
  const std::string message(status.message());
  EXPECT_EQ(message.rfind("device cuda: ", 0), 0u) << message;
  EXPECT_NE(message.find("use --device=cpu"), std::string::npos) << message;
  EXPECT_EQ(message.find_first_of("\n."), std::string::npos) << message;
}

TEST(DeviceTest, Float32StaysFloat32) {
  SetUpCudaMath(/*deterministic=*/false);
  EXPECT_FALSE(at::globalContext().allowTF32CuDNN());
  EXPECT_FALSE(at::globalContext().allowTF32CuBLAS());
  EXPECT_TRUE(at::globalContext().benchmarkCuDNN());
  EXPECT_FALSE(at::globalContext().deterministicAlgorithms());
}

TEST(DeviceTest, DeterministicLeavesNoChoiceToTheClock) {
  unsetenv("CUBLAS_WORKSPACE_CONFIG");
  SetUpCudaMath(/*deterministic=*/true);
  EXPECT_FALSE(at::globalContext().benchmarkCuDNN());
  EXPECT_TRUE(at::globalContext().deterministicCuDNN());
  EXPECT_TRUE(at::globalContext().deterministicAlgorithms());
  EXPECT_FALSE(at::globalContext().deterministicAlgorithmsWarnOnly());
  EXPECT_STREQ(std::getenv("CUBLAS_WORKSPACE_CONFIG"), ":4096:8");
  SetUpCudaMath(/*deterministic=*/false);
  EXPECT_FALSE(at::globalContext().deterministicAlgorithms());
}

TEST(DeviceTest, AWorkspaceThatTheUserChoseStays) {
  setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8", /*overwrite=*/1);
  SetUpCudaMath(/*deterministic=*/true);
  EXPECT_STREQ(std::getenv("CUBLAS_WORKSPACE_CONFIG"), ":16:8");
  SetUpCudaMath(/*deterministic=*/false);
}

}  // namespace
}  // namespace fairdarts
