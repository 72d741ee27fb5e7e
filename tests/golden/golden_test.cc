#include "tests/golden/golden.h"

#include <torch/torch.h>

#include <set>
#include <string>

#include "tests/golden/fill_module.h"
#include "tests/golden/filler.h"
#include "tests/golden/golden_data.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(GoldenTest, ReadsTensorsAndMetadata) {
  const GoldenFile file("ops.safetensors");
  EXPECT_EQ(file.Metadata("cases").size(), 36u);
  ASSERT_TRUE(file.Has("000.y_train"));
  EXPECT_FALSE(file.Has("036.y_train"));
  const at::Tensor y = file.Get("000.y_train");
  EXPECT_EQ(y.sizes(), c10::IntArrayRef({3, 6, 8, 8}));
  EXPECT_EQ(y.scalar_type(), at::kFloat);
  EXPECT_EQ(GoldenFile("trajectory_single_l2.safetensors").Metadata("kind"),
            "single_l2");
}

TEST(GoldenTest, ReadsJson) {
  EXPECT_EQ(ReadGoldenJson("genotypes.json").size(), 51u);
}

TEST(GoldenTest, SumsNearIsRelativeToTheAbsoluteSum) {
  const at::Tensor sums =
      SumsOf({torch::tensor({3.f, -4.f}), torch::tensor({100.f})});
  EXPECT_TRUE(sums.equal(
      torch::tensor({-1.0, 7.0, 100.0, 100.0}, at::kDouble).reshape({2, 2})));
  const at::Tensor off =
      sums + torch::tensor({0.5, 0.0, 0.0, 0.0}, at::kDouble).reshape({2, 2});
  EXPECT_THAT(off, SumsNear(sums, {"a", "b"}, 0.08, 0));
  EXPECT_THAT(off, Not(SumsNear(sums, {"a", "b"}, 0.07, 0)));
  EXPECT_THAT(off, SumsNear(sums, {"a", "b"}, 0, 0.5));
  testing::StringMatchResultListener listener;
  SumsNear(sums, {"a", "b"}, 0.01, 0).MatchAndExplain(off, &listener);
  EXPECT_THAT(listener.str(), HasSubstr("\"a\" has sums -0.5"));
}

TEST(FillModuleTest, FillsByNameAndKind) {
  torch::nn::Sequential net(
      torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 4, 3).bias(false)),
      torch::nn::BatchNorm2d(4), torch::nn::Linear(4, 2));
  FillModule(*net, 41);
  const auto parameters = net->named_parameters();
  const auto buffers = net->named_buffers();
  const auto expect = [](const torch::Tensor& actual, const std::string& name,
                         bool batch_norm) {
    EXPECT_TRUE(
        actual.equal(torch::tensor(GoldenParameter(name, actual.sizes().vec(),
                                                   batch_norm, 41))
                         .reshape(actual.sizes())))
        << name;
  };
  expect(parameters["0.weight"], "0.weight", false);
  expect(parameters["1.weight"], "1.weight", true);
  expect(parameters["1.bias"], "1.bias", true);
  expect(parameters["2.weight"], "2.weight", false);
  expect(parameters["2.bias"], "2.bias", false);
  expect(buffers["1.running_mean"], "1.running_mean", true);
  expect(buffers["1.running_var"], "1.running_var", true);
  EXPECT_EQ(buffers["1.num_batches_tracked"].item<int64_t>(), 0);
}

}  // namespace
}  // namespace fairdarts
