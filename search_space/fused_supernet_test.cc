// The fused search network against the plain one in double.

#include "search_space/fused_supernet.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "fairdarts/base/random.h"
#include "genotypes/edge_layout.h"
#include "search_space/engine/edge_noise.h"
#include "search_space/mixed_op.h"
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

// By these keys the noise puts no input of a ReLU or a maximum within rounding
// of a decision and leaves each batch norm its variance, as the sizes below do
// without it; plain LibTorch in float32 is off from double as far as there.
constexpr SkipNoise kNoNoise;
constexpr SkipNoise kNormalNoise = {SkipNoise::Kind::kNormal, 0.7f, 4};
constexpr SkipNoise kUniformNoise = {SkipNoise::Kind::kUniform, 0.4f, 3};

Outcome RunOnce(Supernet& network, const Case& c, torch::ScalarType type,
                const SkipNoise& noise = kNoNoise) {
  const EdgeWeights weights = WeightsOf(type);
  network.train();
  EXPECT_THAT(network.SetSkipNoise(noise), IsOk());
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

void ExpectAgreement(const Case& c, const SkipNoise& noise) {
  const auto plain = S1Supernet::Create(ConfigOf(c));
  ASSERT_THAT(plain, IsOk());
  FillModule(**plain, kSeed);
  (*plain)->to(torch::kDouble);
  const Outcome expected = RunOnce(**plain, c, torch::kDouble, noise);
  const auto fused = FusedSupernet::Create(ConfigOf(c), /*threads=*/1);
  ASSERT_THAT(fused, IsOk());
  FillModule(**fused, kSeed);
  const Outcome actual = RunOnce(**fused, c, torch::kFloat, noise);

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
  ASSERT_THAT((*again)->SetSkipNoise(noise), IsOk());
  const torch::Tensor logits = (*again)->Forward(ImagesOf(c), weights);
  EXPECT_TRUE(torch::equal(logits, actual.logits));
  const auto alone =
      torch::autograd::grad({LossOf(logits)}, {weights.normal, weights.reduce});
  EXPECT_TRUE(torch::equal(alone[0], actual.weight_gradients[0]));
  EXPECT_TRUE(torch::equal(alone[1], actual.weight_gradients[1]));
  FillModule(**again, kSeed);
  const Outcome threaded = RunOnce(**again, c, torch::kFloat, noise);
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_TRUE(torch::equal(threaded.gradients[i], actual.gradients[i]))
        << names[i];
  }
  // Without gradients of the edges' weights those of the parameters are as
  // they are.
  FillModule(**again, kSeed);
  (*again)->zero_grad();
  ASSERT_THAT((*again)->SetSkipNoise(noise), IsOk());
  LossOf((*again)->Forward(ImagesOf(c),
                           {weights.normal.detach(), weights.reduce.detach()}))
      .backward();
  const std::vector<torch::Tensor> parameters = (*again)->parameters();
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_TRUE(torch::equal(parameters[i].grad(), actual.gradients[i]))
        << names[i];
  }
}

class FusedSupernetTest : public testing::TestWithParam<Case> {};

TEST_P(FusedSupernetTest, AgreesWithThePlainModulesInDouble) {
  ExpectAgreement(GetParam(), kNoNoise);
}

class FusedSupernetNoiseTest : public testing::TestWithParam<Case> {};

TEST_P(FusedSupernetNoiseTest, AgreesUnderNormalNoise) {
  ExpectAgreement(GetParam(), kNormalNoise);
}

TEST_P(FusedSupernetNoiseTest, AgreesUnderUniformNoise) {
  ExpectAgreement(GetParam(), kUniformNoise);
}

constexpr Case kSizes[] = {Case{4, 3, 3, 3, 8, 8}, Case{3, 3, 1, 17, 7, 5},
                           Case{2, 4, 2, 1, 15, 9}, Case{5, 5, 3, 16, 4, 8},
                           Case{2, 3, 3, 33, 9, 16}};

INSTANTIATE_TEST_SUITE_P(Sizes, FusedSupernetTest, testing::ValuesIn(kSizes));
INSTANTIATE_TEST_SUITE_P(Sizes, FusedSupernetNoiseTest,
                         testing::ValuesIn(kSizes));

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

// Noise on skip connections, for both networks where nothing else is said.

std::vector<std::shared_ptr<Supernet>> BothNetworks() {
  const auto plain = S1Supernet::Create(ConfigOf(kSmall));
  EXPECT_THAT(plain, IsOk());
  FillModule(**plain, kSeed);
  (*plain)->train();
  return {*plain, SmallNetwork()};
}

constexpr int64_t kSkip = 2;  // its column, among kS1Candidates

TEST(SkipNoiseTest, IsAddedToTheSkipAtStrideOneAlone) {
  const EdgeNoise noise = {kNormalNoise, 4, 5, 6};
  const torch::Tensor x =
      GoldenUnitTensor("x", {19, 2, 5, 6}, kSeed).to(torch::kDouble);
  for (const int64_t stride : {1, 2}) {
    MixedOp edge(2, stride);
    edge.to(torch::kDouble);
    const torch::Tensor input = x.clone().requires_grad_();
    const torch::Tensor weights = torch::zeros(7, torch::kDouble);
    weights[kSkip] = 0.5;
    weights.requires_grad_();
    const torch::Tensor y = edge.AddTo({}, input, weights, noise);
    if (stride == 2) {
      EXPECT_TRUE(torch::equal(y, edge.AddTo({}, input, weights, {})));
      continue;
    }
    torch::Tensor n = torch::empty({19, 2, 5, 6});
    FillNoise(noise, {19, 2, 5, 6}, n.mutable_data_ptr<float>());
    const torch::Tensor noisy = x + n;
    EXPECT_TRUE(torch::equal(y, noisy * 0.5));
    const torch::Tensor g = GoldenUnitTensor("g", {19, 2, 5, 6}, kSeed);
    y.backward(g.to(torch::kDouble));
    // Sums of 1,140 terms below 5 in double.
    constexpr double kRounding = 1140 * 1140 * 5 * 0x1p-53;
    EXPECT_THAT(weights.grad()[kSkip],
                TensorNear((g * noisy).sum(), {kRounding, 0}));
    // As without, all other weights being 0.
    EXPECT_THAT(input.grad(), TensorNear(g.to(torch::kDouble) * 0.5, {0, 0}));
  }
}

TEST(SkipNoiseTest, StrideTwoEdgesOfReductionCellsHaveNone) {
  // Skips are weighted at the edges from a reduction cell's inputs, of stride
  // 2, or at those from its nodes, of stride 1; in normal cells nowhere.
  const auto weights_of = [](bool inputs) {
    EdgeWeights weights = WeightsOf(torch::kFloat);
    const torch::NoGradGuard no_grad;
    weights.normal.select(1, kSkip).zero_();
    int64_t row = 0;
    for (const CellEdge& edge : EdgeLayout(kS1Nodes)) {
      if ((edge.from < kCellInputs) != inputs) weights.reduce[row][kSkip] = 0;
      ++row;
    }
    return weights;
  };
  for (const auto& network : BothNetworks()) {
    for (const bool inputs : {true, false}) {
      const auto run = [&](const SkipNoise& noise) {
        EXPECT_THAT(network->SetSkipNoise(noise), IsOk());
        const EdgeWeights weights = weights_of(inputs);
        const torch::Tensor logits =
            network->Forward(ImagesOf(kSmall), weights);
        const auto gradients = torch::autograd::grad(
            {LossOf(logits)}, {weights.normal, weights.reduce});
        return std::make_pair(logits, gradients[1].select(1, kSkip));
      };
      const auto [logits, skips] = run(kNoNoise);
      const auto [noisy_logits, noisy_skips] = run(kNormalNoise);
      EXPECT_EQ(torch::equal(noisy_logits, logits), inputs);
      if (!inputs) continue;
      int64_t row = 0;
      for (const CellEdge& edge : EdgeLayout(kS1Nodes)) {
        EXPECT_EQ(torch::equal(noisy_skips[row], skips[row]),
                  edge.from < kCellInputs)
            << row;
        ++row;
      }
    }
  }
}

TEST(SkipNoiseTest, IsOfItsKeyAndTheForwardsSince) {
  const EdgeWeights weights = WeightsOf(torch::kFloat);
  const torch::NoGradGuard no_grad;
  for (const auto& network : BothNetworks()) {
    const auto run = [&] {
      return network->Forward(ImagesOf(kSmall), weights);
    };
    const torch::Tensor without = run();
    ASSERT_THAT(network->SetSkipNoise(kNormalNoise), IsOk());
    const torch::Tensor first = run();
    const torch::Tensor second = run();
    EXPECT_FALSE(torch::equal(first, without));
    EXPECT_FALSE(torch::equal(second, first));
    ASSERT_THAT(network->SetSkipNoise(kNormalNoise), IsOk());
    EXPECT_TRUE(torch::equal(run(), first));
    // Evaluation has none and counts as no forward.
    const auto evaluate = [&] {
      network->eval();
      const torch::Tensor logits = run();
      network->train();
      return logits;
    };
    const torch::Tensor evaluated = evaluate();
    ASSERT_THAT(network->SetSkipNoise(kNoNoise), IsOk());
    EXPECT_TRUE(torch::equal(evaluate(), evaluated));
    ASSERT_THAT(network->SetSkipNoise(kNormalNoise), IsOk());
    EXPECT_TRUE(torch::equal(run(), first));
    evaluate();
    EXPECT_TRUE(torch::equal(run(), second));
    // None, by its scale or its kind, changes no bit.
    SkipNoise none = kNormalNoise;
    none.scale = 0;
    for (const SkipNoise& noise : {none, kNoNoise}) {
      ASSERT_THAT(network->SetSkipNoise(noise), IsOk());
      EXPECT_TRUE(torch::equal(run(), without));
    }
  }
}

TEST(SkipNoiseTest, RefusesAScaleThatIsNone) {
  SkipNoise noise = kNormalNoise;
  noise.scale = -1;
  for (const auto& network : BothNetworks()) {
    EXPECT_THAT(network->SetSkipNoise(noise),
                StatusIs(absl::StatusCode::kInvalidArgument, "scale is -1"));
  }
}

class WithoutSkips : public Supernet {
 public:
  torch::Tensor Forward(const torch::Tensor& images,
                        const EdgeWeights&) override {
    return images;
  }
  int64_t edges() const override { return 0; }
  int64_t candidates() const override { return 0; }
};

TEST(SkipNoiseTest, IsRefusedBySpacesWithoutSkips) {
  WithoutSkips network;
  EXPECT_THAT(network.SetSkipNoise(kNoNoise), IsOk());
  EXPECT_THAT(network.SetSkipNoise(kUniformNoise),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "no skip_connect candidate"));
}

}  // namespace
}  // namespace fairdarts
