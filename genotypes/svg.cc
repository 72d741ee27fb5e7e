#include "genotypes/svg.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/xml_text.h"
#include "genotypes/cell_graph.h"
#include "genotypes/edge_layout.h"
#include "genotypes/picture_labels.h"

namespace fairdarts {
namespace {

// All lengths are in pixels.
constexpr double kMargin = 20;
constexpr double kStateSize = 32;  // diameter of a node
constexpr double kEndWidth = 62;   // boxes of the inputs and the output
constexpr double kOpHeight = 22;
constexpr double kRailHeight = 4;
constexpr double kSpacing = 9;      // between neighbours in a layer
constexpr double kCharacter = 6.7;  // of the labels' monospaced 11 px font
constexpr double kTitleCharacter = 9;
constexpr double kTitleHeight = 30;
constexpr double kBeforeOps = 64;  // space for the curves that fan out
constexpr double kAfterOps = 36;

constexpr char kGreyLine[] = "#b8b8b8";
constexpr char kGreyFill[] = "#f4f4f4";
constexpr char kGreyText[] = "#9a9a9a";
constexpr char kText[] = "#202124";
constexpr const char* kStateColours[] = {"#1f6fb4", "#c0504d", "#2e8b57",
                                         "#8a5fb0", "#b8860b", "#2f98a0",
                                         "#c7588f", "#6b7a3a"};

const char* StateColour(int state) {
  return kStateColours[state % std::size(kStateColours)];
}

const char* OpFill(Primitive op) {
  switch (op) {
    case Primitive::kMaxPool3x3:
    case Primitive::kAvgPool3x3:
      return "#fdf1dc";
    case Primitive::kSkipConnect:
      return "#efe9f7";
    case Primitive::kSepConv3x3:
    case Primitive::kSepConv5x5:
    case Primitive::kSepConv7x7:
      return "#e3eefb";
    case Primitive::kDilConv3x3:
    case Primitive::kDilConv5x5:
      return "#e2f3e8";
    case Primitive::kConv7x1_1x7:
      return "#fbe6ee";
  }
  return kGreyFill;
}

// A length with one digit after the point, the same on every machine.
std::string Number(double value) {
  const int64_t tenths = std::llround(value * 10);
  return absl::StrCat(tenths < 0 ? "-" : "", std::abs(tenths) / 10, ".",
                      std::abs(tenths) % 10);
}

// Something that has a place in a layer.
struct Item {
  enum class Kind {
    kState,   // an input or a node
    kOp,      // an operation on its way into its node
    kRail,    // the line of a state passing through a layer
    kOutput,  // c_{k}
  };
  Kind kind;
  int layer;
  int state;      // itself, for an operation and a rail: the source; output: -1
  int edge = -1;  // of an operation
  bool grey = false;
  double width = 0;
  double height = 0;
  double x = 0;  // centre
  double y = 0;
  std::vector<int> before = {};  // items of the layer before that lead here
  std::vector<int> after = {};
};

class Layout {
 public:
  Layout(const GenotypeCell& cell, GenotypeForm form)
      : cell_(cell), form_(form), graph_(MakeCellGraph(cell, form)) {
    AddItems();
    OrderLayers();
    PlaceVertically();
    PlaceHorizontally();
  }

  double width() const { return width_; }
  double height() const { return height_; }

  // The elements of the cell, its top left corner at (0, 0).
  std::string Elements() const {
    std::string text;
    // Lines first, so that boxes lie over their ends.
    for (const Item& item : items_) AppendLines(item, text);
    for (const Item& item : items_) AppendBox(item, text);
    return text;
  }

 private:
  int Add(Item item) {
    if (static_cast<size_t>(item.layer) >= layers_.size()) {
      layers_.resize(item.layer + 1);
    }
    const int index = static_cast<int>(items_.size());
    layers_[item.layer].push_back(index);
    items_.push_back(std::move(item));
    return index;
  }

  void Link(int from, int to) {
    items_[from].after.push_back(to);
    items_[to].before.push_back(from);
  }

  // States lie in even layers, operations in the odd one before their node.
  void AddItems() {
    const int states = graph_.states();
    // A missing node that reads nothing is drawn beside the first nodes.
    std::vector<int> depth(states, 1);
    std::fill_n(depth.begin(), kCellInputs, 0);
    int deepest = 1;
    for (int node = kCellInputs; node < states; ++node) {
      for (const GenotypeEdge& edge : cell_.edges) {
        if (edge.to == node) {
          depth[node] = std::max(depth[node], depth[edge.from] + 1);
        }
      }
      deepest = std::max(deepest, depth[node]);
    }
    layers_.resize(2 * deepest + 2);

    // rails[s]: the items of state s from its own layer on.
    std::vector<std::vector<int>> rails(states);
    for (int state = 0; state < states; ++state) {
      Item item = {Item::Kind::kState, 2 * depth[state], state};
      item.grey = !graph_.exists[state];
      item.width = state < kCellInputs ? kEndWidth : kStateSize;
      item.height = state < kCellInputs ? kOpHeight + 4 : kStateSize;
      rails[state].push_back(Add(std::move(item)));
    }
    // The item of a state in the layer before `layer`, to lead on from there.
    const auto reach = [&](int state, int layer) {
      std::vector<int>& rail = rails[state];
      const int first = 2 * depth[state];
      while (first + static_cast<int>(rail.size()) < layer) {
        Item item = {Item::Kind::kRail, first + static_cast<int>(rail.size()),
                     state};
        item.grey = !graph_.exists[state];
        item.height = kRailHeight;
        const int index = Add(std::move(item));
        Link(rail.back(), index);
        rail.push_back(index);
      }
      return rail[layer - 1 - first];
    };
    for (size_t i = 0; i < cell_.edges.size(); ++i) {
      const GenotypeEdge& edge = cell_.edges[i];
      Item item = {Item::Kind::kOp, 2 * depth[edge.to] - 1, edge.from};
      item.edge = static_cast<int>(i);
      item.grey = !graph_.live[i];
      item.width = EdgeLabel(edge, form_).size() * kCharacter + 14;
      item.height = kOpHeight;
      const int source = reach(edge.from, item.layer);
      const int index = Add(std::move(item));
      Link(source, index);
      Link(index, rails[edge.to][0]);
    }
    Item item = {Item::Kind::kOutput, 2 * deepest + 1, -1};
    item.grey = graph_.output.empty();
    item.width = kEndWidth;
    item.height = kOpHeight + 4;
    const int output = Add(std::move(item));
    for (const int state : graph_.output) {
      Link(reach(state, 2 * deepest + 1), output);
    }
  }

  // The mean of what `key` says about the neighbours; `otherwise` without any.
  template <typename Key>
  static double Mean(const std::vector<int>& neighbours, Key key,
                     double otherwise) {
    if (neighbours.empty()) return otherwise;
    double sum = 0;
    for (const int neighbour : neighbours) sum += key(neighbour);
    return sum / neighbours.size();
  }

  // How many pairs of lines between neighbouring layers cross.
  int64_t Crossings(const std::vector<int>& rank) const {
    int64_t crossings = 0;
    for (const std::vector<int>& layer : layers_) {
      std::vector<int> ends;  // ranks on the right, in the order on the left
      for (const int item : layer) {
        std::vector<int> right;
        for (const int next : items_[item].after) right.push_back(rank[next]);
        std::sort(right.begin(), right.end());
        for (const int end : right) {
          crossings += std::count_if(ends.begin(), ends.end(),
                                     [end](int other) { return other > end; });
        }
        ends.insert(ends.end(), right.begin(), right.end());
      }
    }
    return crossings;
  }

  // Sweeps back and forth, each layer sorted by the mean rank of its
  // neighbours, and keeps the order with the fewest crossings.
  void OrderLayers() {
    constexpr int kSweeps = 24;
    std::vector<int> rank(items_.size());
    const auto number = [&](const std::vector<int>& layer) {
      for (size_t i = 0; i < layer.size(); ++i) {
        rank[layer[i]] = static_cast<int>(i);
      }
    };
    for (const std::vector<int>& layer : layers_) number(layer);
    std::vector<std::vector<int>> best = layers_;
    int64_t fewest = Crossings(rank);
    for (int sweep = 0; sweep < kSweeps && fewest > 0; ++sweep) {
      const bool forward = sweep % 2 == 0;
      for (size_t i = 0; i < layers_.size(); ++i) {
        std::vector<int>& layer = layers_[forward ? i : layers_.size() - 1 - i];
        std::vector<std::pair<double, int>> keyed;
        for (const int item : layer) {
          const std::vector<int>& neighbours =
              forward ? items_[item].before : items_[item].after;
          keyed.emplace_back(
              Mean(
                  neighbours, [&](int n) { return rank[n]; }, rank[item]),
              item);
        }
        std::stable_sort(
            keyed.begin(), keyed.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
        for (size_t j = 0; j < layer.size(); ++j) layer[j] = keyed[j].second;
        number(layer);
      }
      const int64_t crossings = Crossings(rank);
      if (crossings < fewest) {
        fewest = crossings;
        best = layers_;
      }
    }
    layers_ = std::move(best);
  }

  // Puts the items of a layer as near to `wanted` as their order and heights
  // allow: least squares, by pooling neighbours that would overlap.
  void Settle(const std::vector<int>& layer,
              const std::vector<double>& wanted) {
    struct Block {
      double sum;  // of wanted positions less offsets
      double weight;
      size_t size;
    };
    std::vector<double> offsets;
    std::vector<Block> blocks;
    double offset = 0;
    for (size_t i = 0; i < layer.size(); ++i) {
      const Item& item = items_[layer[i]];
      if (i > 0) {
        const Item& above = items_[layer[i - 1]];
        offset += (above.height + item.height) / 2 + kSpacing;
      }
      offsets.push_back(offset);
      // Long lines should be straight, before boxes are where they like.
      const double weight = item.kind == Item::Kind::kRail ? 4 : 1;
      blocks.push_back({(wanted[i] - offset) * weight, weight, 1});
      while (blocks.size() > 1) {
        const Block& last = blocks[blocks.size() - 1];
        Block& before = blocks[blocks.size() - 2];
        if (before.sum * last.weight <= last.sum * before.weight) break;
        before.sum += last.sum;
        before.weight += last.weight;
        before.size += last.size;
        blocks.pop_back();
      }
    }
    size_t i = 0;
    for (const Block& block : blocks) {
      for (size_t j = 0; j < block.size; ++j, ++i) {
        items_[layer[i]].y = block.sum / block.weight + offsets[i];
      }
    }
  }

  void PlaceVertically() {
    constexpr int kRounds = 40;
    for (const std::vector<int>& layer : layers_) {
      Settle(layer, std::vector<double>(layer.size(), 0.0));
    }
    const auto y = [this](int item) { return items_[item].y; };
    for (int round = 0; round < kRounds; ++round) {
      const bool forward = round % 2 == 0;
      for (size_t i = 0; i < layers_.size(); ++i) {
        const std::vector<int>& layer =
            layers_[forward ? i : layers_.size() - 1 - i];
        std::vector<double> wanted;
        for (const int index : layer) {
          const Item& item = items_[index];
          const double left = Mean(item.before, y, item.y);
          const double right = Mean(item.after, y, item.y);
          // Boxes gather around their node, everything else lies between.
          wanted.push_back(item.kind == Item::Kind::kOp ? (left + 3 * right) / 4
                           : item.before.empty()        ? right
                           : item.after.empty()         ? left
                                                        : (left + right) / 2);
        }
        Settle(layer, wanted);
      }
    }
    double top = std::numeric_limits<double>::infinity();
    double bottom = -top;
    for (const Item& item : items_) {
      top = std::min(top, item.y - item.height / 2);
      bottom = std::max(bottom, item.y + item.height / 2);
    }
    for (Item& item : items_) item.y -= top;
    height_ = bottom - top;
  }

  void PlaceHorizontally() {
    double x = 0;
    for (size_t i = 0; i < layers_.size(); ++i) {
      double widest = 0;
      for (const int item : layers_[i]) {
        widest = std::max(widest, items_[item].width);
      }
      if (i > 0) x += i % 2 == 1 ? kBeforeOps : kAfterOps;
      for (const int index : layers_[i]) {
        Item& item = items_[index];
        item.x = x + widest / 2;
        // A rail and a box keep the whole layer to themselves, so that no
        // curve cuts across a neighbour.
        if (item.kind == Item::Kind::kRail || item.kind == Item::Kind::kOp) {
          item.width = widest;
        }
      }
      x += widest;
    }
    width_ = x;
  }

  void AppendLines(const Item& item, std::string& text) const {
    const std::string colour = item.grey ? kGreyLine : StateColour(item.state);
    const auto path = [&](absl::string_view d, bool arrow) {
      absl::StrAppend(&text, "<path d=\"", d, "\" fill=\"none\" stroke=\"",
                      colour, "\" stroke-width=\"1.5\"",
                      item.grey ? " stroke-dasharray=\"4 3\"" : "",
                      arrow ? " marker-end=\"url(#arrow)\"" : "", "/>\n");
    };
    if (item.kind == Item::Kind::kRail) {
      path(absl::StrCat("M", Number(item.x - item.width / 2), " ",
                        Number(item.y), "H", Number(item.x + item.width / 2)),
           /*arrow=*/false);
    }
    for (const int index : item.after) {
      const Item& next = items_[index];
      const double x0 = item.x + item.width / 2;
      const double x1 = next.x - next.width / 2;
      const double middle = (x0 + x1) / 2;
      const bool arrow =
          next.kind == Item::Kind::kState || next.kind == Item::Kind::kOutput;
      path(absl::StrCat("M", Number(x0), " ", Number(item.y), "C",
                        Number(middle), " ", Number(item.y), " ",
                        Number(middle), " ", Number(next.y), " ", Number(x1),
                        " ", Number(next.y)),
           arrow);
    }
  }

  void AppendBox(const Item& item, std::string& text) const {
    std::string label, kind, fill, line;
    double radius = 5;
    switch (item.kind) {
      case Item::Kind::kRail:
        return;
      case Item::Kind::kState:
        label = StateLabel(item.state);
        kind = item.grey                  ? "missing"
               : item.state < kCellInputs ? "input"
                                          : "node";
        if (item.state >= kCellInputs) radius = kStateSize / 2;
        fill = "#ffffff";
        line = StateColour(item.state);
        break;
      case Item::Kind::kOp: {
        const GenotypeEdge& edge = cell_.edges[item.edge];
        label = EdgeLabel(edge, form_);
        kind = item.grey ? "dead" : "op";
        fill = OpFill(edge.op);
        line = StateColour(item.state);
        break;
      }
      case Item::Kind::kOutput:
        label = kOutputLabel;
        kind = "output";
        fill = "#ffffff";
        line = kText;
        break;
    }
    absl::StrAppend(
        &text, "<rect class=\"", kind, "\" x=\"",
        Number(item.x - item.width / 2), "\" y=\"",
        Number(item.y - item.height / 2), "\" width=\"", Number(item.width),
        "\" height=\"", Number(item.height), "\" rx=\"", Number(radius),
        "\" fill=\"", item.grey ? kGreyFill : fill, "\" stroke=\"",
        item.grey ? kGreyLine : line, "\" stroke-width=\"1.5\"",
        item.grey ? " stroke-dasharray=\"4 3\"" : "", "/>\n<text x=\"",
        Number(item.x), "\" y=\"", Number(item.y + 4), "\" fill=\"",
        item.grey ? kGreyText : kText, "\">", XmlText(label), "</text>\n");
  }

  const GenotypeCell& cell_;
  const GenotypeForm form_;
  const CellGraph graph_;
  std::vector<Item> items_;
  std::vector<std::vector<int>> layers_;  // items from top to bottom
  double width_ = 0;
  double height_ = 0;
};

struct Panel {
  absl::string_view heading;
  Layout layout;
};

std::string Picture(const std::vector<Panel>& panels, absl::string_view title) {
  // Escapes count as the characters that they stand for, or more.
  const std::string escaped = XmlText(title);
  double width = escaped.size() * kTitleCharacter;
  double height = title.empty() ? 0 : kTitleHeight;
  std::string body;
  if (!title.empty()) {
    absl::StrAppend(&body, "<text class=\"title\" x=\"", Number(kMargin),
                    "\" y=\"", Number(kMargin + 14), "\" fill=\"", kText,
                    "\" style=\"font:bold 15px "
                    "sans-serif;text-anchor:start\">",
                    escaped, "</text>\n");
  }
  for (const Panel& panel : panels) {
    if (!panel.heading.empty()) {
      absl::StrAppend(&body, "<text class=\"heading\" x=\"", Number(kMargin),
                      "\" y=\"", Number(kMargin + height + 14), "\" fill=\"",
                      kText,
                      "\" style=\"font:13px sans-serif;"
                      "text-anchor:start\">",
                      panel.heading, "</text>\n");
      height += kTitleHeight;
    }
    absl::StrAppend(&body, "<g transform=\"translate(", Number(kMargin), " ",
                    Number(kMargin + height), ")\">\n", panel.layout.Elements(),
                    "</g>\n");
    height += panel.layout.height();
    width = std::max(width, panel.layout.width());
    if (&panel != &panels.back()) height += kMargin;
  }
  const std::string size = absl::StrCat(Number(width + 2 * kMargin), " ",
                                        Number(height + 2 * kMargin));
  return absl::StrCat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"",
      Number(width + 2 * kMargin), "\" height=\"", Number(height + 2 * kMargin),
      "\" viewBox=\"0 0 ", size,
      "\" font-family=\"DejaVu Sans Mono,Menlo,Consolas,monospace\" "
      "font-size=\"11\" text-anchor=\"middle\">\n"
      "<title>",
      escaped,
      "</title>\n"
      "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" "
      "markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" "
      "orient=\"auto\"><path d=\"M0 0.5L8 4L0 7.5z\" fill=\"#5f6368\"/>"
      "</marker></defs>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
      body, "</svg>\n");
}

}  // namespace

std::string CellToSvg(const GenotypeCell& cell, GenotypeForm form,
                      absl::string_view title) {
  return Picture({{"", Layout(cell, form)}}, title);
}

std::string GenotypeToSvg(const Genotype& genotype, absl::string_view title) {
  return Picture({{"normal cell", Layout(genotype.normal, genotype.form)},
                  {"reduction cell", Layout(genotype.reduce, genotype.form)}},
                 title);
}

}  // namespace fairdarts
