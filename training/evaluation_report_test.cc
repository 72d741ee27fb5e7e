#include "training/evaluation_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fairdarts {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

torch::Tensor Row(std::initializer_list<float> values) {
  return torch::tensor(std::vector<float>(values)).unsqueeze(0);
}

TEST(CountTest, CountsTopOneTopFiveAndConfusion) {
  Classification counts(7);
  const torch::Tensor logits = torch::cat({
      Row({9, 8, 7, 6, 5, 4, 3}),  // label 0: first
      Row({9, 8, 7, 6, 5, 4, 3}),  // label 4: fifth
      Row({9, 8, 7, 6, 5, 4, 3}),  // label 5: sixth
  });
  Count(logits, torch::tensor({0, 4, 5}, torch::kInt64), counts);
  EXPECT_EQ(counts.images, 3);
  EXPECT_EQ(counts.top1_correct, 1);
  EXPECT_EQ(counts.top5_correct, 2);
  EXPECT_EQ(counts.confusion[0 * 7 + 0], 1);
  EXPECT_EQ(counts.confusion[4 * 7 + 0], 1);
  EXPECT_EQ(counts.confusion[5 * 7 + 0], 1);
  // -log softmax of the labels' logits, of which the first is 9.
  double sum = 0;
  for (int i = 3; i <= 9; ++i) sum += std::exp(i - 9.0);
  EXPECT_NEAR(counts.loss_sum, 3 * std::log(sum) + 0 + 4 + 5, 1e-5);
}

TEST(CountTest, OfEqualLogitsTheLowerClassIsLarger) {
  Classification counts(7);
  Count(Row({1, 1, 1, 1, 1, 1, 1}), torch::tensor({4}, torch::kInt64), counts);
  Count(Row({1, 1, 1, 1, 1, 1, 1}), torch::tensor({5}, torch::kInt64), counts);
  EXPECT_EQ(counts.top1_correct, 0);
  EXPECT_EQ(counts.top5_correct, 1);
}

TEST(CountTest, FewerThanFiveClassesAreAllAmongTheFive) {
  Classification counts(2);
  Count(Row({1, 0}), torch::tensor({1}, torch::kInt64), counts);
  EXPECT_EQ(counts.top5_correct, 1);
}

TEST(CountTest, NotANumberIsNeverRight) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Classification counts(3);
  Count(Row({0, nan, 1}), torch::tensor({1}, torch::kInt64), counts);
  EXPECT_EQ(counts.top1_correct, 0);
  EXPECT_EQ(counts.top5_correct, 0);
}

// Labels 0 0 1, answers 0 1 1, of three classes.
EvaluationReport Report() {
  EvaluationReport report{Classification(3)};
  report.model = "m.safetensors";
  report.dataset = "stripes";
  report.split = "test";
  Count(torch::cat({Row({1, 0, 0}), Row({0, 1, 0}), Row({0, 1, 0})}),
        torch::tensor({0, 0, 1}, torch::kInt64), report.counts);
  report.seconds = 0.5;
  return report;
}

TEST(EvaluationReportTest, TextHasWhatWasAskedFor) {
  EvaluationReport report = Report();
  EXPECT_THAT(EvaluationText(report), HasSubstr("top-1 66.67 %"));
  EXPECT_THAT(EvaluationText(report), HasSubstr("6 images/s"));
  EXPECT_THAT(EvaluationText(report), Not(HasSubstr("recall")));
  report.per_class = true;
  report.confusion = true;
  report.class_names = {"flat", "upright", "none"};
  EXPECT_THAT(EvaluationText(report),
              HasSubstr("flat           2    50.00 %   100.00 %\n"
                        "upright        1   100.00 %    50.00 %\n"
                        "none           0          -          -\n"));
  EXPECT_THAT(EvaluationText(report), HasSubstr("flat     1  1  0\n"
                                                "upright  0  1  0\n"
                                                "none     0  0  0"));
}

TEST(EvaluationReportTest, JsonHasTheSame) {
  EvaluationReport report = Report();
  report.per_class = true;
  report.confusion = true;
  const auto json = nlohmann::json::parse(EvaluationJson(report));
  EXPECT_EQ(json["images"], 3);
  EXPECT_DOUBLE_EQ(json["top1"], 2 / 3.0);
  EXPECT_EQ(json["per_class"][1]["answers"], 2);
  EXPECT_EQ(json["per_class"][1]["correct"], 1);
  EXPECT_EQ(json["confusion"][0], (std::vector<int>{1, 1, 0}));
  report.per_class = report.confusion = false;
  const auto bare = nlohmann::json::parse(EvaluationJson(report));
  EXPECT_FALSE(bare.contains("confusion"));
}

}  // namespace
}  // namespace fairdarts
