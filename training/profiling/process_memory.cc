#include "training/profiling/process_memory.h"

#include <fstream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr char kStatus[] = "/proc/self/status";
constexpr char kClear[] = "/proc/self/clear_refs";

// "VmHWM:     1234 kB": whether the line is `name`'s; its bytes.
bool ReadLine(absl::string_view line, absl::string_view name, int64_t& bytes) {
  if (!absl::StartsWith(line, absl::StrCat(name, ":"))) return false;
  line.remove_prefix(name.size() + 1);
  if (!absl::EndsWith(line, " kB")) return false;
  line.remove_suffix(3);
  int64_t kib = 0;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(line), &kib)) return false;
  bytes = kib * 1024;
  return true;
}

}  // namespace

absl::StatusOr<ProcessMemory> ReadProcessMemory() {
  std::ifstream file(kStatus);
  ProcessMemory memory;
  bool resident = false, peak = false;
  for (std::string line; std::getline(file, line);) {
    resident |= ReadLine(line, "VmRSS", memory.resident_bytes);
    peak |= ReadLine(line, "VmHWM", memory.peak_bytes);
  }
  if (!resident || !peak) {
    return EnvironmentError(absl::StrCat(
        kStatus, ": does not tell VmRSS and VmHWM, as Linux does"));
  }
  return memory;
}

absl::Status ResetPeakMemory() {
  std::ofstream file(kClear);
  file << "5";  // the peak only, not the pages' marks: man 5 proc
  file.close();
  if (!file) {
    return EnvironmentError(absl::StrCat(
        kClear,
        ": cannot be written, so a batch's peak cannot be told apart "
        "from the process's"));
  }
  return absl::OkStatus();
}

}  // namespace fairdarts
