#include "training/data/device_augment.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <vector>

namespace fairdarts {

DeviceAugmenter::DeviceAugmenter(const Augmenter& augmenter, int height,
                                 int width, bool channels_last,
                                 torch::Device device)
    : rows_(torch::arange(height, device)),
      columns_(torch::arange(width, device)),
      format_(channels_last ? torch::MemoryFormat::ChannelsLast
                            : torch::MemoryFormat::Contiguous) {
  std::vector<float> scales;
  std::vector<float> offsets;
  for (const PixelAffine& affine : augmenter.affine()) {
    scales.push_back(affine.scale);
    offsets.push_back(affine.offset);
  }
  scale_ = torch::tensor(scales).view({-1, 1, 1}).to(device);
  offset_ = torch::tensor(offsets).view({-1, 1, 1}).to(device);
}

torch::Tensor DeviceAugmenter::Apply(const torch::Tensor& bytes,
                                     const torch::Tensor& places) const {
  const torch::NoGradGuard no_gradients;
  const int64_t height = rows_.size(0);
  const int64_t width = columns_.size(0);
  // Each [N, 1], beside rows or columns.
  const std::vector<torch::Tensor> place = places.split(1, /*dim=*/1);
  const torch::Tensor y = rows_ + place[0];
  const torch::Tensor x =
      torch::where(place[2].ne(0), width - 1 - columns_, columns_) + place[1];
  const torch::Tensor outside =
      torch::logical_or(torch::logical_or(y.lt(0), y.ge(height)).unsqueeze(2),
                        torch::logical_or(x.lt(0), x.ge(width)).unsqueeze(1));
  const torch::Tensor cut = torch::logical_and(
      torch::logical_and(rows_.ge(place[3]), rows_.lt(place[4])).unsqueeze(2),
      torch::logical_and(columns_.ge(place[5]), columns_.lt(place[6]))
          .unsqueeze(1));
  const torch::Tensor from = y.clamp(0, height - 1).unsqueeze(2) * width +
                             x.clamp(0, width - 1).unsqueeze(1);
  const torch::Tensor planes = bytes.flatten(2);
  const torch::Tensor pixels =
      planes.gather(2, from.flatten(1).unsqueeze(1).expand_as(planes))
          .view_as(bytes)
          .masked_fill(outside.unsqueeze(1), 0)
          .to(torch::kFloat);
  // The product is rounded before the sum, as on the host.
  return (pixels * scale_ + offset_)
      .masked_fill(cut.unsqueeze(1), 0)
      .contiguous(format_);
}

void PutPlace(const Placement& placement, int64_t* row) {
  const std::array<int64_t, kPlaceNumbers> numbers = {
      placement.top,      placement.left,       placement.flip ? 1 : 0,
      placement.cut_top,  placement.cut_bottom, placement.cut_left,
      placement.cut_right};
  std::copy(numbers.begin(), numbers.end(), row);
}

}  // namespace fairdarts
