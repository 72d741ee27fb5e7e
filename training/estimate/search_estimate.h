#ifndef TRAINING_ESTIMATE_SEARCH_ESTIMATE_H_
#define TRAINING_ESTIMATE_SEARCH_ESTIMATE_H_

// From a few timed steps to the time, the memory and the batch of a search.

#include <cstdint>
#include <string>

#include "training/estimate/available_memory.h"

namespace fairdarts {

// What a search is made of.
struct SearchWork {
  int64_t steps = 0;             // of all epochs
  int64_t step_images = 0;       // of all steps, both halves of the data
  int64_t evaluated_images = 0;  // at the end
};

// What was measured.
struct SearchTrial {
  int64_t batch = 0;
  int64_t step_images = 0;     // of a step, both halves
  double first_step = 0;       // seconds, which also warm up
  double step = 0;             // seconds: the mean of those that follow
  double batches = 0;          // of them, spent on making batches
  double evaluated_image = 0;  // seconds
};

// In seconds: steps by their images, since the last of an epoch may be smaller
// and the trial's batch may differ; what the first one took above the others;
// the evaluation.
double SearchSeconds(const SearchWork& work, const SearchTrial& trial);

// The peak of the process by the batch: `fixed` and `step` bytes for every
// `granule` images that are begun, but at least `floor`.
struct MemoryModel {
  int64_t fixed = 0;
  int64_t granule = 1;
  int64_t step = 0;
  int64_t floor = 0;

  int64_t Peak(int64_t batch) const;
  // The largest multiple of `multiple` of which the peak is at most `bytes`, or
  // `most` if that is less; 0 where there is none.
  int64_t LargestBatch(int64_t bytes, int64_t multiple, int64_t most) const;
};

// Through the peaks of two batches, the first the smaller.
MemoryModel MemoryThrough(int64_t batch_a, int64_t peak_a, int64_t batch_b,
                          int64_t peak_b);

// "8 s", "45 min", "1 h 12 min", "5 days 3 h": two units at most.
std::string DurationText(double seconds);
// "512 MB", "22.4 GB".
std::string BytesText(int64_t bytes);

struct SearchEstimate {
  int64_t batch = 0;  // the recipe's
  SearchWork work;
  SearchTrial trial;
  int timed_steps = 0;
  MemoryModel memory;
  bool memory_modelled = true;  // of the batch; else extrapolated by the fit
  // What the process can hold: what is free, and what it holds itself.
  AvailableMemory free;
  int64_t multiple = 1;    // of which batches are tried
  int64_t most_batch = 0;  // that the data allow
};

// Three lines: time, memory, batch. They begin with these words.
std::string EstimateText(const SearchEstimate& estimate);

}  // namespace fairdarts

#endif  // TRAINING_ESTIMATE_SEARCH_ESTIMATE_H_
