#include "fairdarts/runtime/fold_batch_norm.h"

#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "fairdarts/runtime/testing.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

std::vector<float> Values(const ModelFile& file, const std::string& name) {
  const TensorView& tensor = file.Tensor(name);
  std::vector<float> values(tensor.elements());
  std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  return values;
}

TEST(FoldBatchNormTest, IsConvolutionThenBatchNorm) {
  NetworkConfig config;
  config.init_channels = 4;
  config.layers = 3;
  config.image_size = 8;
  const ModelFile file = FilledModel(
      DescriptionOf("Genotype(normal=[('skip_connect', 2, 0)], "
                    "normal_concat=[2], reduce=[('skip_connect', 2, 1)], "
                    "reduce_concat=[2])",
                    config),
      7);
  int checked = 0;
  FoldedConvolution folded;  // for all of them
  for (const Layer& layer : file.graph().layers) {
    if (layer.batch_norm.empty()) continue;
    const bool halves = layer.kind == Layer::Kind::kFactorizedReduce;
    constexpr float kScale = -0.5f;
    ASSERT_THAT(FoldBatchNorm(file, layer, kScale, &folded), IsOk());
    std::vector<float> weights = Values(file, layer.weight);
    if (halves) {
      const std::vector<float> odd = Values(file, layer.weight_odd);
      weights.insert(weights.end(), odd.begin(), odd.end());
    }
    const auto norm = [&](const char* part) {
      return Values(file, layer.batch_norm + part);
    };
    const std::vector<float> gamma = norm(".weight");
    const std::vector<float> beta = norm(".bias");
    const std::vector<float> mean = norm(".running_mean");
    const std::vector<float> variance = norm(".running_var");
    const size_t inputs = weights.size() / layer.out.channels;
    ASSERT_EQ(folded.bias.size(), static_cast<size_t>(layer.out.channels));
    for (int c = 0; c < layer.out.channels; ++c) {
      // One input of ones in all places, through both.
      double plain = 0;
      double ours = folded.bias[c];
      for (size_t i = 0; i < inputs; ++i) {
        plain += weights[c * inputs + i];
        ours += folded.weights[c * inputs + i];
      }
      const double expected =
          kScale *
          ((plain - mean[c]) / std::sqrt(variance[c] + 1e-5) * gamma[c] +
           beta[c]);
      // One rounding for each weight, of values below 2.
      EXPECT_NEAR(ours, expected, (inputs + 1) * 0x1p-24) << layer.weight;
    }
    ++checked;
  }
  EXPECT_GT(checked, 6);
}

// Finite numbers that are infinite once they are one.
TEST(FoldBatchNormTest, RefusesWhatOverflows) {
  NetworkConfig config;
  config.init_channels = 4;
  config.layers = 1;
  config.image_size = 8;
  const ModelDescription description = DescriptionOf(
      "Genotype(normal=[('skip_connect', 2, 0)], "
      "normal_concat=[2], reduce=[('skip_connect', 2, 1)], "
      "reduce_concat=[2])",
      config);
  const FilledTensors filled(description, 7);
  // Of the stem, with these tensors all of one value.
  const auto fold = [&](const std::map<std::string, float>& changes) {
    std::vector<TensorToWrite> tensors = filled.tensors();
    std::map<std::string, std::string> changed;
    for (TensorToWrite& tensor : tensors) {
      const auto found = changes.find(tensor.name);
      if (found == changes.end()) continue;
      std::string& bytes = changed[tensor.name];
      bytes = std::string(tensor.tensor.data);
      for (size_t i = 0; i < bytes.size(); i += sizeof(float)) {
        std::memcpy(&bytes[i], &found->second, sizeof(float));
      }
      tensor.tensor.data = bytes;
    }
    const absl::StatusOr<ModelFile> file =
        ModelFile::Parse(*SerializeModelFile(description, tensors), "net.st");
    EXPECT_THAT(file, IsOk());
    FoldedConvolution folded;
    return FoldBatchNorm(*file, file->graph().layers.front(), 1, &folded);
  };
  EXPECT_THAT(fold({{"stem.0.weight", 3e38f}, {"stem.1.weight", 0.1f}}),
              IsOk());
  EXPECT_THAT(fold({{"stem.0.weight", 3e38f}, {"stem.1.weight", 10}}),
              StatusIs(absl::StatusCode::kDataLoss,
                       "tensor stem.0.weight overflows with its batch norm, "
                       "stem.1"));
  EXPECT_THAT(fold({{"stem.1.running_mean", 3e38f}, {"stem.1.weight", 10}}),
              StatusIs(absl::StatusCode::kDataLoss,
                       "tensor stem.1.bias overflows with its batch norm, "
                       "stem.1"));
}

}  // namespace
}  // namespace fairdarts
