#include "training/checkpoint/checkpoint_list.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "fairdarts/base/check.h"

namespace fairdarts {

std::string CheckpointName(int64_t step) {
  FD_CHECK_GE(step, 0);
  return absl::StrFormat("step-%08d.safetensors", step);
}

std::vector<ListedCheckpoint> ListCheckpoints(const std::string& run_folder) {
  std::vector<ListedCheckpoint> list;
  std::error_code error;
  for (std::filesystem::directory_iterator
           it(absl::StrCat(run_folder, "/", kCheckpointsFolder), error),
       end;
       !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    absl::string_view digits = name;
    int64_t step = 0;
    // The name that this step has, and no other spelling of it.
    if (absl::ConsumePrefix(&digits, "step-") &&
        absl::ConsumeSuffix(&digits, ".safetensors") && !digits.empty() &&
        absl::ascii_isdigit(digits.front()) &&
        absl::SimpleAtoi(digits, &step) && name == CheckpointName(step)) {
      list.push_back({step, it->path().string()});
    }
  }
  std::sort(list.begin(), list.end(),
            [](const ListedCheckpoint& a, const ListedCheckpoint& b) {
              return a.step > b.step;
            });
  return list;
}

}  // namespace fairdarts
