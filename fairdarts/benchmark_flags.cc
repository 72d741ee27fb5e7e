#include "fairdarts/benchmark_flags.h"

#include <cstdio>

#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::Status ParseBenchmarkFlags(int argc, char** argv,
                                 absl::string_view usage) {
  absl::SetProgramUsageMessage(usage);
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) {
    return UsageError(
        absl::StrCat("\"", rest[1], "\" is no flag; --help lists the flags"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int>> NumbersOfFlag(
    absl::string_view flag, const std::vector<std::string>& texts, int most,
    const std::vector<int>& otherwise) {
  if (texts.empty()) return otherwise;
  std::vector<int> numbers;
  for (const std::string& text : texts) {
    int number;
    if (!absl::SimpleAtoi(text, &number) || number < 1 || number > most) {
      return UsageError(absl::StrCat("--", flag, ": \"", text,
                                     "\" is no number from 1 to ", most));
    }
    numbers.push_back(number);
  }
  return numbers;
}

absl::StatusOr<Isa> IsaOfFlag(absl::string_view flag, absl::string_view name) {
  if (name.empty()) return BestIsa();
  std::string known;
  for (const Isa isa : SupportedIsas()) {
    if (IsaName(isa) == name) return isa;
    absl::StrAppend(&known, known.empty() ? "" : ", ", IsaName(isa));
  }
  return UsageError(absl::StrCat("--", flag, ": this machine has no \"", name,
                                 "\" but ", known));
}

std::vector<std::string> GenotypesOfFlag(
    const std::vector<std::string>& names) {
  if (!names.empty()) return names;
  std::vector<std::string> all;
  for (const char letter : {'a', 'b', 'c', 'd', 'e', 'f', 'g'}) {
    all.push_back(std::string("FairDARTS_") + letter);
  }
  return all;
}

int EndBenchmark(const absl::Status& status) {
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  }
  return static_cast<int>(ExitCodeOf(status));
}

}  // namespace fairdarts
