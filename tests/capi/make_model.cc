#include "tests/capi/make_model.h"

#include <algorithm>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "fairdarts/inference.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "tests/golden/filler.h"

int make_model(const char* path, float* images, size_t batch, float* logits) {
  fairdarts::NetworkConfig network;
  network.init_channels = 4;
  network.layers = 3;
  network.classes = 3;
  network.image_size = 16;
  fairdarts::ModelDescription description = fairdarts::DescriptionOf(
      "Genotype(normal=[('sep_conv_3x3', 2, 0), ('skip_connect', 2, 1)], "
      "normal_concat=[2], reduce=[('max_pool_3x3', 2, 1)], "
      "reduce_concat=[2])",
      network);
  description.normalization = {{0.5, 0.5, 0.5}, {0.25, 0.25, 0.25}};
  description.class_names = {"airplane", "bird", "cat"};
  const fairdarts::FilledTensors filled(description, 1);
  if (!fairdarts::WriteModelFile(path, description, filled.tensors()).ok()) {
    return 0;
  }
  absl::StatusOr<fairdarts::Session> session = fairdarts::Session::Load(path);
  if (!session.ok()) return 0;
  const std::vector<float> x = fairdarts::GoldenImages(
      "x", static_cast<int64_t>(batch) * session->image_floats(), 2);
  std::copy(x.begin(), x.end(), images);
  return session->Run(x, absl::MakeSpan(logits, batch * session->classes()))
      .ok();
}

int make_published_model(const char* path, const char* genotype) {
  const absl::StatusOr<fairdarts::CatalogMatch> match =
      fairdarts::FindInCatalog(genotype);
  if (!match.ok()) return 0;
  const fairdarts::ModelDescription description = fairdarts::DescriptionOf(
      match->entry->genotype, fairdarts::NetworkConfig::Cifar());
  const fairdarts::FilledTensors filled(description, 1);
  return fairdarts::WriteModelFile(path, description, filled.tensors()).ok();
}
