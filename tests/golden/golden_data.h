#ifndef TESTS_GOLDEN_GOLDEN_DATA_H_
#define TESTS_GOLDEN_GOLDEN_DATA_H_

// Where a test finds the golden files: tests/golden/data, which its target
// names as data ("//tests/golden/data:ops.safetensors").

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/string_view.h"

namespace fairdarts {

// The path of a golden file in the runfiles of the running test.
std::string GoldenPath(absl::string_view file);

// A golden JSON file. Aborts with the reason when it cannot be read, which
// means that the test's target does not name it as data.
nlohmann::json ReadGoldenJson(absl::string_view file);

}  // namespace fairdarts

#endif  // TESTS_GOLDEN_GOLDEN_DATA_H_
