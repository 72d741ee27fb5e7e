#include "fairdarts/gpu_engines/gpu_peak.h"

#include "gtest/gtest.h"

namespace fairdarts {
namespace {

// Operations a second by NVIDIA's data sheets, within the rounding of clocks.
double Peak(int major, Precision precision, int multiprocessors, double clock) {
  return *OperationsAClock(major, 0, precision) * multiprocessors * clock;
}

TEST(GpuPeakTest, IsWhatTheDataSheetsSay) {
  EXPECT_NEAR(Peak(8, Precision::kFloat16, 108, 1.41e9), 312e12, 1e12);  // A100
  EXPECT_NEAR(Peak(8, Precision::kFloat32, 108, 1.41e9), 19.5e12, 1e11);
  // H100 SXM.
  EXPECT_NEAR(Peak(9, Precision::kBFloat16, 132, 1.83e9), 989e12, 2e12);
  EXPECT_NEAR(Peak(9, Precision::kFloat32, 132, 1.98e9), 67e12, 1e12);
}

TEST(GpuPeakTest, KnowsNothingOfOthers) {
  EXPECT_FALSE(OperationsAClock(8, 6, Precision::kFloat16).has_value());
  EXPECT_FALSE(OperationsAClock(7, 0, Precision::kFloat32).has_value());
}

}  // namespace
}  // namespace fairdarts
