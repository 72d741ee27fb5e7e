#include "training/auto_augment/colour.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "fairdarts/base/random.h"

namespace fairdarts {
namespace {

// Around the pieces of 256 pixels that the kernels work in, and degenerate.
const ImageShape kShapes[] = {
    {3, 32, 32}, {1, 28, 28},  {3, 1, 1},   {3, 2, 9},   {1, 9, 2},  {3, 3, 3},
    {3, 3, 254}, {1, 16, 257}, {3, 18, 18}, {3, 60, 51}, {1, 300, 5}};

// Few values in a third of the images, one value in another.
std::vector<uint8_t> RandomImage(const ImageShape& shape, uint64_t seed) {
  RandomStream noise("colour", {seed});
  std::vector<uint8_t> image(shape.bytes());
  for (uint8_t& pixel : image) {
    const uint64_t v = noise.Below(256);
    pixel = static_cast<uint8_t>(seed % 3 == 0   ? v
                                 : seed % 3 == 1 ? 20 * (v % 9) + 13
                                                 : 91);
  }
  return image;
}

template <typename Kernel>
std::vector<uint8_t> Output(const ImageShape& shape,
                            const std::vector<uint8_t>& in, Kernel kernel) {
  std::vector<uint8_t> out(shape.bytes(), 0xa5);
  kernel(in.data(), out.data());
  return out;
}

int Grey(const ImageShape& shape, const std::vector<uint8_t>& image,
         ptrdiff_t i) {
  if (shape.channels == 1) return image[i];
  return (image[i] * 19595 + image[shape.plane() + i] * 38470 +
          image[2 * shape.plane() + i] * 7471 + 32768) >>
         16;
}

uint8_t Blend(int plain, int original, float factor) {
  const float v =
      static_cast<float>(plain) + factor * static_cast<float>(original - plain);
  return static_cast<uint8_t>(std::clamp(v, 0.0f, 255.0f));
}

constexpr float kFactors[] = {0.1f, 0.55f, 0.9f, 1.0f, 1.3f, 1.9f};

TEST(ColourTest, EnhancementsBlendTheirPlainImage) {
  for (const ImageShape& shape : kShapes) {
    for (uint64_t seed = 0; seed < 3; ++seed) {
      const auto image = RandomImage(shape, seed);
      int64_t sum = 0;
      for (ptrdiff_t i = 0; i < shape.plane(); ++i) {
        sum += Grey(shape, image, i);
      }
      const int mean = static_cast<int>(
          static_cast<double>(sum) / static_cast<double>(shape.plane()) + 0.5);
      for (const float factor : kFactors) {
        const auto check = [&](auto kernel, auto plain) {
          std::vector<uint8_t> expected(shape.bytes());
          for (ptrdiff_t i = 0; i < shape.bytes(); ++i) {
            expected[i] = Blend(plain(i), image[i], factor);
          }
          EXPECT_EQ(Output(shape, image,
                           [&](const uint8_t* in, uint8_t* out) {
                             kernel(shape, factor, in, out);
                           }),
                    expected)
              << shape.height << " x " << shape.width << " " << factor;
        };
        check(Color, [&](ptrdiff_t i) {
          return Grey(shape, image, i % shape.plane());
        });
        check(Contrast, [&](ptrdiff_t) { return mean; });
        check(Brightness, [&](ptrdiff_t) { return 0; });
        check(Sharpness, [&](ptrdiff_t i) {
          const ptrdiff_t w = shape.width;
          const ptrdiff_t x = i % w;
          const ptrdiff_t y = i % shape.plane() / w;
          if (x == 0 || x == w - 1 || y == 0 || y == shape.height - 1) {
            return int{image[i]};
          }
          // The filter in floats, as the reference has it.
          float v = 0.5f;
          for (int j = 1; j >= -1; --j) {
            const uint8_t* row = image.data() + i + j * w;
            v += row[-1] * (1 / 13.0f) + row[0] * ((j ? 1 : 5) / 13.0f) +
                 row[1] * (1 / 13.0f);
          }
          return static_cast<int>(v);
        });
      }
    }
  }
}

TEST(ColourTest, EveryMeanOfTheSmoothingIsRounded) {
  for (int sum = 0; sum <= 13 * 255; ++sum) {
    // A pixel and neighbours with this weighted sum.
    const int middle = std::min(255, sum / 5);
    int rest = sum - 5 * middle;
    std::vector<uint8_t> image(9);
    image[4] = static_cast<uint8_t>(middle);
    for (const int i : {0, 1, 2, 3, 5, 6, 7, 8}) {
      image[i] = static_cast<uint8_t>(std::min(255, rest));
      rest -= image[i];
    }
    ASSERT_EQ(rest, 0);
    const auto out =
        Output({1, 3, 3}, image, [](const uint8_t* in, uint8_t* to) {
          Sharpness({1, 3, 3}, 0.0f, in, to);
        });
    EXPECT_EQ(out[4], std::lround(sum / 13.0)) << sum;
  }
}

TEST(ColourTest, PointOperations) {
  std::vector<uint8_t> image(256);
  std::iota(image.begin(), image.end(), uint8_t{0});
  const ImageShape shape = {1, 16, 16};
  for (int bits = 1; bits <= 8; ++bits) {
    const auto out = Output(shape, image, [&](const uint8_t* in, uint8_t* to) {
      Posterize(shape, bits, in, to);
    });
    for (int v = 0; v < 256; ++v) {
      EXPECT_EQ(out[v], v >> (8 - bits) << (8 - bits)) << bits;
    }
  }
  for (const double threshold :
       {-1.0, 0.0, 0.5, 28.444, 128.0, 255.0, 255.5, 256.0, 300.0}) {
    const auto out = Output(shape, image, [&](const uint8_t* in, uint8_t* to) {
      Solarize(shape, threshold, in, to);
    });
    for (int v = 0; v < 256; ++v) {
      EXPECT_EQ(out[v], v < threshold ? v : 255 - v) << threshold;
    }
  }
  const auto out = Output(shape, image, [&](const uint8_t* in, uint8_t* to) {
    Invert(shape, in, to);
  });
  for (int v = 0; v < 256; ++v) EXPECT_EQ(out[v], 255 - v);
}

TEST(ColourTest, HistogramOperationsWorkChannelByChannel) {
  for (const ImageShape& shape : kShapes) {
    for (uint64_t seed = 0; seed < 3; ++seed) {
      const auto image = RandomImage(shape, seed);
      std::vector<uint8_t> stretched(shape.bytes());
      std::vector<uint8_t> equal(shape.bytes());
      for (ptrdiff_t c = 0; c < shape.bytes(); c += shape.plane()) {
        std::vector<uint8_t> sorted(image.begin() + c,
                                    image.begin() + c + shape.plane());
        std::sort(sorted.begin(), sorted.end());
        const auto below = [&](int v) {
          return std::lower_bound(sorted.begin(), sorted.end(), v) -
                 sorted.begin();
        };
        const int least = sorted.front();
        const int largest = sorted.back();
        const ptrdiff_t step = below(largest) / 255;
        const double scale = 255.0 / (largest - least);
        for (ptrdiff_t i = c; i < c + shape.plane(); ++i) {
          const int v = image[i];
          stretched[i] = static_cast<uint8_t>(
              least == largest
                  ? v
                  : std::clamp(v * scale + -least * scale, 0.0, 255.0));
          equal[i] = static_cast<uint8_t>(
              step == 0
                  ? v
                  : std::min<ptrdiff_t>((step / 2 + below(v)) / step, 255));
        }
      }
      EXPECT_EQ(Output(shape, image,
                       [&](const uint8_t* in, uint8_t* out) {
                         AutoContrast(shape, in, out);
                       }),
                stretched)
          << shape.height << " x " << shape.width;
      EXPECT_EQ(Output(shape, image,
                       [&](const uint8_t* in, uint8_t* out) {
                         Equalize(shape, in, out);
                       }),
                equal)
          << shape.height << " x " << shape.width;
    }
  }
}

TEST(ColourDeathTest, BitsOutOfRangeAreBugs) {
  uint8_t in = 0;
  uint8_t out = 0;
  EXPECT_DEATH(Posterize({1, 1, 1}, 0, &in, &out), "bits");
  EXPECT_DEATH(Posterize({1, 1, 1}, 9, &in, &out), "bits");
}

}  // namespace
}  // namespace fairdarts
