#include "training/config.h"

#include <cstdlib>
#include <fstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "fairdarts/base/status.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "training/recipes.h"

namespace fairdarts {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

absl::StatusOr<ResolvedSearch> Resolve(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "search");
  return SearchFromCommandLine(static_cast<int>(arguments.size()),
                               arguments.data());
}

ResolvedSearch Resolved(const std::vector<const char*>& arguments) {
  const absl::StatusOr<ResolvedSearch> resolved = Resolve(arguments);
  EXPECT_TRUE(resolved.ok()) << resolved.status().ToString();
  return resolved.value_or(ResolvedSearch());
}

std::string Complaint(const std::vector<const char*>& arguments,
                      ExitCode code = ExitCode::kUsage) {
  const absl::StatusOr<ResolvedSearch> resolved = Resolve(arguments);
  EXPECT_EQ(ExitCodeOf(resolved.status()), code);
  return std::string(resolved.status().message());
}

// A file with this text; its path.
std::string File(const std::string& name, const std::string& text) {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name);
  std::ofstream(path) << text;
  return path;
}

TEST(ConfigTest, RecipesAreTheFilesByName) {
  std::vector<std::string> names;
  for (const Recipe& recipe : SearchRecipes()) {
    names.emplace_back(recipe.name);
    EXPECT_TRUE(absl::StartsWith(recipe.text, "# proto-file: "));
  }
  EXPECT_THAT(names,
              ElementsAre("darts-cifar10", "fairdarts-cifar10", "quick"));
}

TEST(ConfigTest, EveryRecipeSaysEverythingThatHasNoDefault) {
  for (const Recipe& recipe : SearchRecipes()) {
    const std::string name(recipe.name);
    const SearchConfig config = Resolved({"--recipe", name.c_str()}).config;
    const auto* const descriptor = SearchConfig::descriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
      const auto* const field = descriptor->field(i);
      if (field->name() == "config" || field->name() == "resume") continue;
      EXPECT_TRUE(config.GetReflection()->HasField(config, field))
          << name << " " << field->name();
    }
  }
}

TEST(ConfigTest, ThePapersValues) {
  const ResolvedSearch resolved = Resolved({"--recipe", "fairdarts-cifar10"});
  const SearchConfig& config = resolved.config;
  EXPECT_EQ(resolved.note, "");
  EXPECT_EQ(config.recipe(), "fairdarts-cifar10");
  EXPECT_EQ(config.dataset(), "cifar10");
  EXPECT_EQ(config.init_channels(), 16);
  EXPECT_EQ(config.layers(), 8);
  EXPECT_EQ(config.epochs(), 50);
  EXPECT_EQ(config.steps_per_epoch(), 0);
  EXPECT_EQ(config.batch_size(), 128);
  EXPECT_EQ(config.seed(), 2u);
  EXPECT_EQ(config.learning_rate(), 0.005);
  EXPECT_EQ(config.learning_rate_min(), 0.001);
  EXPECT_EQ(config.momentum(), 0.9);
  EXPECT_EQ(config.weight_decay(), 3e-4);
  EXPECT_EQ(config.grad_clip(), 5);
  EXPECT_EQ(config.arch_learning_rate(), 3e-3);
  EXPECT_EQ(config.arch_lr_gamma(), 0.9);
  EXPECT_EQ(config.arch_weight_decay(), 1e-3);
  EXPECT_EQ(config.aux_loss_weight(), 10);
  EXPECT_EQ(config.sep_loss(), SearchConfig::L2);
  EXPECT_EQ(config.parse_method(), SearchConfig::THRESHOLD_SPARSE);
  EXPECT_EQ(config.op_threshold(), 0.85);
  EXPECT_EQ(config.train_portion(), 0.5);
  EXPECT_FALSE(config.single_level());
}

TEST(ConfigTest, TheValuesOfDarts) {
  const SearchConfig config = Resolved({"--recipe", "darts-cifar10"}).config;
  EXPECT_EQ(config.relaxation(), SearchConfig::SOFTMAX);
  EXPECT_EQ(config.batch_size(), 64);
  EXPECT_EQ(config.learning_rate(), 0.025);
  EXPECT_EQ(config.learning_rate_min(), 0.001);
  EXPECT_EQ(config.arch_learning_rate(), 3e-4);
  EXPECT_EQ(config.arch_init(), 1e-3);
  EXPECT_EQ(config.grad_clip(), 5);
  EXPECT_EQ(config.epochs(), 50);
  EXPECT_EQ(config.aux_loss_weight(), 0);
  EXPECT_EQ(config.parse_method(), SearchConfig::DARTS);
  EXPECT_FALSE(config.unrolled());
}

TEST(ConfigTest, UpstreamsFlagsOfDarts) {
  const SearchConfig config =
      Resolved({"--recipe", "darts-cifar10", "--unrolled", "--noise_darts",
                "--noise_type", "U", "--noise_scheduler", "step", "--max_step",
                "50", "--reweight"})
          .config;
  EXPECT_TRUE(config.unrolled());
  EXPECT_TRUE(config.noise_darts());
  EXPECT_EQ(config.noise_type(), SearchConfig::U);
  EXPECT_EQ(config.noise_scheduler(), SearchConfig::STEP);
  EXPECT_EQ(config.max_step(), 50);
  EXPECT_TRUE(config.reweight());
  const SearchConfig random =
      Resolved({"--random_search", "--num_identity", "3", "--num_arch", "9",
                "--flops_threshold", "480"})
          .config;
  EXPECT_TRUE(random.random_search());
  EXPECT_EQ(random.num_identity(), 3);
  EXPECT_EQ(random.num_arch(), 9);
  EXPECT_EQ(random.flops_threshold(), 480);
}

TEST(ConfigTest, QuickIsTheDefault) {
  const ResolvedSearch resolved = Resolved({});
  EXPECT_EQ(resolved.note, "");
  EXPECT_EQ(resolved.config.recipe(), "quick");
  EXPECT_EQ(resolved.config.dataset(), "fashion-mnist");
  EXPECT_EQ(resolved.config.data(), "");
  EXPECT_EQ(resolved.config.device(), SearchConfig::CPU);
}

TEST(ConfigTest, PublishedCommandLineChangesQuickAndSaysSo) {
  const ResolvedSearch resolved =
      Resolved({"--aux_loss_weight", "10", "--learning_rate", "0.005",
                "--batch_size", "128", "--parse_method", "threshold_sparse",
                "--save", "EXP-lr_0005_alw_10"});
  EXPECT_EQ(resolved.config.recipe(), "quick");
  EXPECT_EQ(resolved.config.aux_loss_weight(), 10);
  EXPECT_EQ(resolved.config.learning_rate(), 0.005);
  EXPECT_EQ(resolved.config.batch_size(), 128);
  EXPECT_EQ(resolved.config.parse_method(), SearchConfig::THRESHOLD_SPARSE);
  EXPECT_EQ(resolved.config.save(), "EXP-lr_0005_alw_10");
  EXPECT_THAT(resolved.note, HasSubstr("--recipe fairdarts-cifar10"));
}

TEST(ConfigTest, NoNoteWhereNoExperimentIsChangedOrARecipeIsNamed) {
  EXPECT_EQ(Resolved({"--threads", "1", "--save", "x"}).note, "");
  EXPECT_EQ(Resolved({"--recipe", "quick", "--epochs", "2"}).note, "");
}

TEST(ConfigTest, FlagsCountMoreThanTheFileAndThatMoreThanTheRecipe) {
  const std::string path = File("merge.textproto",
                                "recipe: \"fairdarts-cifar10\"\n"
                                "epochs: 7\n"
                                "batch_size: 9\n");
  const SearchConfig config =
      Resolved({"--config", path.c_str(), "--epochs", "3"}).config;
  EXPECT_EQ(config.recipe(), "fairdarts-cifar10");
  EXPECT_EQ(config.layers(), 8);
  EXPECT_EQ(config.batch_size(), 9);
  EXPECT_EQ(config.epochs(), 3);
  EXPECT_FALSE(config.has_config());

  const SearchConfig other =
      Resolved({"--config", path.c_str(), "--recipe", "quick"}).config;
  EXPECT_EQ(other.recipe(), "quick");
  EXPECT_EQ(other.layers(), 3);
  EXPECT_EQ(other.batch_size(), 9);
}

TEST(ConfigTest, FalseAndZeroCountAsSet) {
  const std::string path =
      File("on.textproto", "cutout: true\nweight_decay: 0\n");
  const SearchConfig config =
      Resolved({"--config", path.c_str(), "--nocutout"}).config;
  EXPECT_FALSE(config.cutout());
  EXPECT_EQ(config.weight_decay(), 0);
}

TEST(ConfigTest, AMessageStatesWhatFlagsWould) {
  SearchConfig given;
  given.set_epochs(7);
  given.set_dataset("FashionMNIST");
  given.set_sep_loss(SearchConfig::L1);
  const absl::StatusOr<SearchConfig> config = SearchFromMessage(given);
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_TRUE(MessageDifferencer::Equals(
      *config,
      Resolved({"--epochs=7", "--dataset=fashion-mnist", "--sep_loss=L1"})
          .config));

  given.set_recipe("darts-cifar10");
  given.clear_sep_loss();
  EXPECT_EQ(SearchFromMessage(given)->batch_size(), 64);

  // The rules are the same too.
  given.set_sep_loss(SearchConfig::L1);
  EXPECT_THAT(std::string(SearchFromMessage(given).status().message()),
              HasSubstr("--sep_loss l1: means nothing where aux_loss_weight"));
  given.clear_sep_loss();
  given.set_epochs(0);
  EXPECT_THAT(std::string(SearchFromMessage(given).status().message()),
              HasSubstr("epochs"));
  given.set_epochs(7);
  given.set_recipe("quik");
  EXPECT_THAT(std::string(SearchFromMessage(given).status().message()),
              HasSubstr("did you mean quick?"));
}

TEST(ConfigTest, TheRecordRepeatsTheRun) {
  const SearchConfig config =
      Resolved({"--learning_rate", "0.0123456789012345678", "--seed",
                "18446744073709551615", "--save", "a 'b' \"c\" \xc3\xa9",
                "--data", "some/where", "--sep_loss", "l1"})
          .config;
  const std::string path = File("record.textproto", SearchConfigText(config));
  const SearchConfig again = Resolved({"--config", path.c_str()}).config;
  EXPECT_TRUE(MessageDifferencer::Equals(config, again)) << again.DebugString();
}

TEST(ConfigTest, AResumedSearchHasItsRecordAndTheMachinesFlags) {
  const std::string record =
      SearchConfigText(Resolved({"--threads", "1"}).config);
  const auto resume = [&](const char* name, const char* value) {
    const char* const argv[] = {"search", name, value};
    return SearchFromRecord(record, "run/last", 3, argv);
  };
  const absl::StatusOr<SearchConfig> config = resume("--threads", "2");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->threads(), 2);
  EXPECT_EQ(config->layers(), 3);
  EXPECT_EQ(resume("--layers", "8").status().message(),
            "layers 8: the run that is resumed has 3 (run/last); leave it out, "
            "or start a new run");
}

TEST(ConfigTest, AResumedSearchMayChangeItsEngine) {
  const std::string record = SearchConfigText(
      Resolved({"--engine=plain", "--memory_format=channels_last"}).config);
  const auto resume = [&](std::vector<const char*> argv) {
    argv.insert(argv.begin(), "search");
    return SearchFromRecord(record, "run/last", static_cast<int>(argv.size()),
                            argv.data());
  };
  // The record is right for itself; the user's part is not.
  EXPECT_EQ(ExitCodeOf(resume({"--engine=fused"}).status()), ExitCode::kUsage);
  const absl::StatusOr<SearchConfig> config =
      resume({"--engine=fused", "--memory_format=auto"});
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->engine(), SearchConfig::FUSED);
}

TEST(ConfigTest, TheFileIsTakenFromWhereTheUserIs) {
  File("here.textproto", "epochs: 7\n");
  setenv("BUILD_WORKING_DIRECTORY", testing::TempDir().c_str(), 1);
  EXPECT_EQ(Resolved({"--config", "here.textproto"}).config.epochs(), 7);
  unsetenv("BUILD_WORKING_DIRECTORY");
}

TEST(ConfigTest, DatasetsAreReadAsTheDataReadsThem) {
  EXPECT_EQ(Resolved({"--dataset", "CIFAR_10"}).config.dataset(), "cifar10");
}

TEST(ConfigTest, RefusesValuesOfWhatIsOff) {
  EXPECT_EQ(Complaint({"--noise_type", "U"}),
            "--noise_type u: means nothing where noise_darts is false; leave "
            "it out, or give --noise_darts");
  EXPECT_THAT(Complaint({"--max_step", "20"}), HasSubstr("noise_darts"));
  EXPECT_THAT(Complaint({"--noise_scheduler", "step"}),
              HasSubstr("noise_darts"));
  EXPECT_THAT(Complaint({"--cutout_length", "8"}), HasSubstr("cutout"));
  EXPECT_THAT(Complaint({"--aux_loss_weight", "0", "--sep_loss", "l1"}),
              HasSubstr("aux_loss_weight"));
  for (const char* const name :
       {"--num_identity", "--num_arch", "--flops_threshold"}) {
    EXPECT_THAT(Complaint({name, "3"}), HasSubstr("random_search")) << name;
  }
  // To state what holds anyway is no mistake.
  EXPECT_FALSE(Resolved({"--noise_type", "N"}).config.noise_darts());
  EXPECT_EQ(Resolved({"--max_step", "20", "--noise_darts"}).config.max_step(),
            20);
}

TEST(ConfigTest, RefusesWhatCannotGoTogether) {
  EXPECT_THAT(Complaint({"--unrolled", "--single_level"}),
              StartsWith("unrolled: "));
  EXPECT_THAT(Complaint({"--reweight"}), StartsWith("reweight: "));
  EXPECT_THAT(Complaint({"--random_search", "--estimate"}),
              StartsWith("random_search: "));
  EXPECT_THAT(Complaint({"--noise_darts", "--max_step", "0"}),
              HasSubstr("max_step 0: "));
  EXPECT_THAT(Complaint({"--random_search", "--num_identity", "9"}),
              HasSubstr("num_identity 9: "));
}

TEST(ConfigTest, RefusesABudgetBelowTheSmallestGenotype) {
  EXPECT_THAT(Complaint({"--size_budget", "0.1"}),
              HasSubstr("size_budget 0.1: "));
  EXPECT_THAT(Complaint({"--flops_budget", "1"}), HasSubstr("budget"));
  EXPECT_THAT(Complaint({"--parse_method", "darts", "--flops_budget", "1"}),
              HasSubstr("budget"));
  EXPECT_EQ(Resolved({"--flops_budget", "400"}).config.flops_budget(), 400);
}

TEST(ConfigTest, WarnsOfWhatIsSeldomMeant) {
  const auto warnings = [](const std::vector<const char*>& flags) {
    return SearchWarnings(Resolved(flags).config);
  };
  EXPECT_THAT(warnings({}), IsEmpty());
  EXPECT_THAT(warnings({"--recipe", "darts-cifar10"}), IsEmpty());
  EXPECT_THAT(
      warnings({"--recipe", "darts-cifar10", "--aux_loss_weight", "10"}),
      ElementsAre(HasSubstr("warning: zero-one loss with softmax: ")));
  EXPECT_THAT(warnings({"--noise_darts"}), IsEmpty());
  EXPECT_THAT(warnings({"--noise_darts", "--max_step", "30"}),
              ElementsAre(HasSubstr("max_step 30 leaves noise of scale 0.794 "
                                    "in the last of 10 epochs")));
  EXPECT_THAT(warnings({"--early_stop", "eigenvalue"}),
              ElementsAre(HasSubstr("warning: early stop too late: ")));
  EXPECT_THAT(warnings({"--early_stop", "eigenvalue", "--epochs", "11"}),
              IsEmpty());
}

TEST(ConfigTest, RefusesUnknownNames) {
  EXPECT_EQ(Complaint({"--recipe", "quik"}),
            "recipe quik: must be darts-cifar10, fairdarts-cifar10 or quick; "
            "did you mean quick?");
  EXPECT_THAT(Complaint({"--dataset", "cifar11"}),
              StartsWith("dataset 'cifar11': must be "));
  EXPECT_THAT(Complaint({"--dataset", "cifar11"}),
              HasSubstr("did you mean cifar10"));
  EXPECT_THAT(Complaint({"--parse_method", "dart"}),
              EndsWith("did you mean darts?"));
}

TEST(ConfigTest, RefusesABadFile) {
  const auto complaint = [](const std::string& text) {
    const std::string path = File("bad.textproto", text);
    const std::string message = Complaint({"--config", path.c_str()});
    EXPECT_THAT(message, StartsWith(path + ": "));
    EXPECT_EQ(message.find('\n'), std::string::npos);
    return message.substr(path.size() + 2);
  };
  EXPECT_THAT(complaint("epochs: 3\nepoch: 4\n"), HasSubstr("line 2"));
  EXPECT_THAT(complaint("epochs: 3\nepochs: 4\n"), HasSubstr("line 2"));
  EXPECT_THAT(complaint("epochs: \"3\"\n"), HasSubstr("line 1"));
  EXPECT_THAT(complaint("parse_method: SOME\n"), HasSubstr("SOME"));
  EXPECT_THAT(complaint("epochs 3"), HasSubstr("line 1"));
  EXPECT_EQ(complaint("batch_size: 0\n"),
            "batch_size 0: must be a whole number from 1 to 2147483647");
  EXPECT_EQ(complaint("momentum: nan\n"),
            "momentum nan: must be a number at least 0 and below 1");
  EXPECT_THAT(complaint("recipe: \"quik\"\n"), HasSubstr("recipe quik: "));
  EXPECT_EQ(complaint("config: \"other\"\n"),
            "config other: must not be set in a file; give one --config");
}

TEST(ConfigTest, RefusesAFileThatIsNotThere) {
  EXPECT_THAT(Complaint({"--config", "/no/such/file"}, ExitCode::kData),
              HasSubstr("/no/such/file"));
}

TEST(ConfigTest, RefusesACosineThatRises) {
  EXPECT_EQ(
      Complaint({"--learning_rate", "0.01", "--learning_rate_min", "0.02"}),
      "learning_rate_min 0.02: must be at most learning_rate, which is "
      "0.01");
}

TEST(ConfigTest, TheFusedEngineIsTakenWhereItHasWhatIsAskedFor) {
  const auto fused = [](std::vector<const char*> arguments) {
    return UsesFusedEngine(Resolved(std::move(arguments)).config);
  };
  EXPECT_TRUE(fused({}));
  EXPECT_TRUE(fused({"--engine=auto"}));
  EXPECT_TRUE(fused({"--engine=fused"}));
  EXPECT_FALSE(fused({"--engine=plain"}));
  EXPECT_FALSE(fused({"--device=cuda"}));
  EXPECT_FALSE(fused({"--precision=bf16"}));
  EXPECT_FALSE(fused({"--memory_format=contiguous"}));
}

TEST(ConfigTest, RefusesWhatTheFusedEngineLacks) {
  EXPECT_EQ(Complaint({"--engine=fused", "--memory_format=contiguous"}),
            "memory_format: the fused engine has an order of its own; give "
            "auto, or --engine=plain");
  EXPECT_EQ(Complaint({"--engine=fused", "--device=cuda"}),
            "device cuda: the fused engine computes on the CPU alone; give "
            "cpu, or --engine=plain");
  EXPECT_EQ(Complaint({"--engine=fused", "--precision=bf16"}),
            "precision bf16: the fused engine computes in fp32 alone; give "
            "fp32, or --engine=plain");
}

TEST(ConfigTest, RefusesDifferencesInBf16) {
  EXPECT_EQ(Complaint({"--unrolled", "--precision=bf16"}),
            "precision bf16: the difference of gradients that --unrolled takes "
            "is smaller than bf16 can tell; use fp32");
}

TEST(ConfigTest, RefusesAnEstimateOfAGpu) {
  EXPECT_EQ(Complaint({"--estimate", "--device=cuda"}),
            "estimate: it measures this process' memory, not a GPU's; leave "
            "out --device=cuda");
}

TEST(ConfigTest, RefusesWhatIsOfAGpuOnTheCpu) {
  for (const char* const flag : {"--deterministic", "--nocuda_graph"}) {
    EXPECT_THAT(Complaint({flag}), HasSubstr("device")) << flag;
    Resolved({"--device=cuda", flag});
  }
}

TEST(ConfigTest, RefusesANameThatIsAPath) {
  EXPECT_EQ(Complaint({"--save", "a/b"}),
            "save: 'a/b': must be a name without '/' and control characters");
}

TEST(ConfigTest, HelpIsShortAndShowsWhatHolds) {
  const std::string help = SearchHelp();
  const std::vector<std::string> lines = absl::StrSplit(help, '\n');
  EXPECT_LE(lines.size(), 105u);
  for (const std::string& line : lines) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_THAT(help,
              HasSubstr("Recipes: darts-cifar10, fairdarts-cifar10, quick\n"));
  EXPECT_THAT(help, HasSubstr("fashion-mnist"));
  EXPECT_THAT(help, HasSubstr("[quick]"));
}

}  // namespace
}  // namespace fairdarts
