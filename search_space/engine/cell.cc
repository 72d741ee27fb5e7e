#include "search_space/engine/cell.h"

#include <algorithm>

#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

// The candidates of an edge, in the order of kS1Candidates.
enum Candidate { kMaxPool, kAveragePool, kSkip, kConvolutions };

// The units whose outputs are candidates, and those that read the state.
constexpr int kLastUnits[] = {1, 3, 4, 5};
constexpr int kFirstUnits[] = {0, 2, 4, 5};
// Second halves of a sep_conv; the first one is the unit before.
constexpr int kSecondUnits[] = {1, 3};

struct UnitShape {
  int kernel;
  int dilation;
};
constexpr UnitShape kUnitShapes[kEdgeUnits] = {{3, 1}, {3, 1}, {5, 1},
                                               {5, 1}, {3, 2}, {5, 2}};

// Sum over blocks of [blocks][stride], the first `size` of each.
std::vector<double> SumBlocks(const std::vector<double>& values, int blocks,
                              int64_t stride, int64_t size) {
  std::vector<double> sums(size);
  for (int b = 0; b < blocks; ++b) {
    for (int64_t i = 0; i < size; ++i) sums[i] += values[b * stride + i];
  }
  return sums;
}

}  // namespace

Cell::Cell(const EngineKernels* kernels, const CellLayout& layout,
           MapSize before_previous, float* running)
    : kernels_(kernels), layout_(layout) {
  state_size_ = before_previous;
  if (layout.previous_reduction) {
    state_size_ = before_previous.Halved();
  }
  output_size_ = state_size_;
  if (layout.reduction) {
    output_size_ = state_size_.Halved();
  }
  preprocess_.emplace_back(kernels, layout.preprocess[0],
                           static_cast<int>(layout.channels_before_previous),
                           channels(), layout.previous_reduction, running);
  preprocess_.emplace_back(kernels, layout.preprocess[1],
                           static_cast<int>(layout.channels_previous),
                           channels(), /*reduce=*/false, running);
  for (int s = 0; s < kSources; ++s) sources_.emplace_back(channels());
  leaving_.resize(kSources);
  for (const CellEdge& edge : EdgeLayout(kS1Nodes)) {
    const int number = static_cast<int>(edges_.size());
    const EdgeLayoutOffsets& offsets = layout.edges[number];
    edges_.push_back({edge.from, edge.to - kCellInputs, {}, {}, {}});
    leaving_[edge.from].push_back(number);
    Source& source = sources_[edge.from];
    source.max_norm.AddRunning(running + offsets.max_pool_norm);
    source.average_norm.AddRunning(running + offsets.average_pool_norm);
    for (int u = 0; u < kEdgeUnits; ++u) {
      const bool second = u == 1 || u == 3;
      const MapSize size =
          second || stride(edge.from) == 1 ? output_size_ : state_size_;
      edges_.back().units.emplace_back(
          kernels, offsets.units[u],
          LaneDepthwiseShape{
              kUnitShapes[u].kernel, second ? 1 : stride(edge.from),
              kUnitShapes[u].dilation, channels(), size.height, size.width},
          running);
    }
    if (stride(edge.from) == 2) {
      edges_.back().skip.emplace_back(kernels, offsets.skip, channels(),
                                      channels(), /*reduce=*/true, running);
    }
  }
}

WorkerSizes Cell::Sizes() const {
  WorkerSizes sizes;
  for (const Pointwise& p : preprocess_) {
    sizes.Cover(p.Sizes(state_size_.width));
  }
  for (const Edge& edge : edges_) {
    for (const Separable& unit : edge.units) sizes.Cover(unit.Sizes());
    for (const Pointwise& p : edge.skip) {
      sizes.Cover(p.Sizes(output_size_.width));
    }
  }
  const int64_t noisy_row = layout_.channels * output_size_.width * kLanes;
  sizes.Cover({noisy_row, 0, (1 + kEdgeCandidates) * layout_.channels});
  return sizes;
}

int64_t Cell::ScratchSize() const {
  return LaneTensorSize(channels(), state_size_.height, state_size_.width);
}

int64_t Cell::SavedSize() const {
  const int64_t map =
      LaneTensorSize(channels(), output_size_.height, output_size_.width);
  int64_t maps = kS1Edges * kEdgeUnits;
  for (const Edge& edge : edges_) maps += edge.skip.size();
  // Both pools, and a byte for where a maximum was.
  return kCellInputs * ScratchSize() + maps * map +
         kSources * (2 * map + map / static_cast<int64_t>(sizeof(float)));
}

int64_t Cell::LargestGradientRange() const {
  int64_t largest = 0;
  for (const Pointwise& p : preprocess_) {
    largest = std::max(largest, p.end() - p.begin());
  }
  for (const EdgeLayoutOffsets& edge : layout_.edges) {
    largest = std::max(largest, edge.end - edge.begin);
  }
  return largest;
}

void Cell::SetMemory(float* saved, const CellScratch& scratch, int blocks) {
  const float* const begin = saved;
  const auto take = [&](MapSize size) {
    const LaneTensor tensor = Scratch(saved, size);
    saved += tensor.block * blocks;
    return tensor;
  };
  for (LaneTensor& input : inputs_) input = take(state_size_);
  for (Source& source : sources_) {
    source.max_y = take(output_size_);
    source.average_y = take(output_size_);
    source.taps = reinterpret_cast<uint8_t*>(saved);
    saved += source.max_y.block * blocks / static_cast<int64_t>(sizeof(float));
    source.max_norm.Resize(blocks);
    source.average_norm.Resize(blocks);
  }
  for (Edge& edge : edges_) {
    for (Separable& unit : edge.units) {
      unit.SetOutput(take(output_size_));
      unit.norm().Resize(blocks);
    }
    for (Pointwise& skip : edge.skip) {
      edge.skip_y = take(output_size_);
      skip.norm().Resize(blocks);
    }
  }
  for (Pointwise& p : preprocess_) p.norm().Resize(blocks);
  FD_CHECK_EQ(saved - begin, SavedSize() * blocks);
  scratch_ = scratch;
  block_sums_.resize((1 + kEdgeCandidates) * layout_.channels * blocks);
}

void Cell::Pack(int unit, const float* parameters) {
  if (unit < kCellInputs) return preprocess_[unit].Pack(parameters);
  Edge& edge = edges_[(unit - kCellInputs) / (kEdgeUnits + 1)];
  const int number = (unit - kCellInputs) % (kEdgeUnits + 1);
  if (number < kEdgeUnits) {
    edge.units[number].Pack(parameters);
  } else {
    for (Pointwise& skip : edge.skip) skip.Pack(parameters);
  }
}

LaneTensor Cell::Scratch(float* data, MapSize size) const {
  return LaneTensorAt(data, channels(), size.height, size.width);
}

LaneTensor Cell::State(const CellTensors& tensors, int state) const {
  if (state < kCellInputs) return inputs_[state];
  return tensors.output.Channels((state - kCellInputs) * channels(),
                                 channels());
}

Cell::BlockNoise Cell::NoiseOf(const Edge& edge, EdgeNoise noise, int block,
                               Worker& worker) const {
  if (!noise.on() || !edge.skip.empty()) return {};
  noise.edge = static_cast<int>(&edge - edges_.data());
  return {LaneNoiseFor(noise.noise.kind, kernels_->isa),
          LaneNoiseKeys(noise, int64_t{block} * kLanes), noise.noise.scale,
          worker.slab_a.get()};
}

std::array<const float*, kEdgeCandidates> Cell::Outputs(
    const Edge& edge, const LaneTensor& state, int block, int row,
    const BlockNoise& noise) const {
  const Source& source = sources_[edge.source];
  std::array<const float*, kEdgeCandidates> outputs = {
      source.max_y.Row(block, row), source.average_y.Row(block, row),
      edge.skip.empty() ? state.Row(block, row) : edge.skip_y.Row(block, row)};
  for (int i = kConvolutions; i < kEdgeCandidates; ++i) {
    outputs[i] = edge.units[kLastUnits[i - kConvolutions]].y().Row(block, row);
  }
  if (noise.add != nullptr) {
    noise.add({channels(), state.width, outputs[kSkip], noise.keys.data(), row,
               noise.scale, noise.row});
    outputs[kSkip] = noise.row;
  }
  return outputs;
}

void Cell::Forward(Team& team, int thread, const BatchBlocks& batch,
                   const CellTensors& tensors, const float* weights,
                   NormStatistics statistics, const EdgeNoise& noise,
                   Worker& worker) {
  const auto finish = [&](LaneBatchNorm& norm, MapSize size) {
    if (statistics == NormStatistics::kBatch) {
      norm.FinishForward(batch.blocks(), Count(batch, size));
    } else {
      norm.UseRunning(0);
    }
  };
  const LaneTensor* const from[kCellInputs] = {&tensors.before_previous,
                                               &tensors.previous};
  // Before batch norm: into the states, which then normalise themselves.
  team.ForBlocks(thread, batch, [&](int b) {
    for (int i = 0; i < kCellInputs; ++i) {
      preprocess_[i].Forward(batch, b, *from[i], inputs_[i], worker);
    }
  });
  team.Barrier([&] {
    for (Pointwise& p : preprocess_) {
      finish(p.norm(), state_size_);
    }
  });
  for (int s = 0; s < kSources; ++s) {
    const LaneTensor state = State(tensors, s);
    for (size_t index = 0; index < leaving_[s].size(); ++index) {
      const int number = leaving_[s][index];
      Edge& edge = edges_[number];
      const bool first = index == 0;
      team.ForBlocks(thread, batch, [&](int b) {
        if (first) {
          if (s < kCellInputs) NormalizeInput(batch, b, s);
          PoolSource(state, s, b, worker);
        }
        FirstHalves(edge, state, batch, b, worker);
      });
      team.Barrier([&] {
        LaneBatchNorm& max_norm = sources_[s].max_norm;
        LaneBatchNorm& average_norm = sources_[s].average_norm;
        if (statistics == NormStatistics::kRunning) {
          // Every edge has its own of these.
          max_norm.UseRunning(index);
          average_norm.UseRunning(index);
        } else if (first) {
          finish(max_norm, output_size_);
          finish(average_norm, output_size_);
        }
        for (const int u : kFirstUnits) {
          finish(edge.units[u].norm(), output_size_);
        }
        for (Pointwise& skip : edge.skip) finish(skip.norm(), output_size_);
      });
      team.ForBlocks(thread, batch,
                     [&](int b) { SecondHalves(edge, batch, b, worker); });
      team.Barrier([&] {
        for (const int u : kSecondUnits) {
          finish(edge.units[u].norm(), output_size_);
        }
      });
      const LaneTensor node = State(tensors, kCellInputs + edge.node);
      team.ForBlocks(thread, batch, [&](int b) {
        AddToNode(edge, state, batch, b, weights + number * kEdgeCandidates,
                  node, NoiseOf(edge, noise, b, worker));
      });
    }
  }
}

void Cell::NormalizeInput(const BatchBlocks& batch, int block, int input) {
  const LaneTensor& x = inputs_[input];
  const LaneBatchNorm& norm = preprocess_[input].norm();
  for (int row = 0; row < x.height; ++row) {
    float* const to = x.Row(block, row);
    kernels_->weighted_sum({x.row_shape(),
                            1,
                            {to},
                            norm.factors(),
                            norm.terms(),
                            to,
                            x.channel(),
                            /*relu=*/false});
    if (batch.lanes(block) < kLanes) {
      ClearLanes(x.row_shape(), batch.lanes(block), to, x.channel());
    }
  }
}

void Cell::PoolSource(const LaneTensor& state, int source, int block,
                      Worker& worker) {
  Source& pools = sources_[source];
  const LanePoolShape shape{stride(source), channels(), state.height,
                            state.width};
  const LaneTensor relu = Scratch(scratch_.relu, {state.height, state.width});
  for (int row = 0; row < state.height; ++row) {
    kernels_->relu({state.row_shape(), state.Row(block, row), 1, 0,
                    relu.Row(block, row), relu.channel()});
  }
  float* const sums = worker.sums.get();
  const int64_t half = int64_t{channels()} * kLanes;
  std::fill_n(sums, 4 * half, 0.0f);
  for (int row = 0; row < output_size_.height; ++row) {
    const int64_t offset = pools.max_y.Row(block, row) - pools.max_y.data;
    float* const max_y = pools.max_y.data + offset;
    float* const average_y = pools.average_y.data + offset;
    kernels_->max_pool({shape, state.Row(block, 0), state.row, row, max_y,
                        pools.taps + offset});
    kernels_->average_pool(
        {shape, state.Row(block, 0), state.row, row, average_y, nullptr});
    kernels_->sums({pools.max_y.row_shape(), max_y, sums, sums + half});
    kernels_->sums({pools.average_y.row_shape(), average_y, sums + 2 * half,
                    sums + 3 * half});
  }
  int part = 0;
  for (LaneBatchNorm* norm : {&pools.max_norm, &pools.average_norm}) {
    double* const totals = norm->block_sums(block);
    std::fill_n(totals, 2 * channels(), 0.0);
    AddLanes(sums + part * 2 * half, 2 * channels(), totals);
    ++part;
  }
}

void Cell::FirstHalves(Edge& edge, const LaneTensor& state,
                       const BatchBlocks& batch, int block, Worker& worker) {
  const LaneRows z =
      Scratch(scratch_.relu, {state.height, state.width}).rows(block);
  float* const sums = worker.sums.get();
  const int64_t size = int64_t{2} * channels() * kLanes;
  std::fill_n(sums, 4 * size, 0.0f);
  // Row by row all of them: they read the same rows of the state.
  for (int row = 0; row < output_size_.height; ++row) {
    for (int i = 0; i < 4; ++i) {
      edge.units[kFirstUnits[i]].ForwardRow(z, block, row, sums + i * size,
                                            worker);
    }
  }
  for (int i = 0; i < 4; ++i) {
    double* const totals = edge.units[kFirstUnits[i]].norm().block_sums(block);
    std::fill_n(totals, 2 * channels(), 0.0);
    AddLanes(sums + i * size, 2 * channels(), totals);
  }
  for (Pointwise& skip : edge.skip) {
    skip.Forward(batch, block, state, edge.skip_y, worker);
  }
}

void Cell::SecondHalves(Edge& edge, const BatchBlocks& batch, int block,
                        Worker& worker) {
  const LaneTensor z = Scratch(worker.block_a.get(), output_size_);
  float* const sums = worker.sums.get();
  const int size = 2 * channels() * kLanes;
  for (const int u : kSecondUnits) {
    Separable& unit = edge.units[u];
    std::fill_n(sums, size, 0.0f);
    int ready = 0;
    for (int row = 0; row < z.height; ++row) {
      for (; ready < std::min(z.height, row + unit.shape().padding() + 1);
           ++ready) {
        edge.units[u - 1].NormalizedRelu(batch, block, ready, z.Row(0, ready));
      }
      unit.ForwardRow(z.rows(0), block, row, sums, worker);
    }
    double* const totals = unit.norm().block_sums(block);
    std::fill_n(totals, 2 * channels(), 0.0);
    AddLanes(sums, 2 * channels(), totals);
  }
}

void Cell::AddToNode(const Edge& edge, const LaneTensor& state,
                     const BatchBlocks& batch, int block, const float* weights,
                     const LaneTensor& node, const BlockNoise& noise) {
  const Source& source = sources_[edge.source];
  std::array<const LaneBatchNorm*, kEdgeCandidates> norms = {
      &source.max_norm, &source.average_norm,
      edge.skip.empty() ? nullptr : &edge.skip[0].norm()};
  for (int i = kConvolutions; i < kEdgeCandidates; ++i) {
    norms[i] = &edge.units[kLastUnits[i - kConvolutions]].norm();
  }
  // The node itself is the last input: 1 * node + 0.
  std::vector<float> factors((kEdgeCandidates + 1) * channels(), 1.0f);
  std::vector<float> terms(channels(), 0.0f);
  for (int i = 0; i < kEdgeCandidates; ++i) {
    for (int c = 0; c < channels(); ++c) {
      factors[i * channels() + c] = norms[i] == nullptr
                                        ? weights[i]
                                        : weights[i] * norms[i]->factors()[c];
      if (norms[i] != nullptr) terms[c] += weights[i] * norms[i]->terms()[c];
    }
  }
  LaneWeightedSumArguments a{};
  a.shape = node.row_shape();
  a.inputs = edge.source == 0 ? kEdgeCandidates : kEdgeCandidates + 1;
  a.factors = factors.data();
  a.terms = terms.data();
  a.to_channel = node.channel();
  for (int row = 0; row < node.height; ++row) {
    const auto outputs = Outputs(edge, state, block, row, noise);
    std::copy(outputs.begin(), outputs.end(), a.y);
    a.to = node.Row(block, row);
    a.y[kEdgeCandidates] = a.to;
    kernels_->weighted_sum(a);
    if (batch.lanes(block) < kLanes) {
      ClearLanes(a.shape, batch.lanes(block), a.to, a.to_channel);
    }
  }
}

LaneTensor Cell::StateGradient(const BackwardArguments& a, int state) const {
  if (state < kCellInputs) return Scratch(scratch_.states[state], state_size_);
  return State(a.gradients, state);
}

void Cell::Backward(Team& team, int thread, const BatchBlocks& batch,
                    const BackwardArguments& a, Worker& worker) {
  BlockGradients* const block_gradients =
      a.parameter_gradients == nullptr ? nullptr : a.block_gradients;
  // Last states first: the gradient of a node is whole when its turn comes.
  for (int s = kSources - 1; s >= 0; --s) {
    const LaneTensor state = State(a.tensors, s);
    // In front of the alphas' first cells nothing needs a gradient.
    const bool wanted =
        s >= kCellInputs || block_gradients != nullptr ||
        (s == 0 ? a.gradients.before_previous : a.gradients.previous).data !=
            nullptr;
    bool first = true;
    for (const int number : leaving_[s]) {
      Edge& edge = edges_[number];
      const EdgeLayoutOffsets& offsets = layout_.edges[number];
      const LaneTensor g = StateGradient(a, kCellInputs + edge.node);
      // Noise is in no other dot than that of its weight.
      const EdgeNoise noise = a.d_weights == nullptr ? EdgeNoise() : a.noise;
      team.ForBlocks(thread, batch, [&](int b) {
        EdgeDots(edge, state, g, b, NoiseOf(edge, noise, b, worker), worker);
      });
      team.Barrier([&] {
        if (first) {
          sources_[s].max_norm.BeginBackward();
          sources_[s].average_norm.BeginBackward();
        }
        std::array<double, kEdgeCandidates> unwanted = {};
        FinishEdgeDots(edge, batch, a.weights + number * kEdgeCandidates,
                       a.d_weights == nullptr
                           ? unwanted.data()
                           : a.d_weights + number * kEdgeCandidates);
      });
      if (wanted) {
        team.ForBlocks(thread, batch, [&](int b) {
          if (block_gradients != nullptr) {
            block_gradients->Begin(b, offsets.begin, offsets.end);
          }
          SecondHalvesBackward(edge, g, batch, b, block_gradients, worker);
        });
        team.Barrier([&] { FinishHalves(edge, batch); });
        team.ForBlocks(thread, batch, [&](int b) {
          FirstHalvesBackward(edge, state, g, first, batch, b, block_gradients,
                              worker);
        });
      }
      if (block_gradients != nullptr) {
        team.Barrier([] {});
        block_gradients->Sum(thread, team.active(), batch.blocks(),
                             offsets.begin, offsets.end, a.parameter_gradients);
      }
      first = false;
    }
    if (!wanted) continue;
    team.ForBlocks(thread, batch,
                   [&](int b) { SourceBackward(s, a, batch, b, worker); });
    if (s < kCellInputs) InputBackward(team, thread, s, batch, a, worker);
  }
}

void Cell::EdgeDots(const Edge& edge, const LaneTensor& state,
                    const LaneTensor& g, int block, const BlockNoise& noise,
                    Worker& worker) {
  constexpr int kSums = 1 + kEdgeCandidates;
  const int64_t size = int64_t{channels()} * kLanes;
  float* const sums = worker.sums.get();
  std::fill_n(sums, kSums * size, 0.0f);
  LaneDotsArguments a{};
  a.shape = g.row_shape();
  a.inputs = kEdgeCandidates;
  a.sum = sums;
  a.dots = sums + size;
  for (int row = 0; row < g.height; ++row) {
    const auto outputs = Outputs(edge, state, block, row, noise);
    std::copy(outputs.begin(), outputs.end(), a.y);
    a.g = g.Row(block, row);
    kernels_->dots(a);
  }
  double* const totals = &block_sums_[int64_t{block} * kSums * channels()];
  std::fill_n(totals, kSums * channels(), 0.0);
  AddLanes(sums, kSums * channels(), totals);
}

void Cell::FinishEdgeDots(Edge& edge, const BatchBlocks& batch,
                          const float* weights, double* d_weights) {
  const int64_t size = (1 + kEdgeCandidates) * layout_.channels;
  const std::vector<double> sums =
      SumBlocks(block_sums_, batch.blocks(), size, size);
  const auto dots = [&](int candidate) {
    return &sums[(1 + candidate) * channels()];
  };
  const int64_t count = Count(batch, output_size_);
  Source& source = sources_[edge.source];
  d_weights[kMaxPool] += source.max_norm.AddBackward(
      sums.data(), dots(kMaxPool), count, weights[kMaxPool]);
  d_weights[kAveragePool] += source.average_norm.AddBackward(
      sums.data(), dots(kAveragePool), count, weights[kAveragePool]);
  if (edge.skip.empty()) {
    for (int c = 0; c < channels(); ++c) d_weights[kSkip] += dots(kSkip)[c];
  } else {
    d_weights[kSkip] += edge.skip[0].norm().FinishBackward(
        sums.data(), dots(kSkip), count, weights[kSkip]);
  }
  for (int i = kConvolutions; i < kEdgeCandidates; ++i) {
    d_weights[i] +=
        edge.units[kLastUnits[i - kConvolutions]].norm().FinishBackward(
            sums.data(), dots(i), count, weights[i]);
  }
}

void Cell::SecondHalvesBackward(const Edge& edge, const LaneTensor& g,
                                const BatchBlocks& batch, int block,
                                BlockGradients* gradients, Worker& worker) {
  const int64_t begin = layout_.edges[&edge - edges_.data()].begin;
  float* const sums = worker.sums.get();
  const int size = 2 * channels() * kLanes;
  double* const totals =
      &block_sums_[int64_t{block} * (1 + kEdgeCandidates) * channels()];
  std::fill_n(totals, 4 * channels(), 0.0);
  for (int i = 0; i < 2; ++i) {
    const Separable& unit = edge.units[kSecondUnits[i]];
    std::fill_n(sums, size, 0.0f);
    Separable::BackwardArguments b{};
    b.g = g;
    b.previous = &unit - 1;
    b.dz = Scratch(scratch_.halves[i], output_size_);
    b.accumulate = false;
    b.sums = sums;
    if (gradients != nullptr) {
      b.depthwise_gradient =
          gradients->At(block, begin, unit.layout().depthwise);
      b.pointwise_gradient =
          gradients->At(block, begin, unit.layout().pointwise);
    }
    unit.Backward(batch, block, b, worker);
    AddLanes(sums, 2 * channels(), totals + 2 * i * channels());
  }
}

void Cell::FinishHalves(Edge& edge, const BatchBlocks& batch) {
  const std::vector<double> sums =
      SumBlocks(block_sums_, batch.blocks(),
                (1 + kEdgeCandidates) * layout_.channels, 4 * layout_.channels);
  for (int i = 0; i < 2; ++i) {
    const double* const unit = &sums[2 * i * channels()];
    edge.units[kSecondUnits[i] - 1].norm().FinishBackward(
        unit, unit + channels(), Count(batch, output_size_), 1);
  }
}

void Cell::FirstHalvesBackward(const Edge& edge, const LaneTensor& state,
                               const LaneTensor& g, bool first,
                               const BatchBlocks& batch, int block,
                               BlockGradients* gradients, Worker& worker) {
  const int64_t begin = layout_.edges[&edge - edges_.data()].begin;
  const MapSize size{state.height, state.width};
  const LaneTensor relu = Scratch(scratch_.relu, size);
  const LaneTensor to = Scratch(scratch_.source, size);
  if (first && gradients != nullptr) {
    for (int row = 0; row < state.height; ++row) {
      kernels_->relu({state.row_shape(), state.Row(block, row), 1, 0,
                      relu.Row(block, row), relu.channel()});
    }
  }
  for (int i = 0; i < 4; ++i) {
    const Separable& unit = edge.units[kFirstUnits[i]];
    Separable::BackwardArguments b{};
    b.g = i < 2 ? Scratch(scratch_.halves[i], output_size_) : g;
    b.z = relu.rows(block);
    b.dz = to;
    b.accumulate = !first || i > 0;
    if (gradients != nullptr) {
      b.depthwise_gradient =
          gradients->At(block, begin, unit.layout().depthwise);
      b.pointwise_gradient =
          gradients->At(block, begin, unit.layout().pointwise);
    }
    unit.Backward(batch, block, b, worker);
  }
  for (const Pointwise& skip : edge.skip) {
    skip.Backward(batch, block, g, edge.skip_y, state, /*masked=*/false, to,
                  gradients == nullptr
                      ? nullptr
                      : gradients->At(block, begin, skip.begin()),
                  worker);
  }
}

// The gradient of a state from those of the edges that leave it:
//   (x > 0) * (gradient of max(x, 0)) + sum of w_skip * g + both pools.
void Cell::SourceBackward(int source, const BackwardArguments& a,
                          const BatchBlocks& batch, int block, Worker& worker) {
  const LaneTensor state = State(a.tensors, source);
  const LaneTensor to = StateGradient(a, source);
  const LaneTensor from = Scratch(scratch_.source, {state.height, state.width});
  std::vector<LaneTensor> gradients;
  std::vector<float> factors;
  // A node's gradient holds what comes from behind the cell.
  if (source >= kCellInputs) {
    gradients.push_back(to);
    factors.insert(factors.end(), channels(), 1.0f);
  }
  if (stride(source) == 1) {
    for (const int number : leaving_[source]) {
      gradients.push_back(StateGradient(a, kCellInputs + edges_[number].node));
      factors.insert(factors.end(), channels(),
                     a.weights[number * kEdgeCandidates + kSkip]);
    }
  }
  const std::vector<float> no_terms(channels(), 0.0f);
  LaneWeightedSumArguments sum{};
  sum.shape = state.row_shape();
  sum.inputs = static_cast<int>(gradients.size());
  sum.factors = factors.data();
  sum.terms = no_terms.data();
  sum.to_channel = to.channel();
  for (int row = 0; row < to.height; ++row) {
    for (size_t i = 0; i < gradients.size(); ++i) {
      sum.y[i] = gradients[i].Row(block, row);
    }
    sum.to = to.Row(block, row);
    kernels_->weighted_sum(sum);
    kernels_->relu_gradient({state.row_shape(), state.Row(block, row), 1, 0,
                             from.Row(block, row), from.channel(), sum.to});
  }
  PoolBackward(source, /*max=*/true, a, batch, block, to, worker);
  PoolBackward(source, /*max=*/false, a, batch, block, to, worker);
}

void Cell::PoolBackward(int source, bool max, const BackwardArguments& a,
                        const BatchBlocks& batch, int block,
                        const LaneTensor& to, Worker& worker) {
  const Source& pools = sources_[source];
  const LaneBatchNorm& norm = max ? pools.max_norm : pools.average_norm;
  const LaneTensor& y = max ? pools.max_y : pools.average_y;
  std::vector<LaneTensor> inputs;
  std::vector<float> factors;
  for (const int number : leaving_[source]) {
    inputs.push_back(StateGradient(a, kCellInputs + edges_[number].node));
    const float weight =
        a.weights[number * kEdgeCandidates + (max ? kMaxPool : kAveragePool)];
    for (int c = 0; c < channels(); ++c) {
      factors.push_back(weight * norm.factors()[c]);
    }
  }
  inputs.push_back(y);
  factors.insert(factors.end(), norm.gradient_factors() + channels(),
                 norm.gradient_factors() + 2 * channels());
  const LaneTensor dy = Scratch(worker.block_a.get(), output_size_);
  LaneWeightedSumArguments sum{};
  sum.shape = dy.row_shape();
  sum.inputs = static_cast<int>(inputs.size());
  sum.factors = factors.data();
  sum.terms = norm.gradient_terms();
  sum.to_channel = dy.channel();
  for (int row = 0; row < dy.height; ++row) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      sum.y[i] = inputs[i].Row(block, row);
    }
    sum.to = dy.Row(0, row);
    kernels_->weighted_sum(sum);
    if (batch.lanes(block) < kLanes) {
      ClearLanes(sum.shape, batch.lanes(block), sum.to, sum.to_channel);
    }
  }
  const LanePoolShape shape{stride(source), channels(), to.height, to.width};
  const int64_t first = y.Row(block, 0) - y.data;
  for (int row = 0; row < to.height; ++row) {
    const LanePoolGradientArguments pool{
        shape, dy.data, dy.row, pools.taps + first, row, to.Row(block, row)};
    max ? kernels_->max_pool_gradient(pool)
        : kernels_->average_pool_gradient(pool);
  }
}

void Cell::InputBackward(Team& team, int thread, int input,
                         const BatchBlocks& batch, const BackwardArguments& a,
                         Worker& worker) {
  Pointwise& preprocess = preprocess_[input];
  const LaneTensor& x = inputs_[input];
  const LaneTensor g = StateGradient(a, input);
  const int64_t sums_stride = (1 + kEdgeCandidates) * layout_.channels;
  team.ForBlocks(thread, batch, [&](int b) {
    float* const sums = worker.sums.get();
    const int64_t size = int64_t{channels()} * kLanes;
    std::fill_n(sums, 2 * size, 0.0f);
    LaneDotsArguments dots{};
    dots.shape = g.row_shape();
    dots.inputs = 1;
    dots.sum = sums;
    dots.dots = sums + size;
    for (int row = 0; row < g.height; ++row) {
      dots.y[0] = x.Row(b, row);
      dots.g = g.Row(b, row);
      kernels_->dots(dots);
    }
    double* const totals = &block_sums_[b * sums_stride];
    std::fill_n(totals, 2 * channels(), 0.0);
    AddLanes(sums, 2 * channels(), totals);
  });
  team.Barrier([&] {
    const std::vector<double> sums = SumBlocks(
        block_sums_, batch.blocks(), sums_stride, 2 * layout_.channels);
    preprocess.norm().FinishBackwardNormalized(
        sums.data(), sums.data() + channels(), Count(batch, state_size_));
  });
  BlockGradients* const block_gradients =
      a.parameter_gradients == nullptr ? nullptr : a.block_gradients;
  team.ForBlocks(thread, batch, [&](int b) {
    if (block_gradients != nullptr) {
      block_gradients->Begin(b, preprocess.begin(), preprocess.end());
    }
    preprocess.Backward(
        batch, b, g, x,
        input == 0 ? a.tensors.before_previous : a.tensors.previous,
        /*masked=*/true,
        input == 0 ? a.gradients.before_previous : a.gradients.previous,
        block_gradients == nullptr
            ? nullptr
            : block_gradients->At(b, preprocess.begin(), preprocess.begin()),
        worker);
  });
  if (block_gradients != nullptr) {
    team.Barrier([] {});
    block_gradients->Sum(thread, team.active(), batch.blocks(),
                         preprocess.begin(), preprocess.end(),
                         a.parameter_gradients);
  }
}

}  // namespace fairdarts
