#include "training/studies/alphas_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/xml_text.h"
#include "fairdarts/discretization.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"
#include "training/weight_matrix.h"

namespace fairdarts {
namespace {

// Pixels. Two searches in a row, two panels each.
constexpr int kSearchesInRow = 2;
constexpr double kPanelWidth = 215;
constexpr double kPanelHeight = 165;
constexpr double kLeft = 46;       // of the first panel
constexpr double kBetween = 26;    // the panels of one search
constexpr double kSearchGap = 58;  // from one search to the next
constexpr double kTitle = 40;      // above the rows
constexpr double kAbove = 42;      // the name of a search and of its cells
constexpr double kBelow = 44;      // numbers and name of the epochs
constexpr double kLegend = 40;
constexpr double kSearchWidth = 2 * kPanelWidth + kBetween;
constexpr double kRow = kAbove + kPanelHeight + kBelow;
constexpr double kWidth =
    kLeft + kSearchesInRow * kSearchWidth + kSearchGap + 18;

// A colour a candidate, in the order of kS1Candidates, those of a search's own
// picture (history_plot.cc).
constexpr std::array<absl::string_view, kS1Candidates.size()> kColours = {
    "#8c8c8c", "#e69f00", "#d55e00", "#0072b2", "#56b4e9", "#009e73", "#cc79a7",
};

constexpr int64_t kMaxHistoryBytes = int64_t{256} << 20;

// Of a cell.
size_t Candidates() { return EdgeCount(kS1Nodes) * kS1Candidates.size(); }

std::string Text(double x, double y, absl::string_view anchor,
                 absl::string_view text, absl::string_view more = "") {
  return absl::StrFormat(
      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s"
      "</text>\n",
      x, y, anchor, more, XmlText(text));
}

std::string Line(double x1, double y1, double x2, double y2,
                 absl::string_view more) {
  return absl::StrFormat(
      "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1, y1,
      x2, y2, more);
}

// At most six ticks, at round numbers.
size_t TickStep(size_t last) {
  for (size_t decade = 1;; decade *= 10) {
    for (const size_t factor : {1, 2, 5}) {
      if (last / (factor * decade) <= 5) return factor * decade;
    }
  }
}

std::string Frame(double left, double top, absl::string_view cell,
                  size_t last_epoch, bool numbers) {
  const double right = left + kPanelWidth;
  const double bottom = top + kPanelHeight;
  std::string svg = Text((left + right) / 2, top - 6, "middle", cell,
                         " font-size=\"11\" fill=\"#555\"");
  for (const double weight : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    const double y = bottom - kPanelHeight * weight;
    svg += Line(left, y, right, y, "stroke=\"#e8e8e8\"");
    if (numbers) svg += Text(left - 6, y + 4, "end", absl::StrCat(weight));
  }
  for (size_t epoch = 0; epoch <= last_epoch; epoch += TickStep(last_epoch)) {
    const double x = left + kPanelWidth * epoch / last_epoch;
    svg += Line(x, bottom, x, bottom + 4, "stroke=\"#333\"");
    svg += Text(x, bottom + 16, "middle", absl::StrCat(epoch));
  }
  svg += Text((left + right) / 2, bottom + 30, "middle", "epoch",
              " font-size=\"11\" fill=\"#555\"");
  return svg;
}

std::string Curves(double left, double top,
                   const std::vector<RelaxedWeights>& epochs,
                   std::vector<float> RelaxedWeights::*cell,
                   Primitive operation, absl::string_view colour) {
  const bool skip = operation == Primitive::kSkipConnect;
  std::string svg =
      absl::StrCat("<g fill=\"none\" stroke=\"", colour, "\" stroke-width=\"",
                   skip ? "1.8" : "1", "\" stroke-opacity=\"",
                   skip ? "0.95" : "0.5", "\">\n");
  const size_t first =
      std::find(kS1Candidates.begin(), kS1Candidates.end(), operation) -
      kS1Candidates.begin();
  for (size_t i = first; i < Candidates(); i += kS1Candidates.size()) {
    svg += "<polyline points=\"";
    for (size_t epoch = 0; epoch < epochs.size(); ++epoch) {
      const double weight = (epochs[epoch].*cell)[i];
      absl::StrAppendFormat(&svg, "%s%.1f,%.1f", epoch == 0 ? "" : " ",
                            left + kPanelWidth * epoch / (epochs.size() - 1),
                            top + kPanelHeight * (1 - weight));
    }
    svg += "\"/>\n";
  }
  return svg + "</g>\n";
}

std::string Panel(double left, double top, absl::string_view name,
                  const std::vector<RelaxedWeights>& epochs,
                  std::vector<float> RelaxedWeights::*cell, bool numbers) {
  std::string svg = Frame(left, top, name, epochs.size() - 1, numbers);
  for (const bool skips : {false, true}) {
    for (size_t i = 0; i < kS1Candidates.size(); ++i) {
      if ((kS1Candidates[i] == Primitive::kSkipConnect) != skips) continue;
      svg += Curves(left, top, epochs, cell, kS1Candidates[i], kColours[i]);
    }
  }
  return absl::StrCat(
      svg, absl::StrFormat("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                           "height=\"%.1f\" fill=\"none\" stroke=\"#333\"/>\n",
                           left, top, kPanelWidth, kPanelHeight));
}

std::string Legend(double y) {
  constexpr double kStep = (kWidth - 2 * kLeft) / kS1Candidates.size();
  constexpr double kSwatch = 20;
  std::string svg;
  double x = kLeft;
  for (size_t i = 0; i < kS1Candidates.size(); ++i, x += kStep) {
    svg += Line(x, y - 4, x + kSwatch, y - 4,
                absl::StrCat(
                    "stroke=\"", kColours[i], "\" stroke-width=\"",
                    kS1Candidates[i] == Primitive::kSkipConnect ? 4 : 2, "\""));
    svg += Text(x + kSwatch + 6, y, "start", PrimitiveName(kS1Candidates[i]));
  }
  return svg;
}

}  // namespace

absl::StatusOr<std::vector<RelaxedWeights>> ReadRelaxedWeights(
    const RunFolder& folder, absl::optional<int> returned_to) {
  const std::string path = folder.File("history.csv");
  FD_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxHistoryBytes));
  History history;
  RelaxedWeights weights;
  const std::vector<absl::string_view> lines =
      absl::StrSplit(text, '\n', absl::SkipEmpty());
  for (size_t i = 1; i < lines.size(); ++i) {
    float weight = 0;
    const absl::string_view number = lines[i].substr(lines[i].rfind(',') + 1);
    if (!absl::SimpleAtof(number, &weight) || !std::isfinite(weight)) break;
    auto& cell =
        weights.normal.size() < Candidates() ? weights.normal : weights.reduce;
    cell.push_back(weight);
    if (weights.reduce.size() < Candidates()) continue;
    history.Append(std::move(weights));
    weights = {};
  }
  // Whatever else was wrong with the file is now too.
  if (history.epochs().empty() || history.Csv() != text) {
    return DataError(absl::StrCat(path, ": is not what a search writes"));
  }
  std::vector<RelaxedWeights> epochs = history.epochs();
  if (returned_to.has_value()) {
    FD_CHECK(*returned_to >= 0);
    const size_t counted = static_cast<size_t>(*returned_to) + 1;
    if (counted > epochs.size()) {
      return DataError(absl::StrCat(path, ": has ", epochs.size(),
                                    " epochs; the search took the state after ",
                                    counted));
    }
    // What it did beyond was given up.
    epochs.resize(counted);
  }
  FD_ASSIGN_OR_RETURN(EdgeMatrix normal,
                      ReadWeightMatrix(folder.File("normal_weight.npy")));
  FD_ASSIGN_OR_RETURN(EdgeMatrix reduce,
                      ReadWeightMatrix(folder.File("reduce_weight.npy")));
  epochs.push_back({std::move(normal.values), std::move(reduce.values)});
  return epochs;
}

std::string AlphasSvg(absl::string_view title,
                      const std::vector<AlphasPanel>& panels) {
  const size_t rows = (panels.size() + kSearchesInRow - 1) / kSearchesInRow;
  const double height = kTitle + rows * kRow + kLegend;
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
      "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" "
      "font-size=\"11\">\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
      kWidth, height, kWidth, height);
  svg += Text(kWidth / 2, 26, "middle", title,
              " font-size=\"15\" font-weight=\"bold\"");
  for (size_t i = 0; i < panels.size(); ++i) {
    const double left =
        kLeft + (i % kSearchesInRow) * (kSearchWidth + kSearchGap);
    const double top = kTitle + (i / kSearchesInRow) * kRow + kAbove;
    svg += Text(left + kSearchWidth / 2, top - 24, "middle", panels[i].title,
                " font-size=\"13\"");
    svg += Panel(left, top, "normal cell", panels[i].epochs,
                 &RelaxedWeights::normal, /*numbers=*/true);
    svg += Panel(left + kPanelWidth + kBetween, top, "reduction cell",
                 panels[i].epochs, &RelaxedWeights::reduce, /*numbers=*/false);
  }
  return absl::StrCat(svg, Legend(height - 16), "</svg>\n");
}

}  // namespace fairdarts
