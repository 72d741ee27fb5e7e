#ifndef TRAINING_SEARCH_STEP_TIMING_H_
#define TRAINING_SEARCH_STEP_TIMING_H_

// Times steps of a bi-level search on noise, for benchmarks.

#include "absl/status/status.h"
#include "fairdarts/call_times.h"

namespace fairdarts {

// The defaults are the paper's network and images.
struct SearchStepCase {
  int batch = 32;  // images in each of the two batches
  int channels = 16;
  int layers = 8;
  int size = 32;  // height and width
  int image_channels = 3;
  int threads = 1;
  bool fused = true;           // the engine
  bool channels_last = false;  // of the plain engine
};

inline constexpr int kTimedClasses = 10;

// Builds network and batches anew, runs `warmup` steps and then a burst of
// `steps`, from 1 on, that `times` counts. Sets LibTorch's threads.
absl::Status TimeSearchSteps(const SearchStepCase& which, int warmup, int steps,
                             CallTimes& times);

}  // namespace fairdarts

#endif  // TRAINING_SEARCH_STEP_TIMING_H_
