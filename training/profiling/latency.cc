#include "training/profiling/latency.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "fairdarts/base/check.h"

namespace fairdarts {

Latency MeasureLatency(const std::function<void()>& run,
                       const RepeatOptions& options,
                       const std::function<double()>& now) {
  FD_CHECK(options.fewest >= 1 && options.fewest <= options.most)
      << options.fewest << " to " << options.most << " repetitions";
  std::vector<double> times;
  double total = 0;
  const auto done = [&] { return static_cast<int>(times.size()); };
  while (done() < options.fewest ||
         (total < options.seconds && done() < options.most)) {
    const double start = now();
    run();
    times.push_back(now() - start);
    total += times.back();
  }
  std::sort(times.begin(), times.end());
  const size_t middle = times.size() / 2;
  Latency latency;
  latency.min_seconds = times.front();
  latency.median_seconds = times.size() % 2 == 1
                               ? times[middle]
                               : (times[middle - 1] + times[middle]) / 2;
  latency.repetitions = done();
  return latency;
}

double SteadySeconds() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace fairdarts
