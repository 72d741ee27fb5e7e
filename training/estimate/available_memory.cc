#include "training/estimate/available_memory.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/optional.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

std::vector<std::string> Lines(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// The number behind `name` and blanks in a file of such lines; of a file of one
// number where `name` is empty. None where there is no number ("max") or file.
absl::optional<int64_t> Number(const std::string& path,
                               absl::string_view name) {
  for (absl::string_view line : Lines(path)) {
    if (!absl::StartsWith(line, name)) continue;
    line.remove_prefix(name.size());
    absl::string_view text = absl::StripAsciiWhitespace(line);
    text = text.substr(0, text.find(' '));
    int64_t number = 0;
    if (absl::SimpleAtoi(text, &number) && number >= 0) return number;
    return absl::nullopt;
  }
  return absl::nullopt;
}

struct Hierarchy {
  const char* mount;
  const char* limit;
  const char* usage;
  const char* cache;  // of memory.stat
};

constexpr Hierarchy kVersion1 = {
    "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
    "total_inactive_file "};
constexpr Hierarchy kVersion2 = {"/sys/fs/cgroup", "memory.max",
                                 "memory.current", "inactive_file "};

// Lowers `bytes` to what the groups from `group` up to the mount leave. A
// container sees its own group as the mount and may lack what lies below.
bool Lower(absl::string_view root, const Hierarchy& hierarchy,
           absl::string_view group, int64_t& bytes) {
  bool lowered = false;
  while (true) {
    const std::string folder =
        absl::StrCat(root, hierarchy.mount, group == "/" ? "" : group, "/");
    const auto limit = Number(absl::StrCat(folder, hierarchy.limit), "");
    const auto usage = Number(absl::StrCat(folder, hierarchy.usage), "");
    if (limit.has_value() && usage.has_value()) {
      const int64_t cache =
          Number(absl::StrCat(folder, "memory.stat"), hierarchy.cache)
              .value_or(0);
      const int64_t used = std::max<int64_t>(0, *usage - cache);
      const int64_t left = std::max<int64_t>(0, *limit - used);
      if (left < bytes) {
        bytes = left;
        lowered = true;
      }
    }
    if (group.empty() || group == "/") return lowered;
    group = group.substr(0, group.rfind('/'));
  }
}

}  // namespace

absl::StatusOr<AvailableMemory> ReadAvailableMemory(absl::string_view root) {
  const std::string meminfo = absl::StrCat(root, "/proc/meminfo");
  const auto available = Number(meminfo, "MemAvailable:");
  if (!available.has_value()) {
    return EnvironmentError(
        absl::StrCat(meminfo, ": does not tell MemAvailable, as Linux does"));
  }
  AvailableMemory memory{*available * 1024, "the machine"};
  // "4:memory:/group" of version 1, "0::/group" of version 2.
  for (const std::string& line :
       Lines(absl::StrCat(root, "/proc/self/cgroup"))) {
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    bool version1 = false;
    for (absl::string_view controller : absl::StrSplit(parts[1], ',')) {
      version1 |= controller == "memory";
    }
    if (!version1 && !parts[1].empty()) continue;
    if (Lower(root, version1 ? kVersion1 : kVersion2, parts[2], memory.bytes)) {
      memory.limit = "the control group";
    }
  }
  return memory;
}

}  // namespace fairdarts
