#include "fairdarts/alpha_gradient.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "fairdarts/base/status.h"
#include "search_space/initialization.h"
#include "search_space/s1_factory.h"
#include "tests/golden/fill_module.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;
using ::torch::autograd::variable_list;

constexpr int64_t kPixels = 6;
constexpr int64_t kClasses = 4;
constexpr int64_t kCandidates = 3;

torch::Tensor Wave(torch::IntArrayRef shape, double offset) {
  int64_t elements = 1;
  for (const int64_t size : shape) elements *= size;
  return torch::sin(torch::arange(elements, torch::kDouble) * 1.7 + offset)
      .reshape(shape);
}

// Two smooth layers; each edge's weights scale the candidates of one of them.
// Its weights can be lent, as results of a graph that leads to them.
class SmoothSupernet : public Supernet {
 public:
  SmoothSupernet() {
    for (int candidate = 0; candidate < kCandidates; ++candidate) {
      register_parameter("first" + std::to_string(candidate),
                         0.5 * Wave({kPixels, kPixels}, candidate));
      register_parameter("second" + std::to_string(candidate),
                         0.6 * Wave({kPixels, kClasses}, candidate + 0.3));
    }
    register_buffer("forwards", torch::zeros({}, torch::kDouble));
  }

  torch::Tensor Forward(const torch::Tensor& images,
                        const EdgeWeights& weights) override {
    {
      const torch::NoGradGuard no_grad;
      named_buffers()["forwards"].add_(1);
    }
    keys.push_back(noise.key);
    const variable_list w = lent.empty() ? parameters() : lent;
    torch::Tensor x = images;
    for (const int layer : {0, 1}) {
      const torch::Tensor& edge = layer == 0 ? weights.normal : weights.reduce;
      torch::Tensor sum;
      for (int candidate = 0; candidate < kCandidates; ++candidate) {
        const torch::Tensor y =
            torch::tanh(x.matmul(w[2 * candidate + layer])) *
            edge[0][candidate];
        sum = sum.defined() ? sum + y : y;
      }
      x = sum;
    }
    if (poison.size() >= keys.size() && poison[keys.size() - 1]) {
      x = x + std::numeric_limits<double>::quiet_NaN();
    }
    return 3 * x;
  }
  absl::Status SetSkipNoise(const SkipNoise& value) override {
    noise = value;
    return absl::OkStatus();
  }
  int64_t edges() const override { return 1; }
  int64_t candidates() const override { return kCandidates; }

  variable_list lent;
  SkipNoise noise;
  std::vector<uint64_t> keys;  // of the noise in each forward
  std::vector<bool> poison;    // which forwards give a NaN
};

Batch MakeBatch(double offset) {
  return {Wave({7, kPixels}, offset),
          torch::tensor({0, 3, 2, 1, 0, 2, 1}, torch::kLong)};
}

// A search in the middle: alphas and momentum buffers are not zero.
struct Case {
  explicit Case(Relaxation r) : relaxation(r) {
    supernet.train();
    alphas = ZeroAlphas(supernet);
    DrawAlphas(/*deviation=*/0.7, /*seed=*/3, alphas);
    optimizer = std::make_unique<Sgd>(
        supernet.parameters(),
        torch::optim::SGDOptions(kRate).momentum(kMomentum).weight_decay(
            kWeightDecay));
    for (int i = 0; i < 2; ++i) {
      optimizer->zero_grad();
      ComputeSearchLoss(supernet, Relax(alphas, relaxation), MakeBatch(9 + i),
                        loss)
          .total.backward();
      optimizer->ClippedStep(optimizer->GradientNorm(), 5);
      momentum.clear();
      for (const torch::Tensor& p : supernet.parameters()) {
        momentum.push_back(static_cast<torch::optim::SGDParamState&>(
                               *optimizer->state()[p.unsafeGetTensorImpl()])
                               .momentum_buffer()
                               .clone());
      }
    }
    alphas.normal.mutable_grad().reset();
    alphas.reduce.mutable_grad().reset();
    supernet.keys.clear();
  }

  static constexpr double kRate = 0.3;
  static constexpr double kMomentum = 0.8;
  static constexpr double kWeightDecay = 0.02;

  absl::StatusOr<AlphaGradient> SecondOrder(const SkipNoise& noise = {}) {
    return SecondOrderGradient(supernet, alphas, relaxation, train, alpha, loss,
                               *optimizer, noise);
  }
  variable_list both() const { return {alphas.normal, alphas.reduce}; }

  const Relaxation relaxation;
  SmoothSupernet supernet;
  SearchLossOptions loss;
  Alphas alphas;
  std::unique_ptr<Sgd> optimizer;
  variable_list momentum;
  const Batch train = MakeBatch(0);
  const Batch alpha = MakeBatch(0.4);
};

torch::Tensor Flat(const torch::Tensor& normal, const torch::Tensor& reduce) {
  return torch::cat({normal.flatten(), reduce.flatten()}).detach();
}

// What second order stands for, by differentiating through the step of the
// weights; and its implicit term when the mixed derivative is taken elsewhere.
struct Exact {
  torch::Tensor total;
  torch::Tensor first_part;                  // dL_val(w', alpha)/dalpha
  std::vector<torch::Tensor> implicit_term;  // at w, w + R g, w - R g
};

Exact ExactGradient(Case& c) {
  SmoothSupernet& supernet = c.supernet;
  const variable_list w = supernet.parameters();
  const auto train_loss = [&] {
    return ComputeSearchLoss(supernet, Relax(c.alphas, c.relaxation), c.train,
                             c.loss)
        .total;
  };
  const variable_list dw =
      torch::autograd::grad({train_loss()}, w, {}, true, true);
  variable_list stepped;
  for (size_t i = 0; i < w.size(); ++i) {
    stepped.push_back(w[i] - Case::kRate * (Case::kMomentum * c.momentum[i] +
                                            dw[i] + Case::kWeightDecay * w[i]));
  }
  supernet.lent = stepped;
  const torch::Tensor loss =
      ComputeSearchLoss(supernet, Relax(c.alphas, c.relaxation), c.alpha,
                        c.loss)
          .total;
  Exact exact;
  const variable_list total = torch::autograd::grad({loss}, c.both(), {}, true);
  exact.total = Flat(total[0], total[1]);

  variable_list leaves;
  for (const torch::Tensor& t : stepped) {
    leaves.push_back(t.detach().requires_grad_());
  }
  supernet.lent = leaves;
  variable_list inputs = c.both();
  inputs.insert(inputs.end(), leaves.begin(), leaves.end());
  const variable_list at_step = torch::autograd::grad(
      {ComputeSearchLoss(supernet, Relax(c.alphas, c.relaxation), c.alpha,
                         c.loss)
           .total},
      inputs);
  exact.first_part = Flat(at_step[0], at_step[1]);
  double square = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    square += at_step[2 + i].square().sum().item<double>();
  }
  const double step = 0.01 / std::sqrt(square);
  for (const double side : {0.0, step, -step}) {
    variable_list moved;
    for (size_t i = 0; i < w.size(); ++i) {
      moved.push_back((w[i].detach() + side * at_step[2 + i]).requires_grad_());
    }
    supernet.lent = moved;
    const variable_list gradient =
        torch::autograd::grad({train_loss()}, moved, {}, true, true);
    torch::Tensor along;
    for (size_t i = 0; i < w.size(); ++i) {
      const torch::Tensor product = (gradient[i] * at_step[2 + i]).sum();
      along = along.defined() ? along + product : product;
    }
    const variable_list mixed = torch::autograd::grad({along}, c.both());
    exact.implicit_term.push_back(-Case::kRate * Flat(mixed[0], mixed[1]));
  }
  supernet.lent.clear();
  return exact;
}

double Largest(const torch::Tensor& t) { return t.abs().max().item<double>(); }

TEST(AlphaGradientTest, SecondOrderIsTheGradientThroughAStepOfTheWeights) {
  for (const Relaxation relaxation :
       {Relaxation::kSigmoid, Relaxation::kSoftmax}) {
    Case c(relaxation);
    const Exact exact = ExactGradient(c);
    // The chain rule, which the terms of the header state.
    constexpr double kRounding = 1e-12;
    EXPECT_LT(Largest(exact.total - exact.first_part - exact.implicit_term[0]),
              kRounding);

    const auto gradient = c.SecondOrder();
    ASSERT_THAT(gradient, IsOk());
    const torch::Tensor actual = Flat(gradient->normal, gradient->reduce);
    // The difference is the mean of the mixed derivative between w - R g and
    // w + R g; there it is from that at w as far as that at the ends, if it
    // changes steadily in between.
    const double spread =
        std::max(Largest(exact.implicit_term[1] - exact.implicit_term[0]),
                 Largest(exact.implicit_term[2] - exact.implicit_term[0]));
    EXPECT_LT(Largest(actual - exact.total), spread);
    // Which would not hide the term.
    EXPECT_GT(Largest(exact.implicit_term[0]), 50 * spread);
    EXPECT_NEAR(
        gradient->loss.cross_entropy,
        gradient->loss.total - c.loss.zero_one_weight * gradient->loss.zero_one,
        kRounding);

    const auto first =
        FirstOrderGradient(c.supernet, c.alphas, relaxation, c.alpha, c.loss);
    ASSERT_THAT(first, IsOk());
    EXPECT_GT(Largest(Flat(first->normal, first->reduce) - exact.total),
              50 * spread);
  }
}

TEST(AlphaGradientTest, FirstOrderIsTheGradientAtThePresentWeights) {
  Case c(Relaxation::kSoftmax);
  const auto first =
      FirstOrderGradient(c.supernet, c.alphas, c.relaxation, c.alpha, c.loss);
  ASSERT_THAT(first, IsOk());
  const variable_list expected = torch::autograd::grad(
      {ComputeSearchLoss(c.supernet, Relax(c.alphas, c.relaxation), c.alpha,
                         c.loss)
           .total},
      c.both());
  EXPECT_TRUE(first->normal.equal(expected[0]));
  EXPECT_TRUE(first->reduce.equal(expected[1]));
}

TEST(AlphaGradientTest, PricesAddTheirGradientAndTheirSum) {
  for (const Relaxation relaxation :
       {Relaxation::kSigmoid, Relaxation::kSoftmax}) {
    Case c(relaxation);
    const auto without = c.SecondOrder();
    ASSERT_THAT(without, IsOk());
    c.loss.prices = {torch::tensor({{1.0, -2.0, 0.5}}, torch::kDouble),
                     torch::tensor({{0.25, 0.0, 3.0}}, torch::kDouble)};
    const auto with = c.SecondOrder();
    ASSERT_THAT(with, IsOk());
    const EdgeWeights weights = Relax(c.alphas, relaxation);
    const torch::Tensor cost = (weights.normal * c.loss.prices.normal).sum() +
                               (weights.reduce * c.loss.prices.reduce).sum();
    const variable_list expected = torch::autograd::grad({cost}, c.both());
    constexpr double kRounding = 1e-12;
    EXPECT_NEAR(with->loss.cost, cost.item<double>(), kRounding);
    EXPECT_NEAR(with->loss.total, without->loss.total + with->loss.cost,
                kRounding);
    EXPECT_EQ(without->loss.cost, 0);
    EXPECT_LT(Largest(with->normal - without->normal - expected[0]), kRounding);
    EXPECT_LT(Largest(with->reduce - without->reduce - expected[1]), kRounding);
  }
}

TEST(AlphaGradientTest, TheDifferenceIsTakenUnderOneNoise) {
  Case c(Relaxation::kSoftmax);
  SkipNoise noise;
  noise.kind = SkipNoise::Kind::kNormal;
  noise.scale = 1;
  noise.key = 70;
  ASSERT_THAT(c.SecondOrder(noise), IsOk());
  EXPECT_THAT(c.supernet.keys, testing::ElementsAre(70, 71, 70, 70));
}

TEST(AlphaGradientTest, WeightsAreWhatTheyWereAlsoAfterAnError) {
  for (int failing = -1; failing < 4; ++failing) {
    Case c(Relaxation::kSoftmax);
    std::vector<torch::Tensor> before;
    for (const torch::Tensor& p : c.supernet.parameters()) {
      before.push_back(p.detach().clone());
    }
    const double forwards =
        c.supernet.named_buffers()["forwards"].item<double>();
    for (int i = 0; i < 4; ++i) c.supernet.poison.push_back(i == failing);
    const auto gradient = c.SecondOrder();
    if (failing < 0) {
      EXPECT_THAT(gradient, IsOk());
      // Not that at w'.
      EXPECT_EQ(c.supernet.named_buffers()["forwards"].item<double>(),
                forwards + 3);
    } else {
      EXPECT_THAT(gradient, ExitCodeIs(ExitCode::kNumbers));
      EXPECT_THAT(std::string(gradient.status().message()),
                  HasSubstr(failing == 1 ? "alpha cross-entropy is nan"
                                         : "training cross-entropy is nan"));
    }
    const std::vector<torch::Tensor> after = c.supernet.parameters();
    for (size_t i = 0; i < after.size(); ++i) {
      EXPECT_TRUE(after[i].equal(before[i])) << failing << " " << i;
    }
    EXPECT_FALSE(c.alphas.normal.grad().defined());
  }
}

// The fused network's weights are views that its engine reads.
TEST(AlphaGradientTest, BothEnginesAreLeftAsTheyWere) {
  S1Config config;
  config.channels = 4;
  config.layers = 3;
  for (const SupernetEngine engine :
       {SupernetEngine::kPlain, SupernetEngine::kFused}) {
    const auto supernet = CreateS1Supernet(config, engine, /*threads=*/1);
    ASSERT_THAT(supernet, IsOk());
    InitializeParameters(**supernet, /*seed=*/5);
    (*supernet)->train();
    const Alphas alphas = ZeroAlphas(**supernet);
    DrawAlphas(0.1, /*seed=*/1, alphas);
    const Sgd optimizer((*supernet)->parameters(),
                        torch::optim::SGDOptions(0.1).momentum(0.9));
    std::vector<torch::Tensor> before;
    for (const torch::Tensor& p : (*supernet)->parameters()) {
      before.push_back(p.detach().clone());
    }
    const auto batch = [&](const char* name) {
      return Batch{GoldenImagesTensor(name, {4, 3, 12, 12}, 7),
                   GoldenLabelsTensor(name, 4, config.classes, 7)};
    };
    const auto gradient =
        SecondOrderGradient(**supernet, alphas, Relaxation::kSoftmax,
                            batch("train"), batch("alpha"), {}, optimizer, {});
    ASSERT_THAT(gradient, IsOk());
    const std::vector<torch::Tensor> after = (*supernet)->parameters();
    for (size_t i = 0; i < after.size(); ++i) {
      ASSERT_TRUE(after[i].equal(before[i])) << i;
    }
    for (const auto& buffer : (*supernet)->named_buffers()) {
      if (buffer.key() != "stem.1.num_batches_tracked") continue;
      EXPECT_EQ(buffer.value().item<int64_t>(), 3);
    }
  }
}

}  // namespace
}  // namespace fairdarts
