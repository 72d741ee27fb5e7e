#include "ops/cuda/element.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fairdarts {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// An element's value from the definition of its format.
struct Format {
  int fraction_bits;
  int exponent_bits;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  // The bits of infinity; beyond is what is not a number.
  int infinity() const { return ((1 << exponent_bits) - 1) << fraction_bits; }

  double Value(int bits) const {
    const int magnitude = bits & 0x7fff;
    const double sign = bits >= 0x8000 ? -1 : 1;
    if (magnitude == infinity()) return sign * kInfinity;
    const int exponent = magnitude >> fraction_bits;
    const int fraction = magnitude & ((1 << fraction_bits) - 1);
    if (exponent == 0) {
      return sign * std::ldexp(fraction, 1 - bias() - fraction_bits);
    }
    return sign * std::ldexp(fraction + (1 << fraction_bits),
                             exponent - bias() - fraction_bits);
  }
};

template <typename T>
Format FormatOf();
template <>
Format FormatOf<Half>() {
  return {10, 5};
}
template <>
Format FormatOf<BFloat16>() {
  return {7, 8};
}

template <typename T>
class ElementTest : public testing::Test {
 protected:
  static int BitsFrom(float value) { return FromFloat<T>(value).bits; }
  static T Element(int bits) { return {static_cast<uint16_t>(bits)}; }
};

using Elements = testing::Types<Half, BFloat16>;
TYPED_TEST_SUITE(ElementTest, Elements);

TYPED_TEST(ElementTest, EachValueIsThatOfItsBitsAndComesBack) {
  const Format format = FormatOf<TypeParam>();
  for (int bits = 0; bits < 0x10000; ++bits) {
    const float value = ToFloat(this->Element(bits));
    if ((bits & 0x7fff) > format.infinity()) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      const int back = this->BitsFrom(value);
      ASSERT_GT(back & 0x7fff, format.infinity()) << bits;
      ASSERT_EQ(back & 0x8000, bits & 0x8000) << bits;
    } else {
      ASSERT_EQ(value, format.Value(bits)) << bits;
      ASSERT_EQ(this->BitsFrom(value), bits);
    }
  }
}

// What lies in the middle of two neighbours goes to the even one, what lies
// beside it to the nearer; beyond the largest the neighbour is infinity.
TYPED_TEST(ElementTest, RoundsToTheNearest) {
  const Format format = FormatOf<TypeParam>();
  for (int bits = 0; bits < format.infinity(); ++bits) {
    const double below = format.Value(bits);
    const double above = bits + 1 == format.infinity()
                             ? 2 * below - format.Value(bits - 1)
                             : format.Value(bits + 1);
    // BFloat16's subnormal numbers are float's, with room for the middle.
    const float middle = static_cast<float>((below + above) / 2);
    ASSERT_EQ(middle, (below + above) / 2);
    ASSERT_EQ(this->BitsFrom(middle), bits + bits % 2) << bits;
    ASSERT_EQ(this->BitsFrom(-middle), 0x8000 + bits + bits % 2) << bits;
    ASSERT_EQ(this->BitsFrom(std::nextafter(middle, 0.0f)), bits);
    ASSERT_EQ(this->BitsFrom(std::nextafter(middle, kInfinity)), bits + 1);
  }
}

TYPED_TEST(ElementTest, WhatIsTooLargeIsInfinite) {
  const int infinity = FormatOf<TypeParam>().infinity();
  EXPECT_EQ(this->BitsFrom(std::numeric_limits<float>::max()), infinity);
  EXPECT_EQ(this->BitsFrom(kInfinity), infinity);
  EXPECT_EQ(this->BitsFrom(-kInfinity), 0x8000 | infinity);
}

TYPED_TEST(ElementTest, WhatIsTooSmallIsZeroWithItsSign) {
  EXPECT_EQ(this->BitsFrom(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(this->BitsFrom(-std::numeric_limits<float>::denorm_min()), 0x8000);
}

// A signalling one, whose upper half alone would be infinity.
TYPED_TEST(ElementTest, NoNumberStaysNone) {
  for (const uint32_t bits : {0x7f800001u, 0xff800001u, 0x7fffffffu}) {
    EXPECT_TRUE(std::isnan(ToFloat(FromFloat<TypeParam>(FloatOfBits(bits)))))
        << bits;
  }
}

TEST(ElementBytesTest, AreThoseOfTheTypes) {
  EXPECT_EQ(ElementBytes(Precision::kFloat32), int{sizeof(float)});
  EXPECT_EQ(ElementBytes(Precision::kFloat16), int{sizeof(Half)});
  EXPECT_EQ(ElementBytes(Precision::kBFloat16), int{sizeof(BFloat16)});
}

}  // namespace
}  // namespace fairdarts
