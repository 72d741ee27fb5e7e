#include "training/search_loop.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/safetensors.h"
#include "genotypes/proto_io.h"
#include "genotypes/python_literal.h"
#include "tests/status_matchers.h"
#include "training/config.h"
#include "training/data/npy.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Two classes that a crop or a mirror leaves apart: horizontal or vertical
// stripes under noise.
Dataset Stripes(int samples) {
  Dataset dataset;
  dataset.name = "stripes";
  dataset.channels = 1;
  dataset.height = 8;
  dataset.width = 8;
  dataset.classes = 2;
  dataset.mean = {0.5};
  dataset.standard_deviation = {0.25};
  RandomStream noise("search_loop_test", {});
  for (int i = 0; i < samples; ++i) {
    const int label = static_cast<int>(noise.Below(2));
    dataset.labels.push_back(label);
    for (int pixel = 0; pixel < 64; ++pixel) {
      const int position = label == 0 ? pixel / 8 : pixel % 8;
      dataset.images.push_back(noise.Below(100) + 150 * (position % 2));
    }
  }
  return dataset;
}

SearchConfig TinyConfig() {
  const std::vector<const char*> argv = {"search",
                                         "--epochs=2",
                                         "--batch_size=6",
                                         "--train_portion=0.5",
                                         "--steps_per_epoch=0",
                                         "--init_channels=2",
                                         "--layers=3",
                                         "--learning_rate=0.05"};
  absl::StatusOr<ResolvedSearch> resolved =
      SearchFromCommandLine(static_cast<int>(argv.size()), argv.data());
  EXPECT_THAT(resolved, IsOk());
  return resolved->config;
}

// What a run leaves: its folder, and what it said.
struct RunOutcome {
  absl::StatusOr<SearchResult> result = absl::UnknownError("not run");
  std::string folder;
  std::string said;

  std::string File(absl::string_view name) const {
    absl::StatusOr<std::string> contents =
        ReadFile(absl::StrCat(folder, "/", name));
    EXPECT_THAT(contents, IsOk()) << name;
    return contents.ok() ? *contents : "";
  }
};

RunOutcome RunSearch(const SearchConfig& config, const Dataset& dataset) {
  RunOutcome outcome;
  auto loop = SearchLoop::Create(config, &dataset);
  if (!loop.ok()) {
    outcome.result = loop.status();
    return outcome;
  }
  auto folder = RunFolder::Create(::testing::TempDir(), "run", absl::Now());
  EXPECT_THAT(folder, IsOk());
  outcome.folder = folder->path();
  std::ostringstream out;
  std::ostringstream err;
  RunLog log(out, err, /*terminal=*/false, /*columns=*/80);
  outcome.result = (*loop)->Run(*folder, log);
  outcome.said = out.str();
  return outcome;
}

TEST(SearchLoopTest, LeavesEveryFileAndTheyAgree) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(50);
  const RunOutcome run = RunSearch(TinyConfig(), dataset);
  ASSERT_THAT(run.result, IsOk());

  // 25 training images in batches of 6: the last one of an epoch is of one.
  EXPECT_THAT(run.said, HasSubstr("10 steps"));
  EXPECT_THAT(run.said, HasSubstr("epoch 2/2"));

  const auto normal = ParseNpy(run.File("normal_weight.npy"), "normal");
  ASSERT_THAT(normal, IsOk());
  EXPECT_EQ(normal->rows, 14);
  EXPECT_EQ(normal->columns, 7);
  const auto text = ParsePythonGenotype(run.File("genotype.txt"));
  ASSERT_THAT(text, IsOk());
  EXPECT_TRUE(*text == run.result->genotype);
  const auto proto =
      ParseGenotype(run.File("genotype.textproto"), GenotypeFormat::kText);
  ASSERT_THAT(proto, IsOk());
  EXPECT_TRUE(*proto == run.result->genotype);

  const auto weights =
      SafetensorsFile::Parse(run.File("weights.safetensors"), "weights");
  ASSERT_THAT(weights, IsOk());
  const auto stem = weights->Find("stem.0.weight");
  ASSERT_THAT(stem, IsOk());
  EXPECT_THAT(stem->shape, ElementsAre(6, 1, 3, 3));
  EXPECT_THAT(weights->Find("alphas_normal"), IsOk());

  // The history begins with the undecided start: all sigmoids are 0.5.
  EXPECT_TRUE(absl::StrContains(run.File("history.csv"),
                                "0,normal,0,0,max_pool_3x3,0.5\n"));
  for (const char* name : {"normal.svg", "reduce.svg", "history.svg"}) {
    EXPECT_TRUE(absl::StrContains(run.File(name), "<svg")) << name;
  }
  EXPECT_TRUE(absl::StartsWith(run.File("metrics.csv"), "epoch,"));
}

TEST(SearchLoopTest, TheSameSeedGivesTheSameBytes) {
  const Dataset dataset = Stripes(50);
  SearchConfig config = TinyConfig();
  config.set_epochs(1);
  config.set_steps_per_epoch(3);
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    const RunOutcome first = RunSearch(config, dataset);
    const RunOutcome second = RunSearch(config, dataset);
    ASSERT_THAT(first.result, IsOk());
    for (const char* name : {"normal_weight.npy", "reduce_weight.npy",
                             "history.csv", "weights.safetensors"}) {
      EXPECT_TRUE(first.File(name) == second.File(name))
          << name << " with " << threads << " threads";
    }
    if (threads > 1) continue;
    SearchConfig other = config;
    other.set_seed(config.seed() + 1);
    EXPECT_FALSE(first.File("normal_weight.npy") ==
                 RunSearch(other, dataset).File("normal_weight.npy"));
  }
  at::set_num_threads(1);
}

TEST(SearchLoopTest, LearnsWhatIsThere) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(240);
  SearchConfig config = TinyConfig();
  config.set_epochs(4);
  config.set_batch_size(12);
  // Chance is 50 % of the 120 images of the alpha half, with a standard
  // deviation of 4.6 %.
  const RunOutcome run = RunSearch(config, dataset);
  ASSERT_THAT(run.result, IsOk());
  EXPECT_GT(run.result->valid_top1, 0.75);
}

TEST(SearchLoopTest, RefusesABatchLargerThanAHalf) {
  const Dataset dataset = Stripes(10);
  EXPECT_THAT(RunSearch(TinyConfig(), dataset).result,
              StatusIs(absl::StatusCode::kInvalidArgument, "batch"));
}

TEST(SearchLoopTest, ALossThatIsNotANumberNamesEpochAndStep) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(50);
  SearchConfig config = TinyConfig();
  // Large enough to overflow the weights, and with them the loss, after the
  // first step.
  config.set_learning_rate(1e38);
  const RunOutcome run = RunSearch(config, dataset);
  EXPECT_THAT(run.result, ExitCodeIs(ExitCode::kNumbers));
  EXPECT_THAT(std::string(run.result.status().message()),
              HasSubstr("epoch 1: step 2: "));
}

}  // namespace
}  // namespace fairdarts
