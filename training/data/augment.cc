#include "training/data/augment.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "training/auto_augment/image_shape.h"
#include "training/auto_augment/policy.h"

namespace fairdarts {
namespace {

// Images of up to this width cost no allocation.
constexpr int kInlineWidth = 32;

template <typename T>
using Row = absl::InlinedVector<T, kInlineWidth + 2 * kCropPadding>;

constexpr uint32_t kAllOnes = ~uint32_t{0};

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
    : options_(options),
      height_(dataset.height),
      width_(dataset.width),
      convert_rows_(PixelRowsFor(
          dataset.width < kMinVectorWidth ? Isa::kReference : BestIsa())) {
  for (int c = 0; c < dataset.channels; ++c) {
    const double mean = dataset.mean[c];
    const double deviation = dataset.standard_deviation[c];
    affine_.push_back({static_cast<float>(1 / (255 * deviation)),
                       static_cast<float>(-mean / deviation)});
  }
}

void Augmenter::CropBytes(const uint8_t* image, const Placement& crop,
                          uint8_t* out) const {
  const int columns = std::max(width_ - std::abs(crop.left), 0);
  for (size_t c = 0; c < affine_.size(); ++c) {
    for (int y = 0; y < height_; ++y, out += width_) {
      std::fill(out, out + width_, uint8_t{0});
      const int source_y = y + crop.top;
      if (source_y < 0 || source_y >= height_) continue;
      const uint8_t* const source =
          image + (int64_t{height_} * c + source_y) * width_;
      std::copy_n(source + std::max(crop.left, 0), columns,
                  out + std::max(-crop.left, 0));
      if (crop.flip) std::reverse(out, out + width_);
    }
  }
}

Placement Augmenter::Draw(RandomStream& stream) const {
  Placement drawn;
  drawn.top =
      static_cast<int>(stream.Below(2 * kCropPadding + 1)) - kCropPadding;
  drawn.left =
      static_cast<int>(stream.Below(2 * kCropPadding + 1)) - kCropPadding;
  drawn.flip = stream.Below(2) == 1;
  const auto cutout_y = static_cast<int64_t>(stream.Below(height_));
  const auto cutout_x = static_cast<int64_t>(stream.Below(width_));
  if (!options_.crop_and_flip) drawn = Placement();
  if (options_.cutout) {
    const int64_t length = options_.cutout_length;
    const int64_t y0 = cutout_y - length / 2;
    const int64_t x0 = cutout_x - length / 2;
    const auto within = [](int64_t at, int size) {
      return static_cast<int>(std::clamp<int64_t>(at, 0, size));
    };
    drawn.cut_top = within(y0, height_);
    drawn.cut_bottom = within(y0 + length, height_);
    drawn.cut_left = within(x0, width_);
    drawn.cut_right = within(x0 + length, width_);
  }
  return drawn;
}

void Augmenter::CropAndAutoAugment(const uint8_t* image, RandomStream& stream,
                                   Placement& placement, uint8_t* bytes) const {
  CropBytes(image, placement, bytes);
  const ImageShape shape = {static_cast<int>(affine_.size()), height_, width_};
  ApplyCifar10Policy(shape, DrawCifar10Policy(stream), bytes,
                     bytes + shape.bytes());
  placement.top = placement.left = 0;
  placement.flip = false;
}

Placement Augmenter::Prepare(const uint8_t* image, RandomStream stream,
                             uint8_t* bytes) const {
  Placement placement = Draw(stream);
  const int64_t size = static_cast<int64_t>(affine_.size()) * height_ * width_;
  if (!options_.auto_augment) {
    std::copy_n(image, size, bytes);
    return placement;
  }
  std::vector<uint8_t> both(2 * size);
  CropAndAutoAugment(image, stream, placement, both.data());
  std::copy_n(both.data(), size, bytes);
  return placement;
}

void Augmenter::Apply(const uint8_t* image, RandomStream stream,
                      float* out) const {
  Placement crop = Draw(stream);
  const int64_t plane = int64_t{height_} * width_;
  const int64_t channels = static_cast<int64_t>(affine_.size());
  std::vector<uint8_t> bytes;
  if (options_.auto_augment) {
    bytes.resize(2 * channels * plane);
    CropAndAutoAugment(image, stream, crop, bytes.data());
    image = bytes.data();
  }

  // The columns that are in the image, once they are mirrored.
  Row<uint32_t> inside(width_, kAllOnes);
  const int black = std::min(std::abs(crop.left), width_);
  std::fill_n(
      (crop.left < 0) != crop.flip ? inside.begin() : inside.end() - black,
      black, uint32_t{0});
  const int cut_begin = crop.cut_top;
  const int cut_end = crop.cut_bottom;
  Row<uint32_t> keep(width_, kAllOnes);
  std::fill(keep.begin() + crop.cut_left, keep.begin() + crop.cut_right, 0u);

  // A shifted row begins in the row before it or ends in the one behind, whose
  // pixels `inside` hides. Where a plane has no such row, the edge is copied to
  // where there is room around it.
  int edge_y = -1;
  if (crop.left < 0) edge_y = -crop.top;
  if (crop.left > 0) edge_y = height_ - 1 - crop.top;
  Row<uint8_t> edge(width_ + 2 * kCropPadding, 0);
  const Row<uint8_t> padding(width_, 0);
  // Rows of one kind lie between two of these.
  std::array<int, 8> bounds = {0,       height_,   cut_begin,
                               cut_end, -crop.top, height_ - crop.top,
                               edge_y,  edge_y + 1};
  for (int& bound : bounds) bound = std::clamp(bound, 0, height_);
  std::sort(bounds.begin(), bounds.end());

  PixelRows rows;
  rows.width = width_;
  rows.mirror = crop.flip;
  rows.inside = inside.data();
  for (int64_t c = 0; c < channels; ++c, image += plane, out += plane) {
    rows.scale = affine_[c].scale;
    rows.offset = affine_[c].offset;
    for (size_t i = 0; i + 1 < bounds.size(); ++i) {
      const int y = bounds[i];
      rows.rows = bounds[i + 1] - y;
      if (rows.rows == 0) continue;
      rows.keep = y >= cut_begin && y < cut_end ? keep.data() : nullptr;
      rows.out = out + int64_t{y} * width_;
      const int source_y = y + crop.top;
      if (source_y < 0 || source_y >= height_) {
        rows.in = padding.data();
        rows.in_stride = 0;
      } else if (y == edge_y) {
        std::copy_n(image + int64_t{source_y} * width_, width_,
                    edge.data() + kCropPadding);
        rows.in = edge.data() + kCropPadding + crop.left;
        rows.in_stride = 0;
      } else {
        rows.in = image + int64_t{source_y} * width_ + crop.left;
        rows.in_stride = width_;
      }
      convert_rows_(rows);
    }
  }
}

RandomStream AugmentStream(absl::string_view purpose, uint64_t seed,
                           int64_t round, int64_t sample) {
  return RandomStream(purpose, {seed, static_cast<uint64_t>(round),
                                static_cast<uint64_t>(sample)});
}

}  // namespace fairdarts
