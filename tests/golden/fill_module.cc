#include "tests/golden/fill_module.h"

#include <set>
#include <string>

#include "absl/strings/match.h"
#include "tests/golden/filler.h"

namespace fairdarts {
namespace {

int64_t ElementsOf(const std::vector<int64_t>& shape) {
  int64_t n = 1;
  for (const int64_t size : shape) n *= size;
  return n;
}

// "a.b.weight" -> "a.b."
std::string OwnerOf(const std::string& name) {
  return name.substr(0, name.rfind('.') + 1);
}

}  // namespace

torch::Tensor GoldenUnitTensor(absl::string_view name,
                               const std::vector<int64_t>& shape,
                               uint64_t seed) {
  return torch::tensor(GoldenUnit(name, ElementsOf(shape), seed))
      .reshape(shape);
}

torch::Tensor GoldenImagesTensor(absl::string_view name,
                                 const std::vector<int64_t>& shape,
                                 uint64_t seed) {
  return torch::tensor(GoldenImages(name, ElementsOf(shape), seed))
      .reshape(shape);
}

torch::Tensor GoldenLabelsTensor(absl::string_view name, int64_t n,
                                 int64_t classes, uint64_t seed) {
  return torch::tensor(GoldenLabels(name, n, classes, seed));
}

void FillModule(torch::nn::Module& module, uint64_t seed) {
  const torch::NoGradGuard no_grad;
  std::set<std::string> batch_norms;
  for (const auto& buffer : module.named_buffers()) {
    if (absl::EndsWith(buffer.key(), "running_mean")) {
      batch_norms.insert(OwnerOf(buffer.key()));
    }
  }
  const auto fill = [&](const std::string& name, torch::Tensor tensor) {
    const std::vector<float> values =
        GoldenParameter(name, tensor.sizes().vec(),
                        batch_norms.count(OwnerOf(name)) != 0, seed);
    tensor.copy_(torch::tensor(values).reshape(tensor.sizes()));
  };
  for (const auto& parameter : module.named_parameters()) {
    fill(parameter.key(), parameter.value());
  }
  for (const auto& buffer : module.named_buffers()) {
    if (absl::EndsWith(buffer.key(), "num_batches_tracked")) {
      buffer.value().zero_();
    } else {
      fill(buffer.key(), buffer.value());
    }
  }
}

}  // namespace fairdarts
