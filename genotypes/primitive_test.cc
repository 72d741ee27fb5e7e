#include "genotypes/primitive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(PrimitiveTest, NamesAndPrimitivesAreInverse) {
  std::set<std::string> names;
  for (const Primitive primitive : kAllPrimitives) {
    const absl::string_view name = PrimitiveName(primitive);
    EXPECT_TRUE(names.insert(std::string(name)).second) << name;
    const absl::StatusOr<Primitive> parsed = ParsePrimitive(name);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, primitive);
  }
}

TEST(PrimitiveTest, CandidatesAreInTheOrderOfTheAlphaColumns) {
  std::vector<std::string> names;
  for (const Primitive primitive : kS1Candidates) {
    names.emplace_back(PrimitiveName(primitive));
  }
  EXPECT_THAT(names, testing::ElementsAre("max_pool_3x3", "avg_pool_3x3",
                                          "skip_connect", "sep_conv_3x3",
                                          "sep_conv_5x5", "dil_conv_3x3",
                                          "dil_conv_5x5"));
}

TEST(PrimitiveTest, UnknownNamesAreRefusedWithTheKnownOnes) {
  for (const char* name : {"", "sep_conv_3x3 ", "SEP_CONV_3X3", "none", "\n"}) {
    const absl::Status status = ParsePrimitive(name).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kData) << name;
    const std::string message(status.message());
    EXPECT_THAT(message, HasSubstr("unknown operation '"));
    EXPECT_THAT(message, HasSubstr("max_pool_3x3"));
    EXPECT_THAT(message, HasSubstr("conv_7x1_1x7"));
    EXPECT_THAT(message, Not(HasSubstr("\n")));
  }
}

}  // namespace
}  // namespace fairdarts
