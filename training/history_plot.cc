#include "training/history_plot.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "genotypes/primitive.h"
#include "training/history.h"

namespace fairdarts {
namespace {

// Pixels. Two panels side by side, the legend below them.
constexpr double kWidth = 1000;
constexpr double kHeight = 500;
constexpr double kPanelWidth = 420;
constexpr double kPanelHeight = 340;
constexpr double kTop = 50;
constexpr double kLeft[] = {60, 550};

// A colour a candidate, in the order of kS1Candidates: Okabe and Ito's, which
// colour-blind readers can tell apart, with a grey for max pooling.
constexpr std::array<absl::string_view, kS1Candidates.size()> kColours = {
    "#8c8c8c", "#e69f00", "#d55e00", "#0072b2", "#56b4e9", "#009e73", "#cc79a7",
};

std::string Text(double x, double y, absl::string_view anchor,
                 absl::string_view text, absl::string_view more = "") {
  return absl::StrCat("<text x=\"", x, "\" y=\"", y, "\" text-anchor=\"",
                      anchor, "\"", more, ">", text, "</text>\n");
}

std::string Line(double x1, double y1, double x2, double y2,
                 absl::string_view more) {
  return absl::StrCat("<line x1=\"", x1, "\" y1=\"", y1, "\" x2=\"", x2,
                      "\" y2=\"", y2, "\" ", more, "/>\n");
}

class Panel {
 public:
  Panel(double left, size_t epochs)
      : left_(left), last_epoch_(epochs < 2 ? 1 : epochs - 1) {}

  double X(size_t epoch) const {
    return left_ + kPanelWidth * epoch / last_epoch_;
  }
  double Y(double weight) const { return kTop + kPanelHeight * (1 - weight); }

  // Frame, ticks, labels and the threshold's line.
  std::string Axes(absl::string_view title, double threshold) const {
    const double right = left_ + kPanelWidth;
    const double bottom = kTop + kPanelHeight;
    std::string svg = Text((left_ + right) / 2, kTop - 16, "middle", title,
                           " font-size=\"15\"");
    for (const double weight : {0.0, 0.25, 0.5, 0.75, 1.0}) {
      svg += Line(left_, Y(weight), right, Y(weight), "stroke=\"#e4e4e4\"");
      svg += Text(left_ - 8, Y(weight) + 4, "end", absl::StrCat(weight));
    }
    for (size_t epoch = 0; epoch <= last_epoch_; epoch += EpochStep()) {
      svg += Line(X(epoch), bottom, X(epoch), bottom + 5, "stroke=\"#333\"");
      svg += Text(X(epoch), bottom + 19, "middle", absl::StrCat(epoch));
    }
    svg += Text((left_ + right) / 2, bottom + 38, "middle", "epoch");
    const double middle = kTop + kPanelHeight / 2;
    svg += Text(left_ - 42, middle, "middle", "relaxed weight",
                absl::StrFormat(" transform=\"rotate(-90 %g %g)\"", left_ - 42,
                                middle));
    svg += Line(left_, Y(threshold), right, Y(threshold),
                "stroke=\"#333\" stroke-dasharray=\"6 4\"");
    absl::StrAppend(&svg, "<rect x=\"", left_, "\" y=\"", kTop, "\" width=\"",
                    kPanelWidth, "\" height=\"", kPanelHeight,
                    "\" fill=\"none\" stroke=\"#333\"/>\n");
    return svg;
  }

  // One candidate of one edge over the epochs.
  std::string Curve(const std::vector<RelaxedWeights>& epochs,
                    std::vector<float> RelaxedWeights::*cell,
                    size_t candidate) const {
    std::string points;
    for (size_t epoch = 0; epoch < epochs.size(); ++epoch) {
      absl::StrAppendFormat(&points, "%s%.1f,%.1f", epoch == 0 ? "" : " ",
                            X(epoch), Y((epochs[epoch].*cell)[candidate]));
    }
    return absl::StrCat("<polyline points=\"", points, "\"/>\n");
  }

 private:
  // At most eleven ticks, at round numbers.
  size_t EpochStep() const {
    size_t step = 1;
    for (const size_t factor : {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}) {
      step = factor;
      if (last_epoch_ / step <= 10) break;
    }
    return std::max(step, last_epoch_ / 10);
  }

  const double left_;
  const size_t last_epoch_;
};

std::string Curves(const Panel& panel,
                   const std::vector<RelaxedWeights>& epochs,
                   std::vector<float> RelaxedWeights::*cell) {
  std::string svg;
  for (size_t op = 0; op < kS1Candidates.size(); ++op) {
    absl::StrAppend(&svg, "<g fill=\"none\" stroke=\"", kColours[op],
                    "\" stroke-width=\"1.6\" stroke-opacity=\"0.8\">\n");
    const size_t weights = epochs.empty() ? 0 : (epochs[0].*cell).size();
    for (size_t i = op; i < weights; i += kS1Candidates.size()) {
      svg += panel.Curve(epochs, cell, i);
    }
    svg += "</g>\n";
  }
  return svg;
}

std::string Legend(double threshold) {
  constexpr double kY = kHeight - 30;
  constexpr double kStep = 121;
  constexpr double kSwatch = 18;
  std::string svg;
  double x = 25;
  for (size_t op = 0; op < kS1Candidates.size(); ++op, x += kStep) {
    svg +=
        Line(x, kY, x + kSwatch, kY,
             absl::StrCat("stroke=\"", kColours[op], "\" stroke-width=\"4\""));
    svg += Text(x + kSwatch + 5, kY + 4, "start",
                PrimitiveName(kS1Candidates[op]));
  }
  svg +=
      Line(x, kY, x + kSwatch, kY, "stroke=\"#333\" stroke-dasharray=\"6 4\"");
  svg += Text(x + kSwatch + 5, kY + 4, "start",
              absl::StrCat("threshold ", threshold));
  return svg;
}

}  // namespace

std::string HistorySvg(const std::vector<RelaxedWeights>& epochs,
                       double threshold) {
  std::string svg = absl::StrCat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", kWidth,
      "\" height=\"", kHeight, "\" viewBox=\"0 0 ", kWidth, " ", kHeight,
      "\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
  const Panel normal(kLeft[0], epochs.size());
  svg += normal.Axes("normal cell", threshold);
  svg += Curves(normal, epochs, &RelaxedWeights::normal);
  const Panel reduce(kLeft[1], epochs.size());
  svg += reduce.Axes("reduction cell", threshold);
  svg += Curves(reduce, epochs, &RelaxedWeights::reduce);
  return absl::StrCat(svg, Legend(threshold), "</svg>\n");
}

}  // namespace fairdarts
