#include "training/accelerator/device_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;

std::vector<torch::Tensor> InputsOf(int64_t step, int64_t size = 3) {
  return {torch::arange(size, torch::kDouble) + static_cast<double>(step),
          torch::full({1}, static_cast<double>(10 * step), torch::kDouble)};
}

TEST(InputFeedTest, MakesEachOnceAndInOrder) {
  std::vector<int64_t> made;
  InputFeed feed(torch::kCPU, [&](int64_t step) {
    made.push_back(step);
    return InputsOf(step);
  });
  for (int64_t step = 5; step < 9; ++step) {
    const std::vector<torch::Tensor> inputs = feed.Take(step);
    ASSERT_EQ(inputs.size(), 2u);
    EXPECT_TRUE(inputs[0].equal(InputsOf(step)[0]));
    EXPECT_TRUE(inputs[1].equal(InputsOf(step)[1]));
    if (step < 8) feed.Prepare(step + 1);
  }
  EXPECT_THAT(made, ElementsAre(5, 6, 7, 8));
}

TEST(InputFeedTest, MakesAnewWhatWasNotTheLastPrepared) {
  std::vector<int64_t> made;
  InputFeed feed(torch::kCPU, [&](int64_t step) {
    made.push_back(step);
    return InputsOf(step);
  });
  feed.Prepare(1);
  EXPECT_TRUE(feed.Take(7)[0].equal(InputsOf(7)[0]));
  EXPECT_TRUE(feed.Take(7)[0].equal(InputsOf(7)[0]));
  EXPECT_THAT(made, ElementsAre(1, 7, 7));
}

// A state that each step moves along its inputs.
class Accumulator {
 public:
  torch::Tensor Step(const std::vector<torch::Tensor>& inputs) {
    ++host_calls;
    state.add_(inputs[0].sum() * inputs[1].squeeze());
    return torch::stack({state, inputs[1].squeeze()});
  }

  torch::Tensor state = torch::ones({}, torch::kDouble);
  int host_calls = 0;
};

// What was recorded is not done, and is done at each replay with what the
// memory holds then.
class FakeRecorder : public GraphRecorder {
 public:
  explicit FakeRecorder(Accumulator* accumulator) : accumulator_(accumulator) {}
  void Record(const std::function<void()>& work) override {
    ++records;
    const torch::Tensor before = accumulator_->state.clone();
    work();
    accumulator_->state.copy_(before);
    work_ = work;
  }
  void Replay() override {
    ++replays;
    --accumulator_->host_calls;  // a device replays on its own
    work_();
  }

  int records = 0;
  int replays = 0;

 private:
  Accumulator* const accumulator_;
  std::function<void()> work_;
};

TEST(StepGraphTest, ReplaysWhatItWouldRun) {
  Accumulator expected;
  Accumulator actual;
  auto owned = std::make_unique<FakeRecorder>(&actual);
  FakeRecorder& recorder = *owned;
  StepGraph graph(
      [&](const std::vector<torch::Tensor>& in) { return actual.Step(in); },
      std::move(owned));
  std::vector<torch::Tensor> all;
  for (int64_t step = 0; step < 12; ++step) {
    // A smaller step in between and at the end, as in epochs.
    const int64_t size = step % 6 == 5 ? 2 : 3;
    std::vector<torch::Tensor> inputs = InputsOf(step, size);
    const torch::Tensor values = graph.Run(inputs);
    // The memory is the caller's again.
    for (torch::Tensor& input : inputs) input.zero_();
    EXPECT_TRUE(values.equal(expected.Step(InputsOf(step, size)))) << step;
    all.push_back(values);
    EXPECT_EQ(graph.recorded(), step >= StepGraph::kRunBefore) << step;
  }
  EXPECT_TRUE(actual.state.equal(expected.state));
  EXPECT_EQ(recorder.records, 1);
  EXPECT_EQ(recorder.replays, 12 - StepGraph::kRunBefore - 2);
  // Run before, recorded, and the two smaller ones.
  EXPECT_EQ(actual.host_calls, StepGraph::kRunBefore + 1 + 2);
  // No later step has written over what an earlier one gave.
  EXPECT_EQ(all[4][1].item<double>(), 40);
}

TEST(StepGraphTest, ShapesThatDoNotComeAgainAreNotRecorded) {
  Accumulator accumulator;
  auto owned = std::make_unique<FakeRecorder>(&accumulator);
  FakeRecorder& recorder = *owned;
  StepGraph graph(
      [&](const std::vector<torch::Tensor>& in) {
        return accumulator.Step(in);
      },
      std::move(owned));
  for (int64_t step = 0; step < 8; ++step) graph.Run(InputsOf(step, 1 + step));
  EXPECT_EQ(recorder.records, 0);
  EXPECT_EQ(accumulator.host_calls, 8);
}

TEST(DeviceStepsTest, GivesTheValuesOfAllStepsInOrder) {
  Accumulator accumulator;
  std::vector<int64_t> made;
  DeviceSteps steps(
      torch::kCPU, /*graph=*/true,
      [&](int64_t step) {
        made.push_back(step);
        return InputsOf(step);
      },
      [&](const std::vector<torch::Tensor>& in) {
        return accumulator.Step(in);
      });
  ASSERT_THAT(steps.Finish(), IsOk());
  ASSERT_THAT(steps.Run(3, 4), IsOk());
  // The next one's inputs are there before its turn.
  EXPECT_THAT(made, ElementsAre(3, 4));
  ASSERT_THAT(steps.Run(4, std::nullopt), IsOk());
  EXPECT_EQ(steps.pending(), 2);
  const auto finished = steps.Finish();
  ASSERT_THAT(finished, IsOk());
  ASSERT_EQ(finished->size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*finished)[i].step, static_cast<int64_t>(3 + i));
    EXPECT_EQ((*finished)[i].values[1].item<double>(), 30.0 + 10.0 * i);
  }
  EXPECT_EQ(steps.pending(), 0);
  EXPECT_THAT(made, ElementsAre(3, 4));
}

TEST(DeviceStepsTest, WhatTorchThrowsIsAStatus) {
  DeviceSteps steps(
      torch::kCPU, /*graph=*/false, [](int64_t step) { return InputsOf(step); },
      [](const std::vector<torch::Tensor>& in) { return in[0].view({7}); });
  EXPECT_FALSE(steps.Run(0, std::nullopt).ok());
}

TEST(GraphRecorderTest, TheCpuHasNone) {
  EXPECT_EQ(MakeGraphRecorder(torch::kCPU), nullptr);
}

}  // namespace
}  // namespace fairdarts
