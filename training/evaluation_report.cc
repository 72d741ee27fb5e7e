#include "training/evaluation_report.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fairdarts {
namespace {

struct ClassCounts {
  int64_t images = 0;   // of the class
  int64_t taken = 0;    // for the class
  int64_t correct = 0;  // both
};

ClassCounts CountsOf(const Classification& counts, int c) {
  ClassCounts result;
  for (int other = 0; other < counts.classes; ++other) {
    result.images += counts.confusion[int64_t{c} * counts.classes + other];
    result.taken += counts.confusion[int64_t{other} * counts.classes + c];
  }
  result.correct = counts.confusion[int64_t{c} * counts.classes + c];
  return result;
}

std::string NameOf(const EvaluationReport& report, int c) {
  return report.class_names.empty() ? absl::StrCat(c) : report.class_names[c];
}

// "87.10 %", or "-" where there is nothing to take a part of.
std::string Percent(int64_t part, int64_t whole) {
  return whole == 0
             ? "-"
             : absl::StrFormat("%.2f %%", 100.0 * static_cast<double>(part) /
                                              static_cast<double>(whole));
}

int NameWidth(const EvaluationReport& report) {
  size_t width = 5;  // "class"
  for (int c = 0; c < report.counts.classes; ++c) {
    width = std::max(width, NameOf(report, c).size());
  }
  return static_cast<int>(width);
}

std::string PerClassText(const EvaluationReport& report) {
  const int width = NameWidth(report);
  std::string text = absl::StrFormat("\n%-*s  %7s  %9s  %9s\n", width, "class",
                                     "images", "recall", "precision");
  for (int c = 0; c < report.counts.classes; ++c) {
    const ClassCounts counts = CountsOf(report.counts, c);
    absl::StrAppendFormat(&text, "%-*s  %7d  %9s  %9s\n", width,
                          NameOf(report, c), counts.images,
                          Percent(counts.correct, counts.images),
                          Percent(counts.correct, counts.taken));
  }
  return text;
}

std::string ConfusionText(const EvaluationReport& report) {
  const int width = NameWidth(report);
  const int classes = report.counts.classes;
  int64_t largest = 0;
  for (const int64_t count : report.counts.confusion) {
    largest = std::max(largest, count);
  }
  const int cell = static_cast<int>(
      std::max(absl::StrCat(largest).size(), absl::StrCat(classes - 1).size()));
  std::string text =
      "\nconfusion: a row for each label, a column for each answer, in the "
      "order of the classes\n";
  for (int label = 0; label < classes; ++label) {
    absl::StrAppendFormat(&text, "%-*s", width, NameOf(report, label));
    for (int answer = 0; answer < classes; ++answer) {
      absl::StrAppendFormat(
          &text, "  %*d", cell,
          report.counts.confusion[int64_t{label} * classes + answer]);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string EvaluationText(const EvaluationReport& report) {
  const Classification& counts = report.counts;
  std::string text = absl::StrFormat(
      "%s on the %s images of %s, %d of them\n"
      "top-1 %.2f %%  top-5 %.2f %%  loss %.4f  %.0f images/s\n",
      report.model, report.split, report.dataset, counts.images,
      100 * counts.top1(), 100 * counts.top5(), counts.loss(),
      static_cast<double>(counts.images) / report.seconds);
  if (report.per_class) text += PerClassText(report);
  if (report.confusion) text += ConfusionText(report);
  text.pop_back();  // the log ends the line
  return text;
}

std::string EvaluationJson(const EvaluationReport& report) {
  const Classification& counts = report.counts;
  nlohmann::ordered_json json;
  json["model"] = report.model;
  json["dataset"] = report.dataset;
  json["split"] = report.split;
  json["images"] = counts.images;
  json["top1"] = counts.top1();
  json["top5"] = counts.top5();
  json["loss"] = counts.loss();
  json["seconds"] = report.seconds;
  json["images_per_second"] =
      static_cast<double>(counts.images) / report.seconds;
  if (report.per_class) {
    json["per_class"] = nlohmann::ordered_json::array();
    for (int c = 0; c < counts.classes; ++c) {
      const ClassCounts of_class = CountsOf(counts, c);
      json["per_class"].push_back({{"class", NameOf(report, c)},
                                   {"images", of_class.images},
                                   {"answers", of_class.taken},
                                   {"correct", of_class.correct}});
    }
  }
  if (report.confusion) {
    json["confusion"] = nlohmann::ordered_json::array();
    for (int label = 0; label < counts.classes; ++label) {
      const auto row =
          counts.confusion.begin() + int64_t{label} * counts.classes;
      json["confusion"].push_back(
          std::vector<int64_t>(row, row + counts.classes));
    }
  }
  return json.dump(2, ' ', false,
                   nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace fairdarts
