#ifndef FAIRDARTS_SWEEP_OUTPUT_H_
#define FAIRDARTS_SWEEP_OUTPUT_H_

// What programs that measure while one thing is varied have in common: the
// machine's peak beside their figures, and a csv file and a picture of them.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "fairdarts/plots/line_plot.h"

namespace fairdarts {

// Operations a second that one thread reaches just now with fused multiply-adds
// of the best instruction set alone (ops/kernels/peak).
double ThreadPeak();

// "avx2": the best instruction set.
absl::string_view MachineIsa();
// "avx2, 2 cores".
std::string MachineText();
// "avx2, 2 cores, peak 101.8 GFLOP/s a thread".
std::string MachineText(double thread_peak);

// "NAME: -1.0 % to +3.8 % against batch 1", a line for each series, of values
// relative to their first.
std::string SpreadText(const PlotPanel& panel, absl::string_view against);

struct SweepOutput {
  std::string path;  // of the files, without .csv and .svg
  std::string csv;
  std::string title;
  std::string caption;  // below the machine's
  std::vector<PlotPanel> panels;
};

// Writes both files (paths are the user's) and prints where they are, under the
// machine's text.
absl::Status WriteSweep(const SweepOutput& output, double thread_peak);

}  // namespace fairdarts

#endif  // FAIRDARTS_SWEEP_OUTPUT_H_
