#include "training/auto_augment/policy.h"

#include <cstring>
#include <utility>

namespace fairdarts {
namespace {

constexpr SubPolicy Pair(SubPolicy::Step first, SubPolicy::Step second) {
  return SubPolicy{{first, second}};
}

constexpr std::array<SubPolicy, 25> kCifar10Policy = {
    Pair({0.1f, ImageOperation::kInvert, 7},
         {0.2f, ImageOperation::kContrast, 6}),
    Pair({0.7f, ImageOperation::kRotate, 2},
         {0.3f, ImageOperation::kTranslateX, 9}),
    Pair({0.8f, ImageOperation::kSharpness, 1},
         {0.9f, ImageOperation::kSharpness, 3}),
    Pair({0.5f, ImageOperation::kShearY, 8},
         {0.7f, ImageOperation::kTranslateY, 9}),
    Pair({0.5f, ImageOperation::kAutoContrast, 8},
         {0.9f, ImageOperation::kEqualize, 2}),
    Pair({0.2f, ImageOperation::kShearY, 7},
         {0.3f, ImageOperation::kPosterize, 7}),
    Pair({0.4f, ImageOperation::kColor, 3},
         {0.6f, ImageOperation::kBrightness, 7}),
    Pair({0.3f, ImageOperation::kSharpness, 9},
         {0.7f, ImageOperation::kBrightness, 9}),
    Pair({0.6f, ImageOperation::kEqualize, 5},
         {0.5f, ImageOperation::kEqualize, 1}),
    Pair({0.6f, ImageOperation::kContrast, 7},
         {0.6f, ImageOperation::kSharpness, 5}),
    Pair({0.7f, ImageOperation::kColor, 7},
         {0.5f, ImageOperation::kTranslateX, 8}),
    Pair({0.3f, ImageOperation::kEqualize, 7},
         {0.4f, ImageOperation::kAutoContrast, 8}),
    Pair({0.4f, ImageOperation::kTranslateY, 3},
         {0.2f, ImageOperation::kSharpness, 6}),
    Pair({0.9f, ImageOperation::kBrightness, 6},
         {0.2f, ImageOperation::kColor, 8}),
    Pair({0.5f, ImageOperation::kSolarize, 2},
         {0.0f, ImageOperation::kInvert, 3}),
    Pair({0.2f, ImageOperation::kEqualize, 0},
         {0.6f, ImageOperation::kAutoContrast, 0}),
    Pair({0.2f, ImageOperation::kEqualize, 8},
         {0.8f, ImageOperation::kEqualize, 4}),
    Pair({0.9f, ImageOperation::kColor, 9},
         {0.6f, ImageOperation::kEqualize, 6}),
    Pair({0.8f, ImageOperation::kAutoContrast, 4},
         {0.2f, ImageOperation::kSolarize, 8}),
    Pair({0.1f, ImageOperation::kBrightness, 3},
         {0.7f, ImageOperation::kColor, 0}),
    Pair({0.4f, ImageOperation::kSolarize, 5},
         {0.9f, ImageOperation::kAutoContrast, 3}),
    Pair({0.9f, ImageOperation::kTranslateY, 9},
         {0.7f, ImageOperation::kTranslateY, 9}),
    Pair({0.9f, ImageOperation::kAutoContrast, 2},
         {0.8f, ImageOperation::kSolarize, 3}),
    Pair({0.8f, ImageOperation::kEqualize, 8},
         {0.1f, ImageOperation::kInvert, 3}),
    Pair({0.7f, ImageOperation::kTranslateY, 9},
         {0.9f, ImageOperation::kAutoContrast, 1}),
};

}  // namespace

const std::array<SubPolicy, 25>& Cifar10Policy() { return kCifar10Policy; }

PolicyDraw DrawCifar10Policy(RandomStream& stream) {
  PolicyDraw draw;
  draw.sub_policy = static_cast<int>(stream.Below(kCifar10Policy.size()));
  for (size_t i = 0; i < draw.steps.size(); ++i) {
    const float probability =
        kCifar10Policy[draw.sub_policy].steps[i].probability;
    draw.steps[i].applied = stream.Uniform() < probability;
    draw.steps[i].negative = stream.Below(2) == 1;
  }
  return draw;
}

void ApplyCifar10Policy(const ImageShape& shape, const PolicyDraw& draw,
                        uint8_t* image, uint8_t* scratch) {
  uint8_t* from = image;
  uint8_t* to = scratch;
  for (size_t i = 0; i < draw.steps.size(); ++i) {
    if (!draw.steps[i].applied) continue;
    const SubPolicy::Step& step = kCifar10Policy[draw.sub_policy].steps[i];
    ApplyImageOperation(step.operation, step.level, draw.steps[i].negative,
                        shape, from, to);
    std::swap(from, to);
  }
  if (from != image) std::memcpy(image, from, shape.bytes());
}

}  // namespace fairdarts
