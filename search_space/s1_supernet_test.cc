#include "search_space/s1_supernet.h"

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "search_space/s1_factory.h"
#include "tests/golden/fill_module.h"
#include "tests/golden/golden.h"
#include "tests/status_matchers.h"
#include "tests/tensor_near.h"
#include "tests/test_device.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;

// A golden run, and how far the same run in float64 is from it: the largest
// absolute difference, for sums the largest one relative to the sum of absolute
// values. The full network's gradients differ more because there an input of a
// ReLU is so close to zero that float64 takes its other side.
struct GoldenRun {
  const char* file;
  double logits;
  double eval_logits;
  double loss;
  double alpha_gradient;
  double gradient_sums;
  double running_sums;
};

constexpr GoldenRun kGoldenRuns[] = {
    {"supernet_small.safetensors", 6.3e-6, 2.3e-4, 2.6e-6, 1.7e-6, 1.7e-6,
     2.4e-7},
    {"supernet_full.safetensors", 5.6e-6, 4.3e-2, 1.4e-6, 6.9e-4, 7.1e-4,
     7.3e-8},
};

// Another float32 computation, which sums in another order, may be off as far
// to the other side, and the measured distance is one sample of the error.
constexpr double kMultiple = 4;

std::shared_ptr<S1Supernet> SupernetOf(const S1Config& config) {
  absl::StatusOr<std::shared_ptr<S1Supernet>> supernet =
      S1Supernet::Create(config);
  EXPECT_THAT(supernet, IsOk());
  return *std::move(supernet);
}

// Names of what a state dict holds, but for the counters of batch norm.
std::vector<std::string> NamesOf(
    const torch::OrderedDict<std::string, torch::Tensor>& tensors) {
  std::vector<std::string> names;
  for (const auto& item : tensors) {
    if (!absl::EndsWith(item.key(), "num_batches_tracked")) {
      names.push_back(item.key());
    }
  }
  return names;
}

// On a GPU there is no fused engine.
std::vector<SupernetEngine> Engines() {
  if (!TestDevice().is_cpu()) return {SupernetEngine::kPlain};
  return {SupernetEngine::kPlain, SupernetEngine::kFused};
}

class S1SupernetTest
    : public testing::TestWithParam<std::tuple<GoldenRun, SupernetEngine>> {};

TEST_P(S1SupernetTest, OneForwardAndBackwardHold) {
  const auto& [run, engine] = GetParam();
  const GoldenFile golden(run.file);
  const uint64_t seed = golden.Metadata("seed");
  const int64_t batch = golden.Metadata("batch");
  const int64_t size = golden.Metadata("size");
  S1Config config;
  config.channels = golden.Metadata("C");
  config.layers = golden.Metadata("layers");
  const auto created = CreateS1Supernet(config, engine, /*threads=*/1);
  ASSERT_THAT(created, IsOk());
  const std::shared_ptr<Supernet>& supernet = *created;
  FillModule(*supernet, seed);
  const torch::Device device = TestDevice();
  if (!device.is_cpu()) supernet->to(device);

  // Names, order and shapes of the state dict are upstream's.
  const auto parameters = supernet->named_parameters();
  const auto names = golden.Metadata("parameter_names");
  ASSERT_EQ(NamesOf(parameters), names.get<std::vector<std::string>>());
  const nlohmann::json shapes = golden.Metadata("parameter_shapes");
  int64_t elements = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_EQ(parameters[i].value().sizes().vec(),
              shapes[i].get<std::vector<int64_t>>());
    elements += parameters[i].value().numel();
  }
  EXPECT_EQ(elements, golden.Metadata("parameters").get<int64_t>());
  const auto named_buffers = supernet->named_buffers();
  const std::vector<std::string> buffers = NamesOf(named_buffers);
  ASSERT_EQ(buffers,
            golden.Metadata("buffer_names").get<std::vector<std::string>>());

  const auto alphas = [&](const char* name) {
    return (GoldenUnitTensor(name, {14, 7}, seed) *
            golden.Metadata("alpha_scale").get<double>())
        .to(device)
        .set_requires_grad(true);
  };
  const torch::Tensor normal = alphas("alphas_normal");
  const torch::Tensor reduce = alphas("alphas_reduce");
  const EdgeWeights weights = {normal.sigmoid(), reduce.sigmoid()};
  ASSERT_EQ(weights.normal.size(0), supernet->edges());
  ASSERT_EQ(weights.normal.size(1), supernet->candidates());
  const torch::Tensor images =
      GoldenImagesTensor("x", {batch, 3, size, size}, seed).to(device);
  const torch::Tensor labels =
      GoldenLabelsTensor("y", batch, 10, seed).to(device);

  supernet->train();
  const torch::Tensor logits = supernet->Forward(images, weights);
  EXPECT_THAT(logits, TensorNear(golden.Get("logits_train"),
                                 {kMultiple * run.logits, 0}));
  const torch::Tensor cross_entropy =
      torch::nn::functional::cross_entropy(logits, labels);
  EXPECT_NEAR(cross_entropy.item<double>(),
              golden.Metadata("cross_entropy").get<double>(),
              kMultiple * run.loss);
  const torch::Tensor distance =
      torch::cat({weights.normal, weights.reduce}) - 0.5;
  const torch::Tensor loss =
      cross_entropy -
      distance.square().mean() * golden.Metadata("weight").get<double>();
  EXPECT_NEAR(loss.item<double>(), golden.Metadata("loss").get<double>(),
              kMultiple * run.loss);

  loss.backward();
  EXPECT_THAT(normal.grad(), TensorNear(golden.Get("grad.alphas_normal"),
                                        {kMultiple * run.alpha_gradient, 0}));
  EXPECT_THAT(reduce.grad(), TensorNear(golden.Get("grad.alphas_reduce"),
                                        {kMultiple * run.alpha_gradient, 0}));
  std::vector<torch::Tensor> gradients;
  for (const auto& parameter : parameters) {
    gradients.push_back(parameter.value().grad());
  }
  EXPECT_THAT(SumsOf(gradients),
              SumsNear(golden.Get("grad_sums"), NamesOf(parameters),
                       kMultiple * run.gradient_sums, 0));
  std::vector<torch::Tensor> statistics;
  for (const std::string& name : buffers) {
    statistics.push_back(named_buffers[name]);
  }
  EXPECT_THAT(SumsOf(statistics), SumsNear(golden.Get("buffer_sums"), buffers,
                                           kMultiple * run.running_sums, 0));

  supernet->eval();
  const torch::NoGradGuard no_grad;
  EXPECT_THAT(supernet->Forward(images, weights),
              TensorNear(golden.Get("logits_eval_after"),
                         {kMultiple * run.eval_logits, 0}));
}

INSTANTIATE_TEST_SUITE_P(
    Golden, S1SupernetTest,
    testing::Combine(testing::ValuesIn(kGoldenRuns),
                     testing::ValuesIn(Engines())),
    [](const auto& info) {
      const SupernetEngine engine = std::get<1>(info.param);
      return absl::StrCat(
          std::get<0>(info.param).logits == kGoldenRuns[0].logits ? "Small"
                                                                  : "Full",
          engine == SupernetEngine::kFused ? "Fused" : "Plain");
    });

EdgeWeights HalfWeights() {
  return {torch::full({14, 7}, 0.5), torch::full({14, 7}, 0.5)};
}

TEST(S1SupernetShapesTest, TakesAnyImageSizeChannelsAndClasses) {
  S1Config config;
  config.channels = 3;
  config.layers = 3;
  config.classes = 7;
  config.image_channels = 1;
  const std::shared_ptr<S1Supernet> supernet = SupernetOf(config);
  for (const int64_t size : {28, 15, 1}) {
    EXPECT_THAT(
        supernet->Forward(torch::rand({2, 1, size, size}), HalfWeights())
            .sizes()
            .vec(),
        ElementsAre(2, 7));
  }
}

TEST(S1SupernetShapesTest, MemoryFormatDoesNotMatter) {
  S1Config config;
  config.channels = 4;
  config.layers = 3;
  const std::shared_ptr<S1Supernet> supernet = SupernetOf(config);
  FillModule(*supernet, 3);
  const torch::Tensor x = GoldenImagesTensor("x", {4, 3, 14, 14}, 3);
  const torch::Tensor y = supernet->Forward(x, HalfWeights());
  EXPECT_THAT(supernet->Forward(x.contiguous(torch::MemoryFormat::ChannelsLast),
                                HalfWeights()),
              TensorNear(y, {kMultiple * kGoldenRuns[0].logits, 0}));
}

TEST(S1SupernetShapesTest, AlphaGradientsNeedNoWeightGradients) {
  S1Config config;
  config.channels = 2;
  config.layers = 3;
  const std::shared_ptr<S1Supernet> supernet = SupernetOf(config);
  const EdgeWeights weights = {torch::rand({14, 7}).set_requires_grad(true),
                               torch::rand({14, 7}).set_requires_grad(true)};
  const torch::Tensor loss =
      supernet->Forward(torch::rand({2, 3, 8, 8}), weights).square().mean();
  const std::vector<torch::Tensor> gradients =
      torch::autograd::grad({loss}, {weights.normal, weights.reduce});
  EXPECT_GT(gradients[0].abs().min().item<float>(), 0);
  EXPECT_GT(gradients[1].abs().min().item<float>(), 0);
  for (const torch::Tensor& parameter : supernet->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
}

TEST(S1SupernetCreateTest, RefusesWhatMakesNoNetwork) {
  const auto refused = [](int64_t S1Config::*field, int64_t value,
                          const std::string& message) {
    S1Config config;
    config.*field = value;
    EXPECT_THAT(S1Supernet::Create(config),
                StatusIs(absl::StatusCode::kInvalidArgument, message));
  };
  refused(&S1Config::channels, 0, "channels is 0; it must be from 1 to 65536");
  refused(&S1Config::channels, 65537, "channels is 65537");
  refused(&S1Config::layers, 2, "layers is 2; it must be from 3 to 1000");
  refused(&S1Config::layers, 1001, "layers is 1001");
  refused(&S1Config::classes, 0, "classes is 0");
  refused(&S1Config::classes, 16777217, "classes is 16777217");
  refused(&S1Config::image_channels, -1, "image channels is -1");
  refused(&S1Config::image_channels, 65537, "image channels is 65537");
}

}  // namespace
}  // namespace fairdarts
