#ifndef FAIRDARTS_CALL_TIMES_H_
#define FAIRDARTS_CALL_TIMES_H_

// How long calls of one thing take, for benchmarks.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "fairdarts/base/check.h"

namespace fairdarts {

// In seconds. All but Burst() want a call first.
class CallTimes {
 public:
  // Calls once, and again until there were `calls` of them and `seconds` are
  // over. What runs in turns with others runs in bursts: all but the first call
  // of each find their data in the caches.
  template <typename Call>
  void Burst(double seconds, int calls, Call call) {
    using Clock = std::chrono::steady_clock;
    const size_t before = seconds_.size();
    const Clock::time_point begin = Clock::now();
    Clock::time_point last = begin;
    do {
      call();
      const Clock::time_point now = Clock::now();
      seconds_.push_back(Seconds(now - last));
      last = now;
    } while (Seconds(last - begin) < seconds ||
             seconds_.size() < before + calls);
    if (before == 0) first_burst_ = seconds_.size();
    means_.push_back(Seconds(last - begin) / (seconds_.size() - before));
  }

  int calls() const { return static_cast<int>(seconds_.size()); }
  double first() const { return Calls().front(); }
  double min() const {
    return *std::min_element(Calls().begin(), Calls().end());
  }
  // The mean of a burst's calls, of the burst where it is least.
  double best_burst() const {
    FD_CHECK(!means_.empty()) << "nothing was called";
    return *std::min_element(means_.begin(), means_.end());
  }
  double median() const { return MedianOf(Calls()); }
  // The first call over the median of the first burst, since a clock may drift
  // until the others; over that of all calls where the burst was short.
  double first_over_median() const {
    constexpr size_t kEnough = 5;
    if (first_burst_ < kEnough) return first() / median();
    return first() /
           MedianOf({seconds_.begin(),
                     seconds_.begin() + static_cast<int64_t>(first_burst_)});
  }

 private:
  static double Seconds(std::chrono::steady_clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
  }
  const std::vector<double>& Calls() const {
    FD_CHECK(!seconds_.empty()) << "nothing was called";
    return seconds_;
  }
  static double MedianOf(std::vector<double> seconds) {
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
  }

  std::vector<double> seconds_;
  std::vector<double> means_;  // of each burst
  size_t first_burst_ = 0;     // how many of them
};

}  // namespace fairdarts

#endif  // FAIRDARTS_CALL_TIMES_H_
