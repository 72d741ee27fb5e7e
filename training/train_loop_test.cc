#include "training/train_loop.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <ostream>
#include <sstream>
#include <streambuf>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/random.h"
#include "fairdarts/runtime/model_file.h"
#include "genotypes/catalog.h"
#include "tests/status_matchers.h"
#include "tests/test_device.h"
#include "training/data/stripes.h"
#include "training/timing.h"
#include "training/train_config.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

// Some of the tests' own values, then `flags`.
TrainConfig ConfigOf(std::vector<const char*> flags) {
  std::vector<const char*> argv = {"train",
                                   "--epochs=3",
                                   "--batch_size=6",
                                   "--steps_per_epoch=0",
                                   "--valid_portion=0.2",
                                   "--init_channels=2",
                                   "--layers=3",
                                   "--noauxiliary",
                                   "--learning_rate=0.05",
                                   "--report_freq=1"};
  argv.insert(argv.end(), flags.begin(), flags.end());
  absl::StatusOr<ResolvedTrain> resolved =
      TrainFromCommandLine(static_cast<int>(argv.size()), argv.data());
  EXPECT_THAT(resolved, IsOk());
  return resolved->config;
}

const Genotype& Published(absl::string_view name) {
  return FindInCatalog(name)->entry->genotype;
}

// Raises SIGTERM when it has been written so many lines: as reports come every
// step, at any step.
class RaisingBuffer : public std::streambuf {
 public:
  explicit RaisingBuffer(int64_t lines) : lines_left_(lines) {}

 protected:
  int overflow(int c) override {
    if (c == '\n' && --lines_left_ == 0) std::raise(SIGTERM);
    return c;
  }

 private:
  int64_t lines_left_;
};

constexpr int64_t kNever = -1;

struct Outcome {
  absl::StatusOr<TrainResult> result = absl::UnknownError("not run");
  std::string folder;

  std::string File(absl::string_view name) const {
    absl::StatusOr<std::string> contents =
        ReadFile(absl::StrCat(folder, "/", name));
    EXPECT_THAT(contents, IsOk()) << name;
    return contents.ok() ? *contents : "";
  }
  bool Has(absl::string_view name) const {
    return ReadFile(absl::StrCat(folder, "/", name)).ok();
  }
};

// Runs a training, stopped after `lines` lines, in a new folder, or goes on
// with the one in `folder`; `ahead` as on a GPU, and on one where there is.
Outcome RunTraining(TrainConfig config, const Dataset& dataset,
                    int64_t lines = kNever, absl::string_view folder = "",
                    absl::string_view genotype = "FairDARTS_b",
                    bool ahead = false) {
  if (ahead && !TestDevice().is_cpu()) {
    config.set_device(TrainConfig::CUDA);
    config.set_deterministic(true);
  }
  Outcome outcome;
  auto loop = TrainLoop::Create(config, Published(genotype), &dataset, ahead);
  if (!loop.ok()) {
    outcome.result = loop.status();
    return outcome;
  }
  RaisingBuffer buffer(lines);
  std::ostream out(&buffer);
  std::ostringstream err;
  RunLog log(out, err, /*terminal=*/false, /*columns=*/80);
  absl::StatusOr<RunFolder> run =
      folder.empty()
          ? RunFolder::Create(::testing::TempDir(), "train", absl::Now())
          : RunFolder::Open(std::string(folder));
  EXPECT_THAT(run, IsOk());
  outcome.folder = run->path();
  if (!folder.empty()) {
    const auto found =
        CheckpointFolder(run->path(), RunKind::kTrain).Latest(log);
    EXPECT_THAT(found, IsOk());
    EXPECT_THAT((*loop)->Resume(found->snapshot), IsOk());
  }
  StopSignals signals;
  outcome.result = (*loop)->Run(*run, signals, log);
  return outcome;
}

// Everything but what the clock says.
void ExpectSameRun(const Outcome& a, const Outcome& b) {
  ASSERT_THAT(a.result, IsOk());
  ASSERT_THAT(b.result, IsOk());
  for (const char* const name :
       {kBestWeights, kLastWeights, kTrainMetrics, kTrainResult}) {
    EXPECT_TRUE(a.File(name) == b.File(name)) << name;
  }
  const auto state = [](const Outcome& outcome) {
    std::ostringstream ignored;
    RunLog log(ignored, ignored, false, 80);
    return CheckpointFolder(outcome.folder, RunKind::kTrain)
        .Latest(log)
        ->snapshot;
  };
  const Snapshot first = state(a);
  const Snapshot second = state(b);
  ASSERT_EQ(first.tensors().size(), second.tensors().size());
  for (const auto& [name, tensor] : first.tensors()) {
    EXPECT_TRUE(tensor.equal(*second.Tensor(name))) << name;
  }
  for (const auto& [name, text] : first.texts()) {
    if (name == kTimingFile) continue;
    EXPECT_EQ(text, *second.Text(name)) << name;
  }
}

class TrainLoopTest : public ::testing::Test {
 protected:
  TrainLoopTest() { at::set_num_threads(1); }
};

TEST_F(TrainLoopTest, LeavesBestAndLastApart) {
  const Dataset dataset = Stripes(60);
  const Outcome run = RunTraining(ConfigOf({}), dataset);
  ASSERT_THAT(run.result, IsOk());
  const std::vector<std::string> rows =
      absl::StrSplit(run.File(kTrainMetrics), '\n', absl::SkipEmpty());
  EXPECT_THAT(rows, SizeIs(4));
  EXPECT_TRUE(absl::StartsWith(rows[0], "epoch,learning_rate,"));
  for (const char* const name : {kBestWeights, kLastWeights}) {
    const auto model = ModelFile::Parse(run.File(name), name);
    ASSERT_THAT(model, IsOk());
    EXPECT_TRUE(model->description().genotype == Published("FairDARTS_b"));
    EXPECT_EQ(model->description().network.image_size, 8);
    EXPECT_EQ(model->description().normalization.mean, dataset.mean);
  }
  const bool last_is_best = run.result->best_epoch == 2;
  EXPECT_EQ(run.File(kBestWeights) == run.File(kLastWeights), last_is_best);
  EXPECT_THAT(run.File(kTrainResult), HasSubstr("best_valid_top1"));
}

TEST_F(TrainLoopTest, HoldingNothingOutLeavesTheLastAlone) {
  const Dataset dataset = Stripes(30);
  const Outcome run = RunTraining(ConfigOf({"--valid_portion=0"}), dataset);
  ASSERT_THAT(run.result, IsOk());
  EXPECT_FALSE(run.result->best_valid_top1.has_value());
  EXPECT_TRUE(run.Has(kLastWeights));
  EXPECT_FALSE(run.Has(kBestWeights));
  EXPECT_THAT(run.File(kTrainResult), Not(HasSubstr("valid")));
}

TEST_F(TrainLoopTest, LearnsWhatIsThere) {
  const Dataset dataset = Stripes(240);
  // Chance is 50 % of the 48 images held out, with a standard deviation of
  // 7.2 %.
  const Outcome run = RunTraining(
      ConfigOf({"--epochs=6", "--batch_size=12", "--auxiliary"}), dataset);
  EXPECT_THAT(run.result,
              StatusIs(absl::StatusCode::kInvalidArgument, "auxiliary"));
  const Outcome plain =
      RunTraining(ConfigOf({"--epochs=6", "--batch_size=12"}), dataset);
  ASSERT_THAT(plain.result, IsOk());
  EXPECT_GT(*plain.result->best_valid_top1, 0.8);
}

// The runs whose stops are tried: everything that holds state is on in one of
// them. With 60 samples and a fifth held out 48 are trained on; a batch of 47
// leaves a last one of a single image.
struct ResumeCase {
  const char* name;
  std::vector<const char*> flags;
  int64_t lines;  // that the whole run writes: one a step and one an epoch
  const char* genotype = "FairDARTS_b";
  int size = 8;        // of the images
  bool ahead = false;  // steps as on a GPU
};

const ResumeCase kResumeCases[] = {
    {"Defaults", {}, 3 * (8 + 1)},
    {"AverageDropPathSmoothing",
     {"--ema_decay=0.9", "--drop_path_prob=0.3", "--label_smoothing=0.1",
      "--lr_schedule=linear", "--warmup_epochs=1", "--cutout",
      "--cutout_length=4", "--checkpoint_steps=3"},
     3 * (8 + 1),
     "DARTS_V2"},
    {"LastBatchOfOne", {"--batch_size=47", "--epochs=6"}, 6 * (2 + 1)},
    {"BatchOfOne", {"--batch_size=1", "--steps_per_epoch=5"}, 3 * (5 + 1)},
    {"AuxiliaryAutoAugment",
     {"--batch_size=47", "--epochs=6", "--auxiliary", "--auto_aug",
      "--crop_and_flip"},
     6 * (2 + 1),
     "FairDARTS_b",
     28},
    {"PlainEngine",
     {"--engine=plain", "--drop_path_prob=0.3"},
     3 * (8 + 1),
     "DARTS_V2"},
    {"AsOnAGpu",
     {"--engine=plain", "--drop_path_prob=0.3", "--ema_decay=0.9",
      "--batch_size=2", "--checkpoint_steps=5", "--crop_and_flip", "--cutout",
      "--cutout_length=4"},
     3 * (24 + 1),
     "DARTS_V2",
     8,
     true},
};

class TrainResumeTest : public ::testing::TestWithParam<ResumeCase> {
 protected:
  TrainResumeTest() { at::set_num_threads(1); }
};

TEST_P(TrainResumeTest, StoppedAnywhereEndsWithTheSameBytes) {
  const ResumeCase& test_case = GetParam();
  const Dataset dataset = Stripes(60, test_case.size);
  const TrainConfig config = ConfigOf(test_case.flags);
  const Outcome whole = RunTraining(config, dataset, kNever, "",
                                    test_case.genotype, test_case.ahead);
  ASSERT_THAT(whole.result, IsOk());
  RandomStream random("train_loop_test", {Fnv1a64(test_case.name)});
  for (int i = 0; i < 5; ++i) {
    // The last line is of the last epoch: nothing is left to stop then.
    const auto lines =
        static_cast<int64_t>(1 + random.Below(test_case.lines - 1));
    SCOPED_TRACE(absl::StrCat("stopped after ", lines, " lines"));
    Outcome run = RunTraining(config, dataset, lines, "", test_case.genotype,
                              test_case.ahead);
    ASSERT_THAT(run.result, ExitCodeIs(ExitCode::kTerminated));
    EXPECT_FALSE(run.Has(kTrainResult));
    run = RunTraining(config, dataset, kNever, run.folder, test_case.genotype,
                      test_case.ahead);
    ExpectSameRun(run, whole);
  }
}

INSTANTIATE_TEST_SUITE_P(Runs, TrainResumeTest,
                         ::testing::ValuesIn(kResumeCases),
                         [](const ::testing::TestParamInfo<ResumeCase>& info) {
                           return std::string(info.param.name);
                         });

// The same batches, paths, rates and averages, in other operations.
TEST_F(TrainLoopTest, AsOnAGpuItTrainsTheSameUpToRounding) {
  const Dataset dataset = Stripes(60);
  const TrainConfig config = ConfigOf(
      {"--engine=plain", "--drop_path_prob=0.3", "--ema_decay=0.9",
       "--crop_and_flip", "--cutout", "--cutout_length=4", "--batch_size=13",
       "--epochs=2", "--warmup_epochs=1", "--label_smoothing=0.1"});
  const Outcome expected = RunTraining(config, dataset, kNever, "", "DARTS_V2");
  const Outcome actual =
      RunTraining(config, dataset, kNever, "", "DARTS_V2", /*ahead=*/true);
  ASSERT_THAT(expected.result, IsOk());
  ASSERT_THAT(actual.result, IsOk());
  const std::vector<std::string> rows[] = {
      absl::StrSplit(expected.File(kTrainMetrics), '\n'),
      absl::StrSplit(actual.File(kTrainMetrics), '\n')};
  ASSERT_EQ(rows[0].size(), rows[1].size());
  EXPECT_EQ(rows[0][0], rows[1][0]);
  for (size_t row = 1; row + 1 < rows[0].size(); ++row) {
    const std::vector<std::string> fields[] = {
        absl::StrSplit(rows[0][row], ','), absl::StrSplit(rows[1][row], ',')};
    ASSERT_EQ(fields[0].size(), fields[1].size());
    for (size_t i = 0; i < fields[0].size(); ++i) {
      double values[2];
      ASSERT_TRUE(absl::SimpleAtod(fields[0][i], &values[0]));
      ASSERT_TRUE(absl::SimpleAtod(fields[1][i], &values[1]));
      // Eight steps at a rate of 0.05 carry a rounding of 6e-8 on, each at
      // most some times as far as the one before; a batch, a path or a rate
      // that is another's shows in the first digits.
      EXPECT_NEAR(values[0], values[1], 1e-3 * (1 + std::abs(values[0])))
          << rows[0][0] << ": " << fields[0][i];
    }
  }
}

TEST_F(TrainLoopTest, AsOnAGpuALossThatIsNotFiniteIsFoundBeforeFilesAre) {
  const Dataset dataset = Stripes(60);
  const Outcome run = RunTraining(
      ConfigOf({"--engine=plain", "--batch_size=2", "--learning_rate=1e38"}),
      dataset, kNever, "", "FairDARTS_b", /*ahead=*/true);
  EXPECT_THAT(run.result, ExitCodeIs(ExitCode::kNumbers));
  EXPECT_THAT(std::string(run.result.status().message()),
              HasSubstr("found of step 2: the training loss is"));
  EXPECT_FALSE(run.Has(kLastWeights));
}

TEST_F(TrainLoopTest, StoppedAgainAndAgainEndsWithTheSameBytes) {
  const Dataset dataset = Stripes(60);
  const TrainConfig config = ConfigOf({});
  const Outcome whole = RunTraining(config, dataset);
  Outcome run = RunTraining(config, dataset, 2);
  int stops = 0;
  while (!run.result.ok()) {
    ASSERT_THAT(run.result, ExitCodeIs(ExitCode::kTerminated));
    ASSERT_LT(++stops, 30);
    run = RunTraining(config, dataset, 2, run.folder);
  }
  EXPECT_GT(stops, 10);
  ExpectSameRun(run, whole);
}

// The state is the same; what float32 makes of it differs by rounding.
TEST_F(TrainLoopTest, GoesOnWithTheOtherEngine) {
  const Dataset dataset = Stripes(60);
  for (const bool fused : {false, true}) {
    const std::vector<const char*> first = {fused ? "--engine=plain"
                                                  : "--engine=fused"};
    const std::vector<const char*> second = {fused ? "--engine=fused"
                                                   : "--engine=plain"};
    Outcome run = RunTraining(ConfigOf(first), dataset, 12);
    ASSERT_THAT(run.result, ExitCodeIs(ExitCode::kTerminated));
    run = RunTraining(ConfigOf(second), dataset, kNever, run.folder);
    ASSERT_THAT(run.result, IsOk());
    const Outcome whole = RunTraining(ConfigOf(second), dataset);
    const std::vector<std::string> rows =
        absl::StrSplit(run.File(kTrainMetrics), '\n');
    const std::vector<std::string> expected =
        absl::StrSplit(whole.File(kTrainMetrics), '\n');
    ASSERT_EQ(rows.size(), expected.size());
    for (size_t row = 1; row < 3; ++row) {
      const std::vector<std::string> actual = absl::StrSplit(rows[row], ',');
      const std::vector<std::string> values =
          absl::StrSplit(expected[row], ',');
      for (size_t i = 0; i < 4; ++i) {
        double a = 0;
        double b = 0;
        ASSERT_TRUE(absl::SimpleAtod(actual[i], &a)) << actual[i];
        ASSERT_TRUE(absl::SimpleAtod(values[i], &b)) << values[i];
        // Two epochs of steps in which rounding may grow.
        EXPECT_NEAR(a, b, 1e-3 * std::abs(b)) << rows[row];
      }
    }
  }
}

TEST_F(TrainLoopTest, TakesTheFusedEngineWhereItHasTheNetwork) {
  const Dataset dataset = Stripes(60);
  const auto engine = [&](std::vector<const char*> flags,
                          absl::string_view genotype) -> std::string {
    const auto loop =
        TrainLoop::Create(ConfigOf(flags), Published(genotype), &dataset);
    return loop.ok() ? (*loop)->engine() : std::string(loop.status().message());
  };
  EXPECT_EQ(engine({}, "DARTS_V2"), "engine: fused");
  EXPECT_EQ(engine({"--engine=fused"}, "FairDARTS_a"), "engine: fused");
  EXPECT_EQ(engine({"--engine=plain"}, "DARTS_V2"), "engine: plain");
  EXPECT_EQ(engine({"--precision=bf16"}, "DARTS_V2"),
            "engine: plain, since the fused engine computes in fp32 alone");
  EXPECT_EQ(
      engine({"--memory_format=contiguous"}, "DARTS_V2"),
      "engine: plain, since the fused engine has a memory format of its own");
  EXPECT_EQ(engine({}, "AmoebaNet"),
            "engine: plain, since the fused engine does not have the "
            "genotype's conv_7x1_1x7");
  EXPECT_EQ(
      engine({"--engine=fused", "--memory_format=contiguous"}, "DARTS_V2"),
      "engine fused: the fused engine has a memory format of its own; use auto "
      "or plain");
  EXPECT_EQ(engine({"--engine=fused", "--precision=bf16"}, "DARTS_V2"),
            "engine fused: the fused engine computes in fp32 alone; use auto "
            "or plain");
  EXPECT_EQ(engine({"--engine=fused"}, "AmoebaNet"),
            "engine fused: the fused engine does not have the genotype's "
            "conv_7x1_1x7; use auto or plain");
}

TEST_F(TrainLoopTest, ResumedAfterItsLastEpochItEndsTheSame) {
  const Dataset dataset = Stripes(60);
  for (const char* const held_out :
       {"--valid_portion=0.2", "--valid_portion=0"}) {
    const TrainConfig config = ConfigOf({"--epochs=2", held_out});
    const Outcome whole = RunTraining(config, dataset);
    ASSERT_THAT(whole.result, IsOk());
    const std::string result = whole.File(kTrainResult);
    const std::string last = whole.File(kLastWeights);
    const Outcome again = RunTraining(config, dataset, kNever, whole.folder);
    ASSERT_THAT(again.result, IsOk());
    EXPECT_EQ(again.File(kTrainResult), result);
    EXPECT_TRUE(again.File(kLastWeights) == last);
    EXPECT_EQ(again.Has(kBestWeights), whole.result->best_epoch >= 0);
  }
}

TEST_F(TrainLoopTest, ANetworkThatIsNotFiniteIsNotWritten) {
  const Dataset dataset = Stripes(60);
  // One step, whose loss is well, and nothing held out that would show what it
  // has made of the weights.
  const Outcome run =
      RunTraining(ConfigOf({"--learning_rate=1e38", "--epochs=1",
                            "--steps_per_epoch=1", "--valid_portion=0"}),
                  dataset);
  EXPECT_THAT(run.result, ExitCodeIs(ExitCode::kNumbers));
  EXPECT_FALSE(run.Has(kLastWeights));
}

TEST_F(TrainLoopTest, TheSeedDecidesTheBytes) {
  const Dataset dataset = Stripes(60);
  const Outcome first = RunTraining(ConfigOf({"--epochs=1"}), dataset);
  ExpectSameRun(RunTraining(ConfigOf({"--epochs=1"}), dataset), first);
  const Outcome other =
      RunTraining(ConfigOf({"--epochs=1", "--seed=1"}), dataset);
  EXPECT_FALSE(other.File(kLastWeights) == first.File(kLastWeights));
}

TEST_F(TrainLoopTest, ACheckpointOfOtherDataIsRefused) {
  const Dataset dataset = Stripes(60);
  const Outcome run = RunTraining(ConfigOf({}), dataset, 7);
  std::ostringstream ignored;
  RunLog log(ignored, ignored, false, 80);
  const auto found = CheckpointFolder(run.folder, RunKind::kTrain).Latest(log);
  ASSERT_THAT(found, IsOk());
  const Dataset less = Stripes(20);
  auto loop = TrainLoop::Create(ConfigOf({}), Published("FairDARTS_b"), &less);
  ASSERT_THAT(loop, IsOk());
  const absl::Status resumed = (*loop)->Resume(found->snapshot);
  EXPECT_THAT(resumed, ExitCodeIs(ExitCode::kModelFile));
  EXPECT_THAT(std::string(resumed.message()),
              HasSubstr("other images or labels than those of stripes"));
  auto other =
      TrainLoop::Create(ConfigOf({}), Published("FairDARTS_a"), &dataset);
  EXPECT_THAT((*other)->Resume(found->snapshot),
              ExitCodeIs(ExitCode::kModelFile));
}

TEST_F(TrainLoopTest, ALossThatIsNotANumberNamesEpochAndStep) {
  const Dataset dataset = Stripes(60);
  const Outcome run = RunTraining(ConfigOf({"--learning_rate=1e38"}), dataset);
  EXPECT_THAT(run.result, ExitCodeIs(ExitCode::kNumbers));
  EXPECT_THAT(std::string(run.result.status().message()),
              HasSubstr("epoch 1: step "));
}

TEST_F(TrainLoopTest, RefusesWhatDoesNotFitTheData) {
  const Dataset dataset = Stripes(60);
  EXPECT_THAT(RunTraining(ConfigOf({"--batch_size=50"}), dataset).result,
              StatusIs(absl::StatusCode::kInvalidArgument, "batch_size 50"));
  Dataset wide = Stripes(60);
  wide.width = 4;
  wide.height = 16;
  EXPECT_THAT(RunTraining(ConfigOf({}), wide).result,
              StatusIs(absl::StatusCode::kInvalidArgument, "16x4"));
}

TEST_F(TrainLoopTest, BFloat16TrainsToo) {
  const Dataset dataset = Stripes(60);
  for (const char* const genotype : {"FairDARTS_b", "DARTS_V2"}) {
    const Outcome fp32 =
        RunTraining(ConfigOf({"--epochs=1"}), dataset, kNever, "", genotype);
    const Outcome bf16 =
        RunTraining(ConfigOf({"--epochs=1", "--precision=bf16"}), dataset,
                    kNever, "", genotype);
    ASSERT_THAT(bf16.result, IsOk());
    EXPECT_FALSE(bf16.File(kLastWeights) == fp32.File(kLastWeights));
  }
}

}  // namespace
}  // namespace fairdarts
