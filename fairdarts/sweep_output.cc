#include "fairdarts/sweep_output.h"

#include <algorithm>
#include <cstdio>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"
#include "ops/kernels/isa.h"
#include "ops/kernels/peak/fma_peak.h"

namespace fairdarts {

double ThreadPeak() { return MeasureFmaPeak(BestIsa()); }

absl::string_view MachineIsa() { return IsaName(BestIsa()); }

std::string MachineText() {
  return absl::StrCat(MachineIsa(), ", ", std::thread::hardware_concurrency(),
                      " cores");
}

std::string MachineText(double thread_peak) {
  return absl::StrFormat("%s, peak %.1f GFLOP/s a thread", MachineText(),
                         thread_peak * 1e-9);
}

std::string SpreadText(const PlotPanel& panel, absl::string_view against) {
  std::string text;
  for (const PlotSeries& series : panel.series) {
    const auto [low, high] = std::minmax_element(
        series.points.begin(), series.points.end(),
        [](const PlotPoint& a, const PlotPoint& b) { return a.y < b.y; });
    absl::StrAppendFormat(&text, "%s: %+.1f %% to %+.1f %% against %s\n",
                          series.name, 100 * (low->y - 1), 100 * (high->y - 1),
                          against);
  }
  return text;
}

absl::Status WriteSweep(const SweepOutput& output, double thread_peak) {
  const std::string path = UserPath(output.path);
  const std::string machine = MachineText(thread_peak);
  FD_RETURN_IF_ERROR(WriteFileAtomic(absl::StrCat(path, ".csv"), output.csv));
  FD_RETURN_IF_ERROR(WriteFileAtomic(
      absl::StrCat(path, ".svg"),
      LinePlotSvg(output.title, absl::StrCat(machine, "; ", output.caption),
                  output.panels)));
  std::printf("%s\n%s.csv\n%s.svg\n", machine.c_str(), path.c_str(),
              path.c_str());
  return absl::OkStatus();
}

}  // namespace fairdarts
