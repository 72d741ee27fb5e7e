#include "training/history.h"

#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"
#include "training/history_plot.h"

namespace fairdarts {
namespace {

using Cell = std::vector<float> RelaxedWeights::*;

// The fewest digits that read back as the same float.
std::string FloatText(float value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  return std::string(buffer, end);
}

// Calls visit(edge, primitive, column) for every candidate, where `column` is
// its place in a row-major matrix.
template <typename Visit>
void ForEachCandidate(const Visit& visit) {
  size_t column = 0;
  for (const CellEdge& edge : EdgeLayout(kS1Nodes)) {
    for (const Primitive primitive : kS1Candidates) {
      visit(edge, primitive, column++);
    }
  }
}

void AppendCsv(int epoch, absl::string_view cell,
               const std::vector<float>& weights, std::string& csv) {
  ForEachCandidate([&](const CellEdge& edge, Primitive primitive, size_t i) {
    absl::StrAppend(&csv, epoch, ",", cell, ",", edge.to - kCellInputs, ",",
                    edge.from, ",", PrimitiveName(primitive), ",");
    absl::StrAppend(&csv, FloatText(weights[i]), "\n");
  });
}

std::string Json(const std::vector<RelaxedWeights>& epochs, Cell cell) {
  std::string json = "{";
  ForEachCandidate([&](const CellEdge& edge, Primitive primitive, size_t i) {
    absl::StrAppend(&json, i == 0 ? "" : ", ", "\"edge: (",
                    edge.to - kCellInputs, ", ", edge.from,
                    "), op: ", PrimitiveName(primitive), "\": [");
    for (size_t epoch = 0; epoch < epochs.size(); ++epoch) {
      absl::StrAppend(&json, epoch == 0 ? "" : ", ",
                      FloatText((epochs[epoch].*cell)[i]));
    }
    json += "]";
  });
  return json + "}";
}

}  // namespace

void History::Append(RelaxedWeights weights) {
  const size_t candidates = EdgeCount(kS1Nodes) * kS1Candidates.size();
  FD_CHECK_EQ(weights.normal.size(), candidates);
  FD_CHECK_EQ(weights.reduce.size(), candidates);
  epochs_.push_back(std::move(weights));
}

std::string History::Csv() const {
  std::string csv = "epoch,cell,node,from,op,weight\n";
  for (size_t epoch = 0; epoch < epochs_.size(); ++epoch) {
    AppendCsv(epoch, "normal", epochs_[epoch].normal, csv);
    AppendCsv(epoch, "reduce", epochs_[epoch].reduce, csv);
  }
  return csv;
}

std::string History::NormalJson() const {
  return Json(epochs_, &RelaxedWeights::normal);
}

std::string History::ReduceJson() const {
  return Json(epochs_, &RelaxedWeights::reduce);
}

absl::Status History::WriteTo(const RunFolder& folder, double threshold) const {
  FD_RETURN_IF_ERROR(folder.Write("history.csv", Csv()));
  FD_RETURN_IF_ERROR(
      folder.Write("history.svg", HistorySvg(epochs_, threshold)));
  FD_RETURN_IF_ERROR(folder.Write("normal/history_weight.json", NormalJson()));
  return folder.Write("reduce/history_weight.json", ReduceJson());
}

}  // namespace fairdarts
