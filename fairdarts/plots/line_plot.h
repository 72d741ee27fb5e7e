#ifndef FAIRDARTS_PLOTS_LINE_PLOT_H_
#define FAIRDARTS_PLOTS_LINE_PLOT_H_

// Line plots as SVG: measurements over what was varied. The same plot gives the
// same bytes.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace fairdarts {

struct PlotAxis {
  enum class Scale {
    kLinear,
    kLog2,  // ticks at powers of two; values and bounds above 0
  };

  std::string label;
  Scale scale = Scale::kLinear;
  // Where the axis begins and ends, `from` below `to`; none: at the first tick
  // that leaves no value out. What lies outside is cut off.
  absl::optional<double> from;
  absl::optional<double> to;
};

struct PlotPoint {
  double x;  // finite, as y
  double y;
};

// A line through its points, in this order. Series of one name have one colour
// in all panels and one place in the legend.
struct PlotSeries {
  std::string name;
  std::vector<PlotPoint> points;
};

// A dashed line across a panel.
struct PlotGuide {
  double y;
  std::string label;  // above its right end
};

struct PlotPanel {
  std::string title;
  PlotAxis x;
  PlotAxis y;
  std::vector<PlotSeries> series;
  std::vector<PlotGuide> guides;
};

// The panels side by side, the title above them, below them the legend and
// `caption`: a line for each of its own. Texts may hold anything.
std::string LinePlotSvg(absl::string_view title, absl::string_view caption,
                        const std::vector<PlotPanel>& panels);

}  // namespace fairdarts

#endif  // FAIRDARTS_PLOTS_LINE_PLOT_H_
