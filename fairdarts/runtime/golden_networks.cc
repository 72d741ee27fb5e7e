#include "fairdarts/runtime/golden_networks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/safetensors.h"
#include "fairdarts/runtime/testing.h"
#include "tests/golden/golden_data.h"

namespace fairdarts {
namespace {

SafetensorsFile Load(const char* name) {
  absl::StatusOr<SafetensorsFile> file =
      SafetensorsFile::Load(GoldenPath(name));
  FD_CHECK(file.ok()) << file.status();
  return *std::move(file);
}

nlohmann::json Metadata(const SafetensorsFile& file, const char* key) {
  return nlohmann::json::parse(file.metadata().at(key));
}

std::vector<float> Values(const SafetensorsFile& file,
                          const std::string& name) {
  const absl::StatusOr<TensorView> tensor = file.Find(name);
  FD_CHECK(tensor.ok()) << tensor.status();
  std::vector<float> values(tensor->elements());
  std::memcpy(values.data(), tensor->data.data(), tensor->data.size());
  return values;
}

}  // namespace

std::vector<GoldenNetwork> GoldenCifarNetworks(bool full) {
  const SafetensorsFile file = Load("derived_cifar.safetensors");
  const char* const size = full ? "full" : "small";
  const nlohmann::json scale = Metadata(file, size);
  NetworkConfig config;
  config.init_channels = scale["C"];
  config.layers = scale["layers"];
  const nlohmann::json listed = Metadata(file, "networks");
  std::vector<GoldenNetwork> networks;
  for (const auto& [key, network] : listed.items()) {
    networks.push_back(
        {absl::StrCat(key, ".", size),
         DescriptionOf(network["genotype"], config), Metadata(file, "seed"),
         Values(file, absl::StrCat(key, ".", size, ".logits_eval"))});
  }
  return networks;
}

std::vector<GoldenNetwork> GoldenImageNetNetworks() {
  const SafetensorsFile file = Load("derived_imagenet.safetensors");
  const nlohmann::json listed = Metadata(file, "networks");
  std::vector<GoldenNetwork> networks;
  for (const auto& [key, network] : listed.items()) {
    NetworkConfig config = NetworkConfig::ImageNet();
    config.init_channels = network["C"];
    config.layers = network["layers"];
    networks.push_back({key, DescriptionOf(network["genotype"], config),
                        Metadata(file, "seed"),
                        Values(file, absl::StrCat(key, ".logits_eval"))});
  }
  return networks;
}

double Off(const std::vector<float>& actual,
           const std::vector<float>& expected) {
  FD_CHECK(actual.size() == expected.size());
  double off = 0;
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(double{actual[i]} - expected[i]);
    if (std::isnan(difference)) return difference;
    off = std::max(off, difference);
    largest = std::max<double>(largest, std::abs(expected[i]));
  }
  return off / largest;
}

float Largest(const std::vector<float>& values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

std::vector<float> Step(const std::vector<float>& logits) {
  const size_t classes = logits.size() / 2;
  std::vector<float> step(classes);
  for (size_t i = 0; i < classes; ++i) {
    step[i] = logits[classes + i] - logits[i];
  }
  return step;
}

double StepTolerance(double part, int cells, double cell_rounding) {
  double squares = 0;
  for (int i = 0; i < cells; ++i) squares += std::pow(part, 2.0 * i / cells);
  return std::sqrt(2 * squares) * cell_rounding / part;
}

}  // namespace fairdarts
