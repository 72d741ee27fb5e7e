#include "training/newest_run.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "fairdarts/base/file.h"
#include "training/config.pb.h"
#include "training/config_file.h"
#include "training/train_config.pb.h"

namespace fairdarts {
namespace {

namespace fs = std::filesystem;

// When a run began. Runs of one second are told apart by their number, then by
// their last change.
struct Age {
  absl::Time start;
  int number = 1;
  absl::Time changed;
  std::string path;

  bool operator<(const Age& other) const {
    return std::tie(start, number, changed, path) <
           std::tie(other.start, other.number, other.changed, other.path);
  }
};

bool IsDigits(absl::string_view text, size_t size) {
  return text.size() == size &&
         std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

// Reads "NAME-YYYYMMDD-HHMMSS" or "NAME-YYYYMMDD-HHMMSS-NUMBER".
bool ReadStamp(absl::string_view name, Age& age) {
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '-');
  for (const size_t behind : {size_t{0}, size_t{1}}) {
    if (parts.size() < 3 + behind) return false;
    const absl::string_view date = parts[parts.size() - 2 - behind];
    const absl::string_view time = parts[parts.size() - 1 - behind];
    if (!IsDigits(date, 8) || !IsDigits(time, 6)) continue;
    int number = 1;
    if (behind == 1 && !absl::SimpleAtoi(parts.back(), &number)) return false;
    std::string error;
    if (!absl::ParseTime("%E4Y%m%d%H%M%S", absl::StrCat(date, time),
                         absl::LocalTimeZone(), &age.start, &error)) {
      return false;
    }
    age.number = number;
    return true;
  }
  return false;
}

absl::string_view MessageOf(RunKind kind) {
  static const auto& search =
      *new std::string(SearchConfig::descriptor()->full_name());
  static const auto& train =
      *new std::string(TrainConfig::descriptor()->full_name());
  return kind == RunKind::kSearch ? search : train;
}

bool HoldsOneOf(const std::string& folder,
                const std::vector<std::string>& files) {
  return std::any_of(files.begin(), files.end(), [&](const std::string& file) {
    std::error_code error;
    return fs::is_regular_file(absl::StrCat(folder, "/", file), error);
  });
}

}  // namespace

bool IsRunOf(const std::string& folder, RunKind kind) {
  const absl::StatusOr<std::string> text =
      ReadFile(absl::StrCat(folder, "/", kConfigFile), kMaxConfigBytes);
  if (!text.ok()) return false;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (!absl::StartsWith(line, "#")) return false;
    if (line == absl::StrCat("# proto-message: ", MessageOf(kind))) return true;
  }
  return false;
}

absl::optional<std::string> NewestRun(const std::string& runs_folder,
                                      RunKind kind,
                                      const std::vector<std::string>& files) {
  std::vector<Age> runs;
  std::error_code error;
  for (fs::directory_iterator it(runs_folder, error), end; !error && it != end;
       it.increment(error)) {
    Age age;
    age.path = it->path().string();
    struct stat info;
    if (stat(age.path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) continue;
    age.changed = absl::TimeFromTimespec(info.st_mtim);
    if (!ReadStamp(it->path().filename().string(), age)) {
      age.start = age.changed;
    }
    runs.push_back(std::move(age));
  }
  std::sort(runs.begin(), runs.end());
  const auto newest =
      std::find_if(runs.rbegin(), runs.rend(), [&](const Age& age) {
        return HoldsOneOf(age.path, files) && IsRunOf(age.path, kind);
      });
  if (newest == runs.rend()) return absl::nullopt;
  return newest->path;
}

}  // namespace fairdarts
