#ifndef TRAINING_TIMING_H_
#define TRAINING_TIMING_H_

// timing.csv: what the clock says of each epoch. It stands apart so that the
// other files of a run are the same bytes whenever it is run again.

#include <string>

namespace fairdarts {

inline constexpr char kTimingFile[] = "timing.csv";

std::string TimingHeader();
// `epoch` counts from 0.
std::string TimingRow(int epoch, double seconds, double images_per_second);

}  // namespace fairdarts

#endif  // TRAINING_TIMING_H_
