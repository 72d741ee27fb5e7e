#include "training/auto_augment/operation.h"

#include "fairdarts/base/check.h"
#include "training/auto_augment/colour.h"
#include "training/auto_augment/geometry.h"

namespace fairdarts {
namespace {

// Level `level` of ten even steps from 0 to `last`. The same roundings as
// numpy.linspace, which the reference's magnitudes come from.
double Magnitude(double last, int level) {
  if (level == kMagnitudeLevels - 1) return last;
  return level * (last / (kMagnitudeLevels - 1));
}

constexpr double kMaxShearFactor = 0.3;
constexpr double kMaxTranslation = 150.0 / 331.0;
constexpr double kMaxEnhancement = 0.9;

constexpr int kPosterizeBits[kMagnitudeLevels] = {8, 8, 7, 7, 6, 6, 5, 5, 4, 4};

// 0 to 30 degrees, to the 15 decimals that Pillow rounds them to.
struct Turn {
  double cosine;
  double sine;
};
constexpr Turn kTurns[kMagnitudeLevels] = {
    {1.000000000000000, 0.000000000000000},
    {0.998308158271268, 0.058144828910476},
    {0.993238357741943, 0.116092914125230},
    {0.984807753012208, 0.173648177666930},
    {0.973044870579824, 0.230615870742440},
    {0.957989512315489, 0.286803232711090},
    {0.939692620785908, 0.342020143325669},
    {0.918216106880274, 0.396079766039157},
    {0.893632640323412, 0.448799180200462},
    {0.866025403784439, 0.500000000000000},
};

}  // namespace

absl::string_view ImageOperationName(ImageOperation operation) {
  switch (operation) {
    case ImageOperation::kShearX:
      return "shearX";
    case ImageOperation::kShearY:
      return "shearY";
    case ImageOperation::kTranslateX:
      return "translateX";
    case ImageOperation::kTranslateY:
      return "translateY";
    case ImageOperation::kRotate:
      return "rotate";
    case ImageOperation::kColor:
      return "color";
    case ImageOperation::kPosterize:
      return "posterize";
    case ImageOperation::kSolarize:
      return "solarize";
    case ImageOperation::kContrast:
      return "contrast";
    case ImageOperation::kSharpness:
      return "sharpness";
    case ImageOperation::kBrightness:
      return "brightness";
    case ImageOperation::kAutoContrast:
      return "autocontrast";
    case ImageOperation::kEqualize:
      return "equalize";
    case ImageOperation::kInvert:
      return "invert";
  }
  FD_CHECK(false) << static_cast<int>(operation);
  return "";
}

bool HasSign(ImageOperation operation) {
  switch (operation) {
    case ImageOperation::kShearX:
    case ImageOperation::kShearY:
    case ImageOperation::kTranslateX:
    case ImageOperation::kTranslateY:
    case ImageOperation::kColor:
    case ImageOperation::kContrast:
    case ImageOperation::kSharpness:
    case ImageOperation::kBrightness:
      return true;
    case ImageOperation::kRotate:
    case ImageOperation::kPosterize:
    case ImageOperation::kSolarize:
    case ImageOperation::kAutoContrast:
    case ImageOperation::kEqualize:
    case ImageOperation::kInvert:
      return false;
  }
  FD_CHECK(false) << static_cast<int>(operation);
  return false;
}

void ApplyImageOperation(ImageOperation operation, int level, bool negative,
                         const ImageShape& shape, const uint8_t* in,
                         uint8_t* out) {
  FD_CHECK(level >= 0 && level < kMagnitudeLevels) << level;
  FD_CHECK(shape.channels == 1 || shape.channels == 3) << shape.channels;
  FD_CHECK(shape.height >= 1 && shape.height <= kMaxImageSide) << shape.height;
  FD_CHECK(shape.width >= 1 && shape.width <= kMaxImageSide) << shape.width;
  const double sign = negative ? -1 : 1;
  const double shear = sign * Magnitude(kMaxShearFactor, level);
  const double translation = Magnitude(kMaxTranslation, level);
  const auto factor =
      static_cast<float>(1 + sign * Magnitude(kMaxEnhancement, level));
  switch (operation) {
    case ImageOperation::kShearX:
      return ShearX(shape, shear, in, out);
    case ImageOperation::kShearY:
      return ShearY(shape, shear, in, out);
    case ImageOperation::kTranslateX:
      return TranslateX(shape, sign * (translation * shape.width), in, out);
    case ImageOperation::kTranslateY:
      return TranslateY(shape, sign * (translation * shape.height), in, out);
    case ImageOperation::kRotate:
      return Rotate(shape, kTurns[level].cosine, kTurns[level].sine, in, out);
    case ImageOperation::kColor:
      return Color(shape, factor, in, out);
    case ImageOperation::kPosterize:
      return Posterize(shape, kPosterizeBits[level], in, out);
    case ImageOperation::kSolarize:
      return Solarize(shape, 256 - Magnitude(256, level), in, out);
    case ImageOperation::kContrast:
      return Contrast(shape, factor, in, out);
    case ImageOperation::kSharpness:
      return Sharpness(shape, factor, in, out);
    case ImageOperation::kBrightness:
      return Brightness(shape, factor, in, out);
    case ImageOperation::kAutoContrast:
      return AutoContrast(shape, in, out);
    case ImageOperation::kEqualize:
      return Equalize(shape, in, out);
    case ImageOperation::kInvert:
      return Invert(shape, in, out);
  }
}

}  // namespace fairdarts
