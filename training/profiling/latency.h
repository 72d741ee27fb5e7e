#ifndef TRAINING_PROFILING_LATENCY_H_
#define TRAINING_PROFILING_LATENCY_H_

// How long something takes when it is done again and again.

#include <functional>

namespace fairdarts {

struct RepeatOptions {
  // Repeats until both are reached, or until `most`.
  double seconds = 0.5;  // in all
  int fewest = 5;
  int most = 10000;
};

struct Latency {
  double min_seconds = 0;
  double median_seconds = 0;  // of an even number: the mean of the middle two
  int repetitions = 0;
};

// Times `run`, which is expected to be warm. `now` gives seconds from any
// start and never goes back.
Latency MeasureLatency(const std::function<void()>& run,
                       const RepeatOptions& options,
                       const std::function<double()>& now);

// Seconds of the machine's steady clock.
double SteadySeconds();

}  // namespace fairdarts

#endif  // TRAINING_PROFILING_LATENCY_H_
