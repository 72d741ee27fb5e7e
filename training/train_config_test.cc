#include "training/train_config.h"

#include <cstdlib>
#include <fstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "fairdarts/base/status.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "training/evaluate.pb.h"
#include "training/flag_options.pb.h"
#include "training/program_config.h"
#include "training/recipes.h"

namespace fairdarts {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<const char*> Argv(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "train");
  return arguments;
}

absl::StatusOr<ResolvedTrain> Resolve(
    const std::vector<const char*>& arguments) {
  const std::vector<const char*> argv = Argv(arguments);
  return TrainFromCommandLine(static_cast<int>(argv.size()), argv.data());
}

ResolvedTrain Resolved(const std::vector<const char*>& arguments) {
  const absl::StatusOr<ResolvedTrain> resolved = Resolve(arguments);
  EXPECT_TRUE(resolved.ok()) << resolved.status().ToString();
  return resolved.value_or(ResolvedTrain());
}

std::string Complaint(const std::vector<const char*>& arguments) {
  const absl::StatusOr<ResolvedTrain> resolved = Resolve(arguments);
  EXPECT_EQ(ExitCodeOf(resolved.status()), ExitCode::kUsage);
  return std::string(resolved.status().message());
}

absl::StatusOr<TrainConfig> Resume(const std::string& record,
                                   const std::vector<const char*>& arguments) {
  const std::vector<const char*> argv = Argv(arguments);
  return TrainFromRecord(record, "run/last", static_cast<int>(argv.size()),
                         argv.data());
}

TrainConfig Resumed(const std::string& record,
                    const std::vector<const char*>& arguments) {
  const absl::StatusOr<TrainConfig> config = Resume(record, arguments);
  EXPECT_TRUE(config.ok()) << config.status().ToString();
  return config.value_or(TrainConfig());
}

std::string ResumeComplaint(const std::string& record,
                            const std::vector<const char*>& arguments,
                            ExitCode code = ExitCode::kUsage) {
  const absl::StatusOr<TrainConfig> config = Resume(record, arguments);
  EXPECT_EQ(ExitCodeOf(config.status()), code);
  EXPECT_EQ(config.status().message().find('\n'), absl::string_view::npos);
  return std::string(config.status().message());
}

// A file with this text; its path.
std::string File(const std::string& name, const std::string& text) {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name);
  std::ofstream(path) << text;
  return path;
}

TEST(TrainConfigTest, RecipesAreTheFilesByName) {
  std::vector<std::string> names;
  for (const Recipe& recipe : TrainRecipes()) {
    names.emplace_back(recipe.name);
    EXPECT_TRUE(absl::StartsWith(recipe.text, "# proto-file: "));
    EXPECT_TRUE(absl::StrContains(recipe.text,
                                  "# proto-message: fairdarts.TrainConfig\n"));
  }
  EXPECT_THAT(names, ElementsAre("fairdarts-cifar10", "quick"));
}

TEST(TrainConfigTest, EveryRecipeSaysEverythingThatHasNoDefault) {
  for (const Recipe& recipe : TrainRecipes()) {
    const std::string name(recipe.name);
    const TrainConfig config = Resolved({"--recipe", name.c_str()}).config;
    const auto* const descriptor = TrainConfig::descriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
      const auto* const field = descriptor->field(i);
      if (field->name() == "config" || field->name() == "resume" ||
          field->options().GetExtension(flag).has_refused()) {
        continue;
      }
      EXPECT_TRUE(config.GetReflection()->HasField(config, field))
          << name << " " << field->name();
    }
  }
}

TEST(TrainConfigTest, ThePapersValues) {
  const ResolvedTrain resolved = Resolved({"--recipe", "fairdarts-cifar10"});
  const TrainConfig& config = resolved.config;
  EXPECT_EQ(resolved.note, "");
  EXPECT_EQ(config.dataset(), "cifar10");
  EXPECT_EQ(config.valid_portion(), 0);
  EXPECT_EQ(config.batch_size(), 96);
  EXPECT_FALSE(config.cutout());
  EXPECT_EQ(config.cutout_length(), 16);
  EXPECT_FALSE(config.auto_aug());
  EXPECT_EQ(config.report_freq(), 50);
  EXPECT_FALSE(config.auxiliary());
  EXPECT_EQ(config.auxiliary_weight(), 0.4);
  EXPECT_EQ(config.drop_path_prob(), 0.2);
  EXPECT_EQ(config.epochs(), 600);
  EXPECT_EQ(config.steps_per_epoch(), 0);
  EXPECT_EQ(config.learning_rate(), 0.025);
  EXPECT_EQ(config.learning_rate_min(), 0);
  EXPECT_EQ(config.lr_schedule(), TrainConfig::COSINE);
  EXPECT_EQ(config.warmup_epochs(), 0);
  EXPECT_EQ(config.momentum(), 0.9);
  EXPECT_EQ(config.weight_decay(), 3e-4);
  EXPECT_EQ(config.grad_clip(), 5);
  EXPECT_EQ(config.label_smoothing(), 0);
  EXPECT_EQ(config.ema_decay(), 0);
  EXPECT_EQ(config.seed(), 0u);
  EXPECT_EQ(config.precision(), Machine::FP32);
}

TEST(TrainConfigTest, QuickIsTheDefaultAndHoldsDataOut) {
  const ResolvedTrain resolved = Resolved({});
  EXPECT_EQ(resolved.note, "");
  EXPECT_EQ(resolved.config.recipe(), "quick");
  EXPECT_EQ(resolved.config.dataset(), "fashion-mnist");
  EXPECT_EQ(resolved.config.valid_portion(), 0.1);
  EXPECT_EQ(resolved.config.save(), "train");
  EXPECT_EQ(resolved.config.genotype(), "");
  EXPECT_EQ(resolved.config.parse_method(), GenotypeOptions::AUTO);
}

TEST(TrainConfigTest, PublishedCommandLine) {
  const ResolvedTrain resolved = Resolved(
      {"--auxiliary", "--cutout", "--arch", "FairDARTS_a", "--parse_method",
       "threshold", "--batch_size", "128", "--epoch", "600"});
  EXPECT_TRUE(resolved.config.auxiliary());
  EXPECT_TRUE(resolved.config.cutout());
  EXPECT_EQ(resolved.config.genotype(), "FairDARTS_a");
  EXPECT_EQ(resolved.config.parse_method(), GenotypeOptions::THRESHOLD);
  EXPECT_EQ(resolved.config.batch_size(), 128);
  EXPECT_EQ(resolved.config.epochs(), 600);
  EXPECT_THAT(resolved.note, HasSubstr("--recipe fairdarts-cifar10"));
}

// Both of upstream's training programs, with their default values.
TEST(TrainConfigTest, UpstreamsFlagsAreHonoured) {
  const TrainConfig config = Resolved({"--recipe",
                                       "fairdarts-cifar10",
                                       "--data",
                                       "/home/work/dataset/cifar/",
                                       "--dataset",
                                       "cifar10",
                                       "--batch_size",
                                       "96",
                                       "--learning_rate",
                                       "0.025",
                                       "--learning_rate_min",
                                       "0",
                                       "--start-epoch",
                                       "0",
                                       "--momentum",
                                       "0.9",
                                       "--weight_decay",
                                       "3e-4",
                                       "--report_freq",
                                       "50",
                                       "--parse_method",
                                       "darts",
                                       "--epochs",
                                       "600",
                                       "--init_channels",
                                       "36",
                                       "--layers",
                                       "20",
                                       "--auxiliary_weight",
                                       "0.4",
                                       "--cutout_length",
                                       "16",
                                       "--drop_path_prob",
                                       "0.2",
                                       "--save",
                                       "EXP",
                                       "--seed",
                                       "0",
                                       "--arch",
                                       "DARTS",
                                       "--grad_clip",
                                       "5",
                                       "--opt",
                                       "SGD",
                                       "--anneal_max",
                                       "0",
                                       "--resume="})
                                 .config;
  EXPECT_EQ(config.data(), "/home/work/dataset/cifar");
  EXPECT_EQ(config.genotype(), "DARTS");
  EXPECT_EQ(config.parse_method(), GenotypeOptions::DARTS);
  EXPECT_EQ(Resolved({"--resume", "checkpoint.pth.tar"}).config.resume(),
            "checkpoint.pth.tar");
  EXPECT_TRUE(Resolved({"--auto_aug"}).config.auto_aug());
}

TEST(TrainConfigTest, WhatCannotBeHonouredHasAReason) {
  EXPECT_EQ(Complaint({"--start-epoch", "3"}),
            "--start-epoch 3: a resumed run knows its epoch; use --resume");
  EXPECT_EQ(Complaint({"--multi-gpus"}), "--multi-gpus true: one device only");
  EXPECT_THAT(Complaint({"--model_path", "saved_models"}),
              StartsWith("--model_path saved_models: upstream's training "));
  EXPECT_THAT(Complaint({"--opt", "Adam"}), HasSubstr("use sgd"));
  EXPECT_THAT(Complaint({"--anneal_max", "300"}), HasSubstr("--epochs"));
}

TEST(TrainConfigTest, RefusesWhatIsOfAGpuOnTheCpu) {
  for (const char* const flag : {"--deterministic", "--nocuda_graph"}) {
    EXPECT_THAT(Complaint({flag}), HasSubstr("device")) << flag;
    Resolved({"--device=cuda", flag});
  }
}

TEST(TrainConfigTest, OfTheGpusOnlyTheFirstIsUsed) {
  for (const char* const first : {"0", "cuda"}) {
    EXPECT_EQ(Resolved({"--gpu", first}).config.device(), TrainConfig::CUDA);
  }
  EXPECT_EQ(Complaint({"--gpu", "1"}),
            "--gpu 1: one GPU is used, the first that CUDA shows; use 0 and "
            "choose it with CUDA_VISIBLE_DEVICES");
  EXPECT_THAT(Complaint({"--device", "-1"}), HasSubstr("must be cpu or cuda"));
  EvaluateConfig config;
  const std::vector<const char*> argv = Argv({"--gpu", "7"});
  EXPECT_THAT(
      std::string(ParseFlags(static_cast<int>(argv.size()), argv.data(), config)
                      .message()),
      StartsWith("--gpu 7: one GPU is used"));
}

TEST(TrainConfigTest, UpstreamsEvaluationLine) {
  EvaluateConfig config;
  const std::vector<const char*> argv =
      Argv({"--arch", "FairDARTS_b", "--model_path",
            "../best_model/FairDARTS-b.tar", "--parse_method", "threshold",
            "--data", "cifar", "--report_freq", "50"});
  const absl::Status parsed =
      ParseFlags(static_cast<int>(argv.size()), argv.data(), config);
  ASSERT_TRUE(parsed.ok()) << parsed.ToString();
  EXPECT_EQ(config.genotype(), "FairDARTS_b");
  EXPECT_EQ(config.model_path(), "../best_model/FairDARTS-b.tar");
  EXPECT_EQ(config.parse_method(), GenotypeOptions::THRESHOLD);
  EXPECT_EQ(config.report_freq(), 50);
  for (const absl::string_view line :
       absl::StrSplit(FlagsHelp(EvaluateConfig()), '\n')) {
    EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST(TrainConfigTest, RefusesValuesOutOfRange) {
  EXPECT_EQ(Complaint({"--valid_portion", "1"}),
            "--valid_portion 1: must be a number at least 0 and below 1");
  EXPECT_THAT(Complaint({"--drop_path_prob", "1"}), HasSubstr("below 1"));
  EXPECT_THAT(Complaint({"--label_smoothing", "-0.1"}),
              HasSubstr("at least 0"));
  EXPECT_THAT(Complaint({"--ema_decay", "1"}), HasSubstr("below 1"));
  EXPECT_THAT(Complaint({"--layers", "2"}), HasSubstr("from 3"));
  EXPECT_THAT(Complaint({"--recipe", "quik"}), EndsWith("did you mean quick?"));
  EXPECT_THAT(Complaint({"--lr_schedule", "step"}),
              HasSubstr("must be cosine or linear"));
}

TEST(TrainConfigTest, RefusesRulesBetweenFields) {
  EXPECT_EQ(Complaint({"--epochs", "3", "--warmup_epochs", "3"}),
            "warmup_epochs 3: must be below epochs, which is 3");
  EXPECT_THAT(Complaint({"--learning_rate_min", "1"}),
              StartsWith("learning_rate_min 1: must be at most "));
  EXPECT_THAT(Complaint({"--dataset", "cifar11"}),
              StartsWith("dataset 'cifar11': must be "));
  EXPECT_THAT(Complaint({"--save", "a/b"}), StartsWith("save: 'a/b': "));
}

TEST(TrainConfigTest, HelpIsShortAndShowsWhatHolds) {
  const std::string help = TrainHelp();
  const std::vector<std::string> lines = absl::StrSplit(help, '\n');
  EXPECT_LE(lines.size(), 75u);
  for (const std::string& line : lines) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_THAT(help, HasSubstr("Recipes: fairdarts-cifar10, quick\n"));
  EXPECT_THAT(help, HasSubstr("(also --arch)"));
  EXPECT_THAT(help, HasSubstr("--start_epoch"));
}

TEST(TrainConfigTest, TheResumeFlagIsReadBeforeThereIsARecord) {
  const std::vector<const char*> argv = Argv({"--resume=auto", "--cutout"});
  const absl::StatusOr<std::string> resume =
      ResumeFlag<TrainConfig>(static_cast<int>(argv.size()), argv.data());
  ASSERT_TRUE(resume.ok()) << resume.status().ToString();
  EXPECT_EQ(*resume, "auto");
}

TEST(TrainRecordTest, RepeatsTheRun) {
  const TrainConfig config =
      Resolved({"--learning_rate", "0.0123456789012345678", "--seed",
                "18446744073709551615", "--save", "a 'b' \"c\" \xc3\xa9",
                "--data", "some/where", "--lr_schedule", "linear", "--arch",
                "FairDARTS_a", "--precision", "bf16"})
          .config;
  EXPECT_TRUE(
      MessageDifferencer::Equals(config, Resumed(TrainConfigText(config), {})));
  const std::string path = File("record.textproto", TrainConfigText(config));
  EXPECT_TRUE(MessageDifferencer::Equals(
      config, Resolved({"--config", path.c_str()}).config));
}

TEST(TrainRecordTest, DoesNotSayHowTheSittingBegan) {
  const TrainConfig config = Resolved({"--resume", "auto"}).config;
  EXPECT_EQ(config.resume(), "auto");
  EXPECT_FALSE(Resumed(TrainConfigText(config), {}).has_resume());
}

TEST(TrainRecordTest, WhatIsGivenAgainMayStandThere) {
  const std::vector<const char*> line = {
      "--recipe",  "quick",    "--epochs", "7",      "--cutout",
      "--dataset", "CIFAR-10", "--data",   "images", "--resume=x"};
  const TrainConfig config = Resolved(line).config;
  const TrainConfig again = Resumed(TrainConfigText(config), line);
  EXPECT_TRUE(MessageDifferencer::Equals(config, again)) << again.DebugString();
  // The same through a file.
  const std::string path = File("again.textproto", "epochs: 7\n");
  EXPECT_EQ(
      Resumed(TrainConfigText(config), {"--config", path.c_str()}).epochs(), 7);
}

TEST(TrainRecordTest, CountsMoreThanTheRecipe) {
  const TrainConfig config =
      Resolved({"--recipe", "fairdarts-cifar10", "--epochs", "7"}).config;
  const TrainConfig again = Resumed(TrainConfigText(config), {});
  EXPECT_EQ(again.recipe(), "fairdarts-cifar10");
  EXPECT_EQ(again.epochs(), 7);
}

TEST(TrainRecordTest, WhatIsAboutTheMachineMayChange) {
  const std::string record =
      TrainConfigText(Resolved({"--threads", "1", "--data", "a"}).config);
  const TrainConfig config =
      Resumed(record, {"--threads", "2", "--report_freq", "9", "--data", "/b",
                       "--checkpoint_steps", "5", "--device", "cpu"});
  EXPECT_EQ(config.threads(), 2);
  EXPECT_EQ(config.report_freq(), 9);
  EXPECT_EQ(config.data(), "/b");
  EXPECT_EQ(config.checkpoint_steps(), 5);
  EXPECT_EQ(Resumed(record, {}).threads(), 1);
}

TEST(TrainRecordTest, RefusesWhatContradictsIt) {
  const std::string record =
      TrainConfigText(Resolved({"--epochs", "3", "--batch_size", "96"}).config);
  EXPECT_EQ(ResumeComplaint(record, {"--epochs", "7"}),
            "epochs 7: the run that is resumed has 3 (run/last); leave it "
            "out, or start a new run");
  EXPECT_THAT(ResumeComplaint(record, {"--cutout"}),
              StartsWith("cutout true: the run that is resumed has false"));
  EXPECT_THAT(ResumeComplaint(record, {"--recipe", "fairdarts-cifar10"}),
              StartsWith("recipe fairdarts-cifar10: "));
  EXPECT_THAT(ResumeComplaint(record, {"--save", "other"}),
              StartsWith("save other: the run that is resumed has train"));
  EXPECT_THAT(ResumeComplaint(record, {"--precision", "bf16"}),
              StartsWith("precision bf16: "));
  const std::string path = File("other.textproto", "epochs: 8\n");
  EXPECT_THAT(ResumeComplaint(record, {"--config", path.c_str()}),
              StartsWith("epochs 8: "));
}

TEST(TrainRecordTest, AGenotypeMayHaveAnotherName) {
  const std::string record =
      TrainConfigText(Resolved({"--arch", "fairdarts/FairDARTS_a"}).config);
  // fairdarts/DARTS is published as the same genotype.
  for (const char* const name : {"FairDARTS_a", "fairdarts/DARTS"}) {
    EXPECT_EQ(Resumed(record, {"--arch", name}).genotype(),
              "fairdarts/FairDARTS_a");
  }
  EXPECT_EQ(Resumed(record, {"--arch="}).genotype(), "fairdarts/FairDARTS_a");
  EXPECT_THAT(ResumeComplaint(record, {"--arch", "FairDARTS_b"}),
              StartsWith("genotype FairDARTS_b: the run that is resumed has "
                         "fairdarts/FairDARTS_a"));
  EXPECT_THAT(ResumeComplaint(record, {"--arch", "FairDART_b"}),
              HasSubstr("did you mean"));
  EXPECT_EQ(Resumed(record, {"--parse_method", "threshold"}).parse_method(),
            GenotypeOptions::THRESHOLD);
  EXPECT_THAT(ResumeComplaint(record, {"--parse_method", "darts"}),
              StartsWith("parse_method darts: the tuples of "));
}

TEST(TrainRecordTest, RefusesADamagedOne) {
  const std::string record =
      TrainConfigText(Resolved({"--epochs", "3", "--batch_size", "96"}).config);
  const auto complaint = [&](const char* from, const char* to) {
    const std::string bad = absl::StrReplaceAll(record, {{from, to}});
    EXPECT_NE(bad, record) << from;
    return ResumeComplaint(bad, {}, ExitCode::kModelFile);
  };
  EXPECT_EQ(complaint("batch_size: 96\n", ""),
            "run/last: batch_size: is missing, and nothing but the run can say "
            "it");
  EXPECT_EQ(complaint("batch_size: 96\n", "batch_size: 0\n"),
            "run/last: batch_size 0: must be a whole number from 1 to "
            "2147483647");
  EXPECT_THAT(complaint("batch_size", "batch_sice"), StartsWith("run/last: "));
  EXPECT_THAT(complaint("epochs: 3\n", "epochs: 3\nepochs: 3\n"),
              StartsWith("run/last: line "));
  EXPECT_THAT(complaint("warmup_epochs: 0\n", "warmup_epochs: 9\n"),
              HasSubstr("must be below epochs"));
  EXPECT_THAT(complaint("\"fashion-mnist\"", "\"fashionmnits\""),
              HasSubstr("did you mean"));
  // What a default can say may be absent.
  EXPECT_EQ(Resumed(absl::StrReplaceAll(record, {{"threads: 0\n", ""}}), {})
                .threads(),
            0);
}

TEST(TrainRecordTest, AFileDoesNotResume) {
  const std::string path = File("resume.textproto", "resume: \"auto\"\n");
  EXPECT_THAT(Complaint({"--config", path.c_str()}),
              EndsWith("resume auto: must not be set in a file; give one "
                       "--resume"));
}

}  // namespace
}  // namespace fairdarts
