#include "training/timing.h"

#include "absl/strings/str_format.h"

namespace fairdarts {

std::string TimingHeader() { return "epoch,seconds,images_per_second\n"; }

std::string TimingRow(int epoch, double seconds, double images_per_second) {
  return absl::StrFormat("%d,%.3f,%.1f\n", epoch, seconds, images_per_second);
}

}  // namespace fairdarts
