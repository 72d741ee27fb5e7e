#include "ops/kernels/peak/fma_peak.h"

#include <gmock/gmock.h>

namespace fairdarts {
namespace {

TEST(FmaPeakTest, EverySetGivesANumber) {
  EXPECT_EQ(MeasureFmaPeak(Isa::kReference), 0);
  for (const Isa isa : SupportedIsas()) {
    if (isa != Isa::kReference) {
      EXPECT_GT(MeasureFmaPeak(isa), 0);
    }
  }
}

}  // namespace
}  // namespace fairdarts
