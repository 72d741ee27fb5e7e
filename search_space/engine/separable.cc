#include "search_space/engine/separable.h"

#include <algorithm>

namespace fairdarts {
namespace {

// Rows of the depthwise weight gradient at a time: few enough that they are
// still in the second-level cache, enough that adding lanes costs little.
constexpr int kWeightRows = 4;

}  // namespace

Separable::Separable(const EngineKernels* kernels,
                     const SeparableLayout& layout,
                     const LaneDepthwiseShape& shape, float* running)
    : kernels_(kernels),
      layout_(layout),
      shape_(shape),
      depthwise_(LaneDepthwiseFor(kernels->isa, shape)),
      depthwise_gradient_(LaneDepthwiseGradientFor(kernels->isa, shape)),
      depthwise_weight_gradient_(
          LaneDepthwiseWeightGradientFor(kernels->isa, shape)),
      packed_(int64_t{shape.channels} * shape.channels),
      packed_transposed_(packed_.size()),
      norm_(shape.channels) {
  norm_.AddRunning(running + layout.norm);
}

WorkerSizes Separable::Sizes() const {
  const int width = shape_.out_width();
  return {SlabRows(width) * shape_.channels * SlabChannel(width),
          LaneTensorSize(shape_.channels, shape_.out_height(), width), 0};
}

void Separable::Pack(const float* parameters) {
  weights_ = parameters + layout_.depthwise;
  const float* const pointwise = parameters + layout_.pointwise;
  PackLaneRows(pointwise, shape_.channels, shape_.channels, packed_.data());
  PackLaneColumns(pointwise, shape_.channels, shape_.channels,
                  packed_transposed_.data());
}

void Separable::ForwardRow(const LaneRows& z, int block, int row, float* sums,
                           Worker& worker) const {
  const int channels = shape_.channels;
  const int64_t slab = SlabChannel(y_.width);
  float* const to = y_.Row(block, row);
  depthwise_({shape_, weights_, z, row, worker.slab_a.get(), slab,
              /*accumulate=*/false});
  LaneGemmArguments product{
      packed_.data(),      channels, channels, y_.width,
      worker.slab_a.get(), slab,     to,       y_.channel()};
  if (row + 1 < y_.height) {
    product.prefetch.write = y_.Row(block, row + 1);
    product.prefetch.write_size = y_.channel() * channels;
  }
  kernels_->gemm(product);
  kernels_->sums({y_.row_shape(), to, sums, sums + channels * kLanes});
}

void Separable::NormalizedRelu(const BatchBlocks& batch, int block, int row,
                               float* to) const {
  kernels_->weighted_sum({y_.row_shape(),
                          1,
                          {y_.Row(block, row)},
                          norm_.factors(),
                          norm_.terms(),
                          to,
                          y_.channel(),
                          /*relu=*/true});
  const int lanes = batch.lanes(block);
  if (lanes < kLanes) ClearLanes(y_.row_shape(), lanes, to, y_.channel());
}

void Separable::Backward(const BatchBlocks& batch, int block,
                         const BackwardArguments& a, Worker& worker) const {
  const int channels = shape_.channels;
  const int width = y_.width;
  const int height = y_.height;
  const int padding = shape_.padding();
  const int lanes = batch.lanes(block);
  const int64_t slab = SlabChannel(width);
  const int64_t slab_row = channels * slab;
  const bool weight_gradients = a.pointwise_gradient != nullptr;
  const bool own = a.lanes.factors != nullptr;
  // The gradient of the depthwise convolution's output.
  const LaneTensor du =
      LaneTensorAt(worker.block_a.get(), channels, height, width);
  const LaneTensor normalized =
      LaneTensorAt(worker.block_b.get(), channels, height, width);
  const LaneRows z = a.previous != nullptr ? normalized.rows(0) : a.z;
  float* const dy = worker.slab_a.get();
  float* const u = worker.slab_b.get();
  int normalized_rows = 0;
  int weight_rows = 0;
  int dz_rows = 0;
  for (int begin = 0, end; begin < height; begin = end) {
    end = std::min(begin + SlabRows(width), height);
    for (int row = begin; row < end; ++row) {
      float* const dy_row = dy + (row - begin) * slab_row;
      kernels_->weighted_sum({y_.row_shape(),
                              2,
                              {a.g.Row(block, row), y_.Row(block, row)},
                              own ? a.lanes.factors : norm_.gradient_factors(),
                              own ? a.lanes.terms : norm_.gradient_terms(),
                              dy_row,
                              slab,
                              /*relu=*/false,
                              own});
      if (!own && lanes < kLanes)
        ClearLanes(y_.row_shape(), lanes, dy_row, slab);
      LaneGemmArguments product{packed_transposed_.data(),
                                channels,
                                channels,
                                width,
                                dy_row,
                                slab,
                                du.Row(0, row),
                                du.channel()};
      if (row + 1 < height) {
        product.prefetch.read = a.g.Row(block, row + 1);
        product.prefetch.read_size = y_.channel() * channels;
        product.prefetch.read_too = y_.Row(block, row + 1);
        product.prefetch.read_too_size = y_.channel() * channels;
      }
      kernels_->gemm(product);
      if (!weight_gradients) continue;
      if (a.previous != nullptr) {
        for (; normalized_rows < std::min(height, row + padding + 1);
             ++normalized_rows) {
          a.previous->NormalizedRelu(batch, block, normalized_rows,
                                     normalized.Row(0, normalized_rows));
        }
      }
      // Once more, in place of keeping it since the forward.
      depthwise_({shape_, weights_, z, row, u + (row - begin) * slab_row, slab,
                  /*accumulate=*/false});
    }
    if (weight_gradients) {
      kernels_->gemm_weight_gradient({channels, channels, end - begin, width,
                                      dy, slab_row, slab, u, slab_row, slab,
                                      a.pointwise_gradient});
      if (end - weight_rows >= kWeightRows || end == height) {
        depthwise_weight_gradient_(
            {shape_, z, du.rows(0), weight_rows, end, a.depthwise_gradient});
        weight_rows = end;
      }
    }
    // Rows of dz that no later row of du reaches.
    for (; dz_rows < shape_.height &&
           (end == height || (dz_rows + padding) / shape_.stride < end);
         ++dz_rows) {
      float* const dz = a.dz.Row(block, dz_rows);
      depthwise_gradient_({shape_, weights_, du.rows(0), dz_rows, dz,
                           a.dz.channel(), a.accumulate});
      if (a.previous != nullptr) {
        const LaneBatchNorm& norm = a.previous->norm();
        kernels_->masked_dots({a.dz.row_shape(),
                               a.previous->y().Row(block, dz_rows),
                               norm.factors(), norm.terms(), dz, a.sums,
                               a.sums + channels * kLanes});
      }
    }
  }
}

}  // namespace fairdarts
