#include "fairdarts/classifier/options.h"

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<ClassifyOptions> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "classify");
  return ParseClassifyOptions(static_cast<int>(arguments.size()),
                              arguments.data());
}

TEST(OptionsTest, Defaults) {
  const absl::StatusOr<ClassifyOptions> options =
      Parse({"--model=m.safetensors", "a.png"});
  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(options->model, "m.safetensors");
  EXPECT_EQ(options->top, 5);
  EXPECT_EQ(options->threads, 1);
  EXPECT_EQ(options->format, ClassifyOptions::Format::kText);
  EXPECT_FALSE(options->raw.has_value());
  EXPECT_THAT(options->images, ElementsAre("a.png"));
}

TEST(OptionsTest, EveryFlagInBothSpellings) {
  for (const auto& arguments : std::vector<std::vector<const char*>>{
           {"--model=m", "--top=3", "a", "--threads=2", "--format=json",
            "--raw=hwc", "-"},
           {"a", "-", "--model", "m", "--top", "3", "--threads", "2",
            "--format", "json", "--raw", "hwc"}}) {
    const absl::StatusOr<ClassifyOptions> options = Parse(arguments);
    ASSERT_THAT(options, IsOk());
    EXPECT_EQ(options->model, "m");
    EXPECT_EQ(options->top, 3);
    EXPECT_EQ(options->threads, 2);
    EXPECT_EQ(options->format, ClassifyOptions::Format::kJson);
    EXPECT_EQ(options->raw, RawLayout::kHwc);
    EXPECT_THAT(options->images, ElementsAre("a", "-"));
  }
}

TEST(OptionsTest, TheLastOfARepeatedFlagCounts) {
  const absl::StatusOr<ClassifyOptions> options =
      Parse({"--model=m", "--raw=hwc", "--raw=chw", "--top=1", "--top=2",
             "--format=json", "--format=text", "a"});
  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(options->raw, RawLayout::kChw);
  EXPECT_EQ(options->top, 2);
  EXPECT_EQ(options->format, ClassifyOptions::Format::kText);
}

TEST(OptionsTest, BehindTwoHyphensAllAreImages) {
  const char* const arguments[] = {"classify", "--model=m", "--",
                                   "--help",   "-h",        "--"};
  EXPECT_FALSE(ClassifyHelpRequested(6, arguments));
  const absl::StatusOr<ClassifyOptions> options =
      ParseClassifyOptions(6, arguments);
  ASSERT_THAT(options, IsOk());
  EXPECT_THAT(options->images, ElementsAre("--help", "-h", "--"));
}

TEST(OptionsTest, Refusals) {
  struct Case {
    std::vector<const char*> arguments;
    const char* message;
  };
  for (const Case& refused : std::vector<Case>{
           {{"a"}, "no model"},
           {{"--model=m"}, "no image"},
           {{"--model=", "a"}, "--model: names no file"},
           {{"--model=m", ""}, "names no image"},
           {{"--model=m", "-", "a", "-"}, "standard input can be one image"},
           {{"a", "--model"}, "--model: needs a value"},
           {{"--model", "--top=1", "a"}, "--model: needs a value"},
           {{"--model=m", "--tpo=1", "a"}, "did you mean --top?"},
           {{"--model=m", "--xyz", "a"}, "--xyz: unknown flag; --help lists"},
           {{"--model=m", "-x", "a"}, "-x: unknown flag"},
           {{"--model=m", "--help=", "a"}, "--help: takes no value"},
           {{"--model=m", "--top=0", "a"}, "--top 0: must be"},
           {{"--model=m", "--top=-1", "a"}, "--top -1: must be"},
           {{"--model=m", "--top=many", "a"}, "--top many: must be"},
           {{"--model=m", "--top=99999999999", "a"}, "from 1 to 1000000"},
           {{"--model=m", "--threads=0", "a"}, "--threads 0: must be"},
           {{"--model=m", "--threads=1025", "a"}, "from 1 to 1024"},
           {{"--model=m", "--format=xml", "a"}, "must be text or json"},
           {{"--model=m", "--raw=hcw", "a"}, "must be chw or hwc"}}) {
    const absl::StatusOr<ClassifyOptions> options = Parse(refused.arguments);
    EXPECT_THAT(options, ExitCodeIs(ExitCode::kUsage)) << refused.message;
    EXPECT_THAT(std::string(options.status().message()),
                HasSubstr(refused.message));
  }
}

TEST(OptionsTest, HelpFitsATerminalAndNamesEveryFlag) {
  const std::string help = ClassifyHelp();
  for (const absl::string_view line : absl::StrSplit(help, '\n')) {
    EXPECT_LE(line.size(), 80u) << std::string(line);
  }
  for (const char* const flag :
       {"--model", "--top", "--format", "--raw", "--threads", "--help"}) {
    EXPECT_THAT(help, HasSubstr(std::string("\n  ") + flag));
  }
}

}  // namespace
}  // namespace fairdarts
