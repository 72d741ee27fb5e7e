#include "search_space/engine/cell_outputs.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

const LaneTensor& CellOutputs::Output(int index) const {
  return outputs_[std::max(index, 0)];
}

LaneTensor CellOutputs::Gradient(int index) const {
  const LaneTensor& output = Output(index);
  return LaneTensorAt(gradients_[std::max(index, 0) % kOutputGradients],
                      output.channels, output.height, output.width);
}

CellTensors CellOutputs::Around(int cell) const {
  return {Output(cell - 1), Output(cell), Output(cell + 1)};
}

CellTensors CellOutputs::GradientsAround(int cell) const {
  return {Gradient(cell - 1), Gradient(cell), Gradient(cell + 1)};
}

absl::Status CellOutputs::CheckTraining(const Images& images) const {
  if (int64_t{images.count} * last().height * last().width >= 2) {
    return absl::OkStatus();
  }
  return UsageError(absl::StrCat(
      "batch norm needs more than one value a channel to train: ", images.count,
      " image of ", images.height, "x", images.width, " gives one"));
}

void CellOutputs::Means(Team& team, int thread, const BatchBlocks& batch,
                        const EngineKernels& kernels, float* means,
                        Worker& worker) const {
  const LaneTensor& output = last();
  const int channels = output.channels;
  const float pixels = static_cast<float>(output.height * output.width);
  team.ForBlocks(thread, batch, [&](int b) {
    float* const sums = worker.sums.get();
    std::fill_n(sums, 2 * channels * kLanes, 0.0f);
    for (int row = 0; row < output.height; ++row) {
      kernels.sums({output.row_shape(), output.Row(b, row), sums,
                    sums + channels * kLanes});
    }
    for (int lane = 0; lane < batch.lanes(b); ++lane) {
      float* const image = means + (int64_t{b} * kLanes + lane) * channels;
      for (int c = 0; c < channels; ++c) {
        image[c] = sums[c * kLanes + lane] / pixels;
      }
    }
  });
}

}  // namespace fairdarts
