#include "fairdarts/runtime/fold_batch_norm.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

namespace {

// Without a branch for each, so that the compiler takes several at a time.
bool AllFinite(const float* values, size_t count) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t found = 0;
  for (size_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, &values[i], sizeof(bits));
    found |= (bits & kExponent) == kExponent ? 1 : 0;
  }
  return found == 0;
}

}  // namespace

absl::Status CopyFinite(const ModelFile& file, const std::string& name,
                        float* values) {
  const TensorView& tensor = file.Tensor(name);
  const size_t count = tensor.elements();
  std::memcpy(values, tensor.data.data(), tensor.data.size());
  if (AllFinite(values, count)) return absl::OkStatus();
  const size_t i =
      std::find_if(values, values + count,
                   [](float value) { return !std::isfinite(value); }) -
      values;
  return ModelFileError(absl::StrCat("tensor ", name, " holds ", values[i],
                                     " at ", i,
                                     "; its numbers have to be finite"));
}

absl::Status FoldBatchNorm(const ModelFile& file, const Layer& layer,
                           float scale, FoldedConvolution* folded) {
  const bool halves = layer.kind == Layer::Kind::kFactorizedReduce;
  const int64_t first = file.Tensor(layer.weight).elements();
  std::vector<float>& weights = folded->weights;
  weights.resize(first +
                 (halves ? file.Tensor(layer.weight_odd).elements() : 0));
  FD_RETURN_IF_ERROR(CopyFinite(file, layer.weight, weights.data()));
  if (halves) {
    FD_RETURN_IF_ERROR(
        CopyFinite(file, layer.weight_odd, weights.data() + first));
  }
  const size_t channels = layer.out.channels;
  FD_CHECK_EQ(weights.size() % channels, 0u) << layer.weight;
  const size_t inputs = weights.size() / channels;
  folded->bias.assign(channels, 0);
  if (layer.batch_norm.empty()) {
    for (float& weight : weights) weight *= scale;
    return absl::OkStatus();
  }
  std::vector<float> norm(4 * channels);
  float* const gamma = norm.data();
  float* const beta = gamma + channels;
  float* const mean = beta + channels;
  float* const variance = mean + channels;
  const auto copy = [&](absl::string_view part, float* to) {
    return CopyFinite(file, absl::StrCat(layer.batch_norm, ".", part), to);
  };
  FD_RETURN_IF_ERROR(copy("weight", gamma));
  FD_RETURN_IF_ERROR(copy("bias", beta));
  FD_RETURN_IF_ERROR(copy("running_mean", mean));
  FD_RETURN_IF_ERROR(copy("running_var", variance));
  for (size_t c = 0; c < channels; ++c) {
    if (variance[c] < 0) {
      return ModelFileError(
          absl::StrCat("tensor ", layer.batch_norm, ".running_var holds ",
                       variance[c], " at ", c, "; a variance is 0 at least"));
    }
    const double factor = gamma[c] / std::sqrt(variance[c] + kBatchNormEpsilon);
    float* const row = weights.data() + c * inputs;
    for (size_t i = 0; i < inputs; ++i) {
      row[i] = static_cast<float>(row[i] * factor * scale);
    }
    folded->bias[c] = static_cast<float>((beta[c] - mean[c] * factor) * scale);
  }
  return absl::OkStatus();
}

}  // namespace fairdarts
