#include "training/train_step.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"
#include "genotypes/catalog.h"
#include "search_space/fused_derived_network.h"
#include "search_space/initialization.h"
#include "search_space/network_factory.h"
#include "tests/host_reads.h"
#include "tests/status_matchers.h"
#include "tests/tensor_near.h"
#include "training/train_options.h"
#include "training/weight_average.h"

namespace fairdarts {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

constexpr int kClasses = 3;

// What a rounding to float32 is off by at most, as a part of the value.
constexpr double kRounding = 1.0 / (1 << 24);

// A cross-entropy takes the largest logit off each (1 rounding), adds up their
// exponentials (2 each and 1 a sum), takes the logarithm (1) and that off (1),
// weighs the classes (2 each) and the images (1 each); two losses are weighed
// and added (2). With 3 classes and 4 images these are fewer than 32, each of
// a value of at most the largest logit or the logarithm of the classes.
constexpr double kLossRoundings = 32;

// Clipping takes 3 roundings, weight decay 2, momentum 2 and what the momentum
// of the step before is off by, the step itself 2: fewer than 16 over two
// steps, each of at most the sizes that are added.
constexpr double kUpdateRoundings = 16;

// By which torch keeps clip / norm finite.
constexpr double kClipGuard = 1e-6;

// What NetworkOf() makes: set by the tests that run with both.
bool fused_networks = false;

std::shared_ptr<DerivedNetwork> NetworkOf(const Genotype& genotype,
                                          const NetworkConfig& config) {
  if (fused_networks) {
    const auto network =
        FusedDerivedNetwork::Create(genotype, config, /*threads=*/1);
    EXPECT_THAT(network, IsOk());
    return *network;
  }
  const auto network = MakeDerivedNetwork(genotype, config);
  EXPECT_THAT(network, IsOk());
  return *network;
}

std::shared_ptr<DerivedNetwork> MakeNetwork(bool auxiliary, uint64_t seed = 0) {
  NetworkConfig config = NetworkConfig::Cifar();
  config.init_channels = 4;
  config.layers = 3;
  config.classes = kClasses;
  config.image_size = 28;
  config.image_channels = 1;
  config.auxiliary = auxiliary;
  const auto network =
      NetworkOf(FindInCatalog("DARTS_V2")->entry->genotype, config);
  InitializeParameters(*network, seed);
  return network;
}

std::shared_ptr<DerivedNetwork> Copy(const DerivedNetwork& network) {
  auto copy = NetworkOf(network.genotype(), network.config());
  Snapshot snapshot(RunKind::kTrain);
  snapshot.PutModule("copy", network);
  EXPECT_THAT(snapshot.LoadModule("copy", *copy), IsOk());
  return copy;
}

Batch MakeBatch(int64_t size, uint64_t seed) {
  RandomStream random("train_step_test", {seed});
  Batch batch;
  batch.images = torch::empty({size, 1, 28, 28});
  float* const pixels = batch.images.data_ptr<float>();
  for (int64_t i = 0; i < batch.images.numel(); ++i) {
    pixels[i] = random.Normal();
  }
  batch.labels = torch::empty({size}, torch::kLong);
  for (int64_t i = 0; i < size; ++i) {
    batch.labels[i] = static_cast<int64_t>(random.Below(kClasses));
  }
  return batch;
}

std::unique_ptr<TrainStep> MakeStep(std::shared_ptr<DerivedNetwork> network,
                                    const TrainStepOptions& options) {
  auto step = TrainStep::Create(std::move(network), options);
  EXPECT_THAT(step, IsOk());
  return *std::move(step);
}

// The header's formula, in double.
double CrossEntropy(const torch::Tensor& logits, const torch::Tensor& labels,
                    double smoothing) {
  const torch::Tensor x = logits.detach().to(torch::kDouble);
  double sum = 0;
  for (int64_t i = 0; i < x.size(0); ++i) {
    double exponentials = 0;
    for (int64_t k = 0; k < kClasses; ++k) {
      exponentials += std::exp(x[i][k].item<double>());
    }
    for (int64_t k = 0; k < kClasses; ++k) {
      const bool is_label = labels[i].item<int64_t>() == k;
      const double target =
          smoothing / kClasses + (is_label ? 1 - smoothing : 0);
      sum -= target * (x[i][k].item<double>() - std::log(exponentials));
    }
  }
  return sum / static_cast<double>(x.size(0));
}

double Largest(const torch::Tensor& tensor) {
  return tensor.detach().abs().max().item<double>();
}

double LossTolerance(const torch::Tensor& logits) {
  return kLossRoundings * kRounding * (Largest(logits) + std::log(kClasses));
}

// What `network` computes of a batch in training, by a copy.
DerivedNetwork::Output Outputs(const DerivedNetwork& network,
                               const Batch& batch, PathDropper dropper = {}) {
  return Copy(network)->Forward(batch.images, dropper);
}

// The gradients of the loss, by a copy. In the step's own arithmetic: what the
// loss is has tests of its own, and the same roundings drop out.
std::vector<torch::Tensor> Gradients(const DerivedNetwork& network,
                                     const TrainStepOptions& options,
                                     const Batch& batch) {
  const auto copy = Copy(network);
  PathDropper none;
  const DerivedNetwork::Output output = copy->Forward(batch.images, none);
  const auto cross_entropy = [&](const torch::Tensor& logits) {
    return torch::nn::functional::cross_entropy(
        logits, batch.labels,
        torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(
            options.label_smoothing));
  };
  torch::Tensor loss = cross_entropy(output.logits);
  if (output.auxiliary_logits.defined()) {
    loss = loss +
           options.auxiliary_weight * cross_entropy(output.auxiliary_logits);
  }
  std::vector<torch::Tensor> gradients =
      torch::autograd::grad({loss}, copy->parameters());
  for (torch::Tensor& gradient : gradients) {
    gradient = gradient.to(torch::kDouble);
  }
  return gradients;
}

std::vector<torch::Tensor> Weights(const DerivedNetwork& network) {
  std::vector<torch::Tensor> weights;
  for (const torch::Tensor& parameter : network.parameters()) {
    weights.push_back(parameter.detach().to(torch::kDouble, false, true));
  }
  return weights;
}

// The 2-norm of all of them together.
double Norm(const std::vector<torch::Tensor>& tensors) {
  double squares = 0;
  for (const torch::Tensor& tensor : tensors) {
    squares += tensor.square().sum().item<double>();
  }
  return std::sqrt(squares);
}

std::vector<torch::Tensor> Difference(const std::vector<torch::Tensor>& a,
                                      const std::vector<torch::Tensor>& b) {
  std::vector<torch::Tensor> difference;
  for (size_t i = 0; i < a.size(); ++i) difference.push_back(a[i] - b[i]);
  return difference;
}

// Of a norm in float32: sums of positive terms are off by at most one rounding
// a term, within a tensor and over the tensors.
double NormTolerance(const std::vector<torch::Tensor>& tensors) {
  int64_t largest = 0;
  for (const torch::Tensor& tensor : tensors) {
    largest = std::max(largest, tensor.numel());
  }
  return kRounding * static_cast<double>(largest + tensors.size()) *
         Norm(tensors);
}

Snapshot StateOf(const TrainStep& step) {
  Snapshot snapshot(RunKind::kTrain);
  step.PutInto(snapshot);
  return snapshot;
}

// Batch norm's running statistics, which every pass in training moves.
bool IsRunning(absl::string_view name) {
  return absl::StartsWith(name, "network/") &&
         (absl::StrContains(name, ".running_") ||
          absl::EndsWith(name, ".num_batches_tracked"));
}

void ExpectSame(const Snapshot& actual, const Snapshot& expected,
                bool running = true) {
  EXPECT_TRUE(actual.texts() == expected.texts());
  ASSERT_EQ(actual.tensors().size(), expected.tensors().size());
  for (const auto& [name, tensor] : expected.tensors()) {
    if (!running && IsRunning(name)) continue;
    EXPECT_TRUE(actual.Tensor(name)->equal(tensor)) << name;
  }
}

// With the plain and with the fused network.
class TrainStepTest : public ::testing::TestWithParam<bool> {
 protected:
  // One thread, so that a copy of a network gives the same bits.
  TrainStepTest() {
    at::set_num_threads(1);
    fused_networks = GetParam();
  }
};

INSTANTIATE_TEST_SUITE_P(Engines, TrainStepTest, ::testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "Fused" : "Plain";
                         });

TrainStepOptions LaunchedOptions() {
  TrainStepOptions options;
  options.label_smoothing = 0.1;
  options.average_decay = 0.9;
  options.gradient_clip = 1;
  return options;
}

// Pair cells drop edges, threshold cells nodes.
std::shared_ptr<DerivedNetwork> LaunchedNetwork(const char* genotype) {
  NetworkConfig config = NetworkConfig::Cifar();
  config.init_channels = 4;
  config.layers = 3;
  config.classes = kClasses;
  config.image_size = 28;
  config.image_channels = 1;
  config.auxiliary = true;
  const auto network =
      MakeDerivedNetwork(FindInCatalog(genotype)->entry->genotype, config);
  EXPECT_THAT(network, IsOk());
  InitializeParameters(**network, 0);
  return *network;
}

// In double, but for losses that a float32 of a logit goes into: its rounding
// may come out another way, and then moves a weight by at most that part of a
// clipped gradient times the rate and the momentum's steps.
constexpr double kLaunchedTolerance = 4 * 0.1 * kRounding;

TEST(TrainStepLaunchTest, LaunchedStepsAreTheSame) {
  at::set_num_threads(1);
  for (const char* const genotype : {"DARTS_V2", "FairDARTS_a"}) {
    const TrainStepOptions options = LaunchedOptions();
    const auto network = LaunchedNetwork(genotype);
    const auto launched_network = LaunchedNetwork(genotype);
    network->to(torch::kDouble);
    launched_network->to(torch::kDouble);
    const auto step = MakeStep(network, options);
    const auto launched = MakeStep(launched_network, options);
    for (int i = 0; i < 4; ++i) {
      const double rate = 0.1 / (1 + i);
      Batch batch = MakeBatch(5, i);
      batch.images = batch.images.to(torch::kDouble);
      PathDropper dropper(0.3, RandomStream("launched", {uint64_t(i)}));
      const int64_t paths = network->paths();
      const std::vector<float> scales =
          PathDropper(dropper).DrawScales(paths * 5);
      const auto expected = step->Run(batch, rate, dropper);
      ASSERT_THAT(expected, IsOk());
      const auto rates = launched->Rates(i, rate);
      const auto actual = TrainStep::Read(launched->Launch(
          batch, torch::tensor({rates[0], rates[1]}, torch::kDouble),
          torch::tensor(scales).view({paths, 5})));
      ASSERT_THAT(actual, IsOk());
      EXPECT_NEAR(actual->loss, expected->loss, 4 * kRounding);
      EXPECT_NEAR(actual->gradient_norm, expected->gradient_norm,
                  4 * kRounding * expected->gradient_norm);
      EXPECT_EQ(actual->correct, expected->correct);
    }
    // Counting is not the launch's: it does not depend on it.
    for (int i = 0; i < 4; ++i) launched->CountStep();
    const Snapshot expected = StateOf(*step);
    const Snapshot actual = StateOf(*launched);
    EXPECT_TRUE(actual.texts() == expected.texts());
    ASSERT_EQ(actual.tensors().size(), expected.tensors().size());
    for (const auto& [name, tensor] : expected.tensors()) {
      EXPECT_THAT(*actual.Tensor(name),
                  TensorNear(tensor, {kLaunchedTolerance, kLaunchedTolerance}))
          << name;
    }
  }
}

TEST(TrainStepLaunchTest, ALaunchReadsNothingOnTheHost) {
  for (const char* const genotype : {"DARTS_V2", "FairDARTS_a"}) {
    const auto network = LaunchedNetwork(genotype);
    const auto step = MakeStep(network, LaunchedOptions());
    const Batch batch = MakeBatch(5, 1);
    const torch::Tensor rates = torch::tensor({0.1, 0.1}, torch::kDouble);
    const torch::Tensor scales = torch::ones({network->paths(), 5});
    const HostReads reads;
    for (int i = 0; i < 2; ++i) step->Launch(batch, rates, scales);
    EXPECT_EQ(reads.count(), 0);
    ASSERT_THAT(step->Run(batch, 0.1, PathDropper()), IsOk());
    EXPECT_GT(reads.count(), 0);
  }
}

TEST(TrainStepLaunchTest, ReadingFindsWhatIsNotFinite) {
  for (const int64_t i : {0, 1}) {
    const torch::Tensor values =
        torch::ones({TrainStep::kValues}, torch::kDouble);
    EXPECT_THAT(TrainStep::Read(values), IsOk());
    values[i] = std::numeric_limits<double>::infinity();
    EXPECT_THAT(TrainStep::Read(values), ExitCodeIs(ExitCode::kNumbers));
  }
}

TEST_P(TrainStepTest, SmoothsLabels) {
  const Batch batch = MakeBatch(4, 1);
  for (const double smoothing : {0.0, 0.1, 0.6}) {
    SCOPED_TRACE(smoothing);
    const auto network = MakeNetwork(/*auxiliary=*/false);
    const torch::Tensor logits = Outputs(*network, batch).logits;
    network->eval();  // which the step must not stay in
    TrainStepOptions options;
    options.label_smoothing = smoothing;
    const auto result = MakeStep(network, options)->Run(batch, 0.1, {});
    ASSERT_THAT(result, IsOk());
    EXPECT_NEAR(result->loss, CrossEntropy(logits, batch.labels, smoothing),
                LossTolerance(logits));
    EXPECT_EQ(result->correct,
              (logits.argmax(1) == batch.labels).sum().item<int64_t>());
  }
}

TEST_P(TrainStepTest, DropsThePathsThatItIsGiven) {
  const Batch batch = MakeBatch(4, 1);
  const PathDropper dropper(0.5, RandomStream("train_step_test", {2}));
  const auto network = MakeNetwork(/*auxiliary=*/false);
  const torch::Tensor whole = Outputs(*network, batch).logits;
  const torch::Tensor logits = Outputs(*network, batch, dropper).logits;
  const double expected = CrossEntropy(logits, batch.labels, 0);
  ASSERT_GT(std::abs(expected - CrossEntropy(whole, batch.labels, 0)), 1e-3);
  const auto result = MakeStep(network, {})->Run(batch, 0.1, dropper);
  ASSERT_THAT(result, IsOk());
  EXPECT_NEAR(result->loss, expected, LossTolerance(logits));
}

TEST_P(TrainStepTest, WeighsTheAuxiliaryLoss) {
  const Batch batch = MakeBatch(4, 1);
  for (const double weight : {0.0, 0.4, 1.5}) {
    SCOPED_TRACE(weight);
    const auto network = MakeNetwork(/*auxiliary=*/true);
    const DerivedNetwork::Output output = Outputs(*network, batch);
    TrainStepOptions options;
    options.auxiliary_weight = weight;
    options.label_smoothing = 0.1;
    const auto result = MakeStep(network, options)->Run(batch, 0.1, {});
    ASSERT_THAT(result, IsOk());
    EXPECT_NEAR(
        result->loss,
        CrossEntropy(output.logits, batch.labels, 0.1) +
            weight * CrossEntropy(output.auxiliary_logits, batch.labels, 0.1),
        LossTolerance(output.logits) +
            weight * LossTolerance(output.auxiliary_logits));
  }
}

// Neither a loss nor, by the momentum of earlier batches, a step.
TEST_P(TrainStepTest, ASingleImageHasNoAuxiliaryTerm) {
  const auto network = MakeNetwork(/*auxiliary=*/true);
  const auto step = MakeStep(network, {});
  ASSERT_THAT(step->Run(MakeBatch(4, 1), 0.1, {}), IsOk());
  const Batch single = MakeBatch(1, 2);
  const torch::Tensor logits = Outputs(*network, single).logits;
  const auto before = Copy(*network);
  const auto result = step->Run(single, 0.1, {});
  ASSERT_THAT(result, IsOk());
  EXPECT_NEAR(result->loss, CrossEntropy(logits, single.labels, 0),
              LossTolerance(logits));
  int of_head = 0;
  for (const auto& item : network->named_parameters()) {
    const bool in_head = absl::StartsWith(item.key(), "auxiliary_head.");
    of_head += in_head ? 1 : 0;
    EXPECT_EQ(item.value().equal(before->named_parameters()[item.key()]),
              in_head)
        << item.key();
  }
  EXPECT_GT(of_head, 0);
}

TEST_P(TrainStepTest, StepsByMomentumAndWeightDecay) {
  TrainStepOptions options;
  options.momentum = 0.7;
  options.weight_decay = 0.05;
  options.auxiliary_weight = 0.3;
  options.label_smoothing = 0.1;
  // None is clipped at the first, every gradient at the second.
  for (const double clip : {1e6, 0.5}) {
    SCOPED_TRACE(clip);
    options.gradient_clip = clip;
    const auto network = MakeNetwork(/*auxiliary=*/true);
    const auto step = MakeStep(network, options);
    std::vector<torch::Tensor> momentum;
    for (const torch::Tensor& weight : Weights(*network)) {
      momentum.push_back(torch::zeros_like(weight));
    }
    uint64_t seed = 1;
    for (const double learning_rate : {0.5, 0.05, 0.2}) {
      SCOPED_TRACE(learning_rate);
      const Batch batch = MakeBatch(4, seed++);
      const std::vector<torch::Tensor> weights = Weights(*network);
      const std::vector<torch::Tensor> gradients =
          Gradients(*network, options, batch);
      const auto result = step->Run(batch, learning_rate, {});
      ASSERT_THAT(result, IsOk());
      ASSERT_NEAR(result->gradient_norm, Norm(gradients),
                  NormTolerance(gradients));
      ASSERT_EQ(result->gradient_norm > clip, clip == 0.5);
      const double scale =
          std::min(1.0, clip / (result->gradient_norm + kClipGuard));
      const std::vector<torch::Tensor> actual = Weights(*network);
      for (size_t i = 0; i < weights.size(); ++i) {
        const double size =
            Largest(weights[i]) +
            learning_rate * (scale * Largest(gradients[i]) +
                             options.weight_decay * Largest(weights[i]) +
                             options.momentum * Largest(momentum[i]));
        momentum[i] = options.momentum * momentum[i] + scale * gradients[i] +
                      options.weight_decay * weights[i];
        EXPECT_THAT(
            actual[i],
            TensorNear(weights[i] - learning_rate * momentum[i],
                       Tolerance{kUpdateRoundings * kRounding * size, 0}))
            << network->named_parameters().keys()[i];
      }
    }
  }
}

TEST_P(TrainStepTest, TakesTheRateOfEachStep) {
  const auto network = MakeNetwork(/*auxiliary=*/false);
  const auto step = MakeStep(network, {});
  const Batch batch = MakeBatch(4, 1);
  ASSERT_THAT(step->Run(batch, 0.1, {}), IsOk());
  const std::vector<torch::Tensor> weights = Weights(*network);
  ASSERT_THAT(step->Run(batch, 0, {}), IsOk());
  EXPECT_EQ(Norm(Difference(Weights(*network), weights)), 0);
  ASSERT_THAT(step->Run(batch, 0.1, {}), IsOk());
  EXPECT_GT(Norm(Difference(Weights(*network), weights)), 0);
}

TEST_P(TrainStepTest, AClippedStepIsAsLongAsTheClip) {
  const Batch batch = MakeBatch(4, 1);
  TrainStepOptions options;
  options.momentum = 0;
  options.weight_decay = 0;
  options.gradient_clip = 0.01;
  const double learning_rate = 0.5;
  const auto network = MakeNetwork(/*auxiliary=*/false);
  const std::vector<torch::Tensor> weights = Weights(*network);
  const std::vector<torch::Tensor> gradients =
      Gradients(*network, options, batch);
  const auto result = MakeStep(network, options)->Run(batch, learning_rate, {});
  ASSERT_THAT(result, IsOk());
  EXPECT_NEAR(result->gradient_norm, Norm(gradients), NormTolerance(gradients));
  ASSERT_GT(result->gradient_norm, 10 * options.gradient_clip);
  const double length = learning_rate * options.gradient_clip;
  // The norm's own error, that of the guard, and the rounding of each weight.
  EXPECT_NEAR(
      Norm(Difference(Weights(*network), weights)), length,
      length * (NormTolerance(gradients) + kClipGuard) / Norm(gradients) +
          kUpdateRoundings * kRounding * Norm(weights));
}

TEST_P(TrainStepTest, WhatIsNotFiniteMovesNothing) {
  const Batch batch = MakeBatch(4, 1);
  TrainStepOptions options;
  options.average_decay = 0.9;
  const auto network = MakeNetwork(/*auxiliary=*/false);
  const auto step = MakeStep(network, options);
  ASSERT_THAT(step->Run(batch, 0.1, {}), IsOk());
  const Snapshot before = StateOf(*step);

  Batch bad = MakeBatch(4, 1);
  bad.images[2][0][1][1] = std::numeric_limits<float>::quiet_NaN();
  absl::Status status = step->Run(bad, 0.1, {}).status();
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kNumbers));
  EXPECT_THAT(std::string(status.message()), HasSubstr("loss"));
  ExpectSame(StateOf(*step), before, /*running=*/false);

  network->parameters()[0].register_hook([](const torch::Tensor& gradient) {
    return gradient * std::numeric_limits<double>::infinity();
  });
  status = step->Run(batch, 0.1, {}).status();
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kNumbers));
  EXPECT_THAT(std::string(status.message()), HasSubstr("gradients"));
  ExpectSame(StateOf(*step), before, /*running=*/false);
}

TEST_P(TrainStepTest, WithResultHoldsTheAveragesWhereThereAreAny) {
  const Batch batch = MakeBatch(4, 1);
  for (const double decay : {0.0, 0.9}) {
    SCOPED_TRACE(decay);
    const auto network = MakeNetwork(/*auxiliary=*/false);
    TrainStepOptions options;
    options.average_decay = decay;
    const auto step = MakeStep(network, options);
    const std::vector<torch::Tensor> start = Weights(*network);
    ASSERT_THAT(step->Run(batch, 0.1, {}), IsOk());
    const std::vector<torch::Tensor> end = Weights(*network);
    EXPECT_THAT(step->WithResult([&] {
      const std::vector<torch::Tensor> held = Weights(*network);
      // Of the first update, a tenth of the old values stays.
      const double stays = decay > 0 ? 0.1 : 0;
      for (size_t i = 0; i < held.size(); ++i) {
        const double size = Largest(start[i]) + Largest(end[i]);
        EXPECT_THAT(held[i], TensorNear(stays * start[i] + (1 - stays) * end[i],
                                        Tolerance{4 * kRounding * size, 0}));
      }
      return absl::OkStatus();
    }),
                IsOk());
    EXPECT_EQ(Norm(Difference(Weights(*network), end)), 0);
  }
}

TEST_P(TrainStepTest, GoesOnFromASnapshot) {
  TrainStepOptions options;
  options.average_decay = 0.9;
  const auto first = MakeStep(MakeNetwork(/*auxiliary=*/true, 1), options);
  ASSERT_THAT(first->Run(MakeBatch(4, 1), 0.1, {}), IsOk());
  const Snapshot state = StateOf(*first);
  const auto second = MakeStep(MakeNetwork(/*auxiliary=*/true, 2), options);
  ASSERT_THAT(second->TakeFrom(state), IsOk());
  ExpectSame(StateOf(*second), state);
  for (const uint64_t seed : {2, 3}) {
    const auto of_first = first->Run(MakeBatch(4, seed), 0.1, {});
    const auto of_second = second->Run(MakeBatch(4, seed), 0.1, {});
    ASSERT_THAT(of_first, IsOk());
    ASSERT_THAT(of_second, IsOk());
    EXPECT_EQ(of_first->loss, of_second->loss);
  }
  ExpectSame(StateOf(*second), StateOf(*first));

  options.average_decay = 0;
  const auto plain = MakeStep(MakeNetwork(/*auxiliary=*/true), options);
  EXPECT_THAT(first->TakeFrom(StateOf(*plain)),
              ExitCodeIs(ExitCode::kModelFile));
}

TEST_P(TrainStepTest, NamesTheOptionThatMeansNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const struct {
    const char* name;
    double TrainStepOptions::*field;
    std::vector<double> bad;
  } rules[] = {
      {"momentum", &TrainStepOptions::momentum, {-0.1, 1, nan}},
      {"weight_decay", &TrainStepOptions::weight_decay, {-1, infinity, nan}},
      {"gradient_clip", &TrainStepOptions::gradient_clip, {-1, 0, infinity}},
      {"auxiliary_weight", &TrainStepOptions::auxiliary_weight, {-1, nan}},
      {"label_smoothing", &TrainStepOptions::label_smoothing, {-0.1, 1, nan}},
      {"average_decay", &TrainStepOptions::average_decay, {-0.1, 1, nan}},
  };
  const auto network = MakeNetwork(/*auxiliary=*/false);
  for (const auto& rule : rules) {
    for (const double bad : rule.bad) {
      TrainStepOptions options;
      options.*rule.field = bad;
      EXPECT_THAT(TrainStep::Create(network, options).status(),
                  StatusIs(absl::StatusCode::kInvalidArgument,
                           absl::StrCat(rule.name, " ", bad, ": ")));
    }
  }
}

// A module with everything that an average meets: two parameters, two running
// statistics and a counter, of one element each.
class Tiny {
 public:
  // All four values, and the counter.
  void Set(float value, int64_t batches) {
    const torch::NoGradGuard no_gradients;
    norm->weight.fill_(value);
    norm->bias.fill_(-value);
    norm->running_mean.fill_(2 * value);
    norm->running_var.fill_(3 * value);
    norm->num_batches_tracked.fill_(batches);
  }
  // The value that all four agree in.
  double Value() const {
    const double value = norm->weight.item<double>();
    // Sums of roundings, as below.
    const double tolerance = 3 * 16 * kRounding * std::abs(value);
    EXPECT_NEAR(norm->bias.item<double>(), -value, tolerance);
    EXPECT_NEAR(norm->running_mean.item<double>(), 2 * value, tolerance);
    EXPECT_NEAR(norm->running_var.item<double>(), 3 * value, tolerance);
    return value;
  }

  torch::nn::BatchNorm1d norm{1};
};

// What an average holds.
double Averaged(WeightAverage& average, const Tiny& tiny) {
  double value = 0;
  EXPECT_THAT(average.Within([&] {
    value = tiny.Value();
    return absl::OkStatus();
  }),
              IsOk());
  return value;
}

// An update takes 4 roundings, of values of at most 4; fewer than 16 over the
// three of these tests.
constexpr double kAverage = 16 * kRounding * 4;

TEST(WeightAverageTest, ForgetsWhereItStartedInTheFirstUpdates) {
  Tiny tiny;
  tiny.Set(1, 0);
  WeightAverage average(tiny.norm.get(), 0.9);
  EXPECT_EQ(Averaged(average, tiny), 1);
  tiny.Set(2, 1);
  EXPECT_EQ(Averaged(average, tiny), 1);
  average.Update();  // decay 1/10: 0.1 * 1 + 0.9 * 2
  EXPECT_NEAR(Averaged(average, tiny), 1.9, kAverage);
  tiny.Set(3, 2);
  average.Update();  // 2/11: (2 * 1.9 + 9 * 3) / 11
  EXPECT_NEAR(Averaged(average, tiny), 2.8, kAverage);
  tiny.Set(4, 3);
  average.Update();  // 3/12: (2.8 + 3 * 4) / 4
  EXPECT_NEAR(Averaged(average, tiny), 3.7, kAverage);
}

TEST(WeightAverageTest, TheDecayIsAtMostTheOneThatItIsGiven) {
  Tiny tiny;
  tiny.Set(1, 0);
  WeightAverage average(tiny.norm.get(), 0.125);
  tiny.Set(2, 1);
  average.Update();  // 1/10
  EXPECT_NEAR(Averaged(average, tiny), 1.9, kAverage);
  tiny.Set(3, 2);
  average.Update();  // 2/11 is above 1/8: (1.9 + 7 * 3) / 8
  EXPECT_NEAR(Averaged(average, tiny), 2.8625, kAverage);
  tiny.Set(1, 3);
  average.Update();  // (2.8625 + 7 * 1) / 8
  EXPECT_NEAR(Averaged(average, tiny), 1.2328125, kAverage);
}

TEST(WeightAverageTest, CountersAreTakenAsTheyAre) {
  Tiny tiny;
  tiny.Set(1, 5);
  WeightAverage average(tiny.norm.get(), 0.9);
  tiny.Set(1, 1000003);
  average.Update();
  tiny.Set(1, 7);
  EXPECT_THAT(average.Within([&] {
    EXPECT_EQ(tiny.norm->num_batches_tracked.item<int64_t>(), 1000003);
    return absl::OkStatus();
  }),
              IsOk());
  EXPECT_EQ(tiny.norm->num_batches_tracked.item<int64_t>(), 7);
}

TEST(WeightAverageTest, GivesTheModuleItsOwnBitsBack) {
  Tiny tiny;
  tiny.Set(1, 0);
  WeightAverage average(tiny.norm.get(), 0.9);
  const float value = 0.1F;  // no sum of powers of two of the average's
  tiny.Set(value, 1);
  average.Update();
  Snapshot before(RunKind::kTrain);
  before.PutModule("tiny", *tiny.norm);
  average.PutInto(before);
  EXPECT_THAT(average.Within([] { return DataError("from inside"); }),
              StatusIs(DataError("").code(), "from inside"));
  Snapshot after(RunKind::kTrain);
  after.PutModule("tiny", *tiny.norm);
  average.PutInto(after);
  ExpectSame(after, before);
}

// The count of updates is part of it: as the fourth, the last update is by
// 4/13, as the first it would be by 1/10.
TEST(WeightAverageTest, GoesOnFromASnapshot) {
  Tiny tiny;
  tiny.Set(1, 0);
  WeightAverage average(tiny.norm.get(), 0.9);
  for (const float value : {2.0F, 3.0F, 4.0F}) {
    tiny.Set(value, 1);
    average.Update();
  }
  Snapshot state(RunKind::kTrain);
  average.PutInto(state);

  Tiny other;
  other.Set(-8, 0);
  WeightAverage resumed(other.norm.get(), 0.9);
  ASSERT_THAT(resumed.TakeFrom(state), IsOk());
  EXPECT_EQ(Averaged(resumed, other), Averaged(average, tiny));
  tiny.Set(17, 4);
  other.Set(17, 4);
  average.Update();
  resumed.Update();
  Snapshot first(RunKind::kTrain);
  average.PutInto(first);
  Snapshot second(RunKind::kTrain);
  resumed.PutInto(second);
  ExpectSame(second, first);
  // (4 * 3.7 + 9 * 17) / 13; of values of at most 17.
  EXPECT_NEAR(Averaged(resumed, other), 167.8 / 13, kAverage * 17 / 4);

  Snapshot counts_below_zero(RunKind::kTrain);
  for (const auto& [name, tensor] : state.tensors()) {
    counts_below_zero.PutTensor(name, tensor);
  }
  counts_below_zero.PutInteger("average_updates", -1);
  EXPECT_THAT(resumed.TakeFrom(counts_below_zero),
              ExitCodeIs(ExitCode::kModelFile));
  const Snapshot empty(RunKind::kTrain);
  EXPECT_THAT(resumed.TakeFrom(empty), ExitCodeIs(ExitCode::kModelFile));
  EXPECT_EQ(Averaged(resumed, other), Averaged(average, tiny));
}

// Every field away from its default.
TrainConfig UnusualConfig() {
  TrainConfig config;
  config.set_seed(11);
  config.set_valid_portion(0.25);
  config.set_batch_size(7);
  config.set_crop_and_flip(true);
  config.set_cutout(true);
  config.set_cutout_length(5);
  config.set_auto_aug(true);
  config.set_init_channels(6);
  config.set_layers(9);
  config.set_auxiliary(true);
  config.set_auxiliary_weight(0.21);
  config.set_drop_path_prob(0.3);
  config.set_epochs(8);
  config.set_steps_per_epoch(13);
  config.set_learning_rate(0.77);
  config.set_learning_rate_min(0.011);
  config.set_lr_schedule(TrainConfig::LINEAR);
  config.set_warmup_epochs(3);
  config.set_momentum(0.83);
  config.set_weight_decay(0.0123);
  config.set_grad_clip(4.5);
  config.set_label_smoothing(0.17);
  config.set_ema_decay(0.987);
  config.set_precision(Machine::BF16);
  return config;
}

Dataset EmptyImages(int samples) {
  Dataset dataset;
  dataset.name = "empty";
  dataset.channels = 1;
  dataset.height = 28;
  dataset.width = 28;
  dataset.classes = 17;
  dataset.labels.resize(samples);
  return dataset;
}

// Here and below the fields are bound one by one: a new one that nobody has
// thought of does not compile.
TEST(TrainOptionsTest, AStepHasAllThatIsSet) {
  const TrainStepOptions options = StepOptions(UnusualConfig());
  const auto& [momentum, weight_decay, gradient_clip, auxiliary_weight,
               label_smoothing, average_decay, bfloat16] = options;
  EXPECT_EQ(momentum, 0.83);
  EXPECT_EQ(weight_decay, 0.0123);
  EXPECT_EQ(gradient_clip, 4.5);
  EXPECT_EQ(auxiliary_weight, 0.21);
  EXPECT_EQ(label_smoothing, 0.17);
  EXPECT_EQ(average_decay, 0.987);
  EXPECT_TRUE(bfloat16);
  TrainConfig fp32 = UnusualConfig();
  fp32.set_precision(Machine::FP32);
  EXPECT_FALSE(StepOptions(fp32).bfloat16);
}

TEST(TrainOptionsTest, AScheduleHasAllThatIsSet) {
  const LrScheduleOptions options = ScheduleOptions(UnusualConfig());
  const auto& [decay, initial, minimum, epochs, warmup_epochs] = options;
  EXPECT_EQ(decay, LrScheduleOptions::Decay::kLinear);
  EXPECT_EQ(initial, 0.77);
  EXPECT_EQ(minimum, 0.011);
  EXPECT_EQ(epochs, 8);
  EXPECT_EQ(warmup_epochs, 3);
  TrainConfig cosine = UnusualConfig();
  cosine.set_lr_schedule(TrainConfig::COSINE);
  EXPECT_EQ(ScheduleOptions(cosine).decay, LrScheduleOptions::Decay::kCosine);
}

TEST(TrainOptionsTest, AugmentationHasAllThatIsSet) {
  const AugmentOptions options = AugmentationOptions(UnusualConfig());
  const auto& [crop_and_flip, auto_augment, cutout, cutout_length] = options;
  EXPECT_TRUE(crop_and_flip);
  EXPECT_TRUE(auto_augment);
  EXPECT_TRUE(cutout);
  EXPECT_EQ(cutout_length, 5);
  TrainConfig plain = UnusualConfig();
  plain.set_auto_aug(false);
  EXPECT_FALSE(AugmentationOptions(plain).auto_augment);
  EXPECT_TRUE(AugmentationOptions(plain).cutout);
  EXPECT_TRUE(AugmentationOptions(plain).crop_and_flip);
  plain.set_crop_and_flip(false);
  EXPECT_FALSE(AugmentationOptions(plain).crop_and_flip);
  EXPECT_EQ(AugmentationOptions(plain).cutout_length, 5);
}

TEST(TrainOptionsTest, ANetworkHasAllThatIsSet) {
  const auto network = NetworkOptions(UnusualConfig(), EmptyImages(4));
  ASSERT_THAT(network, IsOk());
  const auto& [kind, init_channels, layers, classes, image_size, image_channels,
               auxiliary] = *network;
  EXPECT_EQ(kind, NetworkConfig::Kind::kCifar);
  EXPECT_EQ(init_channels, 6);
  EXPECT_EQ(layers, 9);
  EXPECT_EQ(classes, 17);
  EXPECT_EQ(image_size, 28);
  EXPECT_EQ(image_channels, 1);
  EXPECT_TRUE(auxiliary);
  Dataset wide = EmptyImages(4);
  wide.width = 30;
  EXPECT_THAT(NetworkOptions(UnusualConfig(), wide),
              StatusIs(absl::StatusCode::kInvalidArgument, "28x30"));
}

TEST(TrainOptionsTest, SamplingHasAllThatIsSet) {
  const EpochSamplerOptions options =
      SamplingOptions(UnusualConfig(), EmptyImages(100));
  const auto& [samples, batch_size, steps_per_epoch, seed, purpose] = options;
  EXPECT_EQ(samples, 75);
  EXPECT_EQ(batch_size, 7);
  EXPECT_EQ(steps_per_epoch, 13);
  EXPECT_EQ(seed, 11U);
  EXPECT_EQ(purpose, "train/order");
}

TEST(TrainOptionsTest, TheSamplesHeldOutAreRounded) {
  const struct {
    double portion;
    int samples;
    int64_t trained_on;
  } cases[] = {
      {0, 10, 10},         {0.24, 10, 8},  {0.25, 10, 7},  // 2.5 held out: 3
      {0.26, 10, 7},       {0.04, 10, 10}, {0.05, 10, 9},  // 0.5 held out: 1
      {0.2, 60000, 48000}, {0.999, 10, 0},
  };
  for (const auto& test_case : cases) {
    TrainConfig config;
    config.set_valid_portion(test_case.portion);
    EXPECT_EQ(TrainSamples(config, EmptyImages(test_case.samples)),
              test_case.trained_on)
        << test_case.portion << " of " << test_case.samples;
  }
}

TEST(TrainOptionsTest, DroppedPathsGrowWithTheEpochs) {
  const TrainConfig config = UnusualConfig();
  EXPECT_EQ(DropProbability(config, 0), 0);
  EXPECT_DOUBLE_EQ(DropProbability(config, 4), 0.15);
  EXPECT_DOUBLE_EQ(DropProbability(config, 7), 0.2625);
  // A path that is kept counts for those dropped.
  const torch::Tensor paths = torch::ones({1000, 1, 1, 1});
  for (const int epoch : {0, 4, 7}) {
    SCOPED_TRACE(epoch);
    const double probability = DropProbability(config, epoch);
    const torch::Tensor left = DroppedPaths(config, epoch, 2).Drop(paths);
    EXPECT_NEAR(left.max().item<double>(), 1 / (1 - probability),
                4 * kRounding);
    const double share = (left == 0).sum().item<double>() / 1000;
    // Four standard deviations.
    const double deviation = std::sqrt(probability * (1 - probability) / 1000);
    EXPECT_THAT(share, AllOf(Ge(probability - 4 * deviation),
                             Le(probability + 4 * deviation)));
  }
}

TEST(TrainOptionsTest, SeedEpochAndStepSingleOutTheDroppedPaths) {
  TrainConfig config = UnusualConfig();
  const torch::Tensor paths = torch::ones({1000, 1, 1, 1});
  const auto dropped = [&](int epoch, int64_t step) {
    return DroppedPaths(config, epoch, step).Drop(paths) == 0;
  };
  const torch::Tensor first = dropped(4, 2);
  EXPECT_TRUE(first.equal(dropped(4, 2)));
  EXPECT_FALSE(first.equal(dropped(4, 3)));
  EXPECT_FALSE(first.equal(dropped(2, 4)));
  EXPECT_FALSE(first.equal(dropped(5, 2)));
  config.set_seed(12);
  EXPECT_FALSE(first.equal(dropped(4, 2)));
}

}  // namespace
}  // namespace fairdarts
