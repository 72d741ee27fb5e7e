#include "fairdarts/runtime/testing.h"

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "fairdarts/base/check.h"
#include "fairdarts/runtime/network_graph.h"
#include "genotypes/python_literal.h"
#include "tests/golden/filler.h"

namespace fairdarts {

FilledTensors::FilledTensors(const ModelDescription& description,
                             uint64_t seed) {
  const absl::StatusOr<NetworkGraph> graph =
      MakeNetworkGraph(description.genotype, description.network);
  FD_CHECK(graph.ok()) << graph.status();
  for (const TensorSpec& spec : ExpectedTensors(*graph)) {
    // What has one dimension is a batch norm's, but for the classifier's bias.
    const bool batch_norm =
        spec.shape.size() == 1 && !absl::StartsWith(spec.name, "classifier");
    values_.push_back(GoldenParameter(spec.name, spec.shape, batch_norm, seed));
    const std::vector<float>& values = values_.back();
    tensors_.push_back(
        {spec.name,
         {DType::kF32, spec.shape,
          absl::string_view(reinterpret_cast<const char*>(values.data()),
                            values.size() * sizeof(float))}});
  }
}

ModelFile FilledModel(const ModelDescription& description, uint64_t seed) {
  const FilledTensors filled(description, seed);
  absl::StatusOr<std::string> bytes =
      SerializeModelFile(description, filled.tensors());
  FD_CHECK(bytes.ok()) << bytes.status();
  absl::StatusOr<ModelFile> file =
      ModelFile::Parse(*std::move(bytes), "filled model");
  FD_CHECK(file.ok()) << file.status();
  return *std::move(file);
}

ModelDescription DescriptionOf(const Genotype& genotype,
                               const NetworkConfig& network) {
  ModelDescription description;
  description.genotype = genotype;
  description.network = network;
  description.normalization.mean.assign(network.image_channels, 0);
  description.normalization.std.assign(network.image_channels, 1);
  return description;
}

ModelDescription DescriptionOf(const std::string& text,
                               const NetworkConfig& network) {
  const absl::StatusOr<Genotype> genotype = ParsePythonGenotype(text);
  FD_CHECK(genotype.ok()) << genotype.status();
  return DescriptionOf(*genotype, network);
}

}  // namespace fairdarts
