#include "search_space/engine/pointwise.h"

#include <algorithm>

namespace fairdarts {

Pointwise::Pointwise(const EngineKernels* kernels,
                     const PointwiseLayout& layout, int in_channels,
                     int out_channels, bool reduce, float* running)
    : kernels_(kernels),
      layout_(layout),
      in_channels_(in_channels),
      channels_(out_channels),
      reduce_(reduce),
      packed_(int64_t{in_channels} * out_channels),
      packed_transposed_(packed_.size()),
      norm_(out_channels) {
  norm_.AddRunning(running + layout.norm);
}

WorkerSizes Pointwise::Sizes(int width) const {
  return {std::max(in_channels_, channels_) * SlabChannel(width), 0,
          int64_t{2} * channels_};
}

void Pointwise::Pack(const float* parameters) {
  const int64_t size = int64_t{part_channels()} * in_channels_;
  for (int part = 0; part < parts(); ++part) {
    const float* const weights = parameters + layout_.weight + part * size;
    PackLaneRows(weights, part_channels(), in_channels_,
                 packed_.data() + part * size);
    PackLaneColumns(weights, part_channels(), in_channels_,
                    packed_transposed_.data() + part * size);
  }
}

void Pointwise::Forward(const BatchBlocks&, int block, const LaneTensor& x,
                        const LaneTensor& y, Worker& worker) {
  float* const sums = worker.sums.get();
  std::fill_n(sums, 2 * channels_ * kLanes, 0.0f);
  const int width = y.width;
  const int64_t slab = SlabChannel(width);
  const int64_t size = int64_t{part_channels()} * in_channels_;
  for (int row = 0; row < y.height; ++row) {
    float* const to = y.Row(block, row);
    for (int part = 0; part < parts(); ++part) {
      float* const out = to + part * part_channels() * y.channel();
      const int in_row = row * stride() + part;
      if (in_row >= x.height) {
        std::fill_n(out, part_channels() * y.channel(), 0.0f);
        continue;
      }
      kernels_->relu({x.row_shape(), x.Row(block, in_row), stride(), part,
                      worker.slab_a.get(), slab});
      kernels_->gemm({packed_.data() + part * size, part_channels(),
                      in_channels_, width, worker.slab_a.get(), slab, out,
                      y.channel()});
    }
    kernels_->sums({y.row_shape(), to, sums, sums + channels_ * kLanes});
  }
  double* const totals = norm_.block_sums(block);
  std::fill_n(totals, 2 * channels_, 0.0);
  AddLanes(sums, 2 * channels_, totals);
}

void Pointwise::Backward(const BatchBlocks& batch, int block,
                         const LaneTensor& g, const LaneTensor& of,
                         const LaneTensor& x, bool masked, const LaneTensor& dx,
                         float* gradients, Worker& worker,
                         const LaneFactors& own) const {
  const int width = g.width;
  const int64_t slab = SlabChannel(width);
  const int64_t size = int64_t{part_channels()} * in_channels_;
  const int lanes = batch.lanes(block);
  const bool each = own.factors != nullptr;
  float* const dy = worker.slab_a.get();
  float* const other = worker.slab_b.get();
  for (int row = 0; row < g.height; ++row) {
    kernels_->weighted_sum({g.row_shape(),
                            2,
                            {g.Row(block, row), of.Row(block, row)},
                            each ? own.factors : norm_.gradient_factors(),
                            each ? own.terms : norm_.gradient_terms(),
                            dy,
                            slab,
                            /*relu=*/false,
                            each});
    if (!each && lanes < kLanes) ClearLanes(g.row_shape(), lanes, dy, slab);
    for (int part = 0; part < parts(); ++part) {
      const int in_row = row * stride() + part;
      if (in_row >= x.height) continue;
      const float* const dout = dy + part * part_channels() * slab;
      if (dx.data != nullptr) {
        kernels_->gemm({packed_transposed_.data() + part * size, in_channels_,
                        part_channels(), width, dout, slab, other, slab});
        kernels_->relu_gradient(
            {x.row_shape(), masked ? x.Row(block, in_row) : nullptr, stride(),
             part, other, slab, dx.Row(block, in_row)});
      }
      if (gradients != nullptr) {
        kernels_->relu(
            {x.row_shape(), x.Row(block, in_row), stride(), part, other, slab});
        kernels_->gemm_weight_gradient(
            {part_channels(), in_channels_, /*height=*/1, width, dout, 0, slab,
             other, 0, slab, gradients + part * size});
      }
    }
  }
}

}  // namespace fairdarts
