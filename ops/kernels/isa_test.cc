#include "ops/kernels/isa.h"

#include <gmock/gmock.h>

namespace fairdarts {
namespace {

using ::testing::Contains;

TEST(IsaTest, TheReferenceIsEverywhereAndTheBestIsSupported) {
  EXPECT_EQ(SupportedIsas().front(), Isa::kReference);
  EXPECT_THAT(SupportedIsas(), Contains(BestIsa()));
  EXPECT_EQ(IsaName(Isa::kAvx512), "avx512");
#if defined(__x86_64__)
  // Every machine that this is built on has SSE4 at least.
  EXPECT_NE(BestIsa(), Isa::kReference);
#endif
}

}  // namespace
}  // namespace fairdarts
