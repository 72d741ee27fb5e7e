#include "training/output_path.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/user_path.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

TEST(OutputPathTest, ItsFolderHasToBeThere) {
  const std::string folder =
      UserPath(absl::StrCat(testing::TempDir(), "/here"));
  std::filesystem::create_directories(folder);
  std::ofstream(absl::StrCat(folder, "/file")) << "x";
  setenv("BUILD_WORKING_DIRECTORY", folder.c_str(), 1);

  for (const char* const name : {"new", "file"}) {
    const auto path = OutputPath("logits", name);
    ASSERT_THAT(path, IsOk());
    EXPECT_EQ(*path, absl::StrCat(folder, "/", name));
  }
  EXPECT_THAT(OutputPath("logits", "nowhere/x"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("--logits nowhere/x: ", folder,
                                    "/nowhere is no folder")));
  EXPECT_THAT(OutputPath("output", "file/x"),
              StatusIs(absl::StatusCode::kInvalidArgument, "is no folder"));
  for (const char* const name : {".", "../here", "new/"}) {
    EXPECT_THAT(
        OutputPath("output", name),
        StatusIs(absl::StatusCode::kInvalidArgument, "is a folder; name a"));
  }
  unsetenv("BUILD_WORKING_DIRECTORY");
}

}  // namespace
}  // namespace fairdarts
