#include "fairdarts/runtime/fold_batch_norm.h"

#include <cmath>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::StatusOr<std::vector<float>> FiniteValues(const ModelFile& file,
                                                const std::string& name) {
  const TensorView& tensor = file.Tensor(name);
  std::vector<float> values(tensor.elements());
  std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      return ModelFileError(absl::StrCat("tensor ", name, " holds ", values[i],
                                         " at ", i,
                                         "; its numbers have to be finite"));
    }
  }
  return values;
}

absl::StatusOr<FoldedConvolution> FoldBatchNorm(const ModelFile& file,
                                                const Layer& layer,
                                                float scale) {
  FoldedConvolution folded;
  FD_ASSIGN_OR_RETURN(folded.weights, FiniteValues(file, layer.weight));
  if (layer.kind == Layer::Kind::kFactorizedReduce) {
    FD_ASSIGN_OR_RETURN(const std::vector<float> odd,
                        FiniteValues(file, layer.weight_odd));
    folded.weights.insert(folded.weights.end(), odd.begin(), odd.end());
  }
  const size_t channels = layer.out.channels;
  FD_CHECK_EQ(folded.weights.size() % channels, 0u) << layer.weight;
  const size_t inputs = folded.weights.size() / channels;
  folded.bias.assign(channels, 0);
  if (layer.batch_norm.empty()) {
    for (float& weight : folded.weights) weight *= scale;
    return folded;
  }
  const auto part = [&](absl::string_view name) {
    return FiniteValues(file, absl::StrCat(layer.batch_norm, ".", name));
  };
  FD_ASSIGN_OR_RETURN(const std::vector<float> gamma, part("weight"));
  FD_ASSIGN_OR_RETURN(const std::vector<float> beta, part("bias"));
  FD_ASSIGN_OR_RETURN(const std::vector<float> mean, part("running_mean"));
  FD_ASSIGN_OR_RETURN(const std::vector<float> variance, part("running_var"));
  for (size_t c = 0; c < channels; ++c) {
    if (variance[c] < 0) {
      return ModelFileError(
          absl::StrCat("tensor ", layer.batch_norm, ".running_var holds ",
                       variance[c], " at ", c, "; a variance is 0 at least"));
    }
    const double factor = gamma[c] / std::sqrt(variance[c] + kBatchNormEpsilon);
    for (size_t i = c * inputs; i < (c + 1) * inputs; ++i) {
      folded.weights[i] =
          static_cast<float>(folded.weights[i] * factor * scale);
    }
    folded.bias[c] = static_cast<float>((beta[c] - mean[c] * factor) * scale);
  }
  return folded;
}

}  // namespace fairdarts
