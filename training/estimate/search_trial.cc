#include "training/estimate/search_trial.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "fairdarts/base/status.h"
#include "search_space/engine/engine_memory.h"
#include "training/config.h"
#include "training/data/sampler.h"
#include "training/estimate/available_memory.h"
#include "training/profiling/process_memory.h"
#include "training/search_loop.h"
#include "training/search_options.h"

namespace fairdarts {
namespace {

constexpr int kTimedSteps = 2;
// Of the batches that are tried: whole blocks of the fused engine.
constexpr int64_t kMultiple = 16;
// The larger of the two small batches of the plain engine.
constexpr int64_t kSmallBatch = 16;

SearchWork WorkOf(const SearchConfig& config, const SearchSampler& sampler) {
  SearchWork work;
  const int64_t steps = sampler.steps_per_epoch();
  const int64_t batch = config.batch_size();
  int64_t images = (steps - 1) * batch + sampler.weights().last_batch_size();
  if (!config.single_level()) images += steps * batch;
  work.steps = config.epochs() * steps;
  work.step_images = config.epochs() * images;
  work.evaluated_images = sampler.alpha_samples();
  return work;
}

absl::StatusOr<std::unique_ptr<SearchLoop>> LoopOf(SearchConfig config,
                                                   int64_t batch,
                                                   const Dataset& dataset) {
  config.set_batch_size(static_cast<int>(batch));
  return SearchLoop::Create(config, &dataset);
}

absl::StatusOr<int64_t> PeakBytes() {
  FD_ASSIGN_OR_RETURN(const ProcessMemory memory, ReadProcessMemory());
  return memory.peak_bytes;
}

struct Measured {
  SearchTrial trial;
  int64_t step_peak = 0;
  int64_t peak = 0;  // of steps and evaluation
};

absl::StatusOr<Measured> Measure(SearchLoop& loop, int64_t batch) {
  Measured measured;
  SearchTrial& trial = measured.trial;
  trial.batch = batch;
  FD_ASSIGN_OR_RETURN(const TimedStep first, loop.TryStep());
  trial.step_images = first.images;
  trial.first_step = absl::ToDoubleSeconds(first.time);
  for (int i = 0; i < kTimedSteps; ++i) {
    FD_ASSIGN_OR_RETURN(const TimedStep step, loop.TryStep());
    trial.step += absl::ToDoubleSeconds(step.time) / kTimedSteps;
    trial.batches += absl::ToDoubleSeconds(step.batches) / kTimedSteps;
  }
  FD_ASSIGN_OR_RETURN(measured.step_peak, PeakBytes());
  FD_ASSIGN_OR_RETURN(const TimedImages evaluation, loop.TryEvaluation());
  trial.evaluated_image = absl::ToDoubleSeconds(evaluation.time) /
                          static_cast<double>(evaluation.images);
  FD_ASSIGN_OR_RETURN(measured.peak, PeakBytes());
  return measured;
}

// The batch to try: the recipe's where it fits.
absl::StatusOr<int64_t> TrialBatch(const MemoryModel& memory,
                                   const SearchEstimate& e) {
  if (memory.Peak(e.batch) <= e.free.bytes) return e.batch;
  const int64_t batch = memory.LargestBatch(e.free.bytes, kMultiple,
                                            std::min(e.batch, e.most_batch));
  if (batch > 0) return batch;
  return EnvironmentError(absl::StrCat(
      "memory: batch ", std::min(e.batch, kMultiple), " takes about ",
      BytesText(memory.Peak(std::min(e.batch, kMultiple))), ", and ",
      BytesText(e.free.bytes), " can be had (", e.free.limit, ")"));
}

absl::Status MeasureFused(const SearchConfig& config, const Dataset& dataset,
                          std::unique_ptr<SearchLoop> loop, SearchEstimate& e) {
  const auto engine = [&](int64_t batch) {
    return EngineMemoryFor(NetworkOptions(config, dataset),
                           at::get_num_threads(), batch, dataset.height,
                           dataset.width)
        .total();
  };
  // Of both halves, and once more while they are made.
  const int64_t images = int64_t{4} * kMultiple * dataset.channels *
                         dataset.height * dataset.width *
                         static_cast<int64_t>(sizeof(float));
  e.memory.granule = kMultiple;
  e.memory.step = engine(2 * kMultiple) - engine(kMultiple) + images;
  FD_ASSIGN_OR_RETURN(const ProcessMemory before, ReadProcessMemory());
  e.memory.fixed =
      before.resident_bytes + engine(kMultiple) + images - e.memory.step;
  FD_ASSIGN_OR_RETURN(const int64_t batch, TrialBatch(e.memory, e));
  if (batch != e.batch) {
    FD_ASSIGN_OR_RETURN(loop, LoopOf(config, batch, dataset));
  }
  FD_ASSIGN_OR_RETURN(const Measured measured, Measure(*loop, batch));
  e.trial = measured.trial;
  e.memory.fixed += measured.peak - e.memory.Peak(batch);
  return absl::OkStatus();
}

absl::Status MeasurePlain(const SearchConfig& config, const Dataset& dataset,
                          SearchEstimate& e) {
  const int64_t small =
      std::max<int64_t>(1, std::min(kSmallBatch, e.batch) / 2);
  const int64_t larger = 2 * small;
  int64_t peaks[2];
  for (int i = 0; i < 2; ++i) {
    FD_ASSIGN_OR_RETURN(const std::unique_ptr<SearchLoop> loop,
                        LoopOf(config, i == 0 ? small : larger, dataset));
    FD_RETURN_IF_ERROR(loop->TryStep().status());
    FD_ASSIGN_OR_RETURN(peaks[i], PeakBytes());
  }
  e.memory_modelled = false;
  e.memory = MemoryThrough(small, peaks[0], larger, peaks[1]);
  FD_ASSIGN_OR_RETURN(const int64_t batch, TrialBatch(e.memory, e));
  FD_ASSIGN_OR_RETURN(const std::unique_ptr<SearchLoop> loop,
                      LoopOf(config, batch, dataset));
  FD_ASSIGN_OR_RETURN(const Measured measured, Measure(*loop, batch));
  e.trial = measured.trial;
  if (batch > larger) {
    e.memory = MemoryThrough(larger, peaks[1], batch, measured.step_peak);
  }
  // What steps have freed is there for the evaluation.
  e.memory.floor = measured.peak > measured.step_peak ? measured.peak : 0;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SearchEstimate> EstimateSearch(const SearchConfig& config,
                                              const Dataset& dataset) {
  SearchEstimate e;
  FD_ASSIGN_OR_RETURN(const SearchSampler sampler,
                      SearchSampler::Create(SamplingOptions(config, dataset)));
  e.batch = config.batch_size();
  e.work = WorkOf(config, sampler);
  e.timed_steps = kTimedSteps;
  e.multiple = kMultiple;
  e.most_batch = std::min(sampler.weight_samples(), sampler.alpha_samples());
  // Where the peak cannot be started anew, it is that of reading the data at
  // least.
  (void)ResetPeakMemory();
  FD_ASSIGN_OR_RETURN(e.free, ReadAvailableMemory());
  FD_ASSIGN_OR_RETURN(const ProcessMemory held, ReadProcessMemory());
  e.free.bytes += held.resident_bytes;
  // Refuses what a search would refuse.
  FD_ASSIGN_OR_RETURN(std::unique_ptr<SearchLoop> loop,
                      SearchLoop::Create(config, &dataset));
  if (UsesFusedEngine(config)) {
    FD_RETURN_IF_ERROR(MeasureFused(config, dataset, std::move(loop), e));
  } else {
    loop.reset();
    FD_RETURN_IF_ERROR(MeasurePlain(config, dataset, e));
  }
  return e;
}

}  // namespace fairdarts
