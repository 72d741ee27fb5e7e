// The fused search network against the plain one in double.

#include "search_space/fused_supernet.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "fairdarts/base/random.h"
#include "tests/golden/fill_module.h"
#include "tests/status_matchers.h"
#include "tests/tensor_near.h"

namespace fairdarts {
namespace {

struct Case {
  int64_t channels;
  int64_t layers;
  int64_t image_channels;
  int64_t batch;
  int64_t height;
  int64_t width;
};

void PrintTo(const Case& c, std::ostream* os) {
  *os << "C=" << c.channels << ", " << c.layers << " cells, " << c.batch << "x"
      << c.image_channels << "x" << c.height << "x" << c.width;
}

constexpr int64_t kClasses = 7;
constexpr uint64_t kSeed = 5;

// How far plain LibTorch in float32 is from the same in double over these
// cases, relative to the largest entry: 1e-5 for logits (batch 1, where the
// last batch norms see 24 values) and 1.1e-5 for gradients. Another float32
// computation may be off as far to the other side, and the measured distance is
// one sample of the error.
constexpr double kMultiple = 4;
constexpr double kLogits = kMultiple * 1e-5;
constexpr double kGradients = kMultiple * 1.1e-5;
// Momentum 0.1 of sums that float32 rounds once a row.
constexpr double kStatistics = kMultiple * 1e-5;
// Gradients of which most cancels are compared with the largest of the network.
constexpr double kSmallest = 1e-3;
// At batch 1 the network is constant, since the pool at its end averages what
// batch norm has centred: in front of the classifier gradients are zero but for
// rounding, which grows with each batch norm on its way. Measured: 1e-4.
constexpr double kVanished = 1e-3;

S1Config ConfigOf(const Case& c) {
  return {c.channels, c.layers, kClasses, c.image_channels};
}

EdgeWeights WeightsOf(torch::ScalarType type) {
  const auto weights = [&](const char* name) {
    return GoldenUnitTensor(name, {14, 7}, kSeed)
        .to(type)
        .sigmoid()
        .set_requires_grad(true);
  };
  return {weights("normal"), weights("reduce")};
}

torch::Tensor ImagesOf(const Case& c) {
  return GoldenImagesTensor("x", {c.batch, c.image_channels, c.height, c.width},
                            kSeed);
}

torch::Tensor LossOf(const torch::Tensor& logits) {
  return torch::nn::functional::cross_entropy(
      logits, GoldenLabelsTensor("y", logits.size(0), kClasses, kSeed));
}

struct Outcome {
  torch::Tensor logits;
  std::vector<torch::Tensor> weight_gradients;  // normal, reduce
  std::vector<torch::Tensor> gradients;
};

Outcome RunOnce(Supernet& network, const Case& c, torch::ScalarType type) {
  const EdgeWeights weights = WeightsOf(type);
  network.train();
  Outcome outcome;
  outcome.logits = network.Forward(ImagesOf(c).to(type), weights);
  LossOf(outcome.logits).backward();
  outcome.weight_gradients = {weights.normal.grad(), weights.reduce.grad()};
  for (const torch::Tensor& parameter : network.parameters()) {
    outcome.gradients.push_back(parameter.grad());
  }
  return outcome;
}

double Largest(const std::vector<torch::Tensor>& tensors) {
  double largest = 0;
  for (const torch::Tensor& tensor : tensors) {
    largest = std::max(largest, tensor.abs().max().item<double>());
  }
  return largest;
}

// Relative to the largest entry of each tensor, or to `smallest`.
void ExpectNear(const std::vector<torch::Tensor>& actual,
                const std::vector<torch::Tensor>& expected,
                const std::vector<std::string>& names, double tolerance,
                double smallest) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    const double scale =
        std::max(expected[i].abs().max().item<double>(), smallest);
    EXPECT_THAT(
        actual[i].to(torch::kDouble),
        TensorNear(expected[i].to(torch::kDouble), {tolerance * scale, 0}))
        << names[i];
  }
}

class FusedSupernetTest : public testing::TestWithParam<Case> {};

TEST_P(FusedSupernetTest, AgreesWithThePlainModulesInDouble) {
  const Case& c = GetParam();
  const auto plain = S1Supernet::Create(ConfigOf(c));
  ASSERT_THAT(plain, IsOk());
  FillModule(**plain, kSeed);
  (*plain)->to(torch::kDouble);
  const Outcome expected = RunOnce(**plain, c, torch::kDouble);
  const auto fused = FusedSupernet::Create(ConfigOf(c), /*threads=*/1);
  ASSERT_THAT(fused, IsOk());
  FillModule(**fused, kSeed);
  const Outcome actual = RunOnce(**fused, c, torch::kFloat);

  ExpectNear({actual.logits}, {expected.logits}, {"logits"}, kLogits, 0);
  const double largest = Largest(expected.gradients);
  const double smallest =
      (c.batch == 1 ? kVanished / kGradients : kSmallest) * largest;
  ExpectNear(actual.weight_gradients, expected.weight_gradients,
             {"normal", "reduce"}, kGradients, smallest);
  std::vector<std::string> names;
  for (const auto& parameter : (*plain)->named_parameters()) {
    names.push_back(parameter.key());
  }
  ExpectNear(actual.gradients, expected.gradients, names, kGradients, smallest);
  const auto buffers = (*plain)->named_buffers();
  const auto fused_buffers = (*fused)->named_buffers();
  ASSERT_EQ(buffers.size(), fused_buffers.size());
  for (size_t i = 0; i < buffers.size(); ++i) {
    ASSERT_EQ(buffers[i].key(), fused_buffers[i].key());
    ExpectNear({fused_buffers[i].value()}, {buffers[i].value()},
               {buffers[i].key()}, kStatistics, 1);
  }

  // Threads and what is asked for change no bit.
  const auto again = FusedSupernet::Create(ConfigOf(c), /*threads=*/3);
  ASSERT_THAT(again, IsOk());
  FillModule(**again, kSeed);
  const EdgeWeights weights = WeightsOf(torch::kFloat);
  (*again)->train();
  const torch::Tensor logits = (*again)->Forward(ImagesOf(c), weights);
  EXPECT_TRUE(torch::equal(logits, actual.logits));
  const auto alone =
      torch::autograd::grad({LossOf(logits)}, {weights.normal, weights.reduce});
  EXPECT_TRUE(torch::equal(alone[0], actual.weight_gradients[0]));
  EXPECT_TRUE(torch::equal(alone[1], actual.weight_gradients[1]));
  FillModule(**again, kSeed);
  const Outcome threaded = RunOnce(**again, c, torch::kFloat);
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_TRUE(torch::equal(threaded.gradients[i], actual.gradients[i]))
        << names[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, FusedSupernetTest,
                         testing::Values(Case{4, 3, 3, 3, 8, 8},
                                         Case{3, 3, 1, 17, 7, 5},
                                         Case{2, 4, 2, 1, 15, 9},
                                         Case{5, 5, 3, 16, 4, 8},
                                         Case{2, 3, 3, 33, 9, 16}));

// Sizes that nobody chose. Small ones: the more inputs of ReLUs and maxima
// there are, the more likely one lies within rounding of a decision, which then
// moves the gradients of one image by far more than rounding.
std::vector<Case> RandomCases() {
  constexpr int kCases = 8;
  RandomStream stream("cases of the fused search network", {});
  const auto between = [&](int64_t first, int64_t last) {
    return first + static_cast<int64_t>(stream.Below(last - first + 1));
  };
  std::vector<Case> cases;
  for (int i = 0; i < kCases; ++i) {
    cases.push_back({between(2, 5), between(3, 4), between(1, 4),
                     between(2, 20), between(5, 10), between(5, 10)});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(RandomSizes, FusedSupernetTest,
                         testing::ValuesIn(RandomCases()));

constexpr Case kSmall = {2, 3, 3, 4, 8, 8};

std::shared_ptr<FusedSupernet> SmallNetwork() {
  const auto network = FusedSupernet::Create(ConfigOf(kSmall), 1);
  EXPECT_THAT(network, IsOk());
  FillModule(**network, kSeed);
  (*network)->train();
  return *network;
}

TEST(FusedSupernetStateTest, EvaluatesAsThePlainOneFromTheSameState) {
  const auto fused = SmallNetwork();
  RunOnce(*fused, kSmall, torch::kFloat);
  const auto plain = S1Supernet::Create(ConfigOf(kSmall));
  ASSERT_THAT(plain, IsOk());
  const torch::NoGradGuard no_grad;
  const auto fused_buffers = fused->named_buffers();
  for (const auto& buffer : (*plain)->named_buffers()) {
    if (absl::EndsWith(buffer.key(), "num_batches_tracked")) {
      EXPECT_EQ(fused_buffers[buffer.key()].item<int64_t>(), 1);
    }
    buffer.value().copy_(fused_buffers[buffer.key()]);
  }
  const auto fused_parameters = fused->named_parameters();
  for (const auto& parameter : (*plain)->named_parameters()) {
    parameter.value().copy_(fused_parameters[parameter.key()]);
  }
  fused->eval();
  (*plain)->eval();
  // More than the engine has memory for.
  Case many = kSmall;
  many.batch = 45;
  const torch::Tensor images = ImagesOf(many);
  const EdgeWeights weights = WeightsOf(torch::kFloat);
  const torch::Tensor expected = (*plain)->Forward(images, weights);
  ExpectNear({fused->Forward(images, weights)}, {expected}, {"logits"}, kLogits,
             0);
  {
    const torch::AutoGradMode with_gradients(true);
    EXPECT_TRUE(torch::equal(fused->Forward(images, weights), expected));
  }
  // Nothing moved.
  for (const auto& buffer : (*plain)->named_buffers()) {
    EXPECT_TRUE(torch::equal(fused_buffers[buffer.key()], buffer.value()))
        << buffer.key();
  }
}

TEST(FusedSupernetStateTest, TensorsOutliveTheNetwork) {
  std::shared_ptr<FusedSupernet> network = SmallNetwork();
  const torch::Tensor parameter = network->parameters()[0];
  const torch::Tensor copy = parameter.detach().clone();
  network.reset();
  EXPECT_TRUE(torch::equal(parameter, copy));
}

TEST(FusedSupernetStateTest, OnlyTheLastForwardHasABackwardAndOne) {
  const auto network = SmallNetwork();
  const EdgeWeights weights = WeightsOf(torch::kFloat);
  const torch::Tensor first =
      LossOf(network->Forward(ImagesOf(kSmall), weights));
  const torch::Tensor second =
      LossOf(network->Forward(ImagesOf(kSmall), weights));
  EXPECT_THROW(first.backward(), c10::Error);
  second.backward({}, /*retain_graph=*/true);
  EXPECT_THROW(second.backward(), c10::Error);
}

TEST(FusedSupernetStateTest, RefusesABackwardThroughChangedParameters) {
  const auto network = SmallNetwork();
  const EdgeWeights weights = WeightsOf(torch::kFloat);
  const torch::Tensor loss =
      LossOf(network->Forward(ImagesOf(kSmall), weights));
  {
    const torch::NoGradGuard no_grad;
    network->parameters()[3].add_(1);
  }
  EXPECT_THROW(loss.backward(), c10::Error);
}

TEST(FusedSupernetStateTest, RefusesParametersThatWereMovedAway) {
  const auto network = SmallNetwork();
  network->to(torch::kDouble);
  EXPECT_THROW(network->Forward(ImagesOf(kSmall), WeightsOf(torch::kFloat)),
               c10::Error);
}

TEST(FusedSupernetStateTest, RefusesWhatItCannotCompute) {
  const auto network = SmallNetwork();
  const EdgeWeights weights = WeightsOf(torch::kFloat);
  EXPECT_THROW(network->Forward(ImagesOf(kSmall).to(torch::kDouble), weights),
               c10::NotImplementedError);
  EXPECT_THROW(network->Forward(torch::zeros({2, 1, 8, 8}), weights),
               c10::ValueError);
  EXPECT_THROW(network->Forward(ImagesOf(kSmall).requires_grad_(), weights),
               c10::NotImplementedError);
  EXPECT_THROW(
      network->Forward(ImagesOf(kSmall), {weights.normal, torch::zeros({2})}),
      c10::ValueError);
  // One value a channel behind the last reduction cell.
  EXPECT_THROW(network->Forward(torch::zeros({1, 3, 4, 4}), weights),
               c10::ValueError);
}

TEST(FusedSupernetStateTest, NaNReachesTheLogits) {
  const auto network = SmallNetwork();
  torch::Tensor images = ImagesOf(kSmall);
  images[0][0][3][3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(torch::isnan(network->Forward(images, WeightsOf(torch::kFloat)))
                  .any()
                  .item<bool>());
}

}  // namespace
}  // namespace fairdarts
