#include "training/flags.h"

#include <set>
#include <vector>

#include "absl/strings/str_split.h"
#include "fairdarts/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "training/config.pb.h"
#include "training/train_config.pb.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

absl::Status Parse(std::vector<const char*> arguments, SearchConfig& config) {
  arguments.insert(arguments.begin(), "search");
  return ParseFlags(static_cast<int>(arguments.size()), arguments.data(),
                    config);
}

SearchConfig Parsed(const std::vector<const char*>& arguments) {
  SearchConfig config;
  const absl::Status status = Parse(arguments, config);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return config;
}

std::string Complaint(const std::vector<const char*>& arguments) {
  SearchConfig config;
  const absl::Status status = Parse(arguments, config);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage);
  return std::string(status.message());
}

TEST(FlagsTest, BothWaysToGiveAValue) {
  EXPECT_EQ(Parsed({"--batch_size", "64"}).batch_size(), 64);
  EXPECT_EQ(Parsed({"--batch_size=64"}).batch_size(), 64);
  EXPECT_EQ(Parsed({"--save=a=b"}).save(), "a=b");
  EXPECT_EQ(Parsed({"--save="}).save(), "");
  EXPECT_EQ(Parsed({"--save=--x"}).save(), "--x");
}

TEST(FlagsTest, HyphensAndUnderscores) {
  EXPECT_EQ(Parsed({"--batch-size", "64"}).batch_size(), 64);
  EXPECT_EQ(Parsed({"--arch-learning_rate=1"}).arch_learning_rate(), 1);
}

TEST(FlagsTest, Aliases) {
  EXPECT_EQ(Parsed({"--epoch", "7"}).epochs(), 7);
  EXPECT_EQ(Parsed({"--gpu", "cpu"}).device(), SearchConfig::CPU);
}

TEST(FlagsTest, Switches) {
  EXPECT_TRUE(Parsed({"--cutout"}).cutout());
  EXPECT_TRUE(Parsed({"--cutout=true"}).cutout());
  for (const char* const off :
       {"--nocutout", "--no_cutout", "--no-cutout", "--cutout=false"}) {
    const SearchConfig config = Parsed({off});
    EXPECT_TRUE(config.has_cutout()) << off;
    EXPECT_FALSE(config.cutout()) << off;
  }
  // A switch does not eat the argument behind it.
  EXPECT_EQ(Parsed({"--cutout", "--epochs", "3"}).epochs(), 3);
}

TEST(FlagsTest, TheLastOfARepeatedFlagCounts) {
  EXPECT_EQ(Parsed({"--epochs", "3", "--epoch=4"}).epochs(), 4);
  EXPECT_FALSE(Parsed({"--cutout", "--nocutout"}).cutout());
}

TEST(FlagsTest, OnlyWhatIsGivenIsSet) {
  const SearchConfig config = Parsed({"--epochs", "3"});
  SearchConfig expected;
  expected.set_epochs(3);
  EXPECT_EQ(config.DebugString(), expected.DebugString());
}

TEST(FlagsTest, RefusesUnknownFlags) {
  EXPECT_EQ(Complaint({"--batchsize", "3"}),
            "--batchsize: unknown flag; did you mean --batch_size?");
  EXPECT_EQ(Complaint({"--temperature", "3"}),
            "--temperature: unknown flag; --help lists the flags");
  EXPECT_THAT(Complaint({"--nocutot"}), HasSubstr("unknown flag"));
  // Only switches can be negated, and nothing can be abbreviated.
  EXPECT_THAT(Complaint({"--noepochs"}), HasSubstr("unknown flag"));
  EXPECT_THAT(Complaint({"--learning", "1"}), HasSubstr("unknown flag"));
  EXPECT_THAT(Complaint({"--no"}), HasSubstr("unknown flag"));
  EXPECT_THAT(Complaint({"--=1"}), HasSubstr("unknown flag"));
}

TEST(FlagsTest, RefusesPositionalArguments) {
  EXPECT_EQ(Complaint({"quick"}),
            "unexpected argument 'quick': arguments are written --name value");
  EXPECT_EQ(Complaint({"--cutout", "false"}),
            "unexpected argument 'false': a value of --cutout is written after "
            "'=', as --cutout=false");
  for (const char* const argument : {"", "-", "--", "-e", "-epochs"}) {
    EXPECT_THAT(Complaint({argument}), HasSubstr("unexpected argument"));
  }
}

TEST(FlagsTest, RefusesAMissingValue) {
  EXPECT_EQ(Complaint({"--epochs"}),
            "--epochs: needs a value, as --epochs VALUE or --epochs=VALUE");
  EXPECT_THAT(Complaint({"--save", "--epochs", "3"}),
              HasSubstr("--save: needs a value"));
}

TEST(FlagsTest, RefusesAValueOfANegatedSwitch) {
  EXPECT_EQ(Complaint({"--nocutout=true"}),
            "--nocutout true: must be written without a value, or as "
            "--cutout=true");
}

TEST(FlagsTest, ComplaintsNameTheFlagAsItWasTyped) {
  EXPECT_EQ(Complaint({"--batch-size", "0"}),
            "--batch-size 0: must be a whole number from 1 to 2147483647");
  EXPECT_EQ(Complaint({"--gpu", "1"}),
            "--gpu 1: one GPU is used, the first that CUDA shows; use 0 and "
            "choose it with CUDA_VISIBLE_DEVICES");
}

TEST(FlagsTest, HelpIsAsked) {
  const char* const arguments[] = {"search", "--epochs", "--help"};
  EXPECT_TRUE(HelpRequested(3, arguments));
  EXPECT_FALSE(HelpRequested(2, arguments));
}

TEST(FlagsTest, HelpFitsTheTerminalAndNamesEveryFlagOnce) {
  SearchConfig defaults;
  defaults.set_learning_rate(0.0125);
  const std::string help = FlagsHelp(defaults);
  EXPECT_THAT(help, HasSubstr("[0.0125]"));
  EXPECT_THAT(help, HasSubstr("darts, threshold_sparse,"));
  EXPECT_THAT(help, HasSubstr("(also --epoch)"));
  EXPECT_THAT(FlagsHelp(TrainConfig()), Not(HasSubstr("adam")));
  for (const absl::string_view line : absl::StrSplit(help, '\n')) {
    EXPECT_LE(line.size(), 80u) << line;
  }
  const auto* const descriptor = SearchConfig::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    EXPECT_THAT(help, HasSubstr("--" + descriptor->field(i)->name()));
  }
}

}  // namespace
}  // namespace fairdarts
