#include "training/data/augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "training/auto_augment/image_shape.h"
#include "training/auto_augment/policy.h"
#include "training/data/testing.h"

namespace fairdarts {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;
using ::testing::SizeIs;

// One image of noise.
Dataset OneImage(int channels, int height, int width) {
  Dataset dataset;
  dataset.channels = channels;
  dataset.height = height;
  dataset.width = width;
  for (int c = 0; c < channels; ++c) {
    dataset.mean.push_back(.5 - .1 * c);
    dataset.standard_deviation.push_back(.2 + .05 * c);
  }
  dataset.images = Noise("pixels", dataset.image_bytes());
  dataset.labels = {0};
  return dataset;
}

struct Draws {
  int top, left;  // the crop's corner in the padded image
  bool flip;
  int64_t y, x;  // cutout's centre
};

Draws DrawsOf(RandomStream stream, const Dataset& dataset) {
  Draws draws;
  draws.top = stream.Below(9);
  draws.left = stream.Below(9);
  draws.flip = stream.Below(2) == 1;
  draws.y = stream.Below(dataset.height);
  draws.x = stream.Below(dataset.width);
  return draws;
}

float Normalised(uint8_t pixel, const Dataset& dataset, int channel) {
  return static_cast<float>((pixel / 255.0 - dataset.mean[channel]) /
                            dataset.standard_deviation[channel]);
}

// A product of at most 1 / deviation and an offset of at most mean / deviation,
// each of rounded factors, their sum rounded, against one rounding: less than
// five halves of epsilon of the larger one's bound, 1 / deviation. The smallest
// deviation here is .2.
constexpr float kNormalisedTolerance =
    2.5f * std::numeric_limits<float>::epsilon() / .2f;

MATCHER(NearlyEqual, "") {
  return std::abs(std::get<0>(arg) - std::get<1>(arg)) <= kNormalisedTolerance;
}

// Step by step as the header lists them, each on a whole image.
std::vector<float> Reference(const AugmentOptions& options,
                             const Dataset& dataset, const Draws& draws) {
  const int height = dataset.height;
  const int width = dataset.width;
  std::vector<float> result;
  for (int c = 0; c < dataset.channels; ++c) {
    const uint8_t* plane = dataset.image(0) + c * height * width;
    std::vector<std::vector<uint8_t>> image(height,
                                            std::vector<uint8_t>(width));
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) image[y][x] = plane[y * width + x];
    }
    if (options.crop_and_flip) {
      std::vector<std::vector<uint8_t>> padded(
          height + 8, std::vector<uint8_t>(width + 8, 0));
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) padded[y + 4][x + 4] = image[y][x];
      }
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          image[y][x] = padded[y + draws.top][x + draws.left];
        }
        if (draws.flip) std::reverse(image[y].begin(), image[y].end());
      }
    }
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        const int64_t half = options.cutout_length / 2;
        const bool cut = options.cutout && y >= draws.y - half &&
                         y < draws.y - half + options.cutout_length &&
                         x >= draws.x - half &&
                         x < draws.x - half + options.cutout_length;
        result.push_back(cut ? 0.0f : Normalised(image[y][x], dataset, c));
      }
    }
  }
  return result;
}

std::vector<float> Apply(const AugmentOptions& options, const Dataset& dataset,
                         RandomStream stream) {
  const auto augmenter = Augmenter::Create(options, dataset);
  EXPECT_TRUE(augmenter.ok()) << augmenter.status();
  // A wall behind the output shows a write beyond its end.
  std::vector<float> out(dataset.image_bytes() + 1, 12345.0f);
  augmenter->Apply(dataset.image(0), stream, out.data());
  EXPECT_EQ(out.back(), 12345.0f);
  out.pop_back();
  return out;
}

TEST(AugmentTest, EqualsTheReference) {
  struct Shape {
    int channels, height, width;
  };
  for (const Shape& shape : {Shape{3, 32, 32}, Shape{1, 28, 28}, Shape{2, 5, 9},
                             Shape{1, 1, 1}, Shape{1, 3, 2}}) {
    const Dataset dataset = OneImage(shape.channels, shape.height, shape.width);
    for (const bool crop_and_flip : {false, true}) {
      for (const int length : {-1, 0, 1, 2, 7, 16, 1000, INT_MAX}) {
        AugmentOptions options;
        options.crop_and_flip = crop_and_flip;
        options.cutout = length >= 0;
        if (options.cutout) options.cutout_length = length;
        for (int sample = 0; sample < 40; ++sample) {
          const RandomStream stream = AugmentStream("test", 3, 1, sample);
          ASSERT_THAT(
              Apply(options, dataset, stream),
              Pointwise(NearlyEqual(),
                        Reference(options, dataset, DrawsOf(stream, dataset))))
              << shape.height << " x " << shape.width << ", cutout " << length
              << ", crop " << crop_and_flip << ", sample " << sample;
        }
      }
    }
  }
}

TEST(AugmentTest, EveryOffsetAndBothDirectionsOccurEquallyOften) {
  const Dataset dataset = OneImage(1, 8, 8);
  AugmentOptions options;
  options.crop_and_flip = true;
  // 9 x 9 corners and two directions; with 100 draws for each of the 162 the
  // count of one has the standard deviation 10: 6 of them either way.
  std::map<std::vector<float>, int> seen;
  for (int sample = 0; sample < 16200; ++sample) {
    ++seen[Apply(options, dataset, AugmentStream("train", 0, 0, sample))];
  }
  EXPECT_THAT(seen, SizeIs(162));
  for (const auto& [image, count] : seen) {
    EXPECT_GT(count, 40);
    EXPECT_LT(count, 160);
  }
}

TEST(AugmentTest, PaddingIsBlackAndCutoutIsTheMean) {
  Dataset dataset = OneImage(1, 6, 6);
  std::fill(dataset.images.begin(), dataset.images.end(), 255);
  AugmentOptions options;
  options.crop_and_flip = true;
  const float black = -.5f / .2f;
  const float white = (1 - .5f) / .2f;
  std::set<float> values;
  for (int sample = 0; sample < 100; ++sample) {
    for (const float value :
         Apply(options, dataset, AugmentStream("", 0, 0, sample))) {
      values.insert(value);
    }
  }
  EXPECT_THAT(values, ElementsAre(FloatNear(black, kNormalisedTolerance),
                                  FloatNear(white, kNormalisedTolerance)));
  options.crop_and_flip = false;
  options.cutout = true;
  options.cutout_length = 12;  // reaches every corner from every centre
  EXPECT_THAT(Apply(options, dataset, AugmentStream("", 0, 0, 0)), Each(0.0f));
}

TEST(AugmentTest, CutoutsCentreMayLieOnTheBorder) {
  const Dataset dataset = OneImage(1, 9, 9);
  AugmentOptions options;
  options.cutout = true;
  options.cutout_length = 4;
  std::map<int64_t, int> zeros_at;
  for (int sample = 0; sample < 2000; ++sample) {
    const std::vector<float> image =
        Apply(options, dataset, AugmentStream("", 0, 0, sample));
    ++zeros_at[std::count(image.begin(), image.end(), 0.0f)];
  }
  // Centre in a corner: 2 x 2 (the first) or 3 x 3 (the last) are left.
  EXPECT_EQ(zeros_at.begin()->first, 4);
  EXPECT_EQ(zeros_at.rbegin()->first, 16);
  EXPECT_EQ(zeros_at.count(9), 1u);
}

TEST(AugmentTest, SwitchingOneStepOffLeavesTheOthersDraws) {
  const Dataset dataset = OneImage(1, 12, 12);
  AugmentOptions crop;
  crop.crop_and_flip = true;
  AugmentOptions both = crop;
  both.cutout = true;
  both.cutout_length = 4;
  for (int sample = 0; sample < 50; ++sample) {
    const RandomStream stream = AugmentStream("", 0, 0, sample);
    const std::vector<float> without = Apply(crop, dataset, stream);
    const std::vector<float> with = Apply(both, dataset, stream);
    for (size_t i = 0; i < with.size(); ++i) {
      ASSERT_TRUE(with[i] == without[i] || with[i] == 0);
    }
  }
}

TEST(AugmentTest, AutoAugmentWorksOnTheCroppedBytes) {
  struct Shape {
    int channels, height, width;
  };
  for (const Shape& size : {Shape{3, 32, 32}, Shape{1, 28, 28}}) {
    const Dataset dataset = OneImage(size.channels, size.height, size.width);
    const ImageShape shape = {size.channels, size.height, size.width};
    int changed = 0;
    for (const bool crop_and_flip : {false, true}) {
      for (const bool cutout : {false, true}) {
        AugmentOptions options;
        options.crop_and_flip = crop_and_flip;
        options.cutout = cutout;
        for (int sample = 0; sample < 100; ++sample) {
          const RandomStream stream = AugmentStream("test", 3, 1, sample);
          const Draws draws = DrawsOf(stream, dataset);
          RandomStream policy = stream;
          for (int i = 0; i < 5; ++i) policy.Next();
          // The cropped bytes are read back from the reference: nothing else
          // is done to an image without mean and deviation.
          Dataset plain = dataset;
          std::fill(plain.mean.begin(), plain.mean.end(), 0.0);
          std::fill(plain.standard_deviation.begin(),
                    plain.standard_deviation.end(), 1 / 255.0);
          AugmentOptions crop;
          crop.crop_and_flip = crop_and_flip;
          Dataset cropped = dataset;
          cropped.images.clear();
          for (const float value : Reference(crop, plain, draws)) {
            cropped.images.push_back(static_cast<uint8_t>(std::lround(value)));
          }
          const std::vector<uint8_t> before = cropped.images;
          std::vector<uint8_t> scratch(cropped.images.size());
          ApplyCifar10Policy(shape, DrawCifar10Policy(policy),
                             cropped.images.data(), scratch.data());
          changed += before != cropped.images;
          AugmentOptions rest = options;
          rest.crop_and_flip = false;
          options.auto_augment = true;
          ASSERT_THAT(Apply(options, dataset, stream),
                      Pointwise(NearlyEqual(), Reference(rest, cropped, draws)))
              << size.height << ", crop " << crop_and_flip << ", cutout "
              << cutout << ", sample " << sample;
        }
      }
    }
    // The policy leaves few images as they are.
    EXPECT_GT(changed, 200);
  }
}

TEST(AugmentTest, RefusesAutoAugmentWhereThePolicyHasNoMeaning) {
  AugmentOptions options;
  const Dataset two = OneImage(2, 4, 4);
  EXPECT_TRUE(Augmenter::Create(options, two).ok());
  Dataset wide = OneImage(1, 1, 1);
  wide.width = kMaxImageSide + 1;
  options.auto_augment = true;
  EXPECT_THAT(Augmenter::Create(options, two),
              IsUsageError(HasSubstr("2 channels")));
  EXPECT_THAT(Augmenter::Create(options, wide),
              IsUsageError(HasSubstr("a side of 16385")));
}

TEST(AugmentTest, EachPartOfTheKeyMatters) {
  const uint64_t first = AugmentStream("train", 1, 2, 3).At(0);
  EXPECT_EQ(AugmentStream("train", 1, 2, 3).At(0), first);
  EXPECT_NE(AugmentStream("alpha", 1, 2, 3).At(0), first);
  EXPECT_NE(AugmentStream("train", 2, 2, 3).At(0), first);
  EXPECT_NE(AugmentStream("train", 1, 3, 3).At(0), first);
  EXPECT_NE(AugmentStream("train", 1, 2, 4).At(0), first);
}

TEST(AugmentTest, RefusesANegativeCutoutOnlyWhereItIsUsed) {
  const Dataset dataset = OneImage(1, 4, 4);
  AugmentOptions options;
  options.cutout_length = -1;
  EXPECT_TRUE(Augmenter::Create(options, dataset).ok());
  options.cutout = true;
  EXPECT_THAT(Augmenter::Create(options, dataset),
              IsUsageError(HasSubstr("cutout_length is -1")));
}

}  // namespace
}  // namespace fairdarts
