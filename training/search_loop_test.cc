#include "training/search_loop.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <streambuf>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/safetensors.h"
#include "fairdarts/edge_cost.h"
#include "genotypes/proto_io.h"
#include "genotypes/python_literal.h"
#include "tests/status_matchers.h"
#include "tests/test_device.h"
#include "training/checkpoint/checkpoint_file.h"
#include "training/checkpoint/checkpoint_folder.h"
#include "training/config.h"
#include "training/data/npy.h"
#include "training/data/stripes.h"
#include "training/search_options.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Some of the tests' own values, then `flags`.
SearchConfig TinyConfig(const std::vector<const char*>& flags = {}) {
  std::vector<const char*> argv = {"search",
                                   "--epochs=2",
                                   "--batch_size=6",
                                   "--train_portion=0.5",
                                   "--steps_per_epoch=0",
                                   "--init_channels=2",
                                   "--layers=3",
                                   "--learning_rate=0.05"};
  argv.insert(argv.end(), flags.begin(), flags.end());
  absl::StatusOr<ResolvedSearch> resolved =
      SearchFromCommandLine(static_cast<int>(argv.size()), argv.data());
  EXPECT_THAT(resolved, IsOk());
  return resolved->config;
}

// Keeps what is written, and raises SIGTERM after so many lines: where reports
// come every step, at any step.
class RaisingBuffer : public std::stringbuf {
 public:
  explicit RaisingBuffer(int64_t lines) : lines_left_(lines) {}

 protected:
  int overflow(int c) override {
    Count(static_cast<char>(c));
    return std::stringbuf::overflow(c);
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    for (std::streamsize i = 0; i < size; ++i) Count(text[i]);
    return std::stringbuf::xsputn(text, size);
  }

 private:
  void Count(char c) {
    if (c == '\n' && --lines_left_ == 0) std::raise(SIGTERM);
  }

  int64_t lines_left_;
};

constexpr int64_t kNever = -1;

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
  bool Has(absl::string_view name) const {
    return ReadFile(absl::StrCat(folder, "/", name)).ok();
  }
  // The latest checkpoint.
  Snapshot State() const {
    std::ostringstream ignored;
    RunLog log(ignored, ignored, /*terminal=*/false, /*columns=*/80);
    return CheckpointFolder(folder, RunKind::kSearch).Latest(log)->snapshot;
  }
};

// `config`, or where steps are made ahead and there is a GPU, on it.
SearchConfig OnDevice(SearchConfig config, bool ahead) {
  if (ahead && !TestDevice().is_cpu()) {
    config.set_device(SearchConfig::CUDA);
    config.set_deterministic(true);
  }
  return config;
}

// Runs a search in a new folder, stopped after `lines` lines; `ahead` as on a
// GPU.
RunOutcome RunSearch(const SearchConfig& config, const Dataset& dataset,
                     int64_t lines = kNever, bool ahead = false) {
  RunOutcome outcome;
  auto loop = SearchLoop::Create(OnDevice(config, ahead), &dataset, ahead);
  if (!loop.ok()) {
    outcome.result = loop.status();
    return outcome;
  }
  auto folder = RunFolder::Create(::testing::TempDir(), "run", absl::Now());
  EXPECT_THAT(folder, IsOk());
  outcome.folder = folder->path();
  RaisingBuffer buffer(lines);
  std::ostream out(&buffer);
  RunLog log(out, out, /*terminal=*/false, /*columns=*/80);
  StopSignals signals;
  outcome.result = (*loop)->Run(*folder, signals, log);
  outcome.said = buffer.str();
  return outcome;
}

// Goes on with it from `snapshot` in a new loop and the same folder.
RunOutcome ResumeSearch(const RunOutcome& stopped, const Snapshot& snapshot,
                        const SearchConfig& config, const Dataset& dataset,
                        int64_t lines = kNever, bool ahead = false) {
  RunOutcome outcome;
  outcome.folder = stopped.folder;
  auto loop = SearchLoop::Create(OnDevice(config, ahead), &dataset, ahead);
  EXPECT_THAT(loop, IsOk());
  auto folder = RunFolder::Open(stopped.folder);
  EXPECT_THAT(folder, IsOk());
  RaisingBuffer buffer(lines);
  std::ostream out(&buffer);
  RunLog log(out, out, /*terminal=*/false, /*columns=*/80);
  const absl::Status resumed = (*loop)->Resume(snapshot);
  if (!resumed.ok()) {
    outcome.result = resumed;
    return outcome;
  }
  StopSignals signals;
  outcome.result = (*loop)->Run(*folder, signals, log);
  outcome.said = buffer.str();
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

// Everything but what the clock says.
void ExpectSameRun(const RunOutcome& a, const RunOutcome& b) {
  ASSERT_THAT(a.result, IsOk());
  ASSERT_THAT(b.result, IsOk());
  for (const char* const name :
       {"normal_weight.npy", "reduce_weight.npy", kSearchWeights,
        kSearchMetrics, "history.csv", "history.svg",
        "normal/history_weight.json", "reduce/history_weight.json",
        "genotype.txt", "genotype.textproto"}) {
    EXPECT_TRUE(a.File(name) == b.File(name)) << name;
  }
  EXPECT_EQ(a.result->valid_top1, b.result->valid_top1);
  // Momentum and moments too.
  const Snapshot first = a.State();
  const Snapshot second = b.State();
  ASSERT_EQ(first.tensors().size(), second.tensors().size());
  for (const auto& [name, tensor] : first.tensors()) {
    EXPECT_TRUE(tensor.equal(*second.Tensor(name))) << name;
  }
  ASSERT_EQ(first.texts().size(), second.texts().size());
  for (const auto& [name, text] : first.texts()) {
    if (absl::StartsWith(name, "tim")) continue;
    EXPECT_EQ(text, *second.Text(name)) << name;
  }
}

// The searches whose stops are tried. 50 images leave 25 for the weights: eight
// and twelve are batches that leave a last one of a single image; in batches of
// one every one is.
std::vector<SearchConfig> ConfigsToStop() {
  return {TinyConfig({"--report_freq=1", "--batch_size=12", "--cutout",
                      "--cutout_length=3"}),
          TinyConfig({"--report_freq=1", "--batch_size=12", "--single_level"}),
          TinyConfig({"--report_freq=1", "--batch_size=1",
                      "--steps_per_epoch=3", "--checkpoint_steps=2"}),
          TinyConfig({"--report_freq=1", "--batch_size=8", "--engine=plain",
                      "--memory_format=channels_last"}),
          TinyConfig({"--report_freq=1", "--batch_size=12",
                      "--relaxation=softmax", "--arch_init=0.001", "--unrolled",
                      "--noise_darts", "--max_step=2", "--aux_loss_weight=0",
                      "--parse_method=darts", "--reweight"}),
          TinyConfig({"--report_freq=1", "--batch_size=12", "--epochs=3",
                      "--eigenvalue", "--early_stop=skips", "--arch_init=0.5",
                      "--flops_weight=1"})};
}

TEST(SearchLoopTest, StoppedAnywhereAndResumedItEndsWithTheSameBytes) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(50);
  constexpr int kStops = 20;
  // What FAIRDARTS_TEST_SEED replays.
  const char* const given = std::getenv("FAIRDARTS_TEST_SEED");
  const uint64_t seed =
      given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
  SCOPED_TRACE(absl::StrCat("FAIRDARTS_TEST_SEED=", seed));
  RandomStream random("search_loop_test/stops", {seed});
  const std::vector<SearchConfig> configs = ConfigsToStop();
  std::vector<RunOutcome> undisturbed;
  for (const SearchConfig& config : configs) {
    undisturbed.push_back(RunSearch(config, dataset));
    ASSERT_THAT(undisturbed.back().result, IsOk());
  }
  int stops = 0;
  for (size_t i = 0; stops < kStops; i = (i + 1) % configs.size()) {
    // A run that is stopped again and again until it is through.
    const auto lines = [&] { return 1 + random.Below(3); };
    RunOutcome run = RunSearch(configs[i], dataset, lines());
    while (!run.result.ok()) {
      ASSERT_THAT(run.result, ExitCodeIs(ExitCode::kTerminated));
      EXPECT_FALSE(run.Has(kSearchWeights)) << "it looks finished";
      ++stops;
      SCOPED_TRACE(absl::StrCat("configuration ", i, ", stop ", stops, ": ",
                                run.result.status().ToString()));
      run = ResumeSearch(run, run.State(), configs[i], dataset, lines());
    }
    ExpectSameRun(undisturbed[i], run);
  }
}

TEST(SearchLoopTest, ACheckpointAskedForDoesNotDisturb) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(50);
  const SearchConfig config = TinyConfig({"--batch_size=12"});
  auto loop = SearchLoop::Create(config, &dataset);
  ASSERT_THAT(loop, IsOk());
  const auto folder =
      RunFolder::Create(::testing::TempDir(), "run", absl::Now());
  ASSERT_THAT(folder, IsOk());
  std::ostringstream out;
  RunLog log(out, out, /*terminal=*/false, /*columns=*/80);
  RunOutcome asked;
  {
    StopSignals signals;
    std::raise(SIGUSR1);
    asked.result = (*loop)->Run(*folder, signals, log);
  }
  asked.folder = folder->path();
  EXPECT_THAT(out.str(), HasSubstr("checkpoint written before epoch 1: step"));
  ExpectSameRun(asked, RunSearch(config, dataset));
}

// A copy with some entries changed.
Snapshot Changed(
    const Snapshot& snapshot,
    const std::function<torch::Tensor(absl::string_view, const torch::Tensor&)>&
        change) {
  Snapshot changed(RunKind::kSearch, "changed");
  for (const auto& [name, tensor] : snapshot.tensors()) {
    const torch::Tensor other = change(name, tensor);
    if (other.defined()) changed.PutTensor(name, other);
  }
  for (const auto& [name, text] : snapshot.texts()) {
    changed.PutText(name, text);
  }
  return changed;
}

TEST(SearchLoopTest, AResumedSearchGoesOnMovingTheAlphas) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(50);
  const SearchConfig config = TinyConfig({"--report_freq=1"});
  // In the middle of the first epoch, of five steps.
  const RunOutcome stopped = RunSearch(config, dataset, /*lines=*/3);
  ASSERT_THAT(stopped.result, ExitCodeIs(ExitCode::kTerminated));
  const Snapshot before = stopped.State();
  EXPECT_THAT(before.Integer("epoch"), IsOkAndHolds(0));
  EXPECT_THAT(before.Integer("step"), IsOkAndHolds(3));

  const RunOutcome resumed = ResumeSearch(stopped, before, config, dataset);
  ASSERT_THAT(resumed.result, IsOk());
  const Snapshot after = resumed.State();
  for (const char* const name : {"alphas/normal", "alphas/reduce"}) {
    const torch::Tensor start = *before.Tensor(name);
    const torch::Tensor end = *after.Tensor(name);
    // Adam moves every one of them at every step.
    EXPECT_EQ(start.ne(end).sum().item<int64_t>(), start.numel()) << name;
  }
  // The history follows them too.
  EXPECT_EQ(after.Tensor("history/normal")->size(0), 2);
  EXPECT_THAT(after.Integer("alpha_optimizer/normal/step"), IsOkAndHolds(10));
}

// The state is the same, and so is what is computed from it, up to rounding.
TEST(SearchLoopTest, ASearchGoesOnWithTheOtherEngine) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(50);
  const std::vector<const char*> flags = {"--report_freq=1", "--epochs=1"};
  std::vector<const char*> plain_flags = flags;
  plain_flags.push_back("--engine=plain");
  const SearchConfig fused = TinyConfig(flags);
  const SearchConfig plain = TinyConfig(plain_flags);
  const RunOutcome stopped = RunSearch(fused, dataset, /*lines=*/3);
  ASSERT_THAT(stopped.result, ExitCodeIs(ExitCode::kTerminated));
  const Snapshot state = stopped.State();
  const RunOutcome expected = ResumeSearch(stopped, state, fused, dataset);
  ASSERT_THAT(expected.result, IsOk());
  const Snapshot fused_end = expected.State();
  const RunOutcome actual = ResumeSearch(stopped, state, plain, dataset);
  ASSERT_THAT(actual.result, IsOk());
  const Snapshot plain_end = actual.State();
  for (const char* const name : {"alphas/normal", "alphas/reduce"}) {
    // Adam's steps are of the size of its rate, 0.1, whatever the gradient; a
    // part of 1e-4 of it leaves room for gradients that nearly vanish.
    EXPECT_LT((*fused_end.Tensor(name) - *plain_end.Tensor(name))
                  .abs()
                  .max()
                  .item<double>(),
              1e-5)
        << name;
  }
}

// Steps that are asked for before the last ones are done, as on a GPU: the
// same batches and rates, in other operations.
TEST(SearchLoopTest, AsOnAGpuItSearchesTheSameUpToRounding) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(50);
  for (const bool single_level : {false, true}) {
    std::vector<const char*> flags = {"--engine=plain", "--epochs=1",
                                      "--cutout", "--cutout_length=4"};
    if (single_level) flags.push_back("--single_level");
    const SearchConfig config = TinyConfig(flags);
    const RunOutcome expected = RunSearch(config, dataset);
    const RunOutcome actual =
        RunSearch(config, dataset, kNever, /*ahead=*/true);
    ASSERT_THAT(expected.result, IsOk());
    ASSERT_THAT(actual.result, IsOk());
    const Snapshot expected_end = expected.State();
    const Snapshot actual_end = actual.State();
    for (const char* const name : {"alphas/normal", "alphas/reduce"}) {
      // As for two engines above.
      EXPECT_LT((*expected_end.Tensor(name) - *actual_end.Tensor(name))
                    .abs()
                    .max()
                    .item<double>(),
                1e-5)
          << name;
    }
    EXPECT_THAT(actual_end.Integer("alpha_optimizer/normal/step"),
                IsOkAndHolds(5));
    EXPECT_NEAR(actual.result->valid_loss, expected.result->valid_loss, 1e-3);
  }
}

TEST(SearchLoopTest, AsOnAGpuStoppedAnywhereItEndsWithTheSameBytes) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(50);
  const SearchConfig config = TinyConfig(
      {"--engine=plain", "--report_freq=1", "--batch_size=1", "--epochs=1",
       "--steps_per_epoch=19", "--checkpoint_steps=7"});
  const RunOutcome whole = RunSearch(config, dataset, kNever, /*ahead=*/true);
  ASSERT_THAT(whole.result, IsOk());
  // Before, at and behind the steps at which values are looked at.
  for (const int64_t lines : {5, 16, 17}) {
    const RunOutcome stopped =
        RunSearch(config, dataset, lines, /*ahead=*/true);
    ASSERT_THAT(stopped.result, ExitCodeIs(ExitCode::kTerminated));
    const RunOutcome resumed =
        ResumeSearch(stopped, stopped.State(), config, dataset, kNever,
                     /*ahead=*/true);
    ASSERT_THAT(resumed.result, IsOk());
    for (const char* const name : {"normal_weight.npy", "reduce_weight.npy",
                                   "metrics.csv", "weights.safetensors"}) {
      EXPECT_TRUE(resumed.File(name) == whole.File(name)) << name << lines;
    }
  }
}

TEST(SearchLoopTest, AsOnAGpuALossThatIsNotFiniteIsFoundBeforeFilesAre) {
  const Dataset dataset = Stripes(50);
  const RunOutcome run = RunSearch(
      TinyConfig({"--engine=plain", "--learning_rate=1e38"}), dataset, kNever,
      /*ahead=*/true);
  EXPECT_THAT(run.result, ExitCodeIs(ExitCode::kNumbers));
  EXPECT_THAT(std::string(run.result.status().message()),
              HasSubstr("found of step 2: "));
  EXPECT_FALSE(run.Has("metrics.csv") &&
               absl::StrContains(run.File("metrics.csv"), "\n0,"));
}

// The values of a column of a csv text.
std::vector<std::string> Column(const std::string& csv,
                                absl::string_view name) {
  const std::vector<std::string> lines = absl::StrSplit(csv, '\n');
  const std::vector<std::string> names = absl::StrSplit(lines[0], ',');
  const size_t column =
      std::find(names.begin(), names.end(), std::string(name)) - names.begin();
  std::vector<std::string> values;
  for (size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const std::vector<std::string> row = absl::StrSplit(lines[i], ',');
    values.push_back(row.at(column));
  }
  return values;
}

TEST(SearchLoopTest, ASearchByDartsSaysWhatItDid) {
  at::set_num_threads(1);
  const RunOutcome run = RunSearch(
      TinyConfig({"--relaxation=softmax", "--arch_init=0.001", "--noise_darts",
                  "--max_step=2", "--noise_scheduler=cosine", "--unrolled",
                  "--aux_loss_weight=0", "--parse_method=darts", "--reweight",
                  "--eigenvalue"}),
      Stripes(24));
  ASSERT_THAT(run.result, IsOk());
  const std::string metrics = run.File(kSearchMetrics);
  EXPECT_THAT(Column(metrics, "noise_scale"), ElementsAre("1", "0.5"));
  for (const char* const name : {"eigenvalue", "normal_spread", "reduce_spread",
                                 "expected_macs", "expected_parameters"}) {
    for (const std::string& value : Column(metrics, name)) {
      double number = 0;
      EXPECT_TRUE(absl::SimpleAtod(value, &number)) << name;
      EXPECT_TRUE(std::isfinite(number)) << name;
    }
  }
  // The largest of seven weights that sum to 1 and have hardly moved.
  const Genotype& genotype = run.result->genotype;
  EXPECT_EQ(genotype.form, GenotypeForm::kWeighted);
  for (const GenotypeEdge& edge : genotype.normal.edges) {
    EXPECT_GT(edge.weight, 1.0 / 7);
    EXPECT_LT(edge.weight, 0.5);
  }
}

TEST(SearchLoopTest, PricesMakeTheNetworkCheaper) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(24);
  const auto expected_macs = [&](const char* flag) {
    const RunOutcome run =
        RunSearch(TinyConfig({"--epochs=3", "--arch_learning_rate=0.1",
                              "--aux_loss_weight=0", flag}),
                  dataset);
    EXPECT_THAT(run.result, IsOk());
    double value = 0;
    EXPECT_TRUE(absl::SimpleAtod(
        Column(run.File(kSearchMetrics), "expected_macs").back(), &value));
    return value;
  };
  EXPECT_LT(expected_macs("--flops_weight=100"),
            0.9 * expected_macs("--flops_weight=0"));
}

// A run that was stopped after `epochs` epochs and keeps what early stops
// return to. Of its own it never stops early: no candidate comes near the
// threshold.
RunOutcome StoppedAfter(int epochs, const std::vector<const char*>& flags,
                        const Dataset& dataset) {
  std::vector<const char*> all = {"--report_freq=1000", "--early_stop=skips"};
  all.insert(all.end(), flags.begin(), flags.end());
  const SearchConfig config = TinyConfig(all);
  const RunOutcome whole = RunSearch(config, dataset);
  EXPECT_THAT(whole.result, IsOk());
  const size_t line =
      whole.said.find(absl::StrCat("epoch ", epochs, "/", config.epochs()));
  EXPECT_NE(line, std::string::npos);
  const int64_t lines =
      1 + std::count(whole.said.begin(), whole.said.begin() + line, '\n');
  const RunOutcome stopped = RunSearch(config, dataset, lines);
  EXPECT_THAT(stopped.result, ExitCodeIs(ExitCode::kTerminated));
  EXPECT_THAT(stopped.State().Integer("epoch"), IsOkAndHolds(epochs));
  return stopped;
}

// The state with other signs of collapse: skip connections and eigenvalues of
// the epochs so far.
Snapshot WithSigns(const Snapshot& state, const std::vector<double>& skips,
                   const std::vector<double>& eigenvalues) {
  return Changed(
      state, [&](absl::string_view name, const torch::Tensor& tensor) {
        if (name != "collapse/signs") return tensor;
        const torch::Tensor signs = tensor.clone();
        signs.select(1, 0).copy_(torch::tensor(skips, torch::kDouble));
        signs.select(1, 1).fill_(1);
        signs.select(1, 2).copy_(torch::tensor(eigenvalues, torch::kDouble));
        return signs;
      });
}

std::string KeptEpoch(const RunOutcome& run, int epoch) {
  return absl::StrFormat("%s/checkpoints/after-epoch-%04d.safetensors",
                         run.folder, epoch);
}

// That the network and the alphas that a run ended with are those of `kept`.
void ExpectStateOf(const Snapshot& kept, const RunOutcome& end) {
  const auto weights =
      SafetensorsFile::Parse(end.File(kSearchWeights), "weights");
  ASSERT_THAT(weights, IsOk());
  const std::pair<const char*, const char*> names[] = {
      {"alphas/normal", "alphas_normal"},
      {"alphas/reduce", "alphas_reduce"},
      {"network/stem.0.weight", "stem.0.weight"},
      {"network/stem.1.running_mean", "stem.1.running_mean"},
      {"network/classifier.weight", "classifier.weight"}};
  for (const auto& [in_checkpoint, in_weights] : names) {
    const auto tensor = kept.Tensor(in_checkpoint);
    ASSERT_THAT(tensor, IsOk());
    const auto written = weights->Find(in_weights);
    ASSERT_THAT(written, IsOk());
    EXPECT_EQ(
        std::memcmp(written->data.data(), tensor->data_ptr(), tensor->nbytes()),
        0)
        << in_weights;
  }
}

TEST(SearchLoopTest, AnEarlyStopReturnsToTheEpochThatItsRuleChooses) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(24);
  const SearchConfig config =
      TinyConfig({"--epochs=4", "--report_freq=1000", "--early_stop=skips"});
  const RunOutcome stopped = StoppedAfter(3, {"--epochs=4"}, dataset);
  const auto kept = ReadCheckpoint(KeptEpoch(stopped, 1), RunKind::kSearch);
  ASSERT_THAT(kept, IsOk());
  const Snapshot state = WithSigns(stopped.State(), {0, 1, 2}, {1, 1, 1});

  const RunOutcome end = ResumeSearch(stopped, state, config, dataset);
  ASSERT_THAT(end.result, IsOk());
  EXPECT_EQ(end.result->returned_to, 1);
  EXPECT_THAT(end.said,
              HasSubstr("early stop after epoch 3, by 2 skip connections in "
                        "the normal cell: the state after epoch 2 is taken"));
  ExpectStateOf(*kept, end);
  EXPECT_EQ(Column(end.File(kSearchMetrics), "epoch").size(), 3u);
  const auto said = nlohmann::json::parse(end.File(kSearchResult));
  EXPECT_EQ(said.at("epochs"), 3);
  EXPECT_EQ(said.at("returned_to"), 1);
  EXPECT_NEAR(said.at("valid_top1").get<double>(), end.result->valid_top1,
              1e-8);
  // What it did not return to is not needed any more.
  EXPECT_FALSE(std::filesystem::exists(KeptEpoch(stopped, 0)));
  EXPECT_FALSE(std::filesystem::exists(KeptEpoch(stopped, 2)));

  // Taken up again it has nothing left to do, and stays whole.
  const std::string weights = end.File(kSearchWeights);
  const RunOutcome again = ResumeSearch(stopped, state, config, dataset);
  ASSERT_THAT(again.result, IsOk());
  EXPECT_TRUE(again.File(kSearchWeights) == weights);
}

TEST(SearchLoopTest, AnEigenvalueThatRisesReturnsAsFarAsEpochsAreKept) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(24);
  const RunOutcome stopped =
      StoppedAfter(10, {"--epochs=11", "--steps_per_epoch=1"}, dataset);
  const auto kept = ReadCheckpoint(KeptEpoch(stopped, 4), RunKind::kSearch);
  ASSERT_THAT(kept, IsOk());
  EXPECT_FALSE(std::filesystem::exists(KeptEpoch(stopped, 3)));
  const RunOutcome end = ResumeSearch(
      stopped,
      WithSigns(stopped.State(), std::vector<double>(10, 0),
                {1, 1, 1, 1, 1, 2, 2, 2, 2, 2}),
      TinyConfig({"--epochs=11", "--steps_per_epoch=1", "--report_freq=1000",
                  "--early_stop=eigenvalue"}),
      dataset);
  ASSERT_THAT(end.result, IsOk());
  EXPECT_EQ(end.result->returned_to, 4);
  ExpectStateOf(*kept, end);
}

TEST(SearchLoopTest, WithoutARuleASearchGoesOn) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(24);
  const RunOutcome stopped = StoppedAfter(3, {"--epochs=4"}, dataset);
  const RunOutcome end =
      ResumeSearch(stopped, WithSigns(stopped.State(), {0, 1, 2}, {1, 1, 1}),
                   TinyConfig({"--epochs=4", "--report_freq=1000"}), dataset);
  ASSERT_THAT(end.result, IsOk());
  EXPECT_EQ(end.result->returned_to, absl::nullopt);
  EXPECT_EQ(Column(end.File(kSearchMetrics), "epoch").size(), 4u);
  const auto said = nlohmann::json::parse(end.File(kSearchResult));
  EXPECT_TRUE(said.at("returned_to").is_null());
  EXPECT_EQ(said.at("epochs"), 4);
}

TEST(SearchLoopTest, AnEarlyStopNamesWhatItCannotReturnTo) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(24);
  const SearchConfig config = TinyConfig({"--epochs=4", "--early_stop=skips"});
  const RunOutcome stopped = StoppedAfter(3, {"--epochs=4"}, dataset);
  const Snapshot state = WithSigns(stopped.State(), {0, 1, 2}, {1, 1, 1});
  const auto resume = [&](const Snapshot& from) {
    return ResumeSearch(stopped, from, config, dataset).result;
  };
  // No epoch has so many.
  EXPECT_THAT(resume(WithSigns(stopped.State(), {0, 1, 9}, {1, 1, 1})),
              ExitCodeIs(ExitCode::kModelFile));
  // Another epoch's state under its name.
  std::filesystem::copy_file(KeptEpoch(stopped, 0), KeptEpoch(stopped, 1),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(std::string(resume(state).status().message()),
              HasSubstr("after-epoch-0001.safetensors: epoch 1: "));
  ASSERT_TRUE(std::filesystem::remove(KeptEpoch(stopped, 1)));
  EXPECT_THAT(std::string(resume(state).status().message()),
              HasSubstr("after-epoch-0001.safetensors"));
}

TEST(SearchLoopTest, ABudgetThatNothingKeepsDoesNotCostTheSearch) {
  at::set_num_threads(1);
  // No candidate reaches the threshold, so that there is no network.
  const RunOutcome run =
      RunSearch(TinyConfig({"--flops_budget=400"}), Stripes(24));
  ASSERT_THAT(run.result, IsOk());
  EXPECT_THAT(run.result->note, HasSubstr("warning: budget not kept"));
  EXPECT_TRUE(run.result->genotype.normal.edges.empty());
  EXPECT_TRUE(run.Has(kSearchWeights));
}

TEST(SearchOptionsTest, PricesAreSharesOfWhatTheyAreNamedFor) {
  const auto prices = [](const char* flag) {
    return StepOptions(TinyConfig({flag})).loss.prices;
  };
  EXPECT_FALSE(prices("--flops_weight=0").normal.defined());
  const absl::StatusOr<EdgeCosts> costs =
      ComputeEdgeCosts(NetworkConfig::Cifar());
  ASSERT_THAT(costs, IsOk());
  const struct {
    const char* flag;
    CostKind kind;
  } cases[] = {{"--flops_weight=3", CostKind::kMacs},
               {"--size_weight=3", CostKind::kParameters}};
  for (const auto& c : cases) {
    const CostShares shares = SharesOf(*costs, c.kind);
    const EdgeWeights of = prices(c.flag);
    for (int i = 0; i < 98; ++i) {
      EXPECT_FLOAT_EQ(of.normal.flatten()[i].item<float>(),
                      3 * shares.normal.values[i]);
      EXPECT_FLOAT_EQ(of.reduce.flatten()[i].item<float>(),
                      3 * shares.reduce.values[i]);
    }
  }
}

TEST(SearchOptionsTest, NoiseIsWhatTheFlagsSay) {
  const SearchConfig none = TinyConfig();
  EXPECT_FALSE(NoiseOf(none, 0, 0).on());
  const SearchConfig normal = TinyConfig({"--noise_darts", "--max_step=5"});
  EXPECT_EQ(NoiseOf(normal, 0, 0).kind, SkipNoise::Kind::kNormal);
  const SearchConfig uniform =
      TinyConfig({"--noise_darts", "--noise_type=U", "--max_step=5",
                  "--noise_scheduler=step"});
  EXPECT_EQ(NoiseOf(uniform, 0, 0).kind, SkipNoise::Kind::kUniform);
  // 1 - e / 4 against (1 + cos(pi e / 5)) / 2.
  EXPECT_EQ(NoiseOf(uniform, 1, 0).scale, 0.75f);
  EXPECT_NEAR(NoiseOf(normal, 1, 0).scale, 0.9045085, 1e-6);
  EXPECT_NE(NoiseOf(normal, 0, 0).key, NoiseOf(normal, 0, 1).key);
  EXPECT_NE(NoiseOf(normal, 0, 0).key,
            NoiseOf(TinyConfig({"--noise_darts", "--seed=9"}), 0, 0).key);
}

TEST(SearchLoopTest, EveryPartOfTheStateCounts) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(50);
  const SearchConfig config = TinyConfig({"--report_freq=1", "--epochs=1"});
  const RunOutcome stopped = RunSearch(config, dataset, /*lines=*/3);
  ASSERT_THAT(stopped.result, ExitCodeIs(ExitCode::kTerminated));
  const Snapshot state = stopped.State();
  const RunOutcome right = ResumeSearch(stopped, state, config, dataset);
  ASSERT_THAT(right.result, IsOk());
  const std::string weights = right.File(kSearchWeights);
  // What begins with the name forgotten, as a new run has it.
  for (const char* const part :
       {"alphas/", "alpha_optimizer/normal/exp_avg",
        "alpha_optimizer/reduce/exp_avg_sq", "weight_optimizer/",
        "network/cells", "network/stem.1.running_mean"}) {
    const Snapshot wrong = Changed(state, [&](absl::string_view name,
                                              const torch::Tensor& tensor) {
      return absl::StartsWith(name, part) ? torch::zeros_like(tensor) : tensor;
    });
    const RunOutcome other = ResumeSearch(stopped, wrong, config, dataset);
    ASSERT_THAT(other.result, IsOk()) << part;
    EXPECT_FALSE(other.File(kSearchWeights) == weights) << part;
  }
}

TEST(SearchLoopTest, GoingOnFurtherBackTakesTheSameCourse) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(50);
  const SearchConfig config =
      TinyConfig({"--batch_size=12", "--checkpoint_steps=2"});
  const RunOutcome whole = RunSearch(config, dataset);
  ASSERT_THAT(whole.result, IsOk());
  const auto early = ReadCheckpoint(
      absl::StrCat(whole.folder, "/checkpoints/step-00000003.safetensors"),
      RunKind::kSearch);
  ASSERT_THAT(early, IsOk());
  // Stopped at once: neither finished nor ahead of itself.
  RunOutcome again;
  {
    auto loop = SearchLoop::Create(config, &dataset);
    ASSERT_THAT(loop, IsOk());
    ASSERT_THAT((*loop)->Resume(*early), IsOk());
    EXPECT_EQ((*loop)->steps_done(), 3);
    std::ostringstream out;
    RunLog log(out, out, /*terminal=*/false, /*columns=*/80);
    StopSignals signals;
    std::raise(SIGINT);
    again.folder = whole.folder;
    again.result = (*loop)->Run(*RunFolder::Open(whole.folder), signals, log);
  }
  EXPECT_THAT(again.result, ExitCodeIs(ExitCode::kInterrupted));
  EXPECT_FALSE(again.Has(kSearchWeights));
  EXPECT_THAT(again.State().Integer("epoch"), IsOkAndHolds(1));
  const RunOutcome end = ResumeSearch(again, again.State(), config, dataset);
  ExpectSameRun(RunSearch(config, dataset), end);
  // And a finished one has nothing left to do.
  ExpectSameRun(end, ResumeSearch(end, end.State(), config, dataset));
}

TEST(SearchLoopTest, ACheckpointThatDoesNotFitIsRefused) {
  at::set_num_threads(1);
  const Dataset dataset = Stripes(50);
  const SearchConfig config = TinyConfig({"--report_freq=1"});
  const RunOutcome run = RunSearch(config, dataset, /*lines=*/3);
  const Snapshot state = run.State();
  const auto refused = [&](const Snapshot& snapshot, const SearchConfig& by,
                           const Dataset& on) {
    const auto outcome = ResumeSearch(run, snapshot, by, on);
    EXPECT_THAT(outcome.result, ExitCodeIs(ExitCode::kModelFile));
    return std::string(outcome.result.status().message());
  };
  EXPECT_THAT(refused(state, config, Stripes(51)),
              HasSubstr("other images or labels than those of stripes"));
  EXPECT_THAT(refused(state, TinyConfig({"--init_channels=3"}), dataset),
              HasSubstr("in place of F32 [9, 1, 3, 3]"));
  const auto text = [&](absl::string_view name, absl::string_view value) {
    Snapshot changed(RunKind::kSearch);
    for (const auto& [key, tensor] : state.tensors()) {
      changed.PutTensor(key, tensor);
    }
    for (const auto& [key, old] : state.texts()) {
      changed.PutText(key, key == name ? value : absl::string_view(old));
    }
    return refused(changed, config, dataset);
  };
  EXPECT_THAT(text("epoch", "3"), HasSubstr("epoch 3, step 3: the run has 2"));
  EXPECT_THAT(text("epoch", "-1"), HasSubstr("epoch -1"));
  EXPECT_THAT(text("epoch", "2"), HasSubstr("epoch 2, step 3"));
  EXPECT_THAT(text("step", "6"),
              HasSubstr("step 6: the run has 2 epochs of 5"));
  EXPECT_THAT(text("history/epochs", "3"), HasSubstr("does not fit epoch 0"));
  EXPECT_THAT(text("history/epochs", "0"), HasSubstr("\"history/normal\" is"));
  EXPECT_THAT(
      refused(Changed(state,
                      [](absl::string_view name, const torch::Tensor& tensor) {
                        return name == "alphas/reduce" ? torch::Tensor()
                                                       : tensor;
                      }),
              config, dataset),
      HasSubstr("has no tensor \"alphas/reduce\""));
}

TEST(SearchLoopTest, ASingleImageOnOnePixelIsRefusedFromTheStart) {
  at::set_num_threads(1);
  Dataset dataset = Stripes(26);
  // 4x4 pixels are one after two reductions.
  dataset.height = dataset.width = 4;
  dataset.images.resize(26 * 16);
  // 13 for the weights.
  EXPECT_THAT(RunSearch(TinyConfig({"--batch_size=6"}), dataset).result,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "batch_size: the last batch of an epoch is a single "
                       "image, which batch norm cannot normalise"));
  EXPECT_THAT(
      RunSearch(TinyConfig({"--batch_size=5", "--epochs=1"}), dataset).result,
      IsOk());
  EXPECT_THAT(RunSearch(TinyConfig({"--batch_size=6", "--epochs=1",
                                    "--steps_per_epoch=2"}),
                        dataset)
                  .result,
              IsOk());
}

}  // namespace
}  // namespace fairdarts
