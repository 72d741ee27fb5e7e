#include "ops/kernels/elementwise/add_scaled.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "ops/kernels/testing.h"

namespace fairdarts {
namespace {

using ::testing::FloatNear;
using ::testing::Pointwise;

class AddScaledTest : public testing::TestWithParam<Isa> {};

TEST_P(AddScaledTest, AgreesWithTheDefinition) {
  for (const bool accumulate : {false, true}) {
    for (const float scale : {1.0f, -0.25f}) {
      for (int pixels = 1; pixels < 50; ++pixels) {
        TestPlanes in(3, pixels, 1);
        TestPlanes out(3, pixels, 2);
        std::vector<float> expected = in.Pixels();
        const std::vector<float> old = out.Pixels();
        for (size_t i = 0; i < expected.size(); ++i) {
          expected[i] = scale * expected[i] + (accumulate ? old[i] : 0);
        }
        AddScaledFor(GetParam())({in.data(), in.stride(), out.data(),
                                  out.stride(), 3, pixels, scale, accumulate});
        // A product and a sum of values below 2.
        ASSERT_THAT(out.Pixels(), Pointwise(FloatNear(0x1p-22f), expected))
            << pixels;
        ASSERT_TRUE(out.GuardIsWhole());
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, AddScaledTest,
                         testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) {
                           return std::string(IsaName(info.param));
                         });

}  // namespace
}  // namespace fairdarts
