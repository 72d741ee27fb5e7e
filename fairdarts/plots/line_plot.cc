#include "fairdarts/plots/line_plot.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/xml_text.h"

namespace fairdarts {
namespace {

// All lengths are in pixels.
constexpr double kPanelWidth = 380;
constexpr double kPanelHeight = 280;
constexpr double kLeft = 72;  // of a panel's frame: numbers and label of y
constexpr double kRight = 24;
constexpr double kTitleHeight = 34;
constexpr double kTop = 34;     // of the frame: the panel's title
constexpr double kBottom = 54;  // numbers and label of x
constexpr double kLineHeight = 20;
constexpr double kSwatch = 26;
constexpr double kCharacter = 7;  // of a 12 px font, on the wide side
constexpr double kMargin = 16;
constexpr double kMark = 2.6;  // radius of a point
constexpr int kMostTicks = 9;

// Okabe and Ito's colours, which colour-blind readers can tell apart, but for
// their yellow, which is hard to see on white.
constexpr absl::string_view kColours[] = {"#0072b2", "#d55e00", "#009e73",
                                          "#cc79a7", "#e69f00", "#56b4e9",
                                          "#000000", "#8c8c8c"};
// The second time around, and the third.
constexpr absl::string_view kDashes[] = {"", " stroke-dasharray=\"7 3\"",
                                         " stroke-dasharray=\"2 3\""};

std::string Pixels(double length) { return absl::StrFormat("%.1f", length); }

std::string Text(double x, double y, absl::string_view anchor,
                 absl::string_view text, absl::string_view more = "") {
  return absl::StrCat("<text x=\"", Pixels(x), "\" y=\"", Pixels(y),
                      "\" text-anchor=\"", anchor, "\"", more, ">",
                      XmlText(text), "</text>\n");
}

std::string Line(double x1, double y1, double x2, double y2,
                 absl::string_view more) {
  return absl::StrCat("<line x1=\"", Pixels(x1), "\" y1=\"", Pixels(y1),
                      "\" x2=\"", Pixels(x2), "\" y2=\"", Pixels(y2), "\"",
                      more, "/>\n");
}

std::string Stroke(size_t series) {
  return absl::StrCat(
      " stroke=\"", kColours[series % std::size(kColours)],
      "\" stroke-width=\"1.8\"",
      kDashes[series / std::size(kColours) % std::size(kDashes)]);
}

// An axis with its bounds and ticks, all as positions: logarithms on kLog2.
class Ruler {
 public:
  Ruler(const PlotAxis& axis, const std::vector<double>& values)
      : scale_(axis.scale) {
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (const double value : values) {
      low = std::min(low, Position(value));
      high = std::max(high, Position(value));
    }
    if (values.empty()) low = high = 0;
    if (axis.from.has_value()) low = Position(*axis.from);
    if (axis.to.has_value()) high = Position(*axis.to);
    FD_CHECK(!axis.from.has_value() || !axis.to.has_value() || low < high)
        << "axis \"" << axis.label << "\" ends where it begins, or before";
    if (low >= high) {  // one value, or all on one side of a bound
      const double room = scale_ == PlotAxis::Scale::kLog2
                              ? 1
                              : std::max(std::abs(low), std::abs(high)) / 10;
      if (!axis.from.has_value()) low = high - (room > 0 ? room : 1);
      if (!axis.to.has_value()) high = low + (room > 0 ? 2 * room : 2);
    }
    step_ = Step(high - low);
    // A hair of a step, lest rounding add a tick.
    constexpr double kHair = 1e-9;
    first_ =
        std::llround(axis.from.has_value() ? std::ceil(low / step_ - kHair)
                                           : std::floor(low / step_ + kHair));
    last_ = std::llround(axis.to.has_value() ? std::floor(high / step_ + kHair)
                                             : std::ceil(high / step_ - kHair));
    from_ = axis.from.has_value() ? low : first_ * step_;
    to_ = axis.to.has_value() ? high : last_ * step_;
  }

  // 0 where the axis begins, 1 where it ends.
  double Fraction(double value) const {
    return (Position(value) - from_) / (to_ - from_);
  }

  struct Tick {
    double fraction;
    std::string text;
  };
  std::vector<Tick> Ticks() const {
    std::vector<Tick> ticks;
    for (int64_t i = first_; i <= last_; ++i) {
      const double position = i * step_;
      ticks.push_back(
          {(position - from_) / (to_ - from_),
           absl::StrCat(scale_ == PlotAxis::Scale::kLog2 ? std::exp2(position)
                                                         : position)});
    }
    return ticks;
  }

 private:
  double Position(double value) const {
    if (scale_ == PlotAxis::Scale::kLinear) {
      FD_CHECK(std::isfinite(value)) << value;
      return value;
    }
    FD_CHECK(std::isfinite(value) && value > 0) << value;
    return std::log2(value);
  }

  // The smallest of 1, 2, 5, 10, ... (in powers of two: 1, 2, 4, ...) that
  // makes at most kMostTicks.
  double Step(double length) const {
    if (scale_ == PlotAxis::Scale::kLog2) {
      double step = 1;
      while (length / step > kMostTicks) step *= 2;
      return step;
    }
    const double decade = std::pow(10, std::floor(std::log10(length)) - 1);
    for (const double factor : {1, 2, 5, 10, 20, 50}) {
      if (length / (factor * decade) <= kMostTicks - 1) return factor * decade;
    }
    return 100 * decade;
  }

  const PlotAxis::Scale scale_;
  double step_;
  int64_t first_;  // ticks, in steps
  int64_t last_;
  double from_;
  double to_;
};

// What the frame of a panel holds, and its axes; the frame's top left corner
// is at (0, 0).
class Panel {
 public:
  explicit Panel(const PlotPanel& panel)
      : panel_(panel),
        x_(panel.x, Values(panel, &PlotPoint::x)),
        y_(panel.y, Values(panel, &PlotPoint::y)) {}

  // `clip` names a clip path of the frame's size and that of half a mark.
  std::string Elements(const std::vector<std::string>& names,
                       absl::string_view clip) const {
    std::string svg =
        Text(kPanelWidth / 2, -12, "middle", panel_.title, " font-size=\"14\"");
    svg += Axes();
    absl::StrAppend(&svg, "<g clip-path=\"url(#", clip, ")\">\n");
    for (const PlotGuide& guide : panel_.guides) {
      svg += Line(0, Y(guide.y), kPanelWidth, Y(guide.y),
                  " stroke=\"#555\" stroke-dasharray=\"6 4\"");
      svg += Text(kPanelWidth - 6, Y(guide.y) - 5, "end", guide.label,
                  " font-size=\"11\" fill=\"#555\"");
    }
    for (const PlotSeries& series : panel_.series) {
      const size_t number =
          std::find(names.begin(), names.end(), series.name) - names.begin();
      svg += Curve(series, number);
    }
    svg += "</g>\n";
    absl::StrAppend(&svg, "<rect width=\"", kPanelWidth, "\" height=\"",
                    kPanelHeight, "\" fill=\"none\" stroke=\"#333\"/>\n");
    return svg;
  }

 private:
  static std::vector<double> Values(const PlotPanel& panel,
                                    double PlotPoint::*coordinate) {
    std::vector<double> values;
    for (const PlotSeries& series : panel.series) {
      for (const PlotPoint& point : series.points) {
        values.push_back(point.*coordinate);
      }
    }
    return values;
  }

  double X(double value) const { return kPanelWidth * x_.Fraction(value); }
  double Y(double value) const {
    return kPanelHeight * (1 - y_.Fraction(value));
  }

  std::string Axes() const {
    std::string svg;
    for (const Ruler::Tick& tick : x_.Ticks()) {
      const double x = kPanelWidth * tick.fraction;
      svg += Line(x, 0, x, kPanelHeight, " stroke=\"#e4e4e4\"");
      svg += Line(x, kPanelHeight, x, kPanelHeight + 5, " stroke=\"#333\"");
      svg += Text(x, kPanelHeight + 19, "middle", tick.text);
    }
    for (const Ruler::Tick& tick : y_.Ticks()) {
      const double y = kPanelHeight * (1 - tick.fraction);
      svg += Line(0, y, kPanelWidth, y, " stroke=\"#e4e4e4\"");
      svg += Line(-5, y, 0, y, " stroke=\"#333\"");
      svg += Text(-9, y + 4, "end", tick.text);
    }
    svg += Text(kPanelWidth / 2, kPanelHeight + 40, "middle", panel_.x.label);
    // Turned, the label's position counts from the frame's corner again.
    svg += Text(-kPanelHeight / 2, -52, "middle", panel_.y.label,
                " transform=\"rotate(-90)\"");
    return svg;
  }

  std::string Curve(const PlotSeries& series, size_t number) const {
    std::string points, marks;
    for (const PlotPoint& point : series.points) {
      absl::StrAppend(&points, points.empty() ? "" : " ", Pixels(X(point.x)),
                      ",", Pixels(Y(point.y)));
      absl::StrAppend(&marks, "<circle cx=\"", Pixels(X(point.x)), "\" cy=\"",
                      Pixels(Y(point.y)), "\" r=\"", kMark, "\" fill=\"",
                      kColours[number % std::size(kColours)], "\"/>\n");
    }
    return absl::StrCat("<polyline points=\"", points, "\" fill=\"none\"",
                        Stroke(number), "/>\n", marks);
  }

  const PlotPanel& panel_;
  const Ruler x_;
  const Ruler y_;
};

// The legend in lines that are `width` long at most; `y` is the first one's and
// becomes that of the line after the last.
std::string Legend(const std::vector<std::string>& names, double width,
                   double& y) {
  std::string svg;
  double x = kMargin;
  for (size_t i = 0; i < names.size(); ++i) {
    const double needed = kSwatch + 24 + kCharacter * names[i].size();
    if (x > kMargin && x + needed > width - kMargin) {
      x = kMargin;
      y += kLineHeight;
    }
    svg += Line(x, y - 4, x + kSwatch, y - 4, Stroke(i));
    svg += Text(x + kSwatch + 6, y, "start", names[i]);
    x += needed;
  }
  if (!names.empty()) y += kLineHeight;
  return svg;
}

}  // namespace

std::string LinePlotSvg(absl::string_view title, absl::string_view caption,
                        const std::vector<PlotPanel>& panels) {
  std::vector<std::string> names;
  for (const PlotPanel& panel : panels) {
    for (const PlotSeries& series : panel.series) {
      if (std::find(names.begin(), names.end(), series.name) == names.end()) {
        names.push_back(series.name);
      }
    }
  }
  constexpr double kStep = kLeft + kPanelWidth + kRight;
  const double width = std::max<size_t>(panels.size(), 1) * kStep;
  std::string body = Text(width / 2, 24, "middle", title,
                          " font-size=\"16\" font-weight=\"bold\"");
  constexpr double kFrameTop = kTitleHeight + kTop;
  for (size_t i = 0; i < panels.size(); ++i) {
    absl::StrAppend(&body, "<g transform=\"translate(",
                    Pixels(i * kStep + kLeft), " ", Pixels(kFrameTop), ")\">\n",
                    Panel(panels[i]).Elements(names, "frame"), "</g>\n");
  }
  double y = kFrameTop + kPanelHeight + kBottom + 14;
  body += Legend(names, width, y);
  if (!caption.empty()) {
    for (const absl::string_view line : absl::StrSplit(caption, '\n')) {
      body += Text(kMargin, y, "start", line, " fill=\"#555\"");
      y += kLineHeight;
    }
  }
  const std::string size = absl::StrCat(Pixels(width), " ", Pixels(y));
  return absl::StrCat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", Pixels(width),
      "\" height=\"", Pixels(y), "\" viewBox=\"0 0 ", size,
      "\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<defs><clipPath id=\"frame\"><rect x=\"",
      -kMark, "\" y=\"", -kMark, "\" width=\"", kPanelWidth + 2 * kMark,
      "\" height=\"", kPanelHeight + 2 * kMark,
      "\"/></clipPath></defs>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      body, "</svg>\n");
}

}  // namespace fairdarts
