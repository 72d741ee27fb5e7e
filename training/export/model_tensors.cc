#include "training/export/model_tensors.h"

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/network_graph.h"
#include "genotypes/cell_graph.h"
#include "genotypes/reduction_cells.h"

namespace fairdarts {
namespace {

// What stands before the names of tensors on an edge that reads a missing
// node: upstream makes its operation and never runs it.
std::vector<std::string> UnusedPrefixes(const ModelDescription& description) {
  std::vector<std::string> prefixes;
  const Genotype& genotype = description.genotype;
  if (genotype.form != GenotypeForm::kThreshold) return prefixes;
  const int layers = description.network.layers;
  for (int layer = 0; layer < layers; ++layer) {
    const GenotypeCell& cell =
        IsReduction(layer, layers) ? genotype.reduce : genotype.normal;
    const CellGraph graph = MakeCellGraph(cell, genotype.form);
    for (size_t i = 0; i < cell.edges.size(); ++i) {
      if (graph.live[i]) continue;
      prefixes.push_back(absl::StrCat("cells.", layer, "._ops.",
                                      cell.edges[i].to, ".", cell.edges[i].from,
                                      "."));
    }
  }
  return prefixes;
}

void DropUnused(const ModelDescription& description,
                std::vector<NamedTensor>* state_dict, ImportReport* report) {
  const std::vector<std::string> prefixes = UnusedPrefixes(description);
  const auto unused = [&](const NamedTensor& tensor) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const std::string& prefix) {
                         return absl::StartsWith(tensor.name, prefix);
                       });
  };
  const auto kept =
      std::remove_if(state_dict->begin(), state_dict->end(), unused);
  report->unused_ignored += state_dict->end() - kept;
  state_dict->erase(kept, state_dict->end());
}

}  // namespace

absl::StatusOr<std::vector<TensorToWrite>> ModelTensors(
    const ModelDescription& description, std::vector<NamedTensor>* state_dict,
    ImportReport* report) {
  FD_ASSIGN_OR_RETURN(
      const NetworkGraph graph,
      MakeNetworkGraph(description.genotype, description.network));
  DropUnused(description, state_dict, report);
  std::vector<ExpectedTensor> expected;
  for (TensorSpec& spec : ExpectedTensors(graph)) {
    expected.push_back({std::move(spec.name), std::move(spec.shape)});
  }
  FD_RETURN_IF_ERROR(MatchStateDict(expected, state_dict, report));

  std::vector<TensorToWrite> tensors;
  for (const NamedTensor& tensor : *state_dict) {
    tensors.push_back({tensor.name, tensor.view});
  }
  return tensors;
}

}  // namespace fairdarts
