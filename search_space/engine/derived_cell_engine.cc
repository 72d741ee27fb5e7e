#include "search_space/engine/derived_cell_engine.h"

#include <algorithm>

#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

constexpr int64_t kTapFloats = sizeof(float);

}  // namespace

CellWorker::CellWorker(int64_t map, int64_t channels)
    : state(AllocateLanes(map)),
      relu(AllocateLanes(map)),
      source(AllocateLanes(map)),
      factors(kLaneInputs * channels * kLanes),
      terms(channels * kLanes) {}

LaneBatchNorm* DerivedCellEngine::Edge::norm() {
  if (!units.empty()) return &units.back().norm();
  return reduce.empty() ? nullptr : &reduce[0].norm();
}

const LaneBatchNorm* DerivedCellEngine::Edge::norm() const {
  if (!units.empty()) return &units.back().norm();
  return reduce.empty() ? nullptr : &reduce[0].norm();
}

const AffineLayout& DerivedCellEngine::Edge::affine() const {
  return units.empty() ? layout->reduce.affine : layout->units.back().affine;
}

DerivedCellEngine::DerivedCellEngine(const EngineKernels* kernels,
                                     const DerivedCellLayout& layout,
                                     MapSize before_previous,
                                     const float* parameters, float* running)
    : kernels_(kernels), layout_(layout), parameters_(parameters) {
  state_size_ = before_previous;
  if (layout.previous_reduction) {
    state_size_ = before_previous.Halved();
  }
  output_size_ = state_size_;
  if (layout.reduction) {
    output_size_ = state_size_.Halved();
  }
  for (int input = 0; input < kCellInputs; ++input) {
    preprocess_.emplace_back(
        kernels, layout.preprocess[input].convolution,
        static_cast<int>(input == 0 ? layout.channels_before_previous
                                    : layout.channels_previous),
        channels(), /*reduce=*/input == 0 && layout.previous_reduction,
        running);
  }
  states_.resize(layout.states);
  for (size_t i = 0; i < layout_.edges.size(); ++i) {
    const DerivedEdgeLayout& edge = layout_.edges[i];
    edges_.push_back({&edge, {}, {}, {}, {}});
    MapSize size = SizeOf(edge.from);
    for (const AffineSeparableLayout& unit : edge.units) {
      edges_.back().units.emplace_back(
          kernels, unit.convolution,
          LaneDepthwiseShape{unit.kernel, unit.stride, unit.dilation,
                             channels(), size.height, size.width},
          running);
      size = output_size_;
    }
    if (edge.kind == Kind::kReduce) {
      edges_.back().reduce.emplace_back(kernels, edge.reduce.convolution,
                                        channels(), channels(),
                                        /*reduce=*/true, running);
    }
    State& from = states_[edge.from];
    from.leaving.push_back(static_cast<int>(i));
    from.max_pool |= edge.kind == Kind::kMaxPool;
    from.average_pool |= edge.kind == Kind::kAveragePool;
    from.relu |= edges_.back().normalized();
    State& to = states_[edge.to];
    to.entering.push_back(static_cast<int>(i));
    to.level = std::max(to.level, from.level + 1);
  }
  for (int state = 0; state < layout.states; ++state) {
    if (!layout.exists[state]) continue;
    const size_t level = states_[state].level;
    if (levels_.size() <= level) levels_.resize(level + 1);
    levels_[level].push_back(state);
  }
}

int64_t DerivedCellEngine::MapSizeOf(MapSize size) const {
  return LaneTensorSize(channels(), size.height, size.width);
}

LaneTensor DerivedCellEngine::Map(float* data, MapSize size) const {
  return LaneTensorAt(data, channels(), size.height, size.width);
}

LaneTensor DerivedCellEngine::OneBlock(const LaneMemory& memory,
                                       MapSize size) const {
  LaneTensor tensor = Map(memory.get(), size);
  tensor.block = 0;
  return tensor;
}

int DerivedCellEngine::OutputPart(int state) const {
  const auto found =
      std::find(layout_.output.begin(), layout_.output.end(), state);
  return found == layout_.output.end()
             ? -1
             : static_cast<int>(found - layout_.output.begin());
}

WorkerSizes DerivedCellEngine::Sizes() const {
  WorkerSizes sizes;
  for (const Pointwise& p : preprocess_) {
    sizes.Cover(p.Sizes(state_size_.width));
  }
  for (const Edge& edge : edges_) {
    for (const Separable& unit : edge.units) sizes.Cover(unit.Sizes());
    for (const Pointwise& p : edge.reduce) {
      sizes.Cover(p.Sizes(output_size_.width));
    }
  }
  // Two sums of every unit that reads a state, and those of Dots().
  int64_t sums = 1 + kLaneInputs;
  for (const State& state : states_) {
    sums = std::max(sums, static_cast<int64_t>(2 * state.leaving.size()));
  }
  sizes.Cover({0, MapSizeOf(output_size_), sums * layout_.channels});
  return sizes;
}

int64_t DerivedCellEngine::MapFloats() const { return MapSizeOf(state_size_); }

int64_t DerivedCellEngine::SavedSize() const {
  int64_t maps = 0;
  for (const Edge& edge : edges_) {
    maps += static_cast<int64_t>(edge.units.size() + edge.reduce.size());
  }
  int64_t taps = 0;
  for (size_t s = 0; s < states_.size(); ++s) {
    const int state = static_cast<int>(s);
    if (state >= kCellInputs && OutputPart(state) < 0) ++maps;
    taps += states_[s].max_pool ? 1 : 0;
  }
  const int64_t map = MapSizeOf(output_size_);
  return kCellInputs * MapSizeOf(state_size_) + maps * map +
         taps * map / kTapFloats;
}

int64_t DerivedCellEngine::ScratchSize() const {
  const int64_t map = MapSizeOf(output_size_);
  int64_t pools = 0;
  int64_t gradients = kCellInputs * MapSizeOf(state_size_);
  for (size_t s = 0; s < states_.size(); ++s) {
    const int state = static_cast<int>(s);
    pools +=
        (states_[s].max_pool ? map : 0) + (states_[s].average_pool ? map : 0);
    if (state >= kCellInputs && OutputPart(state) < 0) gradients += map;
  }
  for (const Edge& edge : edges_) gradients += edge.separable() ? map : 0;
  return std::max(pools, gradients);
}

void DerivedCellEngine::SetMemory(float* saved, float* scratch, int blocks) {
  const float* const begin = saved;
  const auto take = [&](float*& memory, MapSize size) {
    const LaneTensor tensor = Map(memory, size);
    memory += tensor.block * blocks;
    return tensor;
  };
  for (LaneTensor& input : inputs_) input = take(saved, state_size_);
  for (Edge& edge : edges_) {
    for (Separable& unit : edge.units) {
      unit.SetOutput(take(saved, output_size_));
      unit.norm().Resize(blocks);
    }
    for (Pointwise& reduce : edge.reduce) {
      edge.reduce_y = take(saved, output_size_);
      reduce.norm().Resize(blocks);
    }
  }
  for (Pointwise& p : preprocess_) p.norm().Resize(blocks);
  // Pools in the forward, gradients in the backward.
  float* pools = scratch;
  float* gradients = scratch;
  for (size_t s = 0; s < states_.size(); ++s) {
    State& state = states_[s];
    const bool input = s < kCellInputs;
    const bool inner = !input && OutputPart(static_cast<int>(s)) < 0;
    if (inner) state.node = take(saved, output_size_);
    if (input || inner) {
      state.gradient = take(gradients, SizeOf(static_cast<int>(s)));
    }
    if (state.max_pool) {
      state.max_y = take(pools, output_size_);
      state.taps = reinterpret_cast<uint8_t*>(saved);
      saved += state.max_y.block * blocks / kTapFloats;
    }
    if (state.average_pool) state.average_y = take(pools, output_size_);
  }
  for (Edge& edge : edges_) {
    if (edge.separable()) edge.half = take(gradients, output_size_);
  }
  FD_CHECK_EQ(saved - begin, SavedSize() * blocks);
  FD_CHECK_LE(std::max(pools, gradients) - scratch, ScratchSize() * blocks);
  block_sums_.resize(2 * (edges_.size() + 1) * 2 * layout_.channels * blocks);
}

double* DerivedCellEngine::BlockSums(int block, int slot) {
  const int64_t slots = 2 * (static_cast<int64_t>(edges_.size()) + 1);
  return &block_sums_[(block * slots + slot) * 2 * layout_.channels];
}

std::vector<double> DerivedCellEngine::SumBlocks(const BatchBlocks& batch,
                                                 int slot) {
  std::vector<double> sums(2 * layout_.channels);
  for (int b = 0; b < batch.blocks(); ++b) {
    const double* const block = BlockSums(b, slot);
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += block[i];
  }
  return sums;
}

void DerivedCellEngine::Pack(int unit) {
  if (unit < kCellInputs) return preprocess_[unit].Pack(parameters_);
  Edge& edge = edges_[unit - kCellInputs];
  for (Separable& separable : edge.units) separable.Pack(parameters_);
  for (Pointwise& reduce : edge.reduce) reduce.Pack(parameters_);
}

LaneTensor DerivedCellEngine::Node(const CellTensors& tensors,
                                   int state) const {
  const int part = OutputPart(state);
  return part < 0 ? states_[state].node
                  : tensors.output.Channels(part * channels(), channels());
}

LaneTensor DerivedCellEngine::Gradient(const BackwardArguments& a,
                                       int state) const {
  return state < kCellInputs ? states_[state].gradient
         : OutputPart(state) < 0
             ? states_[state].gradient
             : a.gradients.output.Channels(OutputPart(state) * channels(),
                                           channels());
}

DerivedCellEngine::Term DerivedCellEngine::EdgeOutput(
    const Edge& edge, const CellTensors& tensors) const {
  const int from = edge.layout->from;
  Term term = {{}, edge.norm(), edge.layout->weight, edge.layout->path};
  switch (edge.layout->kind) {
    case Kind::kIdentity:
      if (from < kCellInputs) {
        term.rows = inputs_[from];
        term.norm = &preprocess_[from].norm();
      } else {
        term.rows = Node(tensors, from);
      }
      break;
    case Kind::kMaxPool:
      term.rows = states_[from].max_y;
      break;
    case Kind::kAveragePool:
      term.rows = states_[from].average_y;
      break;
    case Kind::kReduce:
      term.rows = edge.reduce_y;
      break;
    case Kind::kSeparable:
      term.rows = edge.units.back().y();
      break;
  }
  return term;
}

namespace {

// What the images of a block are multiplied with; zeros where there are none.
void LaneScales(const BatchBlocks& batch, int block, const PathScales& paths,
                float weight, int path, float* scales) {
  const int lanes = batch.lanes(block);
  for (int lane = 0; lane < kLanes; ++lane) {
    scales[lane] = lane < lanes ? weight : 0;
    if (lane < lanes && path >= 0 && paths.scales != nullptr) {
      scales[lane] *=
          paths.scales[int64_t{path} * batch.images + block * kLanes + lane];
    }
  }
}

}  // namespace

void DerivedCellEngine::SetLanes(const BatchBlocks& batch, int block,
                                 const PathScales& paths, const Term& term,
                                 int input, const float* factors,
                                 const float* terms, CellWorker& memory) const {
  float scales[kLanes];
  LaneScales(batch, block, paths, term.weight, term.path, scales);
  float* to = &memory.factors[int64_t{input} * channels() * kLanes];
  for (int c = 0; c < channels(); ++c) {
    const float factor = factors == nullptr ? 1 : factors[c];
    for (int lane = 0; lane < kLanes; ++lane) *to++ = scales[lane] * factor;
  }
  if (terms == nullptr) return;
  for (int c = 0; c < channels(); ++c) {
    for (int lane = 0; lane < kLanes; ++lane) {
      memory.terms[c * kLanes + lane] += scales[lane] * terms[c];
    }
  }
}

void DerivedCellEngine::WeightedSum(const BatchBlocks& batch, int block,
                                    const PathScales& paths,
                                    const std::vector<Term>& terms,
                                    const LaneTensor& to,
                                    CellWorker& memory) const {
  LaneWeightedSumArguments a{};
  a.shape = to.row_shape();
  a.factors = memory.factors.data();
  a.terms = memory.terms.data();
  a.to_channel = to.channel();
  a.lane_factors = true;
  size_t next = 0;
  // More inputs than the kernel takes go on from what is there.
  for (bool first = true; first || next < terms.size(); first = false) {
    std::fill(memory.terms.begin(), memory.terms.end(), 0.0f);
    std::vector<LaneTensor> inputs;
    const auto add = [&](const Term& term) {
      SetLanes(batch, block, paths, term, static_cast<int>(inputs.size()),
               term.norm == nullptr ? nullptr : term.norm->factors(),
               term.norm == nullptr ? nullptr : term.norm->terms(), memory);
      inputs.push_back(term.rows);
    };
    if (!first) add({to, nullptr, 1, -1});
    while (inputs.size() < kLaneInputs && next < terms.size()) {
      add(terms[next++]);
    }
    a.inputs = static_cast<int>(inputs.size());
    for (int row = 0; row < to.height; ++row) {
      for (size_t i = 0; i < inputs.size(); ++i) {
        a.y[i] = inputs[i].Row(block, row);
      }
      a.to = to.Row(block, row);
      kernels_->weighted_sum(a);
    }
  }
}

LaneFactors DerivedCellEngine::GradientLanes(const BatchBlocks& batch,
                                             int block, const PathScales& paths,
                                             const Edge& edge,
                                             CellWorker& memory) const {
  const LaneBatchNorm& norm = *edge.norm();
  std::fill(memory.terms.begin(), memory.terms.end(), 0.0f);
  SetLanes(batch, block, paths,
           {{}, nullptr, edge.layout->weight, edge.layout->path}, 0,
           norm.gradient_factors(), nullptr, memory);
  SetLanes(batch, block, paths, {{}, nullptr, 1, -1}, 1,
           norm.gradient_factors() + channels(), norm.gradient_terms(), memory);
  return {memory.factors.data(), memory.terms.data()};
}

void DerivedCellEngine::FinishForward(LaneBatchNorm& norm,
                                      const AffineLayout& affine,
                                      const BatchBlocks& batch, MapSize size,
                                      NormStatistics statistics) {
  if (statistics == NormStatistics::kBatch) {
    norm.FinishForward(batch.blocks(), Count(batch, size));
  } else {
    norm.UseRunning(0);
  }
  norm.SetAffine(parameters_ + affine.weight, parameters_ + affine.bias);
}

void DerivedCellEngine::FinishBackward(LaneBatchNorm& norm,
                                       const AffineLayout& affine,
                                       const BatchBlocks& batch, MapSize size,
                                       int slot, BlockGradients& gradients) {
  const std::vector<double> sums = SumBlocks(batch, slot);
  // Once for the whole batch: into the first block's, to be added to zeros.
  norm.FinishAffineBackward(sums.data(), sums.data() + channels(),
                            Count(batch, size), parameters_ + affine.weight,
                            gradients.At(0, layout_.begin, affine.weight),
                            gradients.At(0, layout_.begin, affine.bias));
}

void DerivedCellEngine::Forward(Team& team, int thread,
                                const BatchBlocks& batch,
                                const CellTensors& tensors,
                                const PathScales& paths,
                                NormStatistics statistics, Worker& worker,
                                CellWorker& memory) {
  team.ForBlocks(thread, batch, [&](int b) {
    for (int i = 0; i < kCellInputs; ++i) {
      preprocess_[i].Forward(
          batch, b, i == 0 ? tensors.before_previous : tensors.previous,
          inputs_[i], worker);
    }
  });
  team.Barrier([&] {
    for (int i = 0; i < kCellInputs; ++i) {
      FinishForward(preprocess_[i].norm(), layout_.preprocess[i].affine, batch,
                    state_size_, statistics);
    }
  });
  for (const std::vector<int>& level : levels_) {
    std::vector<int> normalized;
    std::vector<int> separable;
    for (const int state : level) {
      for (const int edge : states_[state].leaving) {
        if (edges_[edge].normalized()) normalized.push_back(edge);
        if (edges_[edge].separable()) separable.push_back(edge);
      }
    }
    team.ForBlocks(thread, batch, [&](int b) {
      for (const int state : level) {
        ForwardState(batch, b, state, tensors, paths, worker, memory);
      }
    });
    if (normalized.empty()) continue;
    team.Barrier([&] {
      for (const int i : normalized) {
        Edge& edge = edges_[i];
        if (edge.units.empty()) {
          FinishForward(*edge.norm(), edge.affine(), batch, output_size_,
                        statistics);
        } else {
          FinishForward(edge.units[0].norm(), edge.layout->units[0].affine,
                        batch, output_size_, statistics);
        }
      }
    });
    if (separable.empty()) continue;
    team.ForBlocks(thread, batch, [&](int b) {
      for (const int i : separable) SecondHalf(edges_[i], batch, b, worker);
    });
    team.Barrier([&] {
      for (const int i : separable) {
        FinishForward(*edges_[i].norm(), edges_[i].affine(), batch,
                      output_size_, statistics);
      }
    });
  }
}

void DerivedCellEngine::LoadRows(const BatchBlocks& batch, int block, int state,
                                 const CellTensors& tensors, int begin, int end,
                                 bool pools, CellWorker& memory) const {
  const MapSize size = SizeOf(state);
  const LaneTensor relu = OneBlock(memory.relu, size);
  if (state >= kCellInputs) {
    if (!states_[state].relu) return;
    const LaneTensor node = Node(tensors, state);
    for (int row = begin; row < end; ++row) {
      kernels_->relu({node.row_shape(), node.Row(block, row), 1, 0,
                      relu.Row(0, row), relu.channel()});
    }
    return;
  }
  const LaneTensor& y = inputs_[state];
  const LaneTensor plain = OneBlock(memory.state, size);
  const LaneBatchNorm& norm = preprocess_[state].norm();
  LaneWeightedSumArguments a{};
  a.shape = y.row_shape();
  a.inputs = 1;
  a.factors = norm.factors();
  a.terms = norm.terms();
  a.to_channel = y.channel();
  for (int row = begin; row < end; ++row) {
    a.y[0] = y.Row(block, row);
    for (const bool rectified : {false, true}) {
      if (rectified ? !states_[state].relu : !pools) continue;
      a.relu = rectified;
      a.to = (rectified ? relu : plain).Row(0, row);
      kernels_->weighted_sum(a);
      const int lanes = batch.lanes(block);
      if (lanes < kLanes) ClearLanes(a.shape, lanes, a.to, a.to_channel);
    }
  }
}

void DerivedCellEngine::ForwardState(const BatchBlocks& batch, int block,
                                     int state, const CellTensors& tensors,
                                     const PathScales& paths, Worker& worker,
                                     CellWorker& memory) {
  State& from = states_[state];
  const MapSize size = SizeOf(state);
  if (state >= kCellInputs) {
    std::vector<Term> terms;
    for (const int i : from.entering) {
      terms.push_back(EdgeOutput(edges_[i], tensors));
    }
    WeightedSum(batch, block, paths, terms, Node(tensors, state), memory);
  } else if (OutputPart(state) >= 0) {
    WeightedSum(batch, block, paths,
                {{inputs_[state], &preprocess_[state].norm(), 1, -1}},
                Node(tensors, state), memory);
  }
  if (from.leaving.empty()) return;

  const bool pools = from.max_pool || from.average_pool;
  const LaneTensor plain =
      state < kCellInputs ? OneBlock(memory.state, size) : Node(tensors, state);
  const LaneTensor relu = OneBlock(memory.relu, size);
  std::vector<Separable*> units;
  // How many rows of the state a row of the output reads.
  int reach = pools ? 1 : 0;
  for (const int i : from.leaving) {
    if (edges_[i].units.empty()) continue;
    units.push_back(&edges_[i].units[0]);
    reach = std::max(reach, units.back()->shape().padding());
  }
  float* const sums = worker.sums.get();
  const int64_t part = int64_t{2} * channels() * kLanes;
  std::fill_n(sums, static_cast<int64_t>(units.size()) * part, 0.0f);
  const LanePoolShape pool{stride(state), channels(), size.height, size.width};
  int ready = 0;
  for (int row = 0; row < output_size_.height; ++row) {
    const int needed =
        row + 1 == output_size_.height
            ? size.height
            : std::min(size.height, row * stride(state) + reach + 1);
    LoadRows(batch, block, state, tensors, ready, needed, pools, memory);
    ready = std::max(ready, needed);
    if (from.max_pool) {
      float* const to = from.max_y.Row(block, row);
      kernels_->max_pool({pool, plain.Row(block, 0), plain.row, row, to,
                          from.taps + (to - from.max_y.data)});
    }
    if (from.average_pool) {
      kernels_->average_pool({pool, plain.Row(block, 0), plain.row, row,
                              from.average_y.Row(block, row), nullptr});
    }
    // All of them row by row: they read the same rows of the state.
    for (size_t i = 0; i < units.size(); ++i) {
      units[i]->ForwardRow(relu.rows(0), block, row,
                           sums + static_cast<int64_t>(i) * part, worker);
    }
  }
  for (size_t i = 0; i < units.size(); ++i) {
    double* const totals = units[i]->norm().block_sums(block);
    std::fill_n(totals, 2 * channels(), 0.0);
    AddLanes(sums + static_cast<int64_t>(i) * part, 2 * channels(), totals);
  }
  for (const int i : from.leaving) {
    for (Pointwise& reduce : edges_[i].reduce) {
      reduce.Forward(batch, block, relu, edges_[i].reduce_y, worker);
    }
  }
}

void DerivedCellEngine::SecondHalf(Edge& edge, const BatchBlocks& batch,
                                   int block, Worker& worker) {
  const LaneTensor z = OneBlock(worker.block_a, output_size_);
  Separable& unit = edge.units[1];
  float* const sums = worker.sums.get();
  std::fill_n(sums, 2 * channels() * kLanes, 0.0f);
  int ready = 0;
  for (int row = 0; row < z.height; ++row) {
    for (; ready < std::min(z.height, row + unit.shape().padding() + 1);
         ++ready) {
      edge.units[0].NormalizedRelu(batch, block, ready, z.Row(0, ready));
    }
    unit.ForwardRow(z.rows(0), block, row, sums, worker);
  }
  double* const totals = unit.norm().block_sums(block);
  std::fill_n(totals, 2 * channels(), 0.0);
  AddLanes(sums, 2 * channels(), totals);
}

void DerivedCellEngine::Backward(Team& team, int thread,
                                 const BatchBlocks& batch,
                                 const BackwardArguments& a, Worker& worker,
                                 CellWorker& memory) {
  team.ForBlocks(thread, batch, [&](int b) {
    a.block_gradients->Begin(b, layout_.begin, layout_.end);
    for (size_t s = kCellInputs; s < states_.size(); ++s) {
      const LaneTensor& inner = states_[s].gradient;
      if (inner.data != nullptr) {
        std::fill_n(inner.Row(b, 0), inner.block, 0.0f);
      }
    }
  });
  // Last states first: the gradient of a node is whole when its turn comes.
  for (int level = static_cast<int>(levels_.size()) - 1; level >= 0; --level) {
    std::vector<int> nodes;  // that normalised edges of this level feed
    std::vector<int> normalized;
    std::vector<int> separable;
    for (const int state : levels_[level]) {
      for (const int i : states_[state].leaving) {
        if (!edges_[i].normalized()) continue;
        normalized.push_back(i);
        nodes.push_back(edges_[i].layout->to);
        if (edges_[i].separable()) separable.push_back(i);
      }
    }
    std::sort(nodes.begin(), nodes.end());
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    if (!normalized.empty()) {
      team.ForBlocks(thread, batch, [&](int b) {
        for (const int node : nodes) Dots(batch, b, level, node, a, worker);
      });
      team.Barrier([&] {
        for (const int i : normalized) {
          FinishBackward(*edges_[i].norm(), edges_[i].affine(), batch,
                         output_size_, 2 * i, *a.block_gradients);
        }
      });
    }
    if (!separable.empty()) {
      team.ForBlocks(thread, batch, [&](int b) {
        for (const int i : separable) {
          SecondHalfBackward(edges_[i], batch, b, a, worker, memory);
        }
      });
      team.Barrier([&] {
        for (const int i : separable) {
          FinishBackward(edges_[i].units[0].norm(),
                         edges_[i].layout->units[0].affine, batch, output_size_,
                         2 * i + 1, *a.block_gradients);
        }
      });
    }
    team.ForBlocks(thread, batch, [&](int b) {
      for (const int state : levels_[level]) {
        StateBackward(batch, b, state, a, worker, memory);
      }
    });
  }
  team.Barrier([&] {
    for (int input = 0; input < kCellInputs; ++input) {
      FinishBackward(preprocess_[input].norm(),
                     layout_.preprocess[input].affine, batch, state_size_,
                     2 * static_cast<int>(edges_.size()) + input,
                     *a.block_gradients);
    }
  });
  team.ForBlocks(thread, batch, [&](int b) {
    for (int input = 0; input < kCellInputs; ++input) {
      InputBackward(batch, b, input, a, worker);
    }
  });
  team.Barrier([] {});
  a.block_gradients->Sum(thread, team.active(), batch.blocks(), layout_.begin,
                         layout_.end, a.parameter_gradients);
}

void DerivedCellEngine::Dots(const BatchBlocks& batch, int block, int level,
                             int node, const BackwardArguments& a,
                             Worker& worker) {
  const LaneTensor g = Gradient(a, node);
  const int64_t part = int64_t{channels()} * kLanes;
  std::vector<int> edges;
  for (const int i : states_[node].entering) {
    if (edges_[i].normalized() &&
        states_[edges_[i].layout->from].level == level) {
      edges.push_back(i);
    }
  }
  float* const sums = worker.sums.get();
  for (size_t first = 0; first < edges.size(); first += kLaneInputs) {
    const size_t count = std::min<size_t>(kLaneInputs, edges.size() - first);
    std::fill_n(sums, (1 + static_cast<int64_t>(count)) * part, 0.0f);
    std::vector<LaneTensor> outputs;
    for (size_t i = 0; i < count; ++i) {
      outputs.push_back(EdgeOutput(edges_[edges[first + i]], a.tensors).rows);
    }
    LaneDotsArguments dots{};
    dots.shape = g.row_shape();
    dots.inputs = static_cast<int>(count);
    dots.sum = sums;
    dots.dots = sums + part;
    for (int row = 0; row < g.height; ++row) {
      for (size_t i = 0; i < count; ++i) dots.y[i] = outputs[i].Row(block, row);
      dots.g = g.Row(block, row);
      kernels_->dots(dots);
    }
    for (size_t i = 0; i < count; ++i) {
      const int number = edges[first + i];
      const DerivedEdgeLayout& edge = *edges_[number].layout;
      float scales[kLanes];
      LaneScales(batch, block, a.paths, edge.weight, edge.path, scales);
      double* const totals = BlockSums(block, 2 * number);
      const float* const own = sums + (1 + static_cast<int64_t>(i)) * part;
      for (int c = 0; c < channels(); ++c) {
        double sum = 0;
        double dot = 0;
        for (int lane = 0; lane < kLanes; ++lane) {
          sum += double{scales[lane]} * sums[c * kLanes + lane];
          dot += double{scales[lane]} * own[c * kLanes + lane];
        }
        totals[c] = sum;
        totals[channels() + c] = dot;
      }
    }
  }
}

void DerivedCellEngine::SecondHalfBackward(const Edge& edge,
                                           const BatchBlocks& batch, int block,
                                           const BackwardArguments& a,
                                           Worker& worker, CellWorker& memory) {
  const Separable& unit = edge.units[1];
  float* const sums = worker.sums.get();
  std::fill_n(sums, 2 * channels() * kLanes, 0.0f);
  Separable::BackwardArguments b{};
  b.g = Gradient(a, edge.layout->to);
  b.previous = &edge.units[0];
  b.dz = edge.half;
  b.accumulate = false;
  b.sums = sums;
  b.depthwise_gradient =
      a.block_gradients->At(block, layout_.begin, unit.layout().depthwise);
  b.pointwise_gradient =
      a.block_gradients->At(block, layout_.begin, unit.layout().pointwise);
  b.lanes = GradientLanes(batch, block, a.paths, edge, memory);
  unit.Backward(batch, block, b, worker);
  const int number = static_cast<int>(&edge - edges_.data());
  double* const totals = BlockSums(block, 2 * number + 1);
  std::fill_n(totals, 2 * channels(), 0.0);
  AddLanes(sums, 2 * channels(), totals);
}

// The gradient of a state:
//   (x > 0) * (gradient of max(x, 0)) + sum of w * s * g over identities, over
//   pools that of their inputs, and what comes from behind the cell.
void DerivedCellEngine::StateBackward(const BatchBlocks& batch, int block,
                                      int state, const BackwardArguments& a,
                                      Worker& worker, CellWorker& memory) {
  const State& from = states_[state];
  const MapSize size = SizeOf(state);
  const bool input = state < kCellInputs;
  if (!input && from.leaving.empty()) return;
  const LaneTensor relu = OneBlock(memory.relu, size);
  const LaneTensor source = OneBlock(memory.source, size);
  if (from.relu) {
    LoadRows(batch, block, state, a.tensors, 0, size.height, /*pools=*/false,
             memory);
    bool accumulate = false;
    for (const int i : from.leaving) {
      const Edge& edge = edges_[i];
      if (edge.units.empty()) continue;
      const Separable& unit = edge.units[0];
      Separable::BackwardArguments b{};
      b.g = edge.separable() ? edge.half : Gradient(a, edge.layout->to);
      b.z = relu.rows(0);
      b.dz = source;
      b.accumulate = accumulate;
      b.depthwise_gradient =
          a.block_gradients->At(block, layout_.begin, unit.layout().depthwise);
      b.pointwise_gradient =
          a.block_gradients->At(block, layout_.begin, unit.layout().pointwise);
      if (!edge.separable()) {
        b.lanes = GradientLanes(batch, block, a.paths, edge, memory);
      }
      unit.Backward(batch, block, b, worker);
      accumulate = true;
    }
    if (!accumulate) std::fill_n(source.data, MapSizeOf(size), 0.0f);
    for (const int i : from.leaving) {
      const Edge& edge = edges_[i];
      for (const Pointwise& reduce : edge.reduce) {
        reduce.Backward(
            batch, block, Gradient(a, edge.layout->to), edge.reduce_y, relu,
            /*masked=*/false, source,
            a.block_gradients->At(block, layout_.begin, reduce.begin()), worker,
            GradientLanes(batch, block, a.paths, edge, memory));
      }
    }
  }

  const LaneTensor to = Gradient(a, state);
  std::vector<Term> terms;
  if (!input) {
    terms.push_back({to, nullptr, 1, -1});
  } else if (OutputPart(state) >= 0) {
    terms.push_back({a.gradients.output.Channels(OutputPart(state) * channels(),
                                                 channels()),
                     nullptr, 1, -1});
  }
  std::vector<Term> pools[2];  // max, average
  for (const int i : from.leaving) {
    const DerivedEdgeLayout& edge = *edges_[i].layout;
    const Term term = {Gradient(a, edge.to), nullptr, edge.weight, edge.path};
    if (edge.kind == Kind::kIdentity) terms.push_back(term);
    if (edge.kind == Kind::kMaxPool) pools[0].push_back(term);
    if (edge.kind == Kind::kAveragePool) pools[1].push_back(term);
  }
  // A node's gradient is there already.
  if (input || terms.size() > 1) {
    WeightedSum(batch, block, a.paths, terms, to, memory);
  }
  const LaneTensor pooled[2] = {OneBlock(worker.block_a, output_size_),
                                OneBlock(worker.block_b, output_size_)};
  for (int kind = 0; kind < 2; ++kind) {
    if (pools[kind].empty()) continue;
    WeightedSum(batch, block, a.paths, pools[kind], pooled[kind], memory);
  }
  const LanePoolShape shape{stride(state), channels(), size.height, size.width};
  float* const sums = worker.sums.get();
  LaneDotsArguments dots{};
  if (input) {
    std::fill_n(sums, 2 * channels() * kLanes, 0.0f);
    dots.shape = to.row_shape();
    dots.inputs = 1;
    dots.sum = sums;
    dots.dots = sums + channels() * kLanes;
  }
  for (int row = 0; row < to.height; ++row) {
    float* const to_row = to.Row(block, row);
    if (from.relu) {
      kernels_->relu_gradient({to.row_shape(), relu.Row(0, row), 1, 0,
                               source.Row(0, row), source.channel(), to_row});
    }
    if (from.max_pool) {
      kernels_->max_pool_gradient(
          {shape, pooled[0].data, pooled[0].row,
           from.taps + (from.max_y.Row(block, 0) - from.max_y.data), row,
           to_row});
    }
    if (from.average_pool) {
      kernels_->average_pool_gradient(
          {shape, pooled[1].data, pooled[1].row, nullptr, row, to_row});
    }
    if (input) {
      dots.y[0] = inputs_[state].Row(block, row);
      dots.g = to_row;
      kernels_->dots(dots);
    }
  }
  if (!input) return;
  double* const totals =
      BlockSums(block, 2 * static_cast<int>(edges_.size()) + state);
  std::fill_n(totals, 2 * channels(), 0.0);
  AddLanes(sums, 2 * channels(), totals);
}

void DerivedCellEngine::InputBackward(const BatchBlocks& batch, int block,
                                      int input, const BackwardArguments& a,
                                      Worker& worker) {
  const Pointwise& preprocess = preprocess_[input];
  preprocess.Backward(
      batch, block, states_[input].gradient, inputs_[input],
      input == 0 ? a.tensors.before_previous : a.tensors.previous,
      /*masked=*/true,
      input == 0 ? a.gradients.before_previous : a.gradients.previous,
      a.block_gradients->At(block, layout_.begin, preprocess.begin()), worker);
}

}  // namespace fairdarts
