#include "fairdarts/runtime/fold_batch_norm.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

float FloatAt(const char* bytes, size_t i) {
  float value;
  std::memcpy(&value, bytes + i * sizeof(value), sizeof(value));
  return value;
}

// 1 for infinities and what is no number, else 0.
uint32_t IsNotFinite(float value) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return (bits & kExponent) == kExponent ? 1 : 0;
}

// The two loops over all weights; neither has a branch for each of them, so
// that the compiler takes several at a time. Whether all that they stored are
// finite.

bool Copy(const char* from, size_t count, float* to) {
  uint32_t found = 0;
  for (size_t i = 0; i < count; ++i) {
    to[i] = FloatAt(from, i);
    found |= IsNotFinite(to[i]);
  }
  return found == 0;
}

bool CopyScaled(const char* from, size_t count, double factor, double scale,
                float* to) {
  uint32_t found = 0;
  for (size_t i = 0; i < count; ++i) {
    to[i] = static_cast<float>(FloatAt(from, i) * factor * scale);
    found |= IsNotFinite(to[i]);
  }
  return found == 0;
}

absl::Status Overflows(const std::string& name, const std::string& batch_norm) {
  return ModelFileError(absl::StrCat(
      "tensor ", name, " overflows with its batch norm, ", batch_norm));
}

// Where what was made of a tensor is not finite.
absl::Status NotFinite(const std::string& name, const TensorView& tensor,
                       const std::string& batch_norm) {
  int64_t i = 0;
  while (i < tensor.elements() &&
         std::isfinite(FloatAt(tensor.data.data(), i))) {
    ++i;
  }
  if (i == tensor.elements()) return Overflows(name, batch_norm);
  return ModelFileError(absl::StrCat("tensor ", name, " holds ",
                                     FloatAt(tensor.data.data(), i), " at ", i,
                                     "; its numbers have to be finite"));
}

// What batch norm makes of a channel.
struct Affine {
  double factor;
  float bias;
};

absl::Status ReadBatchNorm(const ModelFile& file, const Layer& layer,
                           float scale, std::vector<Affine>* channels) {
  channels->assign(layer.out.channels, {1, 0});
  if (layer.batch_norm.empty()) return absl::OkStatus();
  const size_t count = channels->size();
  std::vector<float> values(4 * count);
  float* const gamma = values.data();
  float* const beta = gamma + count;
  float* const mean = beta + count;
  float* const variance = mean + count;
  const auto copy = [&](absl::string_view part, float* to) {
    return CopyFinite(file, absl::StrCat(layer.batch_norm, ".", part), to);
  };
  FD_RETURN_IF_ERROR(copy("weight", gamma));
  FD_RETURN_IF_ERROR(copy("bias", beta));
  FD_RETURN_IF_ERROR(copy("running_mean", mean));
  FD_RETURN_IF_ERROR(copy("running_var", variance));
  for (size_t c = 0; c < count; ++c) {
    if (variance[c] < 0) {
      return ModelFileError(
          absl::StrCat("tensor ", layer.batch_norm, ".running_var holds ",
                       variance[c], " at ", c, "; a variance is 0 at least"));
    }
    const double factor = gamma[c] / std::sqrt(variance[c] + kBatchNormEpsilon);
    const float bias = static_cast<float>((beta[c] - mean[c] * factor) * scale);
    if (!std::isfinite(bias)) {
      return Overflows(absl::StrCat(layer.batch_norm, ".bias"),
                       layer.batch_norm);
    }
    (*channels)[c] = {factor, bias};
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CopyFinite(const ModelFile& file, const std::string& name,
                        float* values) {
  const TensorView& tensor = file.Tensor(name);
  if (Copy(tensor.data.data(), tensor.elements(), values)) {
    return absl::OkStatus();
  }
  return NotFinite(name, tensor, "");
}

absl::Status FoldBatchNorm(const ModelFile& file, const Layer& layer,
                           float scale, FoldedConvolution* folded) {
  std::vector<Affine> channels;
  FD_RETURN_IF_ERROR(ReadBatchNorm(file, layer, scale, &channels));
  std::vector<const std::string*> names = {&layer.weight};
  if (layer.kind == Layer::Kind::kFactorizedReduce) {
    names.push_back(&layer.weight_odd);
  }
  size_t floats = 0;
  for (const std::string* name : names) floats += file.Tensor(*name).elements();
  FD_CHECK_EQ(floats % channels.size(), 0u) << layer.weight;
  const size_t inputs = floats / channels.size();
  folded->weights.resize(floats);
  folded->bias.resize(channels.size());
  float* row = folded->weights.data();
  size_t c = 0;
  for (const std::string* name : names) {
    const TensorView& tensor = file.Tensor(*name);
    const char* from = tensor.data.data();
    bool finite = true;
    for (; from < tensor.data.end(); from += inputs * sizeof(float)) {
      finite &= CopyScaled(from, inputs, channels[c].factor, scale, row);
      folded->bias[c] = channels[c].bias;
      row += inputs;
      ++c;
    }
    if (!finite) return NotFinite(*name, tensor, layer.batch_norm);
  }
  return absl::OkStatus();
}

}  // namespace fairdarts
