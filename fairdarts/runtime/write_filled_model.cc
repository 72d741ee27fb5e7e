// A published network with the golden filler's weights, as a model file: for
// measurements, on which weights have no influence.
//
// usage: write_filled_model [--network=imagenet] GENOTYPE FILE

#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/model_file.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"

ABSL_FLAG(std::string, network, "cifar",
          "cifar (20 layers, C=36, 32x32) or imagenet (14 layers, C=48, "
          "224x224)");

namespace fairdarts {
namespace {

constexpr absl::string_view kUsage =
    "usage: write_filled_model [--network=imagenet] GENOTYPE FILE";

absl::Status Main(int argc, char** argv) {
  absl::SetProgramUsageMessage(kUsage);
  const std::vector<char*> arguments = absl::ParseCommandLine(argc, argv);
  if (arguments.size() != 3) return UsageError(kUsage);
  const std::string network = absl::GetFlag(FLAGS_network);
  if (network != "cifar" && network != "imagenet") return UsageError(kUsage);
  FD_ASSIGN_OR_RETURN(const CatalogMatch match, FindInCatalog(arguments[1]));
  const ModelDescription description = DescriptionOf(
      match.entry->genotype,
      network == "cifar" ? NetworkConfig::Cifar() : NetworkConfig::ImageNet());
  const FilledTensors filled(description, 1);
  return WriteModelFile(arguments[2], description, filled.tensors());
}

}  // namespace
}  // namespace fairdarts

int main(int argc, char** argv) {
  const absl::Status status = fairdarts::Main(argc, argv);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  }
  return static_cast<int>(fairdarts::ExitCodeOf(status));
}
