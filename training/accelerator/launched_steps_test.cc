// The steps of a search and of a training, recorded and replayed on a GPU,
// beside the same asked for one operation after another. On the CPU, which
// records nothing, both are the latter.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <memory>
#include <string>
#include <vector>

#include "fairdarts/base/random.h"
#include "fairdarts/search_step.h"
#include "genotypes/catalog.h"
#include "search_space/initialization.h"
#include "search_space/network_factory.h"
#include "search_space/s1_supernet.h"
#include "tests/status_matchers.h"
#include "tests/test_device.h"
#include "training/accelerator/device_steps.h"
#include "training/memory_format.h"
#include "training/train_step.h"

namespace fairdarts {
namespace {

constexpr int64_t kSteps = 8;
constexpr int64_t kClasses = 10;

// As an epoch's last one.
int64_t BatchSize(int64_t step) { return step % 6 == 5 ? 2 : 4; }

// How both are run.
struct Form {
  bool bfloat16 = false;
  bool channels_last = false;  // as networks of more than a few channels are
};

// Every one of them.
std::vector<Form> Forms() {
  return {{false, false}, {false, true}, {true, false}, {true, true}};
}

void PutBatch(int64_t step, uint64_t which, const Form& form,
              std::vector<torch::Tensor>& inputs) {
  RandomStream random("launched_steps", {static_cast<uint64_t>(step), which});
  const int64_t size = BatchSize(step);
  const bool pinned = TestDevice().is_cuda();
  const torch::Tensor images =
      torch::empty({size, 3, 8, 8},
                   torch::TensorOptions(torch::kFloat).pinned_memory(pinned));
  float* const pixels = images.mutable_data_ptr<float>();
  for (int64_t i = 0; i < images.numel(); ++i) {
    pixels[i] = static_cast<float>(random.Normal());
  }
  const torch::Tensor labels = torch::empty(
      {size}, torch::TensorOptions(torch::kLong).pinned_memory(pinned));
  for (int64_t i = 0; i < size; ++i) {
    labels.mutable_data_ptr<int64_t>()[i] =
        static_cast<int64_t>(random.Below(kClasses));
  }
  inputs.push_back(
      form.channels_last
          ? torch::empty_like(images, images.options().pinned_memory(pinned),
                              torch::MemoryFormat::ChannelsLast)
                .copy_(images)
          : images);
  inputs.push_back(labels);
}

double RateOf(int64_t step) { return 0.05 / static_cast<double>(1 + step); }

// All tensors of a module, one behind another.
torch::Tensor Flat(const torch::nn::Module& module) {
  std::vector<torch::Tensor> parts;
  for (const torch::Tensor& tensor : module.parameters()) {
    parts.push_back(tensor.detach().flatten().to(torch::kCPU, torch::kDouble));
  }
  for (const torch::Tensor& tensor : module.buffers()) {
    parts.push_back(tensor.flatten().to(torch::kCPU, torch::kDouble));
  }
  return torch::cat(parts);
}

// What a run leaves: its values, and its network's tensors and alphas.
std::vector<torch::Tensor> Search(bool graph, bool single_level,
                                  const Form& form) {
  S1Config config;
  config.channels = 4;
  config.layers = 3;
  const auto network = S1Supernet::Create(config);
  EXPECT_THAT(network, IsOk());
  InitializeParameters(**network, 1);
  (*network)->to(TestDevice());
  if (form.channels_last) ToChannelsLast(**network);
  SearchStepOptions options;
  options.single_level = single_level;
  options.loss.bfloat16 = form.bfloat16;
  options.architect.learning_rate = 0.05;
  const auto step = SearchStep::Create(*network, options);
  EXPECT_THAT(step, IsOk());
  DeviceSteps steps(
      TestDevice(), graph,
      [&](int64_t s) {
        std::vector<torch::Tensor> inputs;
        PutBatch(s, 0, form, inputs);
        PutBatch(s, 1, form, inputs);
        const auto rates = (*step)->Rates(s, RateOf(s));
        inputs.push_back(torch::tensor(
            std::vector<double>(rates.begin(), rates.end()), torch::kDouble));
        return inputs;
      },
      [&](const std::vector<torch::Tensor>& in) {
        return (*step)->Launch({in[0], in[1]}, {in[2], in[3]}, in[4]);
      });
  for (int64_t s = 0; s < kSteps; ++s) {
    EXPECT_THAT(steps.Run(s, s + 1), IsOk());
    (*step)->CountStep();
  }
  std::vector<torch::Tensor> left;
  const auto finished = steps.Finish();
  EXPECT_THAT(finished, IsOk());
  for (const DeviceSteps::Finished& one : *finished) {
    EXPECT_THAT((*step)->Read(one.values), IsOk());
    left.push_back(one.values);
  }
  left.push_back(Flat(**network));
  left.push_back((*step)->alphas().normal.detach().to(torch::kCPU));
  left.push_back((*step)->alphas().reduce.detach().to(torch::kCPU));
  return left;
}

std::vector<torch::Tensor> Train(bool graph, const Form& form) {
  NetworkConfig config = NetworkConfig::Cifar();
  config.init_channels = 4;
  config.layers = 3;
  config.image_size = 8;
  config.auxiliary = false;
  const auto network =
      MakeDerivedNetwork(FindInCatalog("DARTS_V2")->entry->genotype, config);
  EXPECT_THAT(network, IsOk());
  InitializeParameters(**network, 1);
  (*network)->to(TestDevice());
  if (form.channels_last) ToChannelsLast(**network);
  TrainStepOptions options;
  options.average_decay = 0.9;
  options.bfloat16 = form.bfloat16;
  const auto step = TrainStep::Create(*network, options);
  EXPECT_THAT(step, IsOk());
  DeviceSteps steps(
      TestDevice(), graph,
      [&](int64_t s) {
        std::vector<torch::Tensor> inputs;
        PutBatch(s, 0, form, inputs);
        const auto rates = (*step)->Rates(s, RateOf(s));
        inputs.push_back(torch::tensor(
            std::vector<double>(rates.begin(), rates.end()), torch::kDouble));
        const int64_t paths = (*network)->paths();
        inputs.push_back(
            torch::tensor(
                PathDropper(0.3,
                            RandomStream("paths", {static_cast<uint64_t>(s)}))
                    .DrawScales(paths * BatchSize(s)))
                .view({paths, BatchSize(s)}));
        return inputs;
      },
      [&](const std::vector<torch::Tensor>& in) {
        return (*step)->Launch({in[0], in[1]}, in[2], in[3]);
      });
  for (int64_t s = 0; s < kSteps; ++s) {
    EXPECT_THAT(steps.Run(s, s + 1), IsOk());
    (*step)->CountStep();
  }
  std::vector<torch::Tensor> left;
  const auto finished = steps.Finish();
  EXPECT_THAT(finished, IsOk());
  for (const DeviceSteps::Finished& one : *finished) {
    EXPECT_THAT(TrainStep::Read(one.values), IsOk());
    left.push_back(one.values);
  }
  left.push_back(Flat(**network));
  EXPECT_THAT((*step)->WithResult([&] {
    left.push_back(Flat(**network));
    return absl::OkStatus();
  }),
              IsOk());
  return left;
}

// Deterministic, so the same bits.
void ExpectSame(const std::vector<torch::Tensor>& actual,
                const std::vector<torch::Tensor>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_TRUE(actual[i].equal(expected[i])) << "tensor " << i;
  }
}

class LaunchedStepsTest : public testing::Test {
 protected:
  LaunchedStepsTest() { at::set_num_threads(1); }
};

TEST_F(LaunchedStepsTest, ARecordedSearchIsTheSame) {
  for (const Form& form : Forms()) {
    for (const bool single_level : {false, true}) {
      ExpectSame(Search(/*graph=*/true, single_level, form),
                 Search(/*graph=*/false, single_level, form));
    }
  }
}

// What comes of a search in bfloat16 is near: the first step's loss is a mean
// of logarithms of ten probabilities behind some thirty roundings by 2^-9 each
// of what is of the order of one.
TEST_F(LaunchedStepsTest, ASearchInBFloat16IsNear) {
  constexpr double kTolerance = 30.0 / 512;
  const torch::Tensor half =
      Search(/*graph=*/false, /*single_level=*/false, {true, false}).front();
  const torch::Tensor full =
      Search(/*graph=*/false, /*single_level=*/false, {false, false}).front();
  ASSERT_EQ(half.sizes(), full.sizes());
  EXPECT_FALSE(half.equal(full)) << "nothing was rounded";
  const double loss = full[0].item<double>();
  EXPECT_NEAR(half[0].item<double>(), loss, kTolerance * loss);
}

TEST_F(LaunchedStepsTest, ARecordedTrainingIsTheSame) {
  for (const Form& form : Forms()) {
    ExpectSame(Train(/*graph=*/true, form), Train(/*graph=*/false, form));
  }
}

// The copies of many large inputs run beside work that is slower than they.
TEST_F(LaunchedStepsTest, InputsArriveWholeAndInOrder) {
  constexpr int64_t kSize = 256;
  DeviceSteps steps(
      TestDevice(), /*graph=*/true,
      [&](int64_t s) {
        return std::vector<torch::Tensor>{
            torch::full({kSize, kSize}, static_cast<double>(s % 7),
                        torch::TensorOptions(torch::kFloat)
                            .pinned_memory(TestDevice().is_cuda()))};
      },
      [&](const std::vector<torch::Tensor>& in) {
        return torch::stack({in[0].mm(in[0]).mean(), in[0].max()})
            .to(torch::kDouble);
      });
  for (int64_t s = 0; s < 60; ++s) {
    ASSERT_THAT(steps.Run(s, s + 1), IsOk());
  }
  const auto finished = steps.Finish();
  ASSERT_THAT(finished, IsOk());
  for (const DeviceSteps::Finished& one : *finished) {
    const double x = static_cast<double>(one.step % 7);
    EXPECT_EQ(one.values[1].item<double>(), x);
    EXPECT_EQ(one.values[0].item<double>(), x * x * kSize);
  }
}

}  // namespace
}  // namespace fairdarts
