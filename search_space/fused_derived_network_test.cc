// The fused derived network against the plain one in double.

#include "search_space/fused_derived_network.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "genotypes/catalog.h"
#include "search_space/network_factory.h"
#include "tests/golden/fill_module.h"
#include "tests/status_matchers.h"
#include "tests/tensor_near.h"

namespace fairdarts {
namespace {

using P = Primitive;

constexpr uint64_t kSeed = 5;

Genotype Published(absl::string_view name) {
  const absl::StatusOr<CatalogMatch> match = FindInCatalog(name);
  EXPECT_THAT(match, IsOk());
  return match->entry->genotype;
}

// Re-weighted pairs with every operation, an input in the concat and a node
// outside of it.
Genotype Weighted() {
  Genotype genotype;
  genotype.form = GenotypeForm::kWeighted;
  genotype.normal = {{{P::kSepConv3x3, 2, 0, 0.5},
                      {P::kSkipConnect, 2, 1, 0.75},
                      {P::kMaxPool3x3, 3, 1, 1.5},
                      {P::kDilConv5x5, 3, 2, 1.25},
                      {P::kSepConv7x7, 4, 2, 0.25},
                      {P::kAvgPool3x3, 4, 0, 2}},
                     {1, 3, 4}};
  genotype.reduce = {{{P::kSepConv5x5, 2, 0, 0.5},
                      {P::kSkipConnect, 2, 1, 0.75},
                      {P::kMaxPool3x3, 3, 1, 0.5},
                      {P::kDilConv3x3, 3, 2, 2},
                      {P::kAvgPool3x3, 4, 0, 0.5},
                      {P::kSkipConnect, 4, 3, 1.5}},
                     {2, 3, 4}};
  return genotype;
}

// Nine operations on a node, several of them on an edge, a missing node with
// what reads it, nodes that do not come in order.
Genotype Threshold() {
  Genotype genotype;
  genotype.form = GenotypeForm::kThreshold;
  genotype.normal = {{{P::kMaxPool3x3, 5, 2},
                      {P::kDilConv3x3, 4, 3},
                      {P::kSepConv3x3, 3, 0},
                      {P::kSkipConnect, 3, 0},
                      {P::kMaxPool3x3, 3, 2},
                      {P::kAvgPool3x3, 4, 3},
                      {P::kSepConv5x5, 5, 1},
                      {P::kMaxPool3x3, 5, 0},
                      {P::kAvgPool3x3, 5, 0},
                      {P::kSkipConnect, 5, 0},
                      {P::kMaxPool3x3, 5, 1},
                      {P::kAvgPool3x3, 5, 1},
                      {P::kSkipConnect, 5, 1},
                      {P::kDilConv3x3, 5, 1},
                      {P::kDilConv5x5, 5, 4},
                      {P::kSkipConnect, 5, 4}},
                     {}};
  genotype.reduce = {{{P::kSkipConnect, 2, 0},
                      {P::kMaxPool3x3, 2, 0},
                      {P::kSepConv3x3, 2, 1},
                      {P::kDilConv5x5, 5, 2}},
                     {}};
  return genotype;
}

// Edges that lead nowhere, inputs that nothing reads.
Genotype Lost() {
  Genotype genotype = Published("DARTS_V2");
  genotype.normal = {{{P::kSepConv3x3, 2, 1},
                      {P::kSkipConnect, 2, 1},
                      {P::kDilConv3x3, 3, 1},
                      {P::kSkipConnect, 3, 2}},
                     {2}};
  return genotype;
}

// How far plain LibTorch in float32 is from the same in double over the cases
// below, relative to the largest entry: 9.4e-7 for logits, 2.4e-6 for those of
// the auxiliary head, 6.3e-6 for gradients, 1.8e-7 for running statistics.
// Where batches have no more than 3 images, gradients in front of the last
// batch norms nearly cancel: 7.4e-5. Another float32 computation may be off as
// far to the other side, and the measured distance is one sample of the error.
constexpr double kMultiple = 4;
constexpr double kLogits = kMultiple * 9.4e-7;
constexpr double kAuxiliaryLogits = kMultiple * 2.4e-6;
constexpr double kGradients = kMultiple * 6.3e-6;
constexpr double kGradientsOfFewImages = kMultiple * 7.4e-5;
constexpr double kStatistics = kMultiple * 1.8e-7;
constexpr int64_t kFewImages = 3;
// Gradients of which most cancels are compared with the largest of the network.
constexpr double kSmallest = 1e-3;

struct Case {
  const char* name;
  Genotype genotype;
  int channels;
  int layers;
  int image_channels;
  int size;
  int64_t batch;
  double drop;
  bool auxiliary = false;
};

void PrintTo(const Case& c, std::ostream* os) {
  *os << c.name << ", C=" << c.channels << ", " << c.layers << " cells, "
      << c.batch << "x" << c.image_channels << "x" << c.size << "x" << c.size;
}

std::vector<Case> Cases() {
  return {
      {"Pairs", Published("DARTS_V2"), 6, 5, 3, 32, 17, 0.3, true},
      {"PairsWithoutDropping", Published("DARTS_V1"), 8, 4, 3, 8, 16, 0},
      {"Sparse", Published("FairDARTS_a"), 4, 6, 3, 32, 3, 0.2, true},
      {"Grey", Published("FairDARTS_b"), 2, 3, 1, 28, 5, 0.2, true},
      {"InnerNodes", Published("NASNet"), 4, 4, 3, 12, 6, 0.25},
      {"Weighted", Weighted(), 10, 4, 2, 9, 33, 0.5},
      {"Threshold", Threshold(), 6, 7, 3, 15, 18, 0.4},
      {"OneImage", Published("FairDARTS_a"), 6, 5, 3, 32, 1, 0.2, true},
      {"Lost", Lost(), 4, 5, 3, 8, 4, 0.2},
  };
}

NetworkConfig ConfigOf(const Case& c) {
  NetworkConfig config = NetworkConfig::Cifar();
  config.init_channels = c.channels;
  config.layers = c.layers;
  config.classes = 7;
  config.image_size = c.size;
  config.image_channels = c.image_channels;
  config.auxiliary = c.auxiliary;
  return config;
}

std::shared_ptr<DerivedNetwork> PlainOf(const Case& c) {
  const auto network = MakeDerivedNetwork(c.genotype, ConfigOf(c));
  EXPECT_THAT(network, IsOk());
  FillModule(**network, kSeed);
  return *network;
}

std::shared_ptr<DerivedNetwork> FusedOf(const Case& c, int threads = 1) {
  const auto network =
      FusedDerivedNetwork::Create(c.genotype, ConfigOf(c), threads);
  EXPECT_THAT(network, IsOk());
  FillModule(**network, kSeed);
  return *network;
}

torch::Tensor ImagesOf(const Case& c) {
  return GoldenImagesTensor("x", {c.batch, c.image_channels, c.size, c.size},
                            kSeed);
}

PathDropper DropperOf(const Case& c) {
  return PathDropper(c.drop, RandomStream("test", {kSeed}));
}

torch::Tensor LossOf(const DerivedNetwork::Output& output) {
  const torch::Tensor labels =
      GoldenLabelsTensor("y", output.logits.size(0), 7, kSeed);
  torch::Tensor loss =
      torch::nn::functional::cross_entropy(output.logits, labels);
  if (output.auxiliary_logits.defined()) {
    loss = loss + 0.4 * torch::nn::functional::cross_entropy(
                            output.auxiliary_logits, labels);
  }
  return loss;
}

struct Outcome {
  torch::Tensor logits;
  torch::Tensor auxiliary_logits;
  std::vector<torch::Tensor> gradients;
  std::vector<torch::Tensor> buffers;
};

Outcome RunOnce(DerivedNetwork& network, const Case& c,
                torch::ScalarType type) {
  network.train();
  PathDropper dropper = DropperOf(c);
  const DerivedNetwork::Output output =
      network.Forward(ImagesOf(c).to(type), dropper);
  LossOf(output).backward();
  Outcome outcome = {output.logits, output.auxiliary_logits, {}, {}};
  for (const torch::Tensor& parameter : network.parameters()) {
    outcome.gradients.push_back(parameter.grad());
  }
  outcome.buffers = network.buffers();
  return outcome;
}

std::vector<std::string> ParameterNames(const torch::nn::Module& module) {
  std::vector<std::string> names;
  for (const auto& parameter : module.named_parameters()) {
    names.push_back(parameter.key());
  }
  return names;
}

std::vector<std::string> BufferNames(const torch::nn::Module& module) {
  std::vector<std::string> names;
  for (const auto& buffer : module.named_buffers()) {
    names.push_back(buffer.key());
  }
  return names;
}

// Relative to the largest entry of a tensor, or to `smallest`.
void ExpectNear(const torch::Tensor& actual, const torch::Tensor& expected,
                double tolerance, double smallest, const std::string& name) {
  const torch::Tensor wide = expected.to(torch::kDouble);
  const double scale = std::max(wide.abs().max().item<double>(), smallest);
  EXPECT_THAT(actual.to(torch::kDouble),
              TensorNear(wide, {tolerance * scale, 0}))
      << name;
}

class FusedDerivedNetworkTest : public testing::TestWithParam<Case> {};

TEST_P(FusedDerivedNetworkTest, AgreesWithThePlainNetworkInDouble) {
  const Case& c = GetParam();
  const auto plain = PlainOf(c);
  plain->to(torch::kDouble);
  const Outcome expected = RunOnce(*plain, c, torch::kDouble);
  const auto fused = FusedOf(c);
  const std::vector<std::string> names = ParameterNames(*plain);
  const std::vector<std::string> buffers = BufferNames(*plain);
  ASSERT_EQ(ParameterNames(*fused), names);
  ASSERT_EQ(BufferNames(*fused), buffers);
  const Outcome actual = RunOnce(*fused, c, torch::kFloat);

  ExpectNear(actual.logits, expected.logits, kLogits, 0, "logits");
  ASSERT_EQ(actual.auxiliary_logits.defined(),
            expected.auxiliary_logits.defined());
  ASSERT_EQ(actual.auxiliary_logits.defined(), c.auxiliary && c.batch > 1);
  if (actual.auxiliary_logits.defined()) {
    ExpectNear(actual.auxiliary_logits, expected.auxiliary_logits,
               kAuxiliaryLogits, 0, "auxiliary logits");
  }
  double largest = 0;
  for (const torch::Tensor& gradient : expected.gradients) {
    if (gradient.defined()) {
      largest = std::max(largest, gradient.abs().max().item<double>());
    }
  }
  for (size_t i = 0; i < names.size(); ++i) {
    ASSERT_EQ(actual.gradients[i].defined(), expected.gradients[i].defined())
        << names[i];
    if (!actual.gradients[i].defined()) continue;
    ExpectNear(actual.gradients[i], expected.gradients[i],
               c.batch <= kFewImages ? kGradientsOfFewImages : kGradients,
               kSmallest * largest, names[i]);
  }
  for (size_t i = 0; i < buffers.size(); ++i) {
    ExpectNear(actual.buffers[i], expected.buffers[i], kStatistics, 1,
               buffers[i]);
  }

  // Threads change no bit.
  const Outcome threaded =
      RunOnce(*FusedOf(c, /*threads=*/3), c, torch::kFloat);
  EXPECT_TRUE(torch::equal(threaded.logits, actual.logits));
  for (size_t i = 0; i < names.size(); ++i) {
    if (!actual.gradients[i].defined()) continue;
    EXPECT_TRUE(torch::equal(threaded.gradients[i], actual.gradients[i]))
        << names[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, FusedDerivedNetworkTest,
                         testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

Case SmallCase() { return {"Small", Weighted(), 4, 3, 3, 8, 4, 0.2}; }

std::shared_ptr<DerivedNetwork> SmallNetwork() {
  const std::shared_ptr<DerivedNetwork> network = FusedOf(SmallCase());
  network->train();
  return network;
}

torch::Tensor LogitsOf(DerivedNetwork& network, const torch::Tensor& images) {
  PathDropper none;
  return network.Forward(images, none).logits;
}

TEST(FusedDerivedNetworkStateTest, EvaluatesAsThePlainOneFromTheSameState) {
  const Case c = SmallCase();
  const auto fused = SmallNetwork();
  RunOnce(*fused, c, torch::kFloat);
  const auto plain = PlainOf(c);
  const torch::NoGradGuard no_grad;
  const auto fused_buffers = fused->named_buffers();
  for (const auto& buffer : plain->named_buffers()) {
    if (absl::EndsWith(buffer.key(), "num_batches_tracked")) {
      EXPECT_EQ(fused_buffers[buffer.key()].item<int64_t>(),
                buffer.value().item<int64_t>() + 1);
    }
    buffer.value().copy_(fused_buffers[buffer.key()]);
  }
  const auto fused_parameters = fused->named_parameters();
  for (const auto& parameter : plain->named_parameters()) {
    parameter.value().copy_(fused_parameters[parameter.key()]);
  }
  fused->eval();
  plain->eval();
  // More than the engine has memory for.
  Case many = c;
  many.batch = 45;
  const torch::Tensor images = ImagesOf(many);
  const torch::Tensor expected = plain->Logits(images);
  EXPECT_THAT(fused->Logits(images), TensorNear(expected, {0, kLogits}));
  {
    const torch::AutoGradMode with_gradients(true);
    EXPECT_TRUE(torch::equal(fused->Logits(images), expected));
  }
  // Nothing moved.
  for (const auto& buffer : plain->named_buffers()) {
    EXPECT_TRUE(torch::equal(fused_buffers[buffer.key()], buffer.value()))
        << buffer.key();
  }
}

TEST(FusedDerivedNetworkStateTest, TensorsOutliveTheNetwork) {
  std::shared_ptr<DerivedNetwork> network = SmallNetwork();
  const torch::Tensor parameter = network->parameters()[0];
  const torch::Tensor copy = parameter.detach().clone();
  network.reset();
  EXPECT_TRUE(torch::equal(parameter, copy));
}

TEST(FusedDerivedNetworkStateTest, OnlyTheLastForwardHasABackwardAndOne) {
  const auto network = SmallNetwork();
  const torch::Tensor images = ImagesOf(SmallCase());
  const torch::Tensor first = LogitsOf(*network, images).sum();
  const torch::Tensor second = LogitsOf(*network, images).sum();
  EXPECT_THROW(first.backward(), c10::Error);
  second.backward({}, /*retain_graph=*/true);
  EXPECT_THROW(second.backward(), c10::Error);
}

TEST(FusedDerivedNetworkStateTest, RefusesABackwardThroughChangedParameters) {
  const auto network = SmallNetwork();
  const torch::Tensor loss = LogitsOf(*network, ImagesOf(SmallCase())).sum();
  {
    const torch::NoGradGuard no_grad;
    network->parameters()[3].add_(1);
  }
  EXPECT_THROW(loss.backward(), c10::Error);
}

// Each loss alone: the other output has no gradient then.
TEST(FusedDerivedNetworkStateTest, GradientsOfBothLossesAddUp) {
  const Case c = {"Both", Published("DARTS_V2"), 4, 3, 1, 28, 4, 0, true};
  const auto gradients = [&](double main, double auxiliary) {
    const auto network = FusedOf(c);
    network->train();
    PathDropper none;
    const DerivedNetwork::Output output = network->Forward(ImagesOf(c), none);
    torch::Tensor loss;
    if (main != 0) loss = main * output.logits.square().sum();
    if (auxiliary != 0) {
      const torch::Tensor other =
          auxiliary * output.auxiliary_logits.square().sum();
      loss = loss.defined() ? loss + other : other;
    }
    loss.backward();
    std::vector<torch::Tensor> result;
    for (const auto& parameter : network->named_parameters()) {
      if (!absl::StartsWith(parameter.key(), "stem.")) continue;
      result.push_back(parameter.value().grad());
    }
    return result;
  };
  const auto both = gradients(1, 1);
  const auto main = gradients(1, 0);
  const auto auxiliary = gradients(0, 1);
  for (size_t i = 0; i < both.size(); ++i) {
    EXPECT_GT(auxiliary[i].abs().max().item<double>(), 0);
    ExpectNear(both[i], main[i] + auxiliary[i], kGradients, 0, "stem");
  }
}

TEST(FusedDerivedNetworkStateTest, RefusesParametersThatWereMovedAway) {
  const auto network = SmallNetwork();
  network->to(torch::kDouble);
  EXPECT_THROW(LogitsOf(*network, ImagesOf(SmallCase())), c10::Error);
}

TEST(FusedDerivedNetworkStateTest, RefusesWhatItCannotCompute) {
  const auto network = SmallNetwork();
  EXPECT_THROW(LogitsOf(*network, ImagesOf(SmallCase()).to(torch::kDouble)),
               c10::NotImplementedError);
  EXPECT_THROW(LogitsOf(*network, torch::zeros({2, 1, 8, 8})), c10::ValueError);
  // One value a channel behind the last reduction cell.
  EXPECT_THROW(LogitsOf(*network, torch::zeros({1, 3, 4, 4})), c10::ValueError);
}

TEST(FusedDerivedNetworkStateTest, RefusesWhatMakesNoNetworkOrNotThisOne) {
  NetworkConfig config = ConfigOf(SmallCase());
  config.auxiliary = true;
  EXPECT_THAT(FusedDerivedNetwork::Create(Weighted(), config, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, "auxiliary"));
  EXPECT_THAT(FusedDerivedNetwork::Create(Published("AmoebaNet"),
                                          ConfigOf(SmallCase()), 1),
              StatusIs(absl::StatusCode::kInvalidArgument, "conv_7x1_1x7"));
}

TEST(FusedDerivedNetworkStateTest, NaNReachesTheLogits) {
  const auto network = SmallNetwork();
  torch::Tensor images = ImagesOf(SmallCase());
  images[0][0][3][3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(torch::isnan(LogitsOf(*network, images)).any().item<bool>());
}

}  // namespace
}  // namespace fairdarts
