#include "tests/golden/golden_data.h"

#include <cstdlib>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"

namespace fairdarts {

std::string GoldenPath(absl::string_view file) {
  const char* const folder = std::getenv("TEST_SRCDIR");
  const char* const workspace = std::getenv("TEST_WORKSPACE");
  FD_CHECK(folder != nullptr && workspace != nullptr)
      << "golden files are found through `bazel test` only";
  return absl::StrCat(folder, "/", workspace, "/tests/golden/data/", file);
}

nlohmann::json ReadGoldenJson(absl::string_view file) {
  const absl::StatusOr<std::string> text = ReadFile(GoldenPath(file));
  FD_CHECK(text.ok()) << text.status();
  nlohmann::json json = nlohmann::json::parse(*text, nullptr, false);
  FD_CHECK(!json.is_discarded()) << std::string(file) << " is not JSON";
  return json;
}

}  // namespace fairdarts
