#include "training/data/augment.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "training/auto_augment/image_shape.h"
#include "training/auto_augment/policy.h"

namespace fairdarts {
namespace {

void Copy(const uint8_t* source, int64_t size, uint8_t* out) {
  int64_t i = 0;
  // Rows are too short for a call of memcpy each.
  for (; i + 8 <= size; i += 8) std::memcpy(out + i, source + i, 8);
  for (; i < size; ++i) out[i] = source[i];
}

void CopyReversed(const uint8_t* source, int64_t size, uint8_t* out) {
  int64_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t bytes;
    std::memcpy(&bytes, source + size - i - 8, 8);
    bytes = __builtin_bswap64(bytes);
    std::memcpy(out + i, &bytes, 8);
  }
  for (; i < size; ++i) out[i] = source[size - 1 - i];
}

}  // namespace

absl::StatusOr<Augmenter> Augmenter::Create(const AugmentOptions& options,
                                            const Dataset& dataset) {
  if (options.cutout && options.cutout_length < 0) {
    return UsageError(absl::StrCat("cutout_length is ", options.cutout_length,
                                   ", should be at least 0"));
  }
  if (options.auto_augment && dataset.channels != 1 && dataset.channels != 3) {
    return UsageError(absl::StrCat("auto_aug: ", dataset.name, " has ",
                                   dataset.channels,
                                   " channels, should be 1 or 3"));
  }
  const int side = std::max(dataset.height, dataset.width);
  if (options.auto_augment && side > kMaxImageSide) {
    return UsageError(absl::StrCat("auto_aug: ", dataset.name,
                                   " has images with a side of ", side,
                                   ", should be at most ", kMaxImageSide));
  }
  return Augmenter(options, dataset);
}

Augmenter::Augmenter(const AugmentOptions& options, const Dataset& dataset)
    : options_(options), height_(dataset.height), width_(dataset.width) {
  for (int c = 0; c < dataset.channels; ++c) {
    const double mean = dataset.mean[c];
    const double deviation = dataset.standard_deviation[c];
    affine_.push_back({static_cast<float>(1 / (255 * deviation)),
                       static_cast<float>(-mean / deviation)});
  }
}

void Augmenter::Normalise(const uint8_t* __restrict source, int64_t size,
                          const Affine& affine, float* __restrict out) {
  const float scale = affine.scale;
  const float offset = affine.offset;
  int64_t i = 0;
  // Blocks of a fixed size become vector code without further flags.
  constexpr int kBlock = 16;
  for (; i + kBlock <= size; i += kBlock) {
    for (int j = 0; j < kBlock; ++j) {
      out[i + j] = static_cast<float>(source[i + j]) * scale + offset;
    }
  }
  for (; i < size; ++i) out[i] = static_cast<float>(source[i]) * scale + offset;
}

template <typename Row>
void Augmenter::CropAndFlip(const uint8_t* image, int top, int left, bool flip,
                            Row row) const {
  // One plane with black to the left and right of it. It is filled before it is
  // read: a read right behind narrower writes would wait for them.
  const int64_t stride = width_ + 2 * kCropPadding;
  std::vector<uint8_t> padded(height_ * stride, 0);
  // A mirrored row is shifted the other way.
  const int64_t first = kCropPadding + (flip ? -left : left);
  for (size_t c = 0; c < affine_.size(); ++c) {
    const uint8_t* source = image + c * height_ * width_;
    for (int y = 0; y < height_; ++y) {
      uint8_t* to = padded.data() + y * stride + kCropPadding;
      if (flip) {
        CopyReversed(source + int64_t{y} * width_, width_, to);
      } else {
        Copy(source + int64_t{y} * width_, width_, to);
      }
    }
    for (int y = 0; y < height_; ++y) {
      const int source_y = y + top;
      const bool inside = source_y >= 0 && source_y < height_;
      row(c, y, inside ? padded.data() + source_y * stride + first : nullptr);
    }
  }
}

void Augmenter::Apply(const uint8_t* image, RandomStream stream,
                      float* out) const {
  const int top =
      static_cast<int>(stream.Below(2 * kCropPadding + 1)) - kCropPadding;
  const int left =
      static_cast<int>(stream.Below(2 * kCropPadding + 1)) - kCropPadding;
  const bool flip = stream.Below(2) == 1;
  const auto cutout_y = static_cast<int64_t>(stream.Below(height_));
  const auto cutout_x = static_cast<int64_t>(stream.Below(width_));
  const int64_t plane = int64_t{height_} * width_;
  if (options_.crop_and_flip && !options_.auto_augment) {
    CropAndFlip(image, top, left, flip,
                [&](size_t c, int y, const uint8_t* row) {
                  float* to = out + c * plane + int64_t{y} * width_;
                  if (row == nullptr) {
                    std::fill(to, to + width_, affine_[c].offset);
                  } else {
                    Normalise(row, width_, affine_[c], to);
                  }
                });
  } else {
    std::vector<uint8_t> bytes;
    if (options_.auto_augment) {
      const ImageShape shape = {static_cast<int>(affine_.size()), height_,
                                width_};
      bytes.resize(2 * shape.bytes());
      if (options_.crop_and_flip) {
        CropAndFlip(
            image, top, left, flip, [&](size_t c, int y, const uint8_t* row) {
              uint8_t* to = bytes.data() + c * plane + int64_t{y} * width_;
              if (row != nullptr) Copy(row, width_, to);
            });
      } else {
        std::memcpy(bytes.data(), image, shape.bytes());
      }
      ApplyCifar10Policy(shape, DrawCifar10Policy(stream), bytes.data(),
                         bytes.data() + shape.bytes());
      image = bytes.data();
    }
    for (size_t c = 0; c < affine_.size(); ++c) {
      Normalise(image + c * plane, plane, affine_[c], out + c * plane);
    }
  }
  if (!options_.cutout) return;
  const int64_t length = options_.cutout_length;
  const int64_t y0 = cutout_y - length / 2;
  const int64_t x0 = cutout_x - length / 2;
  const int64_t y_begin = std::clamp<int64_t>(y0, 0, height_);
  const int64_t y_end = std::clamp<int64_t>(y0 + length, 0, height_);
  const int64_t x_begin = std::clamp<int64_t>(x0, 0, width_);
  const int64_t x_end = std::clamp<int64_t>(x0 + length, 0, width_);
  for (size_t c = 0; c < affine_.size(); ++c) {
    for (int64_t y = y_begin; y < y_end; ++y) {
      float* row = out + c * plane + y * width_;
      std::fill(row + x_begin, row + x_end, 0.0f);
    }
  }
}

RandomStream AugmentStream(absl::string_view purpose, uint64_t seed,
                           int64_t round, int64_t sample) {
  return RandomStream(purpose, {seed, static_cast<uint64_t>(round),
                                static_cast<uint64_t>(sample)});
}

}  // namespace fairdarts
