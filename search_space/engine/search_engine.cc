#include "search_space/engine/search_engine.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr int kWeights = kS1Edges * kEdgeCandidates;

}  // namespace

absl::StatusOr<std::unique_ptr<SearchEngine>> SearchEngine::Create(
    const S1Config& config, const SearchEngineOptions& options) {
  FD_ASSIGN_OR_RETURN(std::unique_ptr<ThreadTeam> threads,
                      ThreadTeam::Create(options.threads));
  return absl::WrapUnique(
      new SearchEngine(config, options, std::move(threads)));
}

SearchEngine::SearchEngine(const S1Config& config,
                           const SearchEngineOptions& options,
                           std::unique_ptr<ThreadTeam> threads)
    : config_(config),
      layout_(config),
      kernels_(options.isa),
      threads_(std::move(threads)),
      team_(threads_.get()),
      parameters_(layout_.parameter_size),
      statistics_(layout_.statistic_size),
      weights_{std::vector<float>(kWeights), std::vector<float>(kWeights)},
      stem_(&kernels_, StemOf(layout_), parameters_.data(),
            &statistics_[layout_.stem_norm]) {
  StartStatistics(layout_.statistics, statistics_.data());
}

bool SearchEngine::HasMemoryFor(const Images& images) const {
  return blocks_ > 0 && images.height == image_size_.height &&
         images.width == image_size_.width;
}

void SearchEngine::Prepare(const Images& images) {
  batch_.images = 0;
  const BatchBlocks batch{images.count};
  if (!HasMemoryFor(images) || batch.blocks() > blocks_) {
    // Free what there was before there is anything new, which may be refused.
    blocks_ = 0;
    cells_.clear();
    workers_.clear();
    saved_.reset();
    scratch_.reset();
    image_size_ = {images.height, images.width};
    cells_ = MakeCells(&kernels_, layout_, image_size_, statistics_.data());
    Allocate(batch.blocks());
  }
  batch_ = batch;
}

void SearchEngine::Allocate(int blocks) {
  const EngineSizes sizes = SizesOf(layout_, stem_, cells_, image_size_);
  saved_ = AllocateLanes(sizes.saved * blocks);
  scratch_ = AllocateLanes((CellScratch::kTensors * sizes.cell_scratch +
                            kOutputGradients * sizes.largest_output) *
                           blocks);
  for (int i = 0; i < team_.threads(); ++i) workers_.emplace_back(sizes.worker);

  float* saved = saved_.get();
  const auto take = [&](int64_t channels, MapSize size) {
    const LaneTensor tensor = LaneTensorAt(saved, static_cast<int>(channels),
                                           size.height, size.width);
    saved += tensor.block * blocks;
    return tensor;
  };
  const int height = image_size_.height;
  const int width = image_size_.width;
  stem_.SetMemory(saved, height, width, blocks);
  saved += stem_.SavedSize(height, width) * blocks;
  outputs_.Begin(take(layout_.stem_channels, image_size_));
  float* scratch = scratch_.get();
  const auto take_scratch = [&](int64_t size) {
    scratch += size * blocks;
    return scratch - size * blocks;
  };
  CellScratch cell_scratch;
  cell_scratch.relu = take_scratch(sizes.cell_scratch);
  cell_scratch.source = take_scratch(sizes.cell_scratch);
  for (float*& half : cell_scratch.halves)
    half = take_scratch(sizes.cell_scratch);
  for (float*& state : cell_scratch.states) {
    state = take_scratch(sizes.cell_scratch);
  }
  std::array<float*, kOutputGradients> gradients;
  for (float*& gradient : gradients) {
    gradient = take_scratch(sizes.largest_output);
  }
  outputs_.SetGradientMemory(gradients);
  for (size_t i = 0; i < cells_.size(); ++i) {
    cells_[i].SetMemory(saved, cell_scratch, blocks);
    saved += cells_[i].SavedSize() * blocks;
    outputs_.Add(
        take(kS1Nodes * layout_.cells[i].channels, cells_[i].output_size()));
  }
  FD_CHECK_EQ(saved - saved_.get(), sizes.saved * blocks);
  pooled_.resize(layout_.classifier_channels * kLanes * blocks);
  block_gradients_ = BlockGradients(sizes.gradients);
  block_gradients_.Resize(blocks);
  blocks_ = blocks;
}

CellTensors SearchEngine::GradientsOf(int cell, bool with_parameters) const {
  CellTensors tensors = outputs_.GradientsAround(cell);
  // In front of the first cell there are parameters alone.
  if (!with_parameters) {
    if (cell <= 1) tensors.before_previous.data = nullptr;
    if (cell == 0) tensors.previous.data = nullptr;
  }
  return tensors;
}

const float* SearchEngine::WeightsOf(int cell) const {
  return weights_[layout_.cells[cell].reduction ? 1 : 0].data();
}

absl::Status SearchEngine::SetSkipNoise(const SkipNoise& noise) {
  FD_RETURN_IF_ERROR(CheckSkipNoise(noise));
  next_noise_ = {};
  next_noise_.noise = noise;
  return absl::OkStatus();
}

absl::Status SearchEngine::Forward(const Images& images, const Weights& weights,
                                   float* logits) {
  FD_CHECK_GE(images.count, 1);
  FD_CHECK_GE(images.height, 1);
  FD_CHECK_GE(images.width, 1);
  Prepare(images);
  const absl::Status trainable = outputs_.CheckTraining(images);
  if (!trainable.ok()) {
    batch_.images = 0;
    return trainable;
  }
  noise_ = next_noise_;
  Run(images, weights, NormStatistics::kBatch, noise_, logits);
  ++next_noise_.forward;
  ++forwards_;
  return absl::OkStatus();
}

void SearchEngine::Evaluate(const Images& images, const Weights& weights,
                            float* logits) {
  Images part = images;
  for (int done = 0; done < images.count; done += part.count) {
    part.pixels = images.pixels + int64_t{done} * config_.image_channels *
                                      images.height * images.width;
    const int blocks = HasMemoryFor(images) ? blocks_ : team_.threads();
    part.count = std::min(images.count - done, blocks * kLanes);
    Prepare(part);
    Run(part, weights, NormStatistics::kRunning, EdgeNoise(),
        logits + done * config_.classes);
  }
  batch_.images = 0;
}

void SearchEngine::Run(const Images& images, const Weights& weights,
                       NormStatistics statistics, const EdgeNoise& noise,
                       float* logits) {
  std::copy_n(weights.normal, kWeights, weights_[0].begin());
  std::copy_n(weights.reduce, kWeights, weights_[1].begin());
  team_.Run(batch_, [&](int thread) {
    Worker& worker = workers_[thread];
    int unit = 0;
    for (Cell& cell : cells_) {
      for (int i = 0; i < cell.units(); ++i) {
        if (unit++ % team_.active() == thread) {
          cell.Pack(i, parameters_.data());
        }
      }
    }
    stem_.Forward(team_, thread, batch_, images, statistics, outputs_.Output(0),
                  worker);
    for (size_t i = 0; i < cells_.size(); ++i) {
      const int cell = static_cast<int>(i);
      EdgeNoise cell_noise = noise;
      cell_noise.cell = cell;
      cells_[i].Forward(team_, thread, batch_, outputs_.Around(cell),
                        WeightsOf(cell), statistics, cell_noise, worker);
    }
    HeadForward(thread, logits, worker);
  });
}

void SearchEngine::HeadForward(int thread, float* logits, Worker& worker) {
  const int channels = outputs_.last().channels;
  outputs_.Means(team_, thread, batch_, kernels_, pooled_.data(), worker);
  team_.ForBlocks(thread, batch_, [&](int b) {
    for (int lane = 0; lane < batch_.lanes(b); ++lane) {
      const int64_t image = int64_t{b} * kLanes + lane;
      const float* const pooled = &pooled_[image * channels];
      for (int k = 0; k < config_.classes; ++k) {
        const float* const weights =
            &parameters_[layout_.classifier_weight + int64_t{k} * channels];
        float sum = parameters_[layout_.classifier_bias + k];
        for (int c = 0; c < channels; ++c) sum += weights[c] * pooled[c];
        logits[image * config_.classes + k] = sum;
      }
    }
  });
}

SearchEngine::WeightGradients SearchEngine::Backward(const float* d_logits,
                                                     float* parameter_gradients,
                                                     bool weight_gradients) {
  FD_CHECK_GT(batch_.images, 0) << "a backward without a forward";
  std::array<std::vector<double>, 2> d_weights = {
      std::vector<double>(kWeights), std::vector<double>(kWeights)};
  team_.Run(batch_, [&](int thread) {
    Worker& worker = workers_[thread];
    HeadBackward(thread, d_logits, parameter_gradients);
    for (int i = static_cast<int>(cells_.size()) - 1; i >= 0; --i) {
      Cell::BackwardArguments a{};
      a.tensors = outputs_.Around(i);
      a.gradients = GradientsOf(i, parameter_gradients != nullptr);
      a.weights = WeightsOf(i);
      a.noise = noise_;
      a.noise.cell = i;
      if (weight_gradients) {
        a.d_weights = d_weights[layout_.cells[i].reduction ? 1 : 0].data();
      }
      if (parameter_gradients != nullptr) {
        a.parameter_gradients = parameter_gradients;
        a.block_gradients = &block_gradients_;
      }
      // An output's gradient is first added to by the cell that reads it last.
      std::vector<LaneTensor> fresh;
      if (i + 1 == static_cast<int>(cells_.size())) {
        fresh.push_back(a.gradients.previous);
      }
      if (i > 0) fresh.push_back(a.gradients.before_previous);
      for (const LaneTensor& tensor : fresh) {
        if (tensor.data == nullptr) continue;
        team_.ForBlocks(thread, batch_, [&](int b) {
          std::fill_n(tensor.Row(b, 0), tensor.block, 0.0f);
        });
      }
      cells_[i].Backward(team_, thread, batch_, a, worker);
    }
    if (parameter_gradients != nullptr) {
      stem_.Backward(team_, thread, batch_, outputs_.Gradient(0),
                     block_gradients_, parameter_gradients, worker);
    }
  });
  batch_.images = 0;
  WeightGradients gradients;
  if (!weight_gradients) return gradients;
  gradients.normal.assign(d_weights[0].begin(), d_weights[0].end());
  gradients.reduce.assign(d_weights[1].begin(), d_weights[1].end());
  return gradients;
}

void SearchEngine::HeadBackward(int thread, const float* d_logits,
                                float* parameter_gradients) {
  const LaneTensor gradient = outputs_.Gradient(outputs_.size() - 1);
  const int channels = gradient.channels;
  const int64_t classes = config_.classes;
  const float pixels = static_cast<float>(gradient.height * gradient.width);
  const float* const weights = &parameters_[layout_.classifier_weight];
  team_.ForBlocks(thread, batch_, [&](int b) {
    float* row = gradient.Row(b, 0);
    for (int c = 0; c < channels; ++c) {
      float pixel[kLanes] = {};
      for (int lane = 0; lane < batch_.lanes(b); ++lane) {
        const int64_t image = int64_t{b} * kLanes + lane;
        for (int64_t k = 0; k < classes; ++k) {
          pixel[lane] +=
              d_logits[image * classes + k] * weights[k * channels + c];
        }
        pixel[lane] /= pixels;
      }
      for (int x = 0; x < gradient.width; ++x, row += kLanes) {
        std::copy_n(pixel, kLanes, row);
      }
    }
    for (int y = 1; y < gradient.height; ++y) {
      std::copy_n(gradient.Row(b, 0), gradient.row, gradient.Row(b, y));
    }
  });
  if (parameter_gradients == nullptr || thread != 0) return;
  float* const d_weights = &parameter_gradients[layout_.classifier_weight];
  for (int64_t k = 0; k < classes; ++k) {
    double bias = 0;
    std::vector<double> sums(channels);
    for (int image = 0; image < batch_.images; ++image) {
      const double d = d_logits[image * classes + k];
      bias += d;
      for (int c = 0; c < channels; ++c) {
        sums[c] += d * pooled_[int64_t{image} * channels + c];
      }
    }
    parameter_gradients[layout_.classifier_bias + k] = static_cast<float>(bias);
    std::copy(sums.begin(), sums.end(), d_weights + k * channels);
  }
}

}  // namespace fairdarts
