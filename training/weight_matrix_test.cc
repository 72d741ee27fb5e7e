#include "training/weight_matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"
#include "training/data/npy.h"
#include "training/run_folder.h"

namespace fairdarts {
namespace {

using ::testing::StartsWith;

constexpr char kName[] = "weight.npy";

RunFolder FolderWith(const std::string& contents) {
  const RunFolder folder =
      *RunFolder::Create(::testing::TempDir(), "weights", absl::Now());
  EXPECT_THAT(folder.Write(kName, contents), IsOk());
  return folder;
}

// 14x7 or another shape of as many values; value i is i / 100.
std::vector<float> Values() {
  std::vector<float> values(14 * 7);
  for (size_t i = 0; i < values.size(); ++i) values[i] = i / 100.0f;
  return values;
}

TEST(WeightMatrixTest, ReadsEdgesByCandidates) {
  const auto matrix =
      ReadWeightMatrix(FolderWith(SerializeNpy({14, 7, Values()})).File(kName));
  ASSERT_THAT(matrix, IsOk());
  EXPECT_EQ(matrix->rows, 14);
  EXPECT_EQ(matrix->cols, 7);
  EXPECT_EQ(matrix->values, Values());
}

TEST(WeightMatrixTest, RefusesWhatIsNoneNamingTheFile) {
  std::vector<float> not_finite = Values();
  not_finite[30] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> infinite = Values();
  infinite[97] = std::numeric_limits<float>::infinity();
  const std::string good = SerializeNpy({14, 7, Values()});
  for (const std::string& contents :
       {std::string(), std::string("no matrix"),
        SerializeNpy({7, 14, Values()}), SerializeNpy({98, 1, Values()}),
        SerializeNpy({2, 7, std::vector<float>(14, 0.5f)}),
        SerializeNpy({14, 7, not_finite}), SerializeNpy({14, 7, infinite}),
        good.substr(0, good.size() - 1), good + std::string(2 << 20, 'x')}) {
    const std::string path = FolderWith(contents).File(kName);
    const absl::Status status = ReadWeightMatrix(path).status();
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kData)) << contents.size();
    EXPECT_THAT(std::string(status.message()), StartsWith(path));
  }
  const std::string nowhere = FolderWith("").File("other.npy");
  const absl::Status status = ReadWeightMatrix(nowhere).status();
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kData));
  EXPECT_THAT(std::string(status.message()), StartsWith(nowhere));
}

}  // namespace
}  // namespace fairdarts
