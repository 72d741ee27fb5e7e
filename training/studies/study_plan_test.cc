#include "training/studies/study_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"
#include "training/recipes.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kGood[] = R"(
name: "trial"
description: "two searches, chance"
seed: [ 3, 5, 8 ]
search { recipe: "quick" epochs: 4 op_threshold: 0.7 }
train { recipe: "quick" epochs: 2 }
variant { name: "chance" random { like: "l1" percent: 3 } }
variant { name: "l2" description: "as it is" search {} }
variant { name: "l1" search { sep_loss: L1 epochs: 5 } }
variant { name: "many-skips" random { num_identity: 4 flops_threshold: 300 } }
tested: 2
)";

StudyPlan Good() {
  absl::StatusOr<StudyPlan> plan = ParseStudy(kGood, "good");
  EXPECT_THAT(plan, IsOk());
  return plan.value_or(StudyPlan());
}

// What is said of the good study with `from` replaced by `to`.
std::string Complaint(absl::string_view from, absl::string_view to) {
  const std::string text = absl::StrReplaceAll(kGood, {{from, to}});
  EXPECT_NE(text, kGood) << from;
  const absl::Status status = ParseStudy(text, "study.textproto").status();
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kUsage)) << to;
  EXPECT_THAT(std::string(status.message()), StartsWith("study.textproto: "));
  EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
  return std::string(status.message());
}

TEST(StudyPlanTest, VariantsStandOverTheStudyAndThatOverItsRecipe) {
  const StudyPlan plan = Good();
  EXPECT_EQ(plan.name, "trial");
  EXPECT_THAT(plan.seeds, ElementsAre(3, 5, 8));
  EXPECT_EQ(plan.dataset, "fashion-mnist");
  EXPECT_EQ(plan.tested, 2);
  ASSERT_EQ(plan.variants.size(), 4);
  EXPECT_EQ(plan.variants[1].description, "as it is");
  const SearchConfig& as_it_is = *plan.variants[1].search;
  EXPECT_EQ(as_it_is.recipe(), "quick");
  EXPECT_EQ(as_it_is.epochs(), 4);
  EXPECT_EQ(as_it_is.op_threshold(), 0.7);
  EXPECT_EQ(as_it_is.sep_loss(), SearchConfig::L2);
  EXPECT_EQ(as_it_is.steps_per_epoch(), 40);  // of the recipe
  const SearchConfig& l1 = *plan.variants[2].search;
  EXPECT_EQ(l1.epochs(), 5);
  EXPECT_EQ(l1.op_threshold(), 0.7);
  EXPECT_EQ(l1.sep_loss(), SearchConfig::L1);
  EXPECT_EQ(plan.train.epochs(), 2);
  EXPECT_EQ(plan.train.steps_per_epoch(), 250);
  EXPECT_FALSE(plan.variants[0].search.has_value());
  EXPECT_EQ(plan.variants[0].random->like(), "l1");
}

TEST(StudyPlanTest, RunsSeedBySeedAndSearchesFirst) {
  const StudyPlan plan = Good();
  std::vector<std::string> folders;
  for (const StudyPlan::Run& run : plan.Runs()) {
    folders.push_back(StudyPlan::Folder(run.variant->name, run.seed));
  }
  ASSERT_EQ(folders.size(), 12);
  folders.resize(5);
  EXPECT_THAT(folders, ElementsAre("l2/seed-3", "l1/seed-3", "chance/seed-3",
                                   "many-skips/seed-3", "l2/seed-5"));
}

TEST(StudyPlanTest, ARunHasItsSeedAndTheMachine) {
  const StudyPlan plan = Good();
  StudyMachine machine;
  machine.data = "/data";
  machine.threads = 3;
  machine.report_freq = 7;
  const StudyPlan::Run run = {&plan.variants[2], 5};
  const SearchConfig search = plan.SearchOf(run, machine);
  EXPECT_EQ(search.seed(), 5);
  EXPECT_EQ(search.data(), "/data");
  EXPECT_EQ(search.threads(), 3);
  EXPECT_EQ(search.report_freq(), 7);
  EXPECT_EQ(search.epochs(), 5);
  const TrainConfig train = plan.TrainOf(run, machine);
  EXPECT_EQ(train.seed(), 5);
  EXPECT_EQ(train.data(), "/data");
  EXPECT_EQ(train.threads(), 3);
  EXPECT_EQ(train.report_freq(), 7);
}

TEST(StudyPlanTest, TheRecordIsTheStudy) {
  const StudyPlan plan = Good();
  const auto again = ParseStudy(plan.record, "record");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->record, plan.record);
  EXPECT_EQ(again->variants[2].search->sep_loss(), SearchConfig::L1);
}

TEST(StudyPlanTest, WarnsOfItsSearches) {
  EXPECT_THAT(StudyWarnings(Good()), ElementsAre());
  const std::string text = absl::StrReplaceAll(
      kGood, {{"as it is\" search {}",
               "as it is\" search { noise_darts: true max_step: 9 }"},
              {"{ sep_loss: L1 epochs: 5 }", "{ relaxation: SOFTMAX }"}});
  const auto plan = ParseStudy(text, "study");
  ASSERT_THAT(plan, IsOk());
  EXPECT_THAT(
      StudyWarnings(*plan),
      ElementsAre(
          StartsWith("variant l2: warning: noise to the end: max_step 9"),
          StartsWith("variant l1: warning: zero-one loss with softmax")));
}

TEST(StudyPlanTest, WhatComesWithTheProgramIsWhole) {
  EXPECT_FALSE(StudyRecipes().empty());
  for (const Recipe& recipe : StudyRecipes()) {
    const auto text = FindStudy(recipe.name);
    ASSERT_THAT(text, IsOk());
    const auto plan = ParseStudy(text->text, text->source);
    ASSERT_THAT(plan, IsOk());
    EXPECT_EQ(plan->name, recipe.name);
    EXPECT_GE(plan->seeds.size(), 3);
    for (const StudyPlan::Variant& variant : plan->variants) {
      EXPECT_NE(variant.description, "") << variant.name;
    }
  }
}

TEST(StudyPlanTest, RefusesWhatIsNoStudy) {
  EXPECT_THAT(Complaint("tested: 2", "test: 2"), HasSubstr("line 11"));
  EXPECT_THAT(Complaint("epochs: 2 }", "epoch: 2 }"), HasSubstr("line 6"));
  EXPECT_THAT(Complaint("name: \"trial\"", ""), HasSubstr("name"));
  EXPECT_THAT(Complaint("name: \"trial\"", "name: \"a/b\""),
              HasSubstr("without '/'"));
}

TEST(StudyPlanTest, RefusesTooFewSeeds) {
  EXPECT_THAT(Complaint("[ 3, 5, 8 ]", "[ 3, 5 ]"),
              HasSubstr("seed: there are 2; must be from 3 to 1000"));
}

TEST(StudyPlanTest, RefusesASeedTwice) {
  EXPECT_THAT(Complaint("[ 3, 5, 8 ]", "[ 3, 5, 8, 5 ]"),
              HasSubstr("seed 5: is there twice"));
}

TEST(StudyPlanTest, RefusesMoreTestedThanThereAre) {
  EXPECT_THAT(Complaint("tested: 2", "tested: 4"),
              HasSubstr("tested 4: must be from 1 to the number of seeds, 3"));
  EXPECT_THAT(Complaint("tested: 2", "tested: 0"), HasSubstr("tested 0"));
}

TEST(StudyPlanTest, RefusesNoVariants) {
  const absl::Status status =
      ParseStudy("name: \"none\" seed: [ 1, 2, 3 ]", "none").status();
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kUsage));
  EXPECT_THAT(std::string(status.message()), HasSubstr("variant: there are 0"));
}

TEST(StudyPlanTest, RefusesVariantNames) {
  for (const char* const name : {"", "a b", "../up", "a,b", "seed|1"}) {
    EXPECT_THAT(Complaint("\"l2\"", absl::StrCat("\"", name, "\"")),
                HasSubstr("must be 1 to 40 letters, digits"));
  }
  EXPECT_THAT(
      Complaint("\"l2\"", absl::StrCat("\"", std::string(41, 'a'), "\"")),
      HasSubstr("must be 1 to 40"));
  EXPECT_THAT(Complaint("\"l2\"", "\"L1\""),
              HasSubstr("another variant has this name"));
}

TEST(StudyPlanTest, RefusesNeitherAndBoth) {
  EXPECT_THAT(Complaint("search {}", ""),
              HasSubstr("variant l2: must have one of search and random"));
  EXPECT_THAT(Complaint("search {}", "search {} random { like: \"l1\" }"),
              HasSubstr("variant l2: must have one of search and random"));
}

TEST(StudyPlanTest, RefusesAnUnknownLikeness) {
  EXPECT_THAT(Complaint("like: \"l1\"", "like: \"l3\""),
              HasSubstr("variant chance: random: like 'l3': must be a variant "
                        "with a search; must be l2 or l1"));
  EXPECT_THAT(Complaint("like: \"l1\"", "like: \"many-skips\""),
              HasSubstr("must be a variant with a search"));
  EXPECT_THAT(Complaint("like: \"l1\"", "like: \"chance\""),
              HasSubstr("must be a variant with a search"));
}

TEST(StudyPlanTest, RefusesRandomVariantsThatSayTooLittleOrTooMuch) {
  EXPECT_THAT(Complaint("like: \"l1\" percent: 3", ""),
              HasSubstr("must say either"));
  EXPECT_THAT(Complaint("percent: 3", "num_identity: 3"),
              HasSubstr("must say either"));
  EXPECT_THAT(Complaint("flops_threshold: 300", ""),
              HasSubstr("must both be there"));
  EXPECT_THAT(Complaint("num_identity: 4", ""),
              HasSubstr("must both be there"));
  EXPECT_THAT(
      Complaint("flops_threshold: 300", "flops_threshold: 3 percent: 2"),
      HasSubstr("percent: means nothing without like"));
}

TEST(StudyPlanTest, RefusesNumbersOutOfRange) {
  EXPECT_THAT(Complaint("percent: 3", "percent: 0"), HasSubstr("percent 0"));
  EXPECT_THAT(Complaint("percent: 3", "percent: 51"), HasSubstr("percent 51"));
  EXPECT_THAT(Complaint("percent: 3", "percent: nan"), HasSubstr("percent"));
  EXPECT_THAT(Complaint("num_identity: 4", "num_identity: 9"),
              HasSubstr("num_identity 9: must be from 0 to 8"));
  EXPECT_THAT(Complaint("num_identity: 4", "num_identity: -1"),
              HasSubstr("num_identity -1"));
  EXPECT_THAT(Complaint("flops_threshold: 300", "flops_threshold: -1"),
              HasSubstr("flops_threshold -1"));
  EXPECT_THAT(Complaint("flops_threshold: 300", "flops_threshold: inf"),
              HasSubstr("flops_threshold inf"));
}

TEST(StudyPlanTest, RefusesValuesAsFlagsWould) {
  EXPECT_THAT(Complaint("epochs: 5", "epochs: 0"),
              HasSubstr("variant l1: search: epochs 0"));
  EXPECT_THAT(Complaint("epochs: 5", "aux_loss_weight: 0"),
              HasSubstr("sep_loss l1: means nothing where aux_loss_weight"));
  EXPECT_THAT(Complaint("op_threshold: 0.7", "op_threshold: 1.5"),
              HasSubstr("op_threshold 1.5"));
  EXPECT_THAT(Complaint("epochs: 2 }", "epochs: 0 }"),
              HasSubstr("train: epochs 0"));
  EXPECT_THAT(
      Complaint("search { recipe: \"quick\"", "search { recipe: \"quik\""),
      HasSubstr("did you mean quick?"));
}

TEST(StudyPlanTest, RefusesWhatIsSetForEachRun) {
  for (const char* const given :
       {"seed: 1", "save: \"x\"", "config: \"x\"", "resume: \"x\"",
        "estimate: true", "report_freq: 1", "data: \"x\"", "threads: 1",
        "random_search: true", "num_arch: 2"}) {
    const std::string name(given, std::string(given).find(':'));
    EXPECT_THAT(
        Complaint("op_threshold: 0.7", given),
        HasSubstr(absl::StrCat("search: ", name, ": must not be set here")));
    EXPECT_THAT(Complaint("epochs: 5", given),
                HasSubstr(absl::StrCat("variant l1: search: ", name,
                                       ": must not be set here")));
  }
  EXPECT_THAT(Complaint("epochs: 2 }", "genotype: \"FairDARTS_a\" }"),
              HasSubstr("train: genotype: must not be set here"));
  EXPECT_THAT(Complaint("epochs: 5", "recipe: \"darts-cifar10\""),
              HasSubstr("variant l1: search: recipe: must stand in"));
}

TEST(StudyPlanTest, RefusesNothingHeldOut) {
  EXPECT_THAT(Complaint("epochs: 2 }", "valid_portion: 0 }"),
              HasSubstr("train: valid_portion 0: must be above 0"));
}

TEST(StudyPlanTest, RefusesTwoDatasets) {
  EXPECT_THAT(Complaint("epochs: 5", "dataset: \"mnist\""),
              HasSubstr("variant l1: search: dataset mnist: must be that of "
                        "train, fashion-mnist"));
}

TEST(StudyPlanTest, RefusesAStudyThatIsNotThere) {
  const absl::Status status = FindStudy("colapse").status();
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kUsage));
  EXPECT_THAT(std::string(status.message()), HasSubstr("collapse"));
  EXPECT_THAT(FindStudy(""), ExitCodeIs(ExitCode::kUsage));
}

}  // namespace
}  // namespace fairdarts
