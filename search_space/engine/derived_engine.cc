#include "search_space/engine/derived_engine.h"

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

StemLayout StemOf(const DerivedLayout& layout) {
  StemLayout stem;
  stem.image_channels = static_cast<int>(layout.image_channels);
  stem.channels = static_cast<int>(layout.stem_channels);
  stem.weight = layout.stem_weight;
  stem.norm_weight = layout.stem_affine.weight;
  stem.norm_bias = layout.stem_affine.bias;
  return stem;
}

int64_t LargestRange(const DerivedLayout& layout) {
  int64_t largest = layout.stem_affine.weight - layout.stem_weight;
  for (const DerivedCellLayout& cell : layout.cells) {
    largest = std::max(largest, cell.end - cell.begin);
  }
  return largest;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DerivedEngine>> DerivedEngine::Create(
    const Genotype& genotype, const NetworkConfig& config,
    const DerivedEngineOptions& options) {
  FD_RETURN_IF_ERROR(CheckDerivedEngine(genotype, config));
  FD_ASSIGN_OR_RETURN(std::unique_ptr<ThreadTeam> threads,
                      ThreadTeam::Create(options.threads));
  return absl::WrapUnique(
      new DerivedEngine(genotype, config, options, std::move(threads)));
}

DerivedEngine::DerivedEngine(const Genotype& genotype,
                             const NetworkConfig& config,
                             const DerivedEngineOptions& options,
                             std::unique_ptr<ThreadTeam> threads)
    : layout_(genotype, config),
      kernels_(options.isa),
      threads_(std::move(threads)),
      team_(threads_.get()),
      parameters_(layout_.parameter_size),
      statistics_(layout_.statistic_size),
      stem_(&kernels_, StemOf(layout_), parameters_.data(),
            statistics_.data() + layout_.stem_norm),
      block_gradients_{BlockGradients(LargestRange(layout_)),
                       BlockGradients(LargestRange(layout_))} {
  StartStatistics(layout_.statistics, statistics_.data());
}

int64_t DerivedEngine::pooled_channels() const {
  return layout_.cells.back().output_channels();
}

int64_t DerivedEngine::auxiliary_channels() const {
  return layout_.cells[layout_.auxiliary_cell].output_channels();
}

MapSize DerivedEngine::AuxiliaryMap(MapSize image) const {
  for (int i = 0; i <= layout_.auxiliary_cell; ++i) {
    if (!layout_.cells[i].reduction) continue;
    image = image.Halved();
  }
  return image;
}

bool DerivedEngine::HasMemoryFor(const Images& images) const {
  return blocks_ > 0 && images.height == image_size_.height &&
         images.width == image_size_.width;
}

void DerivedEngine::Prepare(const Images& images) {
  batch_.images = 0;
  const BatchBlocks batch{images.count};
  if (!HasMemoryFor(images) || batch.blocks() > blocks_) {
    // Free what there was before there is anything new, which may be refused.
    blocks_ = 0;
    cells_.clear();
    workers_.clear();
    cell_workers_.clear();
    saved_.reset();
    scratch_.reset();
    image_size_ = {images.height, images.width};
    std::vector<MapSize> sizes = {image_size_};
    cells_.reserve(layout_.cells.size());  // cells stay where they are
    for (const DerivedCellLayout& cell : layout_.cells) {
      cells_.emplace_back(
          &kernels_, cell,
          sizes.size() < 2 ? sizes.back() : sizes[sizes.size() - 2],
          parameters_.data(), statistics_.data());
      sizes.push_back(cells_.back().output_size());
    }
    Allocate(batch.blocks());
  }
  batch_ = batch;
}

void DerivedEngine::Allocate(int blocks) {
  const int stem_channels = static_cast<int>(layout_.stem_channels);
  const int height = image_size_.height;
  const int width = image_size_.width;
  int64_t output_size = LaneTensorSize(stem_channels, height, width);
  int64_t largest_output = output_size;
  int64_t saved_size = output_size + stem_.SavedSize(height, width);
  int64_t scratch_size = 0;
  int64_t map = 0;
  int64_t channels = 0;
  WorkerSizes sizes = stem_.Sizes(width);
  sizes.Cover({0, 0, 2 * pooled_channels()});
  for (size_t i = 0; i < cells_.size(); ++i) {
    const DerivedCellEngine& cell = cells_[i];
    output_size =
        LaneTensorSize(static_cast<int>(layout_.cells[i].output_channels()),
                       cell.output_size().height, cell.output_size().width);
    largest_output = std::max(largest_output, output_size);
    saved_size += output_size + cell.SavedSize();
    scratch_size = std::max(scratch_size, cell.ScratchSize());
    map = std::max(map, cell.MapFloats());
    channels = std::max(channels, layout_.cells[i].channels);
    sizes.Cover(cell.Sizes());
  }
  saved_ = AllocateLanes(saved_size * blocks);
  scratch_ = AllocateLanes((scratch_size + kOutputGradients * largest_output) *
                           blocks);
  for (int i = 0; i < team_.threads(); ++i) {
    workers_.emplace_back(sizes);
    cell_workers_.emplace_back(map, channels);
  }

  float* saved = saved_.get();
  const auto take = [&](int64_t tensor_channels, MapSize size) {
    const LaneTensor tensor = LaneTensorAt(
        saved, static_cast<int>(tensor_channels), size.height, size.width);
    saved += tensor.block * blocks;
    return tensor;
  };
  stem_.SetMemory(saved, height, width, blocks);
  saved += stem_.SavedSize(height, width) * blocks;
  outputs_.Begin(take(stem_channels, image_size_));
  float* scratch = scratch_.get();
  std::array<float*, kOutputGradients> gradients;
  for (float*& gradient : gradients) {
    gradient = scratch;
    scratch += largest_output * blocks;
  }
  outputs_.SetGradientMemory(gradients);
  for (size_t i = 0; i < cells_.size(); ++i) {
    cells_[i].SetMemory(saved, scratch, blocks);
    saved += cells_[i].SavedSize() * blocks;
    outputs_.Add(
        take(layout_.cells[i].output_channels(), cells_[i].output_size()));
  }
  FD_CHECK_EQ(saved - saved_.get(), saved_size * blocks);
  for (BlockGradients& sums : block_gradients_) sums.Resize(blocks);
  blocks_ = blocks;
}

absl::Status DerivedEngine::Forward(const Images& images,
                                    const PathScales& paths, float* pooled,
                                    float* auxiliary) {
  FD_CHECK_GE(images.count, 1);
  FD_CHECK_GE(images.height, 1);
  FD_CHECK_GE(images.width, 1);
  Prepare(images);
  const absl::Status trainable = outputs_.CheckTraining(images);
  if (!trainable.ok()) {
    batch_.images = 0;
    return trainable;
  }
  path_scales_.clear();
  if (paths.scales != nullptr) {
    path_scales_.assign(paths.scales,
                        paths.scales + int64_t{layout_.paths} * images.count);
  }
  Run(images, {path_scales_.empty() ? nullptr : path_scales_.data()},
      NormStatistics::kBatch, pooled, auxiliary);
  ++forwards_;
  return absl::OkStatus();
}

void DerivedEngine::Evaluate(const Images& images, float* pooled) {
  Images part = images;
  for (int done = 0; done < images.count; done += part.count) {
    part.pixels = images.pixels + int64_t{done} * layout_.image_channels *
                                      images.height * images.width;
    const int blocks = HasMemoryFor(images) ? blocks_ : team_.threads();
    part.count = std::min(images.count - done, blocks * kLanes);
    Prepare(part);
    Run(part, {}, NormStatistics::kRunning, pooled + done * pooled_channels(),
        nullptr);
  }
  batch_.images = 0;
}

void DerivedEngine::Run(const Images& images, const PathScales& paths,
                        NormStatistics statistics, float* pooled,
                        float* auxiliary) {
  team_.Run(batch_, [&](int thread) {
    Worker& worker = workers_[thread];
    int unit = 0;
    for (DerivedCellEngine& cell : cells_) {
      for (int i = 0; i < cell.units(); ++i) {
        if (unit++ % team_.active() == thread) cell.Pack(i);
      }
    }
    stem_.Forward(team_, thread, batch_, images, statistics, outputs_.Output(0),
                  worker);
    for (size_t i = 0; i < cells_.size(); ++i) {
      cells_[i].Forward(team_, thread, batch_,
                        outputs_.Around(static_cast<int>(i)), paths, statistics,
                        worker, cell_workers_[thread]);
    }
    if (auxiliary != nullptr) {
      Store(thread, outputs_.Output(layout_.auxiliary_cell + 1), auxiliary);
    }
    outputs_.Means(team_, thread, batch_, kernels_, pooled, worker);
  });
}

void DerivedEngine::Store(int thread, const LaneTensor& tensor, float* images) {
  const int64_t pixels = int64_t{tensor.height} * tensor.width;
  team_.ForBlocks(thread, batch_, [&](int b) {
    for (int y = 0; y < tensor.height; ++y) {
      const float* from = tensor.Row(b, y);
      for (int c = 0; c < tensor.channels; ++c) {
        for (int x = 0; x < tensor.width; ++x, from += kLanes) {
          for (int lane = 0; lane < batch_.lanes(b); ++lane) {
            const int64_t image = int64_t{b} * kLanes + lane;
            images[(image * tensor.channels + c) * pixels + y * tensor.width +
                   x] = from[lane];
          }
        }
      }
    }
  });
}

void DerivedEngine::BeginGradient(int thread, int index, const float* d_pooled,
                                  const float* d_auxiliary) {
  const LaneTensor gradient = outputs_.Gradient(index);
  const bool last = index + 1 == outputs_.size();
  const bool auxiliary =
      index == layout_.auxiliary_cell + 1 && d_auxiliary != nullptr;
  const int64_t pixels = int64_t{gradient.height} * gradient.width;
  team_.ForBlocks(thread, batch_, [&](int b) {
    const int lanes = batch_.lanes(b);
    std::fill_n(gradient.Row(b, 0), gradient.block, 0.0f);
    for (int y = 0; y < gradient.height && (last || auxiliary); ++y) {
      float* to = gradient.Row(b, y);
      for (int c = 0; c < gradient.channels; ++c) {
        for (int x = 0; x < gradient.width; ++x, to += kLanes) {
          for (int lane = 0; lane < lanes; ++lane) {
            const int64_t channel =
                (int64_t{b} * kLanes + lane) * gradient.channels + c;
            if (last && d_pooled != nullptr) {
              to[lane] += d_pooled[channel] / static_cast<float>(pixels);
            }
            if (auxiliary) {
              to[lane] +=
                  d_auxiliary[channel * pixels + y * gradient.width + x];
            }
          }
        }
      }
    }
  });
}

void DerivedEngine::Backward(const float* d_pooled, const float* d_auxiliary,
                             float* parameter_gradients) {
  FD_CHECK_GT(batch_.images, 0) << "a backward without a forward";
  const PathScales paths{path_scales_.empty() ? nullptr : path_scales_.data()};
  team_.Run(batch_, [&](int thread) {
    Worker& worker = workers_[thread];
    const int last = static_cast<int>(cells_.size()) - 1;
    BeginGradient(thread, last + 1, d_pooled, d_auxiliary);
    BeginGradient(thread, last, d_pooled, d_auxiliary);
    for (int i = last; i >= 0; --i) {
      // An output's gradient is first added to by the cell that reads it last.
      if (i > 0) BeginGradient(thread, i - 1, d_pooled, d_auxiliary);
      cells_[i].Backward(
          team_, thread, batch_,
          {outputs_.Around(i), outputs_.GradientsAround(i), paths,
           parameter_gradients, &block_gradients_[i % block_gradients_.size()]},
          worker, cell_workers_[thread]);
    }
    // Cell 0 has left its sums to be read in the first of both; the stem's
    // go into the other one, which the barriers of that cell have freed.
    stem_.Backward(team_, thread, batch_, outputs_.Gradient(0),
                   block_gradients_[1], parameter_gradients, worker);
  });
  batch_.images = 0;
}

}  // namespace fairdarts
