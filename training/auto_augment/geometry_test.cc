#include "training/auto_augment/geometry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "fairdarts/base/random.h"

namespace fairdarts {
namespace {

// Below, at and above every width that the kernels work in.
const ImageShape kShapes[] = {
    {3, 32, 32}, {1, 28, 28}, {3, 1, 1},   {3, 2, 3},    {1, 5, 1},
    {3, 1, 70},  {3, 70, 1},  {3, 15, 17}, {3, 16, 16},  {1, 17, 15},
    {3, 33, 64}, {3, 65, 31}, {3, 96, 65}, {1, 129, 200}};

// Fills `out` pixel by pixel; `pixel` gives a source value or -1 for outside.
std::vector<uint8_t> ByPixel(
    const ImageShape& shape, const std::vector<uint8_t>& in,
    const std::function<int(const uint8_t* plane, int x, int y)>& pixel) {
  std::vector<uint8_t> out;
  for (int c = 0; c < shape.channels; ++c) {
    for (int y = 0; y < shape.height; ++y) {
      for (int x = 0; x < shape.width; ++x) {
        const int v = pixel(in.data() + c * shape.plane(), x, y);
        out.push_back(static_cast<uint8_t>(v < 0 ? 128 : v));
      }
    }
  }
  return out;
}

double Cubic(const double* v, double d) {
  const double p1 = v[1];
  const double p2 = -v[0] + v[2];
  const double p3 = 2 * (v[0] - v[1]) + v[2] - v[3];
  const double p4 = -v[0] + v[1] - v[2] + v[3];
  return p1 + d * (p2 + d * (p3 + d * p4));
}

// The bicubic filter over 4 x 4 neighbours at a source point.
int Bicubic(const ImageShape& shape, const uint8_t* plane, double px,
            double py) {
  if (px < 0 || px >= shape.width || py < 0 || py >= shape.height) return -1;
  const double x = std::floor(px - 0.5);
  const double y = std::floor(py - 0.5);
  double rows[4];
  for (int j = 0; j < 4; ++j) {
    double taps[4];
    for (int i = 0; i < 4; ++i) {
      const int tap_x =
          std::clamp(static_cast<int>(x) - 1 + i, 0, shape.width - 1);
      const int tap_y =
          std::clamp(static_cast<int>(y) - 1 + j, 0, shape.height - 1);
      taps[i] = plane[tap_y * shape.width + tap_x];
    }
    rows[j] = Cubic(taps, px - 0.5 - x);
  }
  return static_cast<int>(std::clamp(Cubic(rows, py - 0.5 - y), 0.0, 255.0));
}

std::vector<uint8_t> RandomImage(const ImageShape& shape, uint64_t seed) {
  RandomStream noise("geometry", {seed});
  std::vector<uint8_t> image(shape.bytes());
  for (uint8_t& pixel : image) {
    // Half of the images have few values, so that many results are whole
    // numbers but for rounding.
    pixel =
        static_cast<uint8_t>(seed % 2 ? 60 * noise.Below(4) : noise.Below(256));
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

std::vector<double> ShearFactors() {
  std::vector<double> factors;
  // Among these shifts are whole and half pixels.
  for (int step = -10; step <= 10; ++step) {
    factors.push_back(step / 30.0);
    factors.push_back(step / 20.0);
  }
  // Shifts that miss whole pixels by the last bit: what lies nearer to the
  // origin still shows it, what lies farther away is rounded to the pixel.
  for (const double whole : {2 / 5.0, 2 / 7.0, 2 / 9.0, 2 / 15.0}) {
    for (const double factor : {whole, -whole}) {
      factors.push_back(std::nextafter(factor, 0));
      factors.push_back(std::nextafter(factor, 2 * factor));
    }
  }
  return factors;
}

TEST(GeometryTest, ShearsAreTheTwoDimensionalFilterPixelByPixel) {
  for (const ImageShape& shape : kShapes) {
    for (uint64_t seed = 0; seed < 2; ++seed) {
      const auto image = RandomImage(shape, seed);
      for (const double factor : ShearFactors()) {
        EXPECT_EQ(Output(shape, image,
                         [&](const uint8_t* in, uint8_t* out) {
                           ShearX(shape, factor, in, out);
                         }),
                  ByPixel(shape, image,
                          [&](const uint8_t* plane, int x, int y) {
                            return Bicubic(shape, plane,
                                           x + 0.5 + factor * (y + 0.5),
                                           y + 0.5);
                          }))
            << shape.height << " x " << shape.width << " " << factor;
        EXPECT_EQ(Output(shape, image,
                         [&](const uint8_t* in, uint8_t* out) {
                           ShearY(shape, factor, in, out);
                         }),
                  ByPixel(shape, image,
                          [&](const uint8_t* plane, int x, int y) {
                            return Bicubic(shape, plane, x + 0.5,
                                           factor * (x + 0.5) + (y + 0.5));
                          }))
            << shape.height << " x " << shape.width << " " << factor;
      }
    }
  }
}

TEST(GeometryTest, TranslationsMoveByTheNearestWholePixel) {
  for (const ImageShape& shape : kShapes) {
    const auto image = RandomImage(shape, 0);
    for (const double pixels :
         {0.0, 0.4, 0.5, 1.7, -0.4, -0.5, -0.6, -3.2, 14.5, 1e9, -1e9}) {
      const double whole = std::floor(pixels + 0.5);
      const auto inside = [](double at, int size) {
        return at >= 0 && at < size;
      };
      EXPECT_EQ(
          Output(shape, image,
                 [&](const uint8_t* in, uint8_t* out) {
                   TranslateX(shape, pixels, in, out);
                 }),
          ByPixel(shape, image,
                  [&](const uint8_t* plane, int x, int y) {
                    if (!inside(x + whole, shape.width)) return -1;
                    return int{
                        plane[y * shape.width + x + static_cast<int>(whole)]};
                  }))
          << pixels;
      EXPECT_EQ(
          Output(shape, image,
                 [&](const uint8_t* in, uint8_t* out) {
                   TranslateY(shape, pixels, in, out);
                 }),
          ByPixel(shape, image,
                  [&](const uint8_t* plane, int x, int y) {
                    if (!inside(y + whole, shape.height)) return -1;
                    return int{
                        plane[(y + static_cast<int>(whole)) * shape.width + x]};
                  }))
          << pixels;
    }
  }
}

TEST(GeometryTest, RotationTakesTheNearestPixelInFixedPoint) {
  for (const ImageShape& shape : kShapes) {
    const auto image = RandomImage(shape, 0);
    for (const double degrees : {0.0, 1.0, 10.0, 30.0, 45.0, 80.0}) {
      const double cosine = std::cos(degrees * 0.017453292519943295);
      const double sine = std::sin(degrees * 0.017453292519943295);
      const auto fixed = [](double v) {
        return static_cast<int64_t>(std::floor(v * 65536 + 0.5));
      };
      const double mx = shape.width / 2.0;
      const double my = shape.height / 2.0;
      const int64_t e =
          fixed(cosine * -mx + -sine * -my + mx + cosine * 0.5 - sine * 0.5);
      const int64_t f =
          fixed(sine * -mx + cosine * -my + my + sine * 0.5 + cosine * 0.5);
      EXPECT_EQ(Output(shape, image,
                       [&](const uint8_t* in, uint8_t* out) {
                         Rotate(shape, cosine, sine, in, out);
                       }),
                ByPixel(shape, image,
                        [&](const uint8_t* plane, int x, int y) {
                          const int64_t sx =
                              (e + x * fixed(cosine) + y * fixed(-sine)) >> 16;
                          const int64_t sy =
                              (f + x * fixed(sine) + y * fixed(cosine)) >> 16;
                          if (sx < 0 || sx >= shape.width || sy < 0 ||
                              sy >= shape.height) {
                            return -1;
                          }
                          return int{plane[sy * shape.width + sx]};
                        }))
          << shape.height << " x " << shape.width << " " << degrees;
    }
  }
}

TEST(GeometryTest, NothingMovesByNothing) {
  for (const ImageShape& shape : kShapes) {
    const auto image = RandomImage(shape, 0);
    const auto same = [&](auto kernel) {
      EXPECT_EQ(Output(shape, image, kernel), image);
    };
    same([&](const uint8_t* in, uint8_t* out) { ShearX(shape, 0, in, out); });
    same([&](const uint8_t* in, uint8_t* out) { ShearY(shape, 0, in, out); });
    same(
        [&](const uint8_t* in, uint8_t* out) { Rotate(shape, 1, 0, in, out); });
  }
}

TEST(GeometryDeathTest, ShearsBeyondTheTilesAreBugs) {
  const ImageShape shape = {1, 4, 4};
  std::vector<uint8_t> in(16);
  std::vector<uint8_t> out(16);
  EXPECT_DEATH(ShearX(shape, 0.51, in.data(), out.data()), "0.51");
  EXPECT_DEATH(ShearY(shape, -0.51, in.data(), out.data()), "-0.51");
  EXPECT_DEATH(Rotate(shape, -1, 0, in.data(), out.data()), "cosine");
}

}  // namespace
}  // namespace fairdarts
