#include "training/auto_augment/operation.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/safetensors.h"
#include "tests/golden/golden_data.h"

namespace fairdarts {
namespace {

std::vector<uint8_t> Apply(ImageOperation operation, int level, bool negative,
                           const ImageShape& shape,
                           const std::vector<uint8_t>& in) {
  // A kernel that leaves a byte out shows the filling.
  std::vector<uint8_t> out(shape.bytes(), 0xa5);
  ApplyImageOperation(operation, level, negative, shape, in.data(), out.data());
  return out;
}

// [H][W][3] to [3][H][W].
std::vector<uint8_t> Planar(const TensorView& image, const ImageShape& shape) {
  std::vector<uint8_t> planar(shape.bytes());
  for (ptrdiff_t i = 0; i < shape.plane(); ++i) {
    for (int c = 0; c < 3; ++c) {
      planar[c * shape.plane() + i] = image.data[3 * i + c];
    }
  }
  return planar;
}

TEST(ImageOperationTest, EveryGoldenCaseByteForByte) {
  const auto golden =
      SafetensorsFile::Load(GoldenPath("autoaugment.safetensors"));
  ASSERT_TRUE(golden.ok()) << golden.status();
  std::map<std::string, ImageOperation> by_name;
  for (const ImageOperation operation : kImageOperations) {
    by_name[std::string(ImageOperationName(operation))] = operation;
  }
  const ImageShape shape = {3, 32, 32};
  const auto cases =
      nlohmann::json::parse(golden->FindMetadata("cases").value());
  ASSERT_EQ(cases.size(), 336u);
  std::map<ImageOperation, int> seen;
  for (const auto& c : cases) {
    const auto in = golden->Find(absl::StrCat("img", c["img"].get<int>()));
    const auto out = golden->Find(absl::StrCat("out", c["out"].get<int>()));
    ASSERT_TRUE(in.ok() && out.ok()) << c;
    ASSERT_EQ(in->shape, (std::vector<int64_t>{32, 32, 3}));
    const ImageOperation operation = by_name.at(c["op"].get<std::string>());
    ++seen[operation];
    EXPECT_EQ(Apply(operation, c["magnitude_index"].get<int>(),
                    c["sign"].get<int>() < 0, shape, Planar(*in, shape)),
              Planar(*out, shape))
        << c;
  }
  EXPECT_EQ(seen.size(), kImageOperations.size());
}

TEST(ImageOperationTest, AGreyImageIsOneChannelOfAGreyColourImage) {
  RandomStream noise("grey", {});
  for (const ImageShape grey : {ImageShape{1, 28, 28}, ImageShape{1, 1, 1},
                                ImageShape{1, 3, 40}, ImageShape{1, 40, 3}}) {
    const ImageShape colour = {3, grey.height, grey.width};
    std::vector<uint8_t> in(grey.bytes());
    for (uint8_t& pixel : in) pixel = static_cast<uint8_t>(noise.Below(256));
    std::vector<uint8_t> equal_channels;
    for (int c = 0; c < 3; ++c) {
      equal_channels.insert(equal_channels.end(), in.begin(), in.end());
    }
    for (const ImageOperation operation : kImageOperations) {
      for (int level = 0; level < kMagnitudeLevels; ++level) {
        for (const bool negative : {false, true}) {
          const auto out =
              Apply(operation, level, negative, colour, equal_channels);
          const auto expected = Apply(operation, level, negative, grey, in);
          for (int c = 0; c < 3; ++c) {
            const auto begin = out.begin() + c * grey.plane();
            EXPECT_EQ(std::vector<uint8_t>(begin, begin + grey.plane()),
                      expected)
                << ImageOperationName(operation) << " " << level;
          }
        }
      }
    }
  }
}

TEST(ImageOperationTest, TheSignOnlyMattersWhereThereIsOne) {
  const ImageShape shape = {3, 20, 24};
  RandomStream noise("sign", {});
  std::vector<uint8_t> in(shape.bytes());
  for (uint8_t& pixel : in) pixel = static_cast<uint8_t>(noise.Below(256));
  for (const ImageOperation operation : kImageOperations) {
    EXPECT_EQ(Apply(operation, 5, false, shape, in) !=
                  Apply(operation, 5, true, shape, in),
              HasSign(operation))
        << ImageOperationName(operation);
  }
}

TEST(ImageOperationDeathTest, LevelsAndShapesOutOfRangeAreBugs) {
  std::vector<uint8_t> in(16);
  std::vector<uint8_t> out(16);
  const auto apply = [&](int level, const ImageShape& shape) {
    ApplyImageOperation(ImageOperation::kInvert, level, false, shape, in.data(),
                        out.data());
  };
  EXPECT_DEATH(apply(10, {1, 4, 4}), "level");
  EXPECT_DEATH(apply(-1, {1, 4, 4}), "level");
  EXPECT_DEATH(apply(0, {2, 2, 2}), "channels");
  EXPECT_DEATH(apply(0, {1, 0, 4}), "height");
  EXPECT_DEATH(apply(0, {1, 4, kMaxImageSide + 1}), "width");
}

}  // namespace
}  // namespace fairdarts
