#ifndef FAIRDARTS_BENCHMARK_FLAGS_H_
#define FAIRDARTS_BENCHMARK_FLAGS_H_

// What the command lines of benchmarks share. Their flags are Abseil's
// (absl/flags/flag.h), which end the program where one is unknown.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ops/kernels/isa.h"

namespace fairdarts {

// Sets the flags. A usage error for an argument that is no flag.
absl::Status ParseBenchmarkFlags(int argc, char** argv,
                                 absl::string_view usage);

// The numbers of a list, each from 1 to `most`; an empty list is `otherwise`. A
// usage error names `flag`.
absl::StatusOr<std::vector<int>> NumbersOfFlag(
    absl::string_view flag, const std::vector<std::string>& texts, int most,
    const std::vector<int>& otherwise);

// The instruction set of a name, nothing: the best. A usage error lists those
// of this machine.
absl::StatusOr<Isa> IsaOfFlag(absl::string_view flag, absl::string_view name);

// The genotypes of a list; an empty one is FairDARTS_a to FairDARTS_g.
std::vector<std::string> GenotypesOfFlag(const std::vector<std::string>& names);

// Says what went wrong; the exit code of the program.
int EndBenchmark(const absl::Status& status);

}  // namespace fairdarts

#endif  // FAIRDARTS_BENCHMARK_FLAGS_H_
