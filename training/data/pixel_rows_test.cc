#include "training/data/pixel_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "ops/kernels/isa.h"
#include "training/data/testing.h"

namespace fairdarts {
namespace {

std::vector<uint32_t> Mask(int width, int zeros_from, int zeros_to) {
  std::vector<uint32_t> mask(width, ~uint32_t{0});
  for (int x = zeros_from; x < zeros_to; ++x) mask[x] = 0;
  return mask;
}

std::vector<uint32_t> Bits(const std::vector<float>& values) {
  std::vector<uint32_t> bits(values.size());
  std::memcpy(bits.data(), values.data(), 4 * values.size());
  return bits;
}

class PixelRowsTest : public testing::TestWithParam<Isa> {};

TEST_P(PixelRowsTest, MakesTheBitsOfTheDefinition) {
  constexpr int kRows = 3;
  constexpr float kScale = 0.0158745f, kOffset = -1.9892125f;
  const int first = GetParam() == Isa::kReference ? 1 : kMinVectorWidth;
  for (int width = first; width < 70; ++width) {
    for (const int stride : {0, width, width + 5}) {
      // Exactly the bytes that may be read.
      const std::vector<uint8_t> in =
          Noise("pixels", (kRows - 1) * stride + width);
      const std::vector<uint32_t> inside = Mask(width, 0, width / 7);
      const std::vector<uint32_t> keep = Mask(width, width / 3, width / 2);
      for (const bool mirror : {false, true}) {
        for (const bool cut : {false, true}) {
          std::vector<float> expected;
          for (int y = 0; y < kRows; ++y) {
            for (int x = 0; x < width; ++x) {
              const int from = mirror ? width - 1 - x : x;
              const uint8_t pixel = inside[x] ? in[y * stride + from] : 0;
              // Kept apart, so that no compiler makes one operation of them.
              const volatile float product = static_cast<float>(pixel) * kScale;
              expected.push_back(cut && !keep[x] ? 0.0f : product + kOffset);
            }
          }
          expected.push_back(12345.0f);  // a wall behind the output
          std::vector<float> out(expected.size(), 12345.0f);
          PixelRowsFor(GetParam())({in.data(), stride, kRows, width, mirror,
                                    inside.data(), cut ? keep.data() : nullptr,
                                    kScale, kOffset, out.data()});
          ASSERT_EQ(Bits(out), Bits(expected))
              << width << " mirror " << mirror << " cut " << cut;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, PixelRowsTest,
                         testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) {
                           return std::string(IsaName(info.param));
                         });

}  // namespace
}  // namespace fairdarts
