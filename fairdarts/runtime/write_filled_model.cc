// A published CIFAR network at full size with the golden filler's weights, as a
// model file: for measurements, on which weights have no influence.
//
// usage: write_filled_model GENOTYPE FILE

#include <cstdio>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "fairdarts/runtime/model_file.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: write_filled_model GENOTYPE FILE\n");
    return 2;
  }
  const absl::StatusOr<fairdarts::CatalogMatch> match =
      fairdarts::FindInCatalog(argv[1]);
  if (!match.ok()) {
    std::fprintf(stderr, "%s\n", match.status().ToString().c_str());
    return 2;
  }
  fairdarts::ModelDescription description;
  description.genotype = match->entry->genotype;
  description.network = fairdarts::NetworkConfig::Cifar();
  description.normalization = {{0, 0, 0}, {1, 1, 1}};
  const fairdarts::FilledTensors filled(description, 1);
  const absl::Status written =
      fairdarts::WriteModelFile(argv[2], description, filled.tensors());
  if (!written.ok()) {
    std::fprintf(stderr, "%s\n", written.ToString().c_str());
    return 6;
  }
  return 0;
}
