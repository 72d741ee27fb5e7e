#ifndef TESTS_GOLDEN_GOLDEN_H_
#define TESTS_GOLDEN_GOLDEN_H_

// Golden tensors: what the reference computed (see README.md). Everything here
// aborts with a reason when a golden file is not as expected.

#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "fairdarts/base/safetensors.h"

namespace fairdarts {

class GoldenFile {
 public:
  // A file of tests/golden/data that the test's target names as data.
  explicit GoldenFile(absl::string_view file);

  bool Has(absl::string_view name) const;
  // A copy of its own.
  at::Tensor Get(absl::string_view name) const;
  std::vector<std::string> Names() const;
  // The JSON value of a metadata string. Plain text (a kind, a genotype) comes
  // back as a JSON string.
  nlohmann::json Metadata(absl::string_view name) const;

 private:
  SafetensorsFile file_;
};

// [n, 2] float64: the sum and the sum of absolute values of each tensor.
at::Tensor SumsOf(const std::vector<at::Tensor>& tensors);

// Rows of SumsOf near golden ones: both columns may be off by
//   absolute + relative * (sum of absolute values), row by row,
// since a sum that cancels has the error of what was summed. `names` are the
// rows', for messages.
testing::Matcher<const at::Tensor&> SumsNear(at::Tensor expected,
                                             std::vector<std::string> names,
                                             double relative, double absolute);

}  // namespace fairdarts

#endif  // TESTS_GOLDEN_GOLDEN_H_
