#include "training/random_search_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "fairdarts/random_search.h"
#include "genotypes/cost.h"
#include "genotypes/python_literal.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

struct Said {
  absl::Status status;
  std::string out;
  std::string err;
};

Said SaidBy(const SearchConfig& config) {
  std::ostringstream out;
  std::ostringstream err;
  RunLog log(out, err, /*terminal=*/false, /*columns=*/80);
  const absl::Status status = RandomSearch(config, log);
  return {status, out.str(), err.str()};
}

SearchConfig Config(int num_arch) {
  SearchConfig config;
  config.set_seed(5);
  config.set_random_search(true);
  config.set_num_arch(num_arch);
  return config;
}

TEST(RandomSearchCommandTest, PrintsPythonOfTheListOfTheSeed) {
  const Said said = SaidBy(Config(4));
  ASSERT_THAT(said.status, IsOk());
  RandomSearchOptions options;
  options.seed = 5;
  options.num_arch = 4;
  const auto list = RandomGenotypes(options);
  ASSERT_THAT(list, IsOk());
  const std::vector<absl::string_view> lines =
      absl::StrSplit(said.out, '\n', absl::SkipEmpty());
  size_t found = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    SCOPED_TRACE(std::string(lines[i]));
    // Comments and assignments are all that there is.
    if (absl::StartsWith(lines[i], "# ")) continue;
    ASSERT_LT(found, list->size());
    absl::string_view text = lines[i];
    ASSERT_TRUE(
        absl::ConsumePrefix(&text, absl::StrCat("arch_", found, " = ")));
    const auto genotype = ParsePythonGenotype(text);
    ASSERT_THAT(genotype, IsOk());
    EXPECT_TRUE(*genotype == (*list)[found].genotype);
    const auto cost = ComputeNetworkCost(*genotype, NetworkConfig::Cifar());
    ASSERT_THAT(cost, IsOk());
    EXPECT_EQ(
        std::string(lines[i - 1]),
        absl::StrFormat("# Skips: 2, FLOPS: %.2fM, Params: %.3fM",
                        static_cast<double>(cost->total.macs) / 1e6,
                        static_cast<double>(cost->total.parameters) / 1e6));
    ++found;
  }
  EXPECT_EQ(found, 4u);
}

TEST(RandomSearchCommandTest, TheFlagsReachTheSearch) {
  SearchConfig config = Config(2);
  config.set_num_identity(4);
  config.set_flops_threshold(300);
  const Said said = SaidBy(config);
  ASSERT_THAT(said.status, IsOk());
  EXPECT_THAT(said.out, ::testing::HasSubstr("# Skips: 4, FLOPS: "));
  EXPECT_THAT(said.out, ::testing::Not(::testing::HasSubstr("Skips: 2")));
  config.set_seed(6);
  EXPECT_NE(SaidBy(config).out, said.out);
}

TEST(RandomSearchCommandTest, AnImpossibleRequestSaysSoAndPrintsNothing) {
  SearchConfig config = Config(2);
  config.set_num_identity(9);
  Said said = SaidBy(config);
  EXPECT_THAT(said.status, ExitCodeIs(ExitCode::kUsage));
  EXPECT_EQ(said.out, "");
  // Found out by trying: eight of eight, one draw in six million.
  config.set_num_identity(8);
  config.set_flops_threshold(900);
  said = SaidBy(config);
  EXPECT_THAT(said.status, StatusIs(absl::StatusCode::kInvalidArgument,
                                    "exactly 8 skip connections"));
  EXPECT_EQ(said.out, "");
}

}  // namespace
}  // namespace fairdarts
