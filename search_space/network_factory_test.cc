#include "search_space/network_factory.h"

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "genotypes/catalog.h"
#include "genotypes/genotype.h"
#include "genotypes/primitive.h"
#include "genotypes/python_literal.h"
#include "search_space/derived_cell.h"
#include "search_space/fused_derived_network.h"
#include "tests/golden/fill_module.h"
#include "tests/golden/golden.h"
#include "tests/status_matchers.h"
#include "tests/tensor_near.h"
#include "tests/test_device.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// How far the golden runs in float32 are from the same in float64, over all
// networks: relative to the largest logit; for sums of gradients to the sum of
// absolute values. The auxiliary head's last batch norm sees two values and
// amplifies; a gradient is off by more where a ReLU's input is so close to zero
// that float64 takes its other side.
constexpr double kEvalError = 7.5e-7;
constexpr double kTrainError = 2.4e-6;
constexpr double kImageNetTrainError = 2.9e-5;
constexpr double kAuxiliaryError = 4.8e-5;
constexpr double kLossError = 2.6e-5;
constexpr double kGradientError = 4.2e-3;

// Another float32 computation, which sums in another order, may be off as far
// to the other side, and the measured distance is one sample of the error.
constexpr double kMultiple = 4;

std::shared_ptr<DerivedNetwork> NetworkOf(const Genotype& genotype,
                                          const NetworkConfig& config) {
  absl::StatusOr<std::shared_ptr<DerivedNetwork>> network =
      MakeDerivedNetwork(genotype, config);
  EXPECT_THAT(network, IsOk());
  return *std::move(network);
}

NetworkConfig SmallCifar() {
  NetworkConfig config = NetworkConfig::Cifar();
  config.init_channels = 8;
  config.layers = 6;
  config.auxiliary = true;
  return config;
}

std::shared_ptr<DerivedNetwork> OnDevice(
    std::shared_ptr<DerivedNetwork> network) {
  if (!TestDevice().is_cpu()) network->to(TestDevice());
  return network;
}

torch::Tensor EvalLogits(DerivedNetwork& network, const torch::Tensor& images) {
  const torch::NoGradGuard no_gradients;
  network.eval();
  return network.Logits(images);
}

std::vector<std::string> ParameterNames(const torch::nn::Module& module) {
  std::vector<std::string> names;
  for (const auto& item : module.named_parameters()) {
    names.push_back(item.key());
  }
  return names;
}

int64_t ParameterCount(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const torch::Tensor& parameter : module.parameters()) {
    count += parameter.numel();
  }
  return count;
}

const Genotype& Published(absl::string_view name) {
  const absl::StatusOr<CatalogMatch> match = FindInCatalog(name);
  EXPECT_THAT(match, IsOk());
  return match->entry->genotype;
}

// The networks that the golden file describes, by catalog key.
std::vector<std::string> GoldenKeys() {
  std::vector<std::string> keys;
  const nlohmann::json networks =
      GoldenFile("derived_cifar.safetensors").Metadata("networks");
  for (auto it = networks.begin(); it != networks.end(); ++it) {
    keys.push_back(it.key());
  }
  return keys;
}

class CifarGoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(CifarGoldenTest, LogitsLossAndGradientsHold) {
  const std::string& key = GetParam();
  const GoldenFile golden("derived_cifar.safetensors");
  const uint64_t seed = golden.Metadata("seed");
  const int64_t batch = golden.Metadata("batch");
  const int64_t size = golden.Metadata("size");
  const nlohmann::json networks = golden.Metadata("networks");
  const nlohmann::json& about = networks[key];
  const Genotype& genotype = Published(key);
  ASSERT_TRUE(*ParsePythonGenotype(about["genotype"].get<std::string>()) ==
              genotype);
  const torch::Tensor images =
      GoldenImagesTensor("x", {batch, 3, size, size}, seed).to(TestDevice());
  const torch::Tensor labels =
      GoldenLabelsTensor("y", batch, 10, seed).to(TestDevice());
  const auto expected = [&](absl::string_view what) {
    return golden.Get(absl::StrCat(key, ".", what));
  };

  const auto full = OnDevice(NetworkOf(genotype, NetworkConfig::Cifar()));
  FillModule(*full, seed);
  EXPECT_THAT(
      EvalLogits(*full, images),
      TensorNear(expected("full.logits_eval"), {0, kMultiple * kEvalError}));

  std::vector<std::shared_ptr<DerivedNetwork>> engines = {
      OnDevice(NetworkOf(genotype, SmallCifar()))};
  if (TestDevice().is_cpu() &&
      FusedDerivedNetwork::Check(genotype, SmallCifar()).ok()) {
    const auto fused = FusedDerivedNetwork::Create(genotype, SmallCifar(), 1);
    ASSERT_THAT(fused, IsOk());
    engines.push_back(*fused);
  }
  for (size_t engine = 0; engine < engines.size(); ++engine) {
    SCOPED_TRACE(engine == 0 ? "plain" : "fused");
    DerivedNetwork& small = *engines[engine];
    FillModule(small, seed);
    const std::vector<std::string> names = ParameterNames(small);
    ASSERT_EQ(names, about["parameter_names"].get<std::vector<std::string>>());
    EXPECT_THAT(
        EvalLogits(small, images),
        TensorNear(expected("small.logits_eval"), {0, kMultiple * kEvalError}));

    small.train();
    PathDropper none;
    const DerivedNetwork::Output output = small.Forward(images, none);
    EXPECT_THAT(output.logits, TensorNear(expected("small.logits_train"),
                                          {0, kMultiple * kTrainError}));
    EXPECT_THAT(output.auxiliary_logits,
                TensorNear(expected("small.logits_aux_train"),
                           {0, kMultiple * kAuxiliaryError}));
    const auto cross_entropy = [&](const torch::Tensor& logits) {
      return torch::nn::functional::cross_entropy(logits, labels);
    };
    const torch::Tensor loss =
        cross_entropy(output.logits) +
        golden.Metadata("auxiliary_weight").get<double>() *
            cross_entropy(output.auxiliary_logits);
    const double expected_loss = about["loss"];
    EXPECT_NEAR(loss.item<double>(), expected_loss,
                kMultiple * kLossError * expected_loss);
    loss.backward();
    std::vector<torch::Tensor> gradients;
    for (const torch::Tensor& parameter : small.parameters()) {
      // A node that reaches nothing has none.
      gradients.push_back(parameter.grad().defined()
                              ? parameter.grad()
                              : torch::zeros_like(parameter));
    }
    EXPECT_THAT(SumsOf(gradients), SumsNear(expected("small.grad_sums"), names,
                                            kMultiple * kGradientError, 0));
  }
}

std::string TestName(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) {
    if (c == '/') c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Catalog, CifarGoldenTest,
                         testing::ValuesIn(GoldenKeys()), TestName);

class ImageNetGoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(ImageNetGoldenTest, LogitsHold) {
  const GoldenFile golden("derived_imagenet.safetensors");
  const uint64_t seed = golden.Metadata("seed");
  const int64_t size = golden.Metadata("size");
  const nlohmann::json networks = golden.Metadata("networks");
  for (const char* const variant : {"small", "full"}) {
    const std::string key = absl::StrCat(GetParam(), ".", variant);
    const nlohmann::json& about = networks[key];
    const auto expected = [&](absl::string_view what) {
      return golden.Get(absl::StrCat(key, ".", what));
    };
    NetworkConfig config = NetworkConfig::ImageNet();
    config.init_channels = about["C"];
    config.layers = about["layers"];
    config.classes = about["classes"];
    config.auxiliary = true;
    const auto network = OnDevice(NetworkOf(Published(GetParam()), config));
    FillModule(*network, seed);
    const torch::Tensor eval = expected("logits_eval");
    const torch::Tensor images =
        GoldenImagesTensor("x", {eval.size(0), 3, size, size}, seed)
            .to(TestDevice());
    EXPECT_THAT(EvalLogits(*network, images),
                TensorNear(eval, {0, kMultiple * kEvalError}));
    EXPECT_EQ(ParameterCount(*network), about["params"].get<int64_t>());
    if (!golden.Has(absl::StrCat(key, ".logits_train"))) continue;
    network->train();
    PathDropper none;
    const torch::NoGradGuard no_gradients;
    const DerivedNetwork::Output output = network->Forward(images, none);
    EXPECT_THAT(output.logits,
                TensorNear(expected("logits_train"),
                           {0, kMultiple * kImageNetTrainError}));
    EXPECT_THAT(output.auxiliary_logits,
                TensorNear(expected("logits_aux_train"),
                           {0, kMultiple * kAuxiliaryError}));
  }
}

INSTANTIATE_TEST_SUITE_P(Catalog, ImageNetGoldenTest,
                         testing::Values("DARTS_V2", "PC_DARTS_cifar"));

std::vector<std::string> CatalogKeys() {
  std::vector<std::string> keys;
  for (const CatalogEntry& entry : Catalog()) keys.push_back(entry.key());
  return keys;
}

// Every published genotype makes both networks, and they have the parameters
// that genotypes/cost.h counts.
class CatalogTest : public testing::TestWithParam<std::string> {};

TEST_P(CatalogTest, BuildsBothNetworks) {
  const Genotype& genotype = Published(GetParam());
  NetworkConfig imagenet = NetworkConfig::ImageNet();
  imagenet.init_channels = 4;
  imagenet.layers = 5;
  imagenet.classes = 7;
  imagenet.auxiliary = true;
  NetworkConfig grey = SmallCifar();
  grey.init_channels = 4;
  grey.layers = 3;
  grey.image_size = 28;
  grey.image_channels = 1;
  for (const NetworkConfig& config : {imagenet, grey}) {
    const auto network = NetworkOf(genotype, config);
    EXPECT_EQ(ParameterCount(*network),
              ComputeNetworkCost(genotype, config)->total.parameters);
    PathDropper none;
    const DerivedNetwork::Output output =
        network->Forward(torch::rand({2, config.image_channels,
                                      config.image_size, config.image_size}),
                         none);
    EXPECT_THAT(output.logits.sizes().vec(), ElementsAre(2, config.classes));
    EXPECT_THAT(output.auxiliary_logits.sizes().vec(),
                ElementsAre(2, config.classes));
  }
}

INSTANTIATE_TEST_SUITE_P(Catalog, CatalogTest, testing::ValuesIn(CatalogKeys()),
                         TestName);

NetworkConfig Tiny() {
  NetworkConfig config = NetworkConfig::Cifar();
  config.init_channels = 4;
  config.layers = 3;
  return config;
}

TEST(DerivedNetworkTest, MemoryFormatDoesNotMatter) {
  const auto network = NetworkOf(Published("FairDARTS_b"), Tiny());
  FillModule(*network, 3);
  const torch::Tensor x = GoldenImagesTensor("x", {2, 3, 32, 32}, 3);
  const torch::Tensor y = EvalLogits(*network, x);
  EXPECT_THAT(
      EvalLogits(*network, x.contiguous(torch::MemoryFormat::ChannelsLast)),
      TensorNear(y, {0, kMultiple * kEvalError}));
}

TEST(DerivedNetworkTest, OddImagesWork) {
  NetworkConfig config = Tiny();
  config.image_size = 15;
  for (const char* const name : {"FairDARTS_b", "DARTS_V2"}) {
    const auto network = NetworkOf(Published(name), config);
    EXPECT_THAT(EvalLogits(*network, torch::rand({2, 3, 15, 15})).sizes().vec(),
                ElementsAre(2, 10));
  }
}

TEST(DerivedNetworkTest, AuxiliaryLogitsAreForTrainingOnSeveralImages) {
  NetworkConfig config = Tiny();
  config.auxiliary = true;
  const auto network = NetworkOf(Published("FairDARTS_a"), config);
  PathDropper none;
  const torch::Tensor images = torch::rand({2, 3, 32, 32});
  EXPECT_TRUE(network->Forward(images, none).auxiliary_logits.defined());
  const DerivedNetwork::Output one =
      network->Forward(images.slice(0, 0, 1), none);
  EXPECT_TRUE(one.logits.defined());
  EXPECT_FALSE(one.auxiliary_logits.defined());
  network->eval();
  EXPECT_FALSE(network->Forward(images, none).auxiliary_logits.defined());
}

torch::Tensor Dropped(DerivedNetwork& network, const torch::Tensor& images,
                      double probability) {
  const torch::NoGradGuard no_gradients;
  PathDropper dropper(probability, RandomStream("test", {1}));
  return network.Forward(images, dropper).logits;
}

// Whether dropping paths changes what a normal cell of two such edges makes.
bool Drops(GenotypeForm form, Primitive op) {
  const GenotypeCell genotype = {{{op, 2, 0, 1}, {op, 2, 1, 1}}, {2}};
  DerivedCellOptions options;
  options.channels_before_previous = 4;
  options.channels_previous = 4;
  options.channels = 4;
  DerivedCell cell(genotype, form, options);
  const torch::NoGradGuard no_gradients;
  const torch::Tensor x = torch::rand({16, 4, 8, 8});
  PathDropper none;
  PathDropper half(0.5, RandomStream("test", {1}));
  return !torch::equal(cell.Forward(x, x, none), cell.Forward(x, x, half));
}

TEST(DropPathTest, PairCellsDropEdgesButIdentitiesThresholdCellsNodes) {
  EXPECT_TRUE(Drops(GenotypeForm::kPairs, Primitive::kSepConv3x3));
  EXPECT_TRUE(Drops(GenotypeForm::kPairs, Primitive::kMaxPool3x3));
  EXPECT_FALSE(Drops(GenotypeForm::kPairs, Primitive::kSkipConnect));
  EXPECT_FALSE(Drops(GenotypeForm::kWeighted, Primitive::kSkipConnect));
  EXPECT_TRUE(Drops(GenotypeForm::kThreshold, Primitive::kSkipConnect));
}

TEST(DropPathTest, NothingIsDroppedInEvaluation) {
  const torch::Tensor images = torch::rand({16, 3, 32, 32});
  for (const char* const name : {"FairDARTS_a", "DARTS_V2"}) {
    const auto network = NetworkOf(Published(name), Tiny());
    EXPECT_FALSE(torch::equal(Dropped(*network, images, 0.5),
                              Dropped(*network, images, 0)))
        << name;
    network->eval();
    EXPECT_TRUE(torch::equal(Dropped(*network, images, 0.5),
                             Dropped(*network, images, 0)))
        << name;
  }
}

TEST(MakeDerivedNetworkTest, RefusesWhatMakesNoNetwork) {
  NetworkConfig config = Tiny();
  config.auxiliary = true;
  config.image_size = 64;
  EXPECT_THAT(
      MakeDerivedNetwork(Published("FairDARTS_a"), config),
      StatusIs(absl::StatusCode::kInvalidArgument, "auxiliary: the head"));
  Genotype empty = Published("FairDARTS_a");
  empty.normal.edges.clear();
  EXPECT_THAT(MakeDerivedNetwork(empty, Tiny()), ExitCodeIs(ExitCode::kData));
}

}  // namespace
}  // namespace fairdarts
