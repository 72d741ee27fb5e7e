#include "ops/cuda/element_vector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace fairdarts {
namespace {

template <typename T>
class ElementVectorTest : public testing::Test {};

using Elements = testing::Types<float, Half, BFloat16>;
TYPED_TEST_SUITE(ElementVectorTest, Elements);

TYPED_TEST(ElementVectorTest, KeepsTheOrderOfChannels) {
  alignas(16) TypeParam from[kStageVector];
  alignas(16) TypeParam to[kStageVector];
  for (int c = 0; c < kStageVector; ++c) from[c] = FromFloat<TypeParam>(c - 3);
  float values[kStageVector];
  Unpack(LoadVector(from), values);
  for (int c = 0; c < kStageVector; ++c) EXPECT_EQ(values[c], c - 3);
  StoreVector(PackVector<TypeParam>(values), to);
  for (int c = 0; c < kStageVector; ++c) EXPECT_EQ(ToFloat(to[c]), c - 3);
}

TYPED_TEST(ElementVectorTest, RaisesEachElement) {
  const float below[kStageVector] = {-3, -2, -1, -0.0f, 1, 2, 3, 4};
  float values[kStageVector];

  ElementVector<TypeParam> vector = PackVector<TypeParam>(below);
  RaiseTo(0, vector);
  Unpack(vector, values);
  for (int c = 0; c < kStageVector; ++c) {
    EXPECT_EQ(values[c], std::max(below[c], 0.0f));
  }

  vector = PackVector<TypeParam>(below);
  RaiseTo(LowestWord<TypeParam>(), vector);
  Unpack(vector, values);
  for (int c = 0; c < kStageVector; ++c) EXPECT_EQ(values[c], below[c]);

  const float other[kStageVector] = {-4, 5, -1, 2, -6, 2, 7, 1};
  RaiseTo(PackVector<TypeParam>(other), vector);
  Unpack(vector, values);
  for (int c = 0; c < kStageVector; ++c) {
    EXPECT_EQ(values[c], std::max(below[c], other[c]));
  }
}

// An error must not look like a zero behind the next ReLU.
TYPED_TEST(ElementVectorTest, NoNumberStaysNone) {
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  const float none[kStageVector] = {kNone, 1, kNone, 1, 1, kNone, 1, kNone};
  float values[kStageVector];
  ElementVector<TypeParam> vector = PackVector<TypeParam>(none);
  RaiseTo(0, vector);
  Unpack(vector, values);
  for (int c = 0; c < kStageVector; ++c) {
    EXPECT_EQ(std::isnan(values[c]), std::isnan(none[c])) << c;
  }

  vector = ZeroVector<TypeParam>();
  RaiseTo(PackVector<TypeParam>(none), vector);
  Unpack(vector, values);
  for (int c = 0; c < kStageVector; ++c) {
    EXPECT_EQ(std::isnan(values[c]), std::isnan(none[c])) << c;
  }
}

}  // namespace
}  // namespace fairdarts
