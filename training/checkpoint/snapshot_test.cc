#include "training/checkpoint/snapshot.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"
#include "torch/nn/modules/batchnorm.h"
#include "torch/nn/modules/container/sequential.h"
#include "torch/nn/modules/conv.h"
#include "torch/ordered_dict.h"
#include "training/checkpoint/optimizer_state.h"

namespace fairdarts {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

bool Same(const torch::Tensor& a, const torch::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && torch::equal(a, b);
}

std::string Message(const absl::Status& status) {
  return std::string(status.message());
}

torch::nn::Sequential Network(int channels = 4) {
  torch::nn::Sequential network(
      torch::nn::Conv2d(torch::nn::Conv2dOptions(3, channels, 3).bias(false)),
      torch::nn::BatchNorm2d(channels));
  // Numbers that no other network has: initialisation draws from a global
  // generator.
  const torch::NoGradGuard no_grad;
  for (torch::Tensor& parameter : network->parameters()) {
    parameter.uniform_();
  }
  return network;
}

TEST(SnapshotTest, CopiesAtOnceAndRowMajor) {
  torch::Tensor tensor = torch::arange(24, torch::kFloat32)
                             .view({1, 2, 3, 4})
                             .contiguous(torch::MemoryFormat::ChannelsLast);
  tensor.requires_grad_(true);
  Snapshot snapshot(RunKind::kTrain);
  snapshot.PutTensor("t", tensor);
  {
    const torch::NoGradGuard no_grad;
    tensor.zero_();
  }
  const auto read = snapshot.Tensor("t");
  ASSERT_THAT(read, IsOk());
  EXPECT_TRUE(read->is_contiguous());
  EXPECT_FALSE(read->requires_grad());
  EXPECT_EQ(read->sum().item<float>(), 24 * 23 / 2);

  // Back into the other memory format, which stays.
  ASSERT_THAT(snapshot.CopyTensorTo("t", tensor), IsOk());
  EXPECT_TRUE(Same(tensor.detach(), *read));
  EXPECT_TRUE(tensor.is_contiguous(torch::MemoryFormat::ChannelsLast));
}

TEST(SnapshotTest, NumbersReadBackExactly) {
  Snapshot snapshot(RunKind::kSearch);
  const std::vector<double> reals = {0.1,
                                     -0.0,
                                     1.0 / 3,
                                     std::numeric_limits<double>::denorm_min(),
                                     std::numeric_limits<double>::max(),
                                     -std::numeric_limits<double>::infinity()};
  for (size_t i = 0; i < reals.size(); ++i) {
    snapshot.PutReal(absl::StrCat("real", i), reals[i]);
  }
  for (size_t i = 0; i < reals.size(); ++i) {
    const auto read = snapshot.Real(absl::StrCat("real", i));
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(*read, reals[i]);
    EXPECT_EQ(std::signbit(*read), std::signbit(reals[i]));
  }
  snapshot.PutReal("nan", std::nan(""));
  EXPECT_TRUE(std::isnan(*snapshot.Real("nan")));
  for (const int64_t value : {std::numeric_limits<int64_t>::min(), int64_t{7},
                              std::numeric_limits<int64_t>::max()}) {
    const std::string name = absl::StrCat("integer", value);
    snapshot.PutInteger(name, value);
    EXPECT_THAT(snapshot.Integer(name), IsOkAndHolds(value));
  }
}

TEST(SnapshotTest, WhatIsMissingOrNoNumberIsNamed) {
  Snapshot snapshot(RunKind::kSearch, "some/file");
  snapshot.PutText("text", "12x");
  snapshot.PutText("large", "9223372036854775808");
  for (const absl::Status& status :
       {snapshot.Tensor("absent").status(), snapshot.Text("absent").status(),
        snapshot.Integer("absent").status(),
        snapshot.Real("absent").status()}) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, "\"absent\""));
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kModelFile));
    EXPECT_THAT(Message(status), testing::StartsWith("some/file: "));
  }
  EXPECT_THAT(snapshot.Integer("text"),
              StatusIs(absl::StatusCode::kDataLoss, "text '12x' is not"));
  EXPECT_THAT(snapshot.Real("text"),
              StatusIs(absl::StatusCode::kDataLoss, "text '12x' is not"));
  EXPECT_THAT(snapshot.Integer("large"),
              StatusIs(absl::StatusCode::kDataLoss, "large '9223372036854775"));
}

TEST(SnapshotTest, ATensorOfAnotherShapeOrTypeIsRefused) {
  Snapshot snapshot(RunKind::kSearch);
  snapshot.PutTensor("t", torch::ones({2, 3}));
  torch::Tensor shape = torch::zeros({3, 2});
  EXPECT_THAT(snapshot.CopyTensorTo("t", shape),
              StatusIs(absl::StatusCode::kDataLoss,
                       "\"t\" is F32 [2, 3] in place of F32 [3, 2]"));
  torch::Tensor type = torch::zeros({2, 3}, torch::kFloat64);
  EXPECT_THAT(snapshot.CopyTensorTo("t", type),
              StatusIs(absl::StatusCode::kDataLoss,
                       "F32 [2, 3] in place of F64 [2, 3]"));
  EXPECT_EQ(shape.sum().item<float>() + type.sum().item<double>(), 0);
}

TEST(SnapshotTest, AModuleComesBackWithItsBuffers) {
  torch::nn::Sequential network = Network();
  network->forward(torch::rand({2, 3, 5, 5}));
  Snapshot snapshot(RunKind::kTrain);
  snapshot.PutModule("net", *network);
  EXPECT_TRUE(snapshot.HasTensor("net/0.weight"));
  EXPECT_TRUE(snapshot.HasTensor("net/1.num_batches_tracked"));

  torch::nn::Sequential other = Network();
  ASSERT_THAT(snapshot.LoadModule("net", *other), IsOk());
  const auto expected = network->named_buffers();
  for (const auto& item : other->named_buffers()) {
    EXPECT_TRUE(Same(item.value(), expected[item.key()])) << item.key();
  }
  const auto parameters = network->named_parameters();
  for (const auto& item : other->named_parameters()) {
    EXPECT_TRUE(Same(item.value(), parameters[item.key()])) << item.key();
    EXPECT_TRUE(item.value().requires_grad());
  }
}

TEST(SnapshotTest, AModuleThatDoesNotFitIsLeftAlone) {
  Snapshot snapshot(RunKind::kTrain);
  snapshot.PutModule("net", *Network());
  const auto refused = [&](const Snapshot& from, torch::nn::Sequential into) {
    std::vector<torch::Tensor> before;
    for (const torch::Tensor& p : into->parameters()) {
      before.push_back(p.detach().clone());
    }
    const absl::Status status = from.LoadModule("net", *into);
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kModelFile));
    for (size_t i = 0; i < before.size(); ++i) {
      EXPECT_TRUE(Same(into->parameters()[i].detach(), before[i])) << i;
    }
    return Message(status);
  };
  EXPECT_THAT(refused(snapshot, Network(5)),
              HasSubstr("\"net/0.weight\" is F32 [4, 3, 3, 3] in place of "
                        "F32 [5, 3, 3, 3]"));

  torch::nn::Sequential longer = Network();
  longer->push_back(torch::nn::BatchNorm2d(4));
  EXPECT_THAT(refused(snapshot, longer),
              HasSubstr("lacks the tensors net/2.weight, net/2.bias, "
                        "net/2.running_mean and 2 more"));

  Snapshot surplus = snapshot;
  surplus.PutTensor("net/extra", torch::ones({1}));
  surplus.PutTensor("nets/other", torch::ones({1}));
  EXPECT_THAT(refused(surplus, Network()),
              AllOf(HasSubstr("do not belong there: net/extra"),
                    testing::Not(HasSubstr("nets/other"))));
}

// One parameter that is stepped from the start and one that is not at first.
template <typename Optimizer, typename Options>
struct Fit {
  explicit Fit(const Options& options)
      : a(torch::linspace(-1, 1, 12).view({3, 4}).requires_grad_(true)),
        b(torch::linspace(2, 3, 5).requires_grad_(true)),
        optimizer({a, b}, options) {}

  void Step(bool both) {
    optimizer.zero_grad();
    torch::Tensor loss = (a * a * a).sum();
    if (both) loss = loss + (b * b).sum();
    loss.backward();
    optimizer.step();
  }

  torch::Tensor a;
  torch::Tensor b;
  Optimizer optimizer;
};

// Goes on in a new optimiser and compares the parameters after each step.
template <typename AnyFit, typename Put, typename Load>
void ExpectTheSameCourse(AnyFit run, AnyFit resumed, const Put& put,
                         const Load& load) {
  for (const bool both : {false, true}) {
    for (int i = 0; i < 3; ++i) run.Step(both);
    Snapshot snapshot(RunKind::kSearch);
    put(run.optimizer, snapshot);
    snapshot.PutTensor("a", run.a);
    snapshot.PutTensor("b", run.b);
    EXPECT_EQ(snapshot.HasText("o/b/state"), !both);
    // The state that was there must go.
    resumed.Step(true);
    ASSERT_THAT(load(snapshot, resumed.optimizer), IsOk());
    ASSERT_THAT(snapshot.CopyTensorTo("a", resumed.a), IsOk());
    ASSERT_THAT(snapshot.CopyTensorTo("b", resumed.b), IsOk());
    for (int i = 0; i < 3; ++i) {
      run.Step(both);
      resumed.Step(both);
      EXPECT_TRUE(Same(run.a.detach(), resumed.a.detach())) << both << i;
      EXPECT_TRUE(Same(run.b.detach(), resumed.b.detach())) << both << i;
    }
  }
}

using SgdFit = Fit<torch::optim::SGD, torch::optim::SGDOptions>;
using AdamFit = Fit<torch::optim::Adam, torch::optim::AdamOptions>;

TEST(OptimizerStateTest, SgdGoesOnAsIfItHadNotStopped) {
  const auto options =
      torch::optim::SGDOptions(0.01).momentum(0.9).weight_decay(0.1);
  ExpectTheSameCourse(
      SgdFit(options), SgdFit(options),
      [](const auto& optimizer, Snapshot& snapshot) {
        PutSgd("o", optimizer, {"a", "b"}, snapshot);
      },
      [](const Snapshot& snapshot, auto& optimizer) {
        return LoadSgd(snapshot, "o", {"a", "b"}, optimizer);
      });
}

TEST(OptimizerStateTest, AdamGoesOnAsIfItHadNotStopped) {
  for (const bool amsgrad : {false, true}) {
    const auto options =
        torch::optim::AdamOptions(0.01).weight_decay(0.1).amsgrad(amsgrad);
    ExpectTheSameCourse(
        AdamFit(options), AdamFit(options),
        [](const auto& optimizer, Snapshot& snapshot) {
          PutAdam("o", optimizer, {"a", "b"}, snapshot);
        },
        [](const Snapshot& snapshot, auto& optimizer) {
          return LoadAdam(snapshot, "o", {"a", "b"}, optimizer);
        });
  }
}

TEST(OptimizerStateTest, StateThatDoesNotFitIsRefusedAndChangesNothing) {
  AdamFit fit{torch::optim::AdamOptions(0.01)};
  const auto load = [&](const Snapshot& snapshot) {
    const absl::Status status =
        LoadAdam(snapshot, "o", {"a", "b"}, fit.optimizer);
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kModelFile));
    EXPECT_TRUE(fit.optimizer.state().empty());
    return Message(status);
  };
  Snapshot snapshot(RunKind::kSearch);
  EXPECT_THAT(load(snapshot), HasSubstr("no text \"o/a/step\""));
  snapshot.PutInteger("o/a/step", 3);
  snapshot.PutTensor("o/a/exp_avg", torch::zeros({3, 4}));
  snapshot.PutText("o/b/state", "none");
  EXPECT_THAT(load(snapshot), HasSubstr("lacks the tensors o/a/exp_avg_sq"));
  Snapshot shape = snapshot;
  shape.PutTensor("o/a/exp_avg_sq", torch::zeros({4, 3}));
  EXPECT_THAT(load(shape), HasSubstr("F32 [4, 3] in place of F32 [3, 4]"));
  snapshot.PutTensor("o/a/exp_avg_sq", torch::zeros({3, 4}));

  Snapshot tensor = snapshot;
  tensor.PutTensor("o/c/exp_avg", torch::zeros({1}));
  EXPECT_THAT(load(tensor), HasSubstr("do not belong there: o/c/exp_avg"));
  Snapshot text = snapshot;
  text.PutText("o/b/step", "1");
  EXPECT_THAT(load(text), HasSubstr("\"o/b/step\" does not belong there"));

  Snapshot step(RunKind::kSearch);
  step.PutInteger("o/a/step", 0);
  EXPECT_THAT(load(step), HasSubstr("o/a/step 0: must be at least 1"));
  Snapshot state(RunKind::kSearch);
  state.PutText("o/a/state", "some");
  EXPECT_THAT(load(state), HasSubstr("o/a/state 'some': must be 'none'"));

  EXPECT_THAT(LoadAdam(snapshot, "o", {"a", "b"}, fit.optimizer), IsOk());
  EXPECT_EQ(fit.optimizer.state().size(), 1);
}

TEST(OptimizerStateTest, NamesAreInTheOrderOfTheParameters) {
  EXPECT_THAT(ParameterNames(*Network()),
              ElementsAre("0.weight", "1.weight", "1.bias"));
}

}  // namespace
}  // namespace fairdarts
