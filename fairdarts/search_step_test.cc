#include "fairdarts/search_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "fairdarts/base/status.h"
#include "search_space/s1_supernet.h"
#include "tests/host_reads.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kPixels = 4;
constexpr int64_t kClasses = 3;

// Which inputs of the products the backward pass wanted gradients of.
struct Wanted {
  bool weight = false;
  bool scale = false;
};

// (x, w, scale) -> x w scale, by hand, to see what the engine asks for.
class Product : public torch::autograd::Function<Product> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* ctx,
                               const torch::Tensor& x, const torch::Tensor& w,
                               const torch::Tensor& scale, int64_t wanted) {
    ctx->save_for_backward({x, w, scale});
    ctx->saved_data["wanted"] = wanted;
    return x.matmul(w) * scale;
  }
  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* ctx,
      torch::autograd::variable_list grad) {
    const auto saved = ctx->get_saved_variables();
    auto* wanted = reinterpret_cast<Wanted*>(ctx->saved_data["wanted"].toInt());
    wanted->weight = ctx->needs_input_grad(1);
    wanted->scale = ctx->needs_input_grad(2);
    return {torch::Tensor(), saved[0].t().matmul(grad[0]) * saved[2],
            (saved[0].matmul(saved[1]) * grad[0]).sum(), torch::Tensor()};
  }
};

// The scale by which relaxed weights multiply the toy's logits: every entry
// counts differently.
torch::Tensor Scale(const EdgeWeights& weights) {
  const torch::Tensor counts =
      torch::arange(1, 7, torch::kDouble).reshape({2, 3});
  return (weights.normal * counts).sum() -
         (weights.reduce * counts.flip({0, 1})).sum() * 0.5;
}

// logits = images * w * Scale(weights), in double.
class ToySupernet : public Supernet {
 public:
  ToySupernet() {
    w_ = register_parameter(
        "w", torch::linspace(-0.7, 0.8, kPixels * kClasses, torch::kDouble)
                 .reshape({kPixels, kClasses}));
  }
  torch::Tensor Forward(const torch::Tensor& images,
                        const EdgeWeights& weights) override {
    seen.push_back(images);
    wanted.emplace_back(std::make_unique<Wanted>());
    torch::Tensor logits =
        Product::apply(images.flatten(1), w_, Scale(weights),
                       reinterpret_cast<int64_t>(wanted.back().get()));
    // 0 with a gradient of infinity times 0.
    if (poison_weights) logits = logits + (w_.sum() * 0).sqrt();
    if (poison_alphas) logits = logits + (weights.normal.sum() * 0).sqrt();
    return logits;
  }
  int64_t edges() const override { return 2; }
  int64_t candidates() const override { return 3; }
  const torch::Tensor& w() const { return w_; }

  std::vector<torch::Tensor> seen;
  std::vector<std::unique_ptr<Wanted>> wanted;
  bool poison_weights = false;
  bool poison_alphas = false;

 private:
  torch::Tensor w_;
};

Batch MakeBatch(double offset) {
  return {torch::sin(torch::arange(5 * kPixels, torch::kDouble) + offset)
              .reshape({5, 1, 2, 2}),
          torch::tensor({0, 1, 2, 1, 0}, torch::kLong)};
}

std::unique_ptr<SearchStep> MakeStep(std::shared_ptr<ToySupernet> toy,
                                     const SearchStepOptions& options) {
  auto step = SearchStep::Create(std::move(toy), options);
  EXPECT_THAT(step, IsOk());
  // Away from 0, where the zero-one loss has no gradient.
  const torch::NoGradGuard no_grad;
  (*step)->alphas().normal.copy_(
      torch::tensor({{0.3, -0.2, 0.1}, {0.5, -0.4, 0.9}}, torch::kDouble));
  (*step)->alphas().reduce.copy_(
      torch::tensor({{-0.6, 0.7, 0.2}, {0.4, 0.8, -0.1}}, torch::kDouble));
  return *std::move(step);
}

// The search in plain numbers: the loss from its equation, gradients as
// central differences, the optimisers from their papers' equations.
class Plain {
 public:
  Plain(const ToySupernet& toy, const SearchStep& step,
        const SearchStepOptions& options)
      : options_(options),
        w_(toy.w().detach().clone()),
        alpha_(torch::cat({step.alphas().normal.detach().flatten(),
                           step.alphas().reduce.detach().flatten()})) {}

  double CrossEntropy(const Batch& batch) const {
    const torch::Tensor s = 1 / (1 + torch::exp(-alpha_));
    const torch::Tensor scale = Scale(
        {s.slice(0, 0, 6).reshape({2, 3}), s.slice(0, 6).reshape({2, 3})});
    const torch::Tensor logits = batch.images.flatten(1).matmul(w_) * scale;
    const torch::Tensor of_label =
        logits.gather(1, batch.labels.unsqueeze(1)).squeeze(1);
    return (logits.exp().sum(1).log() - of_label).mean().item<double>();
  }
  double ZeroOne() const {
    const torch::Tensor d = 1 / (1 + torch::exp(-alpha_)) - 0.5;
    return -(options_.loss.form == ZeroOneForm::kL2 ? d * d : d.abs())
                .mean()
                .item<double>();
  }
  double Loss(const Batch& batch) const {
    return CrossEntropy(batch) + options_.loss.zero_one_weight * ZeroOne();
  }
  torch::Tensor Gradient(const torch::Tensor& of, const Batch& batch) const {
    constexpr double kStep = 1e-5;
    const torch::Tensor flat = of.view({-1});  // shares memory
    const torch::Tensor gradient = torch::zeros_like(flat);
    for (int64_t i = 0; i < flat.numel(); ++i) {
      const double value = flat[i].item<double>();
      flat[i] = value + kStep;
      const double above = Loss(batch);
      flat[i] = value - kStep;
      gradient[i] = (above - Loss(batch)) / (2 * kStep);
      flat[i] = value;
    }
    return gradient.view_as(of);
  }
  torch::Tensor AlphaGradient(const Batch& batch) const {
    return Gradient(alpha_, batch);
  }
  torch::Tensor WeightGradient(const Batch& batch) const {
    return Gradient(w_, batch);
  }
  void StepAlphas(torch::Tensor gradient) {
    const ArchitectOptions& o = options_.architect;
    gradient = gradient + o.weight_decay * alpha_;
    ++steps_;
    m_ = o.beta1 * m_ + (1 - o.beta1) * gradient;
    v_ = o.beta2 * v_ + (1 - o.beta2) * gradient * gradient;
    alpha_ -= o.learning_rate * (m_ / (1 - std::pow(o.beta1, steps_))) /
              ((v_ / (1 - std::pow(o.beta2, steps_))).sqrt() + 1e-8);
  }
  double StepWeights(torch::Tensor gradient, double learning_rate) {
    const double norm = gradient.norm().item<double>();
    gradient = gradient * std::min(1.0, options_.gradient_clip / (norm + 1e-6));
    momentum_ =
        options_.momentum * momentum_ + gradient + options_.weight_decay * w_;
    w_ -= learning_rate * momentum_;
    return norm;
  }
  const torch::Tensor& w() const { return w_; }
  const torch::Tensor& alpha() const { return alpha_; }

 private:
  const SearchStepOptions options_;
  torch::Tensor w_;
  torch::Tensor alpha_;
  torch::Tensor m_ = torch::zeros({12}, torch::kDouble);
  torch::Tensor v_ = torch::zeros({12}, torch::kDouble);
  torch::Tensor momentum_ = torch::zeros({kPixels, kClasses}, torch::kDouble);
  int steps_ = 0;
};

// Differences err by h^2/6 = 2e-11 times a third derivative of some tens, and
// by 1e-15 / h = 1e-10. Adam divides by the gradient's size (0.01 and more
// here) and multiplies by its rate of 0.1.
constexpr double kDifferences = 1e-7;

void ExpectNear(const torch::Tensor& actual, const torch::Tensor& expected) {
  EXPECT_LT((actual - expected).abs().max().item<double>(), kDifferences)
      << actual << "\nexpected\n"
      << expected;
}

SearchStepOptions TestOptions() {
  SearchStepOptions options;
  options.learning_rate = 0.2;
  options.weight_decay = 0.05;
  options.gradient_clip = 0.5;
  options.architect.learning_rate = 0.1;
  options.architect.weight_decay = 0.03;
  return options;
}

torch::Tensor FlatAlphas(const SearchStep& step) {
  return torch::cat({step.alphas().normal.detach().flatten(),
                     step.alphas().reduce.detach().flatten()});
}

TEST(SearchStepTest, BiLevelStepsFollowTheEquations) {
  for (const ZeroOneForm form : {ZeroOneForm::kL2, ZeroOneForm::kL1}) {
    SearchStepOptions options = TestOptions();
    options.loss.form = form;
    const auto toy = std::make_shared<ToySupernet>();
    const auto step = MakeStep(toy, options);
    Plain plain(*toy, *step, options);
    for (int i = 0; i < 3; ++i) {
      const Batch train = MakeBatch(i);
      const Batch alpha = MakeBatch(i + 0.4);
      const double alpha_ce = plain.CrossEntropy(alpha);
      const double alpha_loss = plain.Loss(alpha);
      plain.StepAlphas(plain.AlphaGradient(alpha));
      const double train_loss = plain.Loss(train);
      const double norm = plain.StepWeights(plain.WeightGradient(train), 0.2);

      const auto result = step->Run(train, alpha);
      ASSERT_THAT(result, IsOk());
      ASSERT_TRUE(result->alpha.has_value());
      EXPECT_NEAR(result->alpha->cross_entropy, alpha_ce, kDifferences);
      EXPECT_NEAR(result->alpha->total, alpha_loss, kDifferences);
      EXPECT_NEAR(result->train.total, train_loss, kDifferences);
      EXPECT_NEAR(result->train.zero_one, plain.ZeroOne(), kDifferences);
      EXPECT_NEAR(result->gradient_norm, norm, kDifferences);
      ExpectNear(FlatAlphas(*step), plain.alpha());
      ExpectNear(toy->w(), plain.w());
    }
  }
}

TEST(SearchStepTest, SingleLevelStepsBothFromOneTrainingBatch) {
  SearchStepOptions options = TestOptions();
  options.single_level = true;
  const auto toy = std::make_shared<ToySupernet>();
  const auto step = MakeStep(toy, options);
  Plain plain(*toy, *step, options);
  for (int i = 0; i < 3; ++i) {
    const Batch train = MakeBatch(i);
    const double loss = plain.Loss(train);
    const torch::Tensor alpha_gradient = plain.AlphaGradient(train);
    const double norm = plain.StepWeights(plain.WeightGradient(train), 0.2);
    plain.StepAlphas(alpha_gradient);

    const auto result = step->Run(train, Batch{});
    ASSERT_THAT(result, IsOk());
    EXPECT_FALSE(result->alpha.has_value());
    EXPECT_NEAR(result->train.total, loss, kDifferences);
    EXPECT_NEAR(result->gradient_norm, norm, kDifferences);
    ExpectNear(FlatAlphas(*step), plain.alpha());
    ExpectNear(toy->w(), plain.w());
  }
  EXPECT_EQ(toy->seen.size(), 3u);
}

// In double and so far as this test goes: a few roundings of 1e-16 a step.
constexpr double kSameArithmetic = 1e-13;

TEST(SearchStepTest, LaunchedStepsAreTheSame) {
  for (const bool single_level : {false, true}) {
    SearchStepOptions options = TestOptions();
    options.single_level = single_level;
    options.loss.prices = {torch::full({2, 3}, 0.1, torch::kDouble),
                           torch::full({2, 3}, 0.2, torch::kDouble)};
    const auto toy = std::make_shared<ToySupernet>();
    const auto launched_toy = std::make_shared<ToySupernet>();
    const auto step = MakeStep(toy, options);
    const auto launched = MakeStep(launched_toy, options);
    for (int i = 0; i < 4; ++i) {
      const double rate = 0.2 / (1 + i);
      ASSERT_THAT(step->SetLearningRate(rate), IsOk());
      const Batch train = MakeBatch(i);
      const Batch alpha = single_level ? Batch() : MakeBatch(i + 0.4);
      const auto expected = step->Run(train, alpha);
      ASSERT_THAT(expected, IsOk());
      const auto rates = launched->Rates(i, rate);
      launched_toy->eval();
      const torch::Tensor values = launched->Launch(
          train, alpha,
          torch::tensor({rates[0], rates[1], rates[2]}, torch::kDouble));
      EXPECT_TRUE(launched_toy->is_training());
      const auto actual = launched->Read(values);
      ASSERT_THAT(actual, IsOk());
      EXPECT_NEAR(actual->train.total, expected->train.total, kSameArithmetic);
      EXPECT_NEAR(actual->train.cost, expected->train.cost, kSameArithmetic);
      EXPECT_NEAR(actual->gradient_norm, expected->gradient_norm,
                  kSameArithmetic);
      EXPECT_EQ(actual->correct, expected->correct);
      ASSERT_EQ(actual->alpha.has_value(), !single_level);
      if (!single_level) {
        EXPECT_NEAR(actual->alpha->total, expected->alpha->total,
                    kSameArithmetic);
        EXPECT_NEAR(actual->alpha->zero_one, expected->alpha->zero_one,
                    kSameArithmetic);
      }
      EXPECT_LT((FlatAlphas(*launched) - FlatAlphas(*step))
                    .abs()
                    .max()
                    .item<double>(),
                kSameArithmetic);
      EXPECT_LT((launched_toy->w() - toy->w()).abs().max().item<double>(),
                kSameArithmetic);
    }
    // Counting is not the launch's: it does not depend on it.
    for (int i = 0; i < 4; ++i) launched->CountStep();
    for (const auto& entry : launched->alpha_optimizer().state()) {
      EXPECT_EQ(static_cast<const torch::optim::AdamParamState&>(*entry.second)
                    .step(),
                4);
    }
  }
}

// What a graph has recorded is done again with what its memory holds: so a
// step may depend on values in tensors alone.
TEST(SearchStepTest, ALaunchReadsNothingOnTheHost) {
  torch::set_num_threads(1);
  S1Config config;
  config.channels = 4;
  config.layers = 3;
  config.classes = kClasses;
  config.image_channels = 1;
  const Batch batch = {torch::randn({6, 1, 8, 8}),
                       torch::tensor({0, 1, 2, 1, 0, 2}, torch::kLong)};
  const torch::Tensor rates = torch::tensor({0.1, 0.1, 1.0}, torch::kDouble);
  for (const bool single_level : {false, true}) {
    const auto network = S1Supernet::Create(config);
    ASSERT_THAT(network, IsOk());
    SearchStepOptions options;
    options.single_level = single_level;
    options.loss.prices = {torch::ones({14, 7}), torch::ones({14, 7})};
    const auto step = SearchStep::Create(*network, options);
    ASSERT_THAT(step, IsOk());
    const HostReads reads;
    for (int i = 0; i < 2; ++i) (*step)->Launch(batch, batch, rates);
    EXPECT_EQ(reads.count(), 0);
    ASSERT_THAT((*step)->Run(batch, batch), IsOk());
    EXPECT_GT(reads.count(), 0);
  }
}

TEST(SearchStepTest, ReadingFindsWhatIsNotFinite) {
  const auto step = MakeStep(std::make_shared<ToySupernet>(), TestOptions());
  const char* const messages[] = {
      "alpha loss is",     "alpha cross-entropy is", "alpha zero-one loss is",
      "alpha cost is",     "training loss is",       "training cross-entropy",
      "training zero-one", "training cost is",       "gradient of the alphas",
      "norm of the weight"};
  for (int64_t i = 0; i < 10; ++i) {
    const torch::Tensor values =
        torch::ones({SearchStep::kValues}, torch::kDouble);
    EXPECT_THAT(step->Read(values), IsOk());
    values[i] = std::numeric_limits<double>::quiet_NaN();
    const absl::Status status = step->Read(values).status();
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kNumbers));
    EXPECT_THAT(std::string(status.message()), HasSubstr(messages[i]));
  }
}

TEST(SearchStepTest, EachPassComputesOnlyTheGradientsItNeeds) {
  const auto toy = std::make_shared<ToySupernet>();
  const Batch train = MakeBatch(0);
  const Batch alpha = MakeBatch(1);
  ASSERT_THAT(MakeStep(toy, TestOptions())->Run(train, alpha), IsOk());
  ASSERT_EQ(toy->seen.size(), 2u);
  EXPECT_TRUE(toy->seen[0].is_same(alpha.images));
  EXPECT_FALSE(toy->wanted[0]->weight);
  EXPECT_TRUE(toy->wanted[0]->scale);
  EXPECT_TRUE(toy->seen[1].is_same(train.images));
  EXPECT_TRUE(toy->wanted[1]->weight);
  EXPECT_FALSE(toy->wanted[1]->scale);

  SearchStepOptions single = TestOptions();
  single.single_level = true;
  ASSERT_THAT(MakeStep(toy, single)->Run(train, Batch{}), IsOk());
  ASSERT_EQ(toy->seen.size(), 3u);
  EXPECT_TRUE(toy->wanted[2]->weight);
  EXPECT_TRUE(toy->wanted[2]->scale);
}

TEST(SearchStepTest, CountsCorrectPredictionsAndTrains) {
  const auto toy = std::make_shared<ToySupernet>();
  const auto step = MakeStep(toy, TestOptions());
  const Batch train = MakeBatch(0);
  torch::Tensor scale;
  {
    // The prediction is made under the alphas that the alpha step left, but
    // a positive scale does not change which class is largest.
    const torch::NoGradGuard no_grad;
    scale = Scale(step->weights());
    ASSERT_GT(scale.item<double>(), 0.5);
  }
  const int64_t expected =
      (train.images.flatten(1).matmul(toy->w().detach()) * scale)
          .argmax(1)
          .eq(train.labels)
          .sum()
          .item<int64_t>();
  toy->eval();
  const auto result = step->Run(train, MakeBatch(1));
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->correct, expected);
  EXPECT_GT(expected, 0);
  EXPECT_TRUE(toy->is_training());
}

TEST(SearchStepTest, TheLearningRateCanChangeBetweenSteps) {
  const auto toy = std::make_shared<ToySupernet>();
  const SearchStepOptions options = TestOptions();
  const auto step = MakeStep(toy, options);
  Plain plain(*toy, *step, options);
  for (const double rate : {0.2, 0.01, 0.0}) {
    ASSERT_THAT(step->SetLearningRate(rate), IsOk());
    plain.StepAlphas(plain.AlphaGradient(MakeBatch(1)));
    plain.StepWeights(plain.WeightGradient(MakeBatch(0)), rate);
    ASSERT_THAT(step->Run(MakeBatch(0), MakeBatch(1)), IsOk());
    ExpectNear(toy->w(), plain.w());
  }
  for (const double bad : {-0.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(step->SetLearningRate(bad), ExitCodeIs(ExitCode::kUsage));
  }
}

TEST(SearchStepTest, ALossThatIsNotFiniteIsNamed) {
  Batch bad = MakeBatch(0);
  bad.images[2][0][1][1] = std::numeric_limits<double>::quiet_NaN();
  const auto toy = std::make_shared<ToySupernet>();
  const auto step = MakeStep(toy, TestOptions());
  const torch::Tensor w = toy->w().detach().clone();
  const torch::Tensor alphas = FlatAlphas(*step);

  auto status = step->Run(MakeBatch(0), bad).status();
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kNumbers));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("alpha cross-entropy is nan"));
  EXPECT_TRUE(torch::equal(FlatAlphas(*step), alphas));
  EXPECT_TRUE(torch::equal(toy->w(), w));

  status = step->Run(bad, MakeBatch(0)).status();
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kNumbers));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("training cross-entropy is nan"));
  EXPECT_TRUE(torch::equal(toy->w(), w));

  // The loss of logits beyond the largest double.
  bad = MakeBatch(0);
  bad.images = bad.images * std::numeric_limits<double>::max();
  status = step->Run(MakeBatch(0), bad).status();
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kNumbers));
  EXPECT_TRUE(torch::equal(toy->w(), w));
}

TEST(SearchStepTest, AGradientThatIsNotFiniteIsNamed) {
  for (const bool single_level : {false, true}) {
    SearchStepOptions options = TestOptions();
    options.single_level = single_level;
    const auto toy = std::make_shared<ToySupernet>();
    const auto step = MakeStep(toy, options);
    const torch::Tensor w = toy->w().detach().clone();
    const torch::Tensor alphas = FlatAlphas(*step);

    toy->poison_alphas = true;
    auto status = step->Run(MakeBatch(0), MakeBatch(1)).status();
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kNumbers));
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("gradient of the alphas"));
    EXPECT_TRUE(torch::equal(FlatAlphas(*step), alphas));
    EXPECT_TRUE(torch::equal(toy->w(), w));

    toy->poison_alphas = false;
    toy->poison_weights = true;
    status = step->Run(MakeBatch(0), MakeBatch(1)).status();
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kNumbers));
    EXPECT_THAT(std::string(status.message()), HasSubstr("weight gradients"));
    EXPECT_TRUE(torch::equal(toy->w(), w));
  }
}

TEST(SearchStepTest, ARefusedStepLeavesNoGradientBehind) {
  SearchStepOptions options = TestOptions();
  options.single_level = true;
  const auto toy = std::make_shared<ToySupernet>();
  const auto step = MakeStep(toy, options);
  Plain plain(*toy, *step, options);
  toy->poison_weights = true;
  EXPECT_THAT(step->Run(MakeBatch(0), Batch{}), ExitCodeIs(ExitCode::kNumbers));
  toy->poison_weights = false;
  for (int i = 1; i < 4; ++i) {
    const Batch train = MakeBatch(i);
    const torch::Tensor alpha_gradient = plain.AlphaGradient(train);
    plain.StepWeights(plain.WeightGradient(train), 0.2);
    plain.StepAlphas(alpha_gradient);
    ASSERT_THAT(step->Run(train, Batch{}), IsOk());
    ExpectNear(FlatAlphas(*step), plain.alpha());
    ExpectNear(toy->w(), plain.w());
  }
}

TEST(SearchStepTest, WhatTorchThrowsIsAStatus) {
  const auto step = MakeStep(std::make_shared<ToySupernet>(), TestOptions());
  Batch bad = MakeBatch(0);
  bad.labels[0] = kClasses;
  EXPECT_THAT(step->Run(bad, MakeBatch(0)),
              StatusIs(absl::StatusCode::kInvalidArgument, ""));
  EXPECT_THAT(step->Run(MakeBatch(0), bad),
              StatusIs(absl::StatusCode::kInvalidArgument, ""));
  bad = MakeBatch(0);
  bad.images = bad.images.slice(3, 0, 1);
  EXPECT_FALSE(step->Run(bad, MakeBatch(0)).ok());
  EXPECT_FALSE(step->Run(MakeBatch(0), Batch{}).ok());
  EXPECT_THAT(step->Run(MakeBatch(0), MakeBatch(0)), IsOk());
}

TEST(SearchStepTest, RefusesOptionsThatMeanNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const struct {
    std::string name;
    std::function<double&(SearchStepOptions&)> field;
    std::vector<double> bad;
  } rules[] = {
      {"learning_rate",
       [](SearchStepOptions& o) -> double& { return o.learning_rate; },
       {-1, nan, infinity}},
      {"momentum",
       [](SearchStepOptions& o) -> double& { return o.momentum; },
       {-0.1, 1, nan}},
      {"weight_decay",
       [](SearchStepOptions& o) -> double& { return o.weight_decay; },
       {-1, nan, infinity}},
      {"gradient_clip",
       [](SearchStepOptions& o) -> double& { return o.gradient_clip; },
       {0, -5, nan, infinity}},
      {"zero_one_weight",
       [](SearchStepOptions& o) -> double& { return o.loss.zero_one_weight; },
       {-1, nan, infinity}},
      {"architect learning_rate",
       [](SearchStepOptions& o) -> double& {
         return o.architect.learning_rate;
       },
       {-1, nan, infinity}},
      {"architect beta1",
       [](SearchStepOptions& o) -> double& { return o.architect.beta1; },
       {-0.1, 1, nan}},
      {"architect beta2",
       [](SearchStepOptions& o) -> double& { return o.architect.beta2; },
       {-0.1, 1, nan}},
      {"architect weight_decay",
       [](SearchStepOptions& o) -> double& { return o.architect.weight_decay; },
       {-1, nan, infinity}},
  };
  for (const auto& rule : rules) {
    for (const double bad : rule.bad) {
      SearchStepOptions options;
      rule.field(options) = bad;
      const auto status =
          SearchStep::Create(std::make_shared<ToySupernet>(), options).status();
      EXPECT_THAT(status, ExitCodeIs(ExitCode::kUsage)) << rule.name << bad;
      EXPECT_THAT(std::string(status.message()), HasSubstr(rule.name + " "));
    }
  }
}

}  // namespace
}  // namespace fairdarts
