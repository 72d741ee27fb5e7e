#include "search_space/engine/stem.h"

#include <algorithm>

namespace fairdarts {
namespace {

constexpr int kTaps = 9;

}  // namespace

Stem::Stem(const EngineKernels* kernels, const StemLayout& layout,
           const float* parameters, float* running)
    : kernels_(kernels),
      layout_(layout),
      parameters_(parameters),
      packed_(int64_t{layout.channels} * taps()),
      norm_(layout.channels) {
  norm_.AddRunning(running);
}

int Stem::taps() const { return kTaps * layout_.image_channels; }

WorkerSizes Stem::Sizes(int width) const {
  return {std::max(taps(), layout_.channels) * SlabChannel(width), 0,
          int64_t{2} * layout_.channels};
}

int64_t Stem::SavedSize(int height, int width) const {
  return LaneTensorSize(layout_.image_channels + layout_.channels, height,
                        width);
}

void Stem::SetMemory(float* saved, int height, int width, int blocks) {
  image_ = LaneTensorAt(saved, layout_.image_channels, height, width);
  y_ = LaneTensorAt(saved + image_.block * blocks, layout_.channels, height,
                    width);
  norm_.Resize(blocks);
  block_sums_.resize(int64_t{2} * layout_.channels * blocks);
}

void Stem::Load(const BatchBlocks& batch, int block, const Images& images) {
  const int lanes = batch.lanes(block);
  const int64_t pixels = int64_t{image_.height} * image_.width;
  for (int y = 0; y < image_.height; ++y) {
    float* to = image_.Row(block, y);
    for (int c = 0; c < image_.channels; ++c) {
      for (int x = 0; x < image_.width; ++x) {
        for (int lane = 0; lane < kLanes; ++lane) {
          const int64_t image = int64_t{block} * kLanes + lane;
          *to++ = lane < lanes
                      ? images.pixels[(image * image_.channels + c) * pixels +
                                      y * image_.width + x]
                      : 0;
        }
      }
    }
  }
}

void Stem::Gather(int block, int row, float* slab) const {
  const int width = image_.width;
  const int64_t size = int64_t{width} * kLanes;
  for (int c = 0; c < image_.channels; ++c) {
    for (int tap = 0; tap < kTaps; ++tap, slab += SlabChannel(width)) {
      const int y = row + tap / 3 - 1;
      if (y < 0 || y >= image_.height) {
        std::fill_n(slab, size, 0.0f);
        continue;
      }
      const float* const from = image_.Row(block, y) + c * image_.channel();
      // The columns that have their neighbour inside, and zeros beside them.
      const int shift = tap % 3 - 1;
      const int first = std::max(-shift, 0);
      const int last = std::max(width - std::max(shift, 0), first);
      std::fill_n(slab, first * kLanes, 0.0f);
      std::copy_n(from + (first + shift) * kLanes, (last - first) * kLanes,
                  slab + first * kLanes);
      std::fill_n(slab + last * kLanes, (width - last) * kLanes, 0.0f);
    }
  }
}

void Stem::Forward(Team& team, int thread, const BatchBlocks& batch,
                   const Images& images, NormStatistics statistics,
                   const LaneTensor& output, Worker& worker) {
  const int channels = layout_.channels;
  const int64_t slab = SlabChannel(y_.width);
  team.Barrier([&] {
    PackLaneRows(parameters_ + layout_.weight, channels, taps(),
                 packed_.data());
  });
  team.ForBlocks(thread, batch, [&](int b) {
    Load(batch, b, images);
    float* const sums = worker.sums.get();
    std::fill_n(sums, 2 * channels * kLanes, 0.0f);
    for (int row = 0; row < y_.height; ++row) {
      Gather(b, row, worker.slab_a.get());
      float* const to = y_.Row(b, row);
      kernels_->gemm({packed_.data(), channels, taps(), y_.width,
                      worker.slab_a.get(), slab, to, y_.channel()});
      kernels_->sums({y_.row_shape(), to, sums, sums + channels * kLanes});
    }
    double* const totals = norm_.block_sums(b);
    std::fill_n(totals, 2 * channels, 0.0);
    AddLanes(sums, 2 * channels, totals);
  });
  team.Barrier([&] {
    if (statistics == NormStatistics::kBatch) {
      norm_.FinishForward(batch.blocks(),
                          int64_t{batch.images} * y_.height * y_.width);
    } else {
      norm_.UseRunning(0);
    }
    norm_.SetAffine(parameters_ + layout_.norm_weight,
                    parameters_ + layout_.norm_bias);
  });
  team.ForBlocks(thread, batch, [&](int b) {
    for (int row = 0; row < output.height; ++row) {
      float* const to = output.Row(b, row);
      kernels_->weighted_sum({output.row_shape(),
                              1,
                              {y_.Row(b, row)},
                              norm_.factors(),
                              norm_.terms(),
                              to,
                              output.channel(),
                              /*relu=*/false});
      if (batch.lanes(b) < kLanes) {
        ClearLanes(output.row_shape(), batch.lanes(b), to, output.channel());
      }
    }
  });
}

void Stem::Backward(Team& team, int thread, const BatchBlocks& batch,
                    const LaneTensor& g, BlockGradients& block_gradients,
                    float* gradients, Worker& worker) {
  const int channels = layout_.channels;
  const int64_t slab = SlabChannel(g.width);
  team.ForBlocks(thread, batch, [&](int b) {
    float* const sums = worker.sums.get();
    std::fill_n(sums, 2 * channels * kLanes, 0.0f);
    LaneDotsArguments dots{};
    dots.shape = g.row_shape();
    dots.inputs = 1;
    dots.sum = sums;
    dots.dots = sums + channels * kLanes;
    for (int row = 0; row < g.height; ++row) {
      dots.y[0] = y_.Row(b, row);
      dots.g = g.Row(b, row);
      kernels_->dots(dots);
    }
    double* const totals = &block_sums_[int64_t{b} * 2 * channels];
    std::fill_n(totals, 2 * channels, 0.0);
    AddLanes(sums, 2 * channels, totals);
  });
  team.Barrier([&] {
    std::vector<double> sums(2 * channels);
    for (int b = 0; b < batch.blocks(); ++b) {
      for (int i = 0; i < 2 * channels; ++i) {
        sums[i] += block_sums_[int64_t{b} * 2 * channels + i];
      }
    }
    norm_.FinishAffineBackward(sums.data(), sums.data() + channels,
                               int64_t{batch.images} * g.height * g.width,
                               parameters_ + layout_.norm_weight,
                               gradients + layout_.norm_weight,
                               gradients + layout_.norm_bias);
  });
  team.ForBlocks(thread, batch, [&](int b) {
    block_gradients.Begin(b, begin(), end());
    for (int row = 0; row < g.height; ++row) {
      kernels_->weighted_sum({g.row_shape(),
                              2,
                              {g.Row(b, row), y_.Row(b, row)},
                              norm_.gradient_factors(),
                              norm_.gradient_terms(),
                              worker.slab_a.get(),
                              slab,
                              /*relu=*/false});
      // Lanes without an image meet zeros in the image.
      Gather(b, row, worker.slab_b.get());
      kernels_->gemm_weight_gradient({channels, taps(), /*height=*/1, g.width,
                                      worker.slab_a.get(), 0, slab,
                                      worker.slab_b.get(), 0, slab,
                                      block_gradients.At(b, begin(), begin())});
    }
  });
  team.Barrier([] {});
  block_gradients.Sum(thread, team.active(), batch.blocks(), begin(), end(),
                      gradients);
}

}  // namespace fairdarts
