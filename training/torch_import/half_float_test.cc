#include "training/torch_import/half_float.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace fairdarts {
namespace {

// The definition of IEEE 754-2008, 3.4, in double precision.
double HalfByDefinition(uint16_t bits) {
  const int sign = bits >> 15;
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  double magnitude;
  if (exponent == 0) {
    magnitude = std::ldexp(fraction / 1024.0, -14);
  } else if (exponent < 31) {
    magnitude = std::ldexp(1 + fraction / 1024.0, exponent - 15);
  } else {
    magnitude = fraction == 0 ? INFINITY : NAN;
  }
  return sign == 1 ? -magnitude : magnitude;
}

TEST(HalfFloatTest, EveryHalfIsWhatTheStandardSays) {
  for (int bits = 0; bits < 1 << 16; ++bits) {
    const float value = HalfToFloat(static_cast<uint16_t>(bits));
    const double expected = HalfByDefinition(static_cast<uint16_t>(bits));
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(value)) << bits;
    } else {
      EXPECT_EQ(value, expected) << bits;
      EXPECT_EQ(std::signbit(value), bits >> 15 == 1) << bits;
    }
  }
}

TEST(HalfFloatTest, Bfloat16IsTheUpperHalfOfAFloat) {
  EXPECT_EQ(Bfloat16ToFloat(0x3f80), 1.0f);
  EXPECT_EQ(Bfloat16ToFloat(0xc049), -3.140625f);
  EXPECT_EQ(Bfloat16ToFloat(0x0001), 0x1p-133f);
  EXPECT_EQ(Bfloat16ToFloat(0xff80), -INFINITY);
  EXPECT_TRUE(std::isnan(Bfloat16ToFloat(0x7fc0)));
}

}  // namespace
}  // namespace fairdarts
