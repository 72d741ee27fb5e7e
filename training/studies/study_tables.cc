#include "training/studies/study_tables.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "fairdarts/base/check.h"
#include "genotypes/python_literal.h"

namespace fairdarts {
namespace {

// A number of a run that variants are compared by.
struct Column {
  absl::string_view name;   // in csv files
  absl::string_view title;  // in markdown, with the unit
  double scale;             // from the csv's unit to the markdown's
  int digits;               // behind the point in markdown
  absl::optional<double> (*value)(const RunRow& row);
};

template <typename Member>
absl::optional<double> OfSearch(const RunRow& row, Member member) {
  if (!row.search.has_value()) return absl::nullopt;
  return member(*row.search);
}

template <typename Member>
absl::optional<double> OfGenotype(const RunRow& row, Member member) {
  if (!row.genotype.has_value()) return absl::nullopt;
  return member(*row.genotype);
}

const Column kColumns[] = {
    {"normal_skips", "skips, normal", 1, 2,
     [](const RunRow& row) {
       return OfGenotype(
           row, [](const Genotype& g) { return CountSkips(g.normal); });
     }},
    {"reduce_skips", "skips, reduction", 1, 2,
     [](const RunRow& row) {
       return OfGenotype(
           row, [](const Genotype& g) { return CountSkips(g.reduce); });
     }},
    {"edges", "edges", 1, 2,
     [](const RunRow& row) {
       return OfGenotype(row, [](const Genotype& g) {
         return g.normal.edges.size() + g.reduce.edges.size();
       });
     }},
    {"leading_normal_skips", "leading skips, normal", 1, 2,
     [](const RunRow& row) {
       return OfSearch(row, [](const SearchOutcome& s) {
         return s.decision.chosen_skips_normal;
       });
     }},
    {"leading_reduce_skips", "leading skips, reduction", 1, 2,
     [](const RunRow& row) {
       return OfSearch(row, [](const SearchOutcome& s) {
         return s.decision.chosen_skips_reduce;
       });
     }},
    {"near_half", "near 0.5", 1, 1,
     [](const RunRow& row) {
       return OfSearch(row, [](const SearchOutcome& s) { return s.near_half; });
     }},
    {"undecided", "undecided", 1, 1,
     [](const RunRow& row) {
       return OfSearch(
           row, [](const SearchOutcome& s) { return s.decision.undecided; });
     }},
    {"past_threshold", "past the threshold", 1, 1,
     [](const RunRow& row) {
       return OfSearch(row, [](const SearchOutcome& s) {
         return s.decision.past_threshold;
       });
     }},
    {"search_top1", "search top-1 %", 100, 2,
     [](const RunRow& row) -> absl::optional<double> {
       if (!row.search.has_value()) return absl::nullopt;
       return row.search->top1;
     }},
    {"macs", "MACs, M", 1e-6, 2,
     [](const RunRow& row) -> absl::optional<double> {
       if (!row.cost.has_value()) return absl::nullopt;
       return row.cost->macs;
     }},
    {"parameters", "parameters, k", 1e-3, 2,
     [](const RunRow& row) -> absl::optional<double> {
       if (!row.cost.has_value()) return absl::nullopt;
       return row.cost->parameters;
     }},
    {"valid_top1", "held-out top-1 %", 100, 2,
     [](const RunRow& row) -> absl::optional<double> {
       if (!row.training.has_value()) return absl::nullopt;
       return row.training->valid_top1;
     }},
};

constexpr char kMeaning[] =
    "Each number is the mean over the seeds ± the sample standard deviation "
    "(n - 1), with n where fewer runs have it than there are. Skips and edges "
    "are those of the genotype that is trained; leading skips those of the two "
    "best edges of each node, whatever the threshold. Near 0.5 (within 0.1), "
    "undecided (between 0.15 and 0.85) and past the threshold are relaxed "
    "weights, of 196 in both cells; those of a softmax share 1 among seven and "
    "begin at 0.14. Search top-1 is the search network's on the images of the "
    "alphas; held-out top-1 is that of the best epoch of the trained network, "
    "on images that it was not trained on. MACs are "
    "multiply-accumulates of convolutions and classifier for one image, "
    "parameters all that is trained.\n";

// Ten digits: more than any of them is worth.
std::string NumberText(double value) { return absl::StrFormat("%.10g", value); }

std::string NumberText(const absl::optional<double>& value) {
  return value.has_value() ? NumberText(*value) : "";
}

// A csv cell, in quotes where it needs them (RFC 4180).
std::string CsvCell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

// Text that stays within its cell.
std::string MarkdownCell(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"|", "\\|"}, {"\n", " "}, {"\r", " "}, {"<", "&lt;"}});
}

std::string GenotypeText(const RunRow& row) {
  return row.genotype.has_value() ? ToPythonText(*row.genotype) : "";
}

struct Summary {
  int runs = 0;
  int networks = 0;
  std::vector<Spread> spreads;  // of kColumns
};

Summary Summarise(const std::string& variant, const std::vector<RunRow>& rows) {
  Summary summary;
  std::vector<std::vector<double>> values(std::size(kColumns));
  for (const RunRow& row : rows) {
    if (row.variant != variant) continue;
    ++summary.runs;
    if (row.cost.has_value()) ++summary.networks;
    for (size_t i = 0; i < std::size(kColumns); ++i) {
      const absl::optional<double> value = kColumns[i].value(row);
      if (value.has_value()) values[i].push_back(*value);
    }
  }
  for (const std::vector<double>& of_column : values) {
    summary.spreads.push_back(SpreadOf(of_column));
  }
  return summary;
}

std::string SpreadText(const Spread& spread, const Column& column, int runs) {
  if (spread.n == 0) return "–";
  std::string text =
      absl::StrFormat("%.*f", column.digits, column.scale * spread.mean);
  if (spread.n > 1) {
    absl::StrAppendFormat(&text, " ± %.*f", column.digits,
                          column.scale * spread.deviation);
  }
  if (spread.n < runs) absl::StrAppend(&text, " (n = ", spread.n, ")");
  return text;
}

std::string Heading(const StudyPlan& plan, absl::string_view what) {
  std::string text =
      absl::StrCat("# ", MarkdownCell(plan.name), ": ", what, "\n\n");
  if (!plan.description.empty()) {
    absl::StrAppend(&text, MarkdownCell(plan.description), "\n\n");
  }
  return text;
}

}  // namespace

Spread SpreadOf(const std::vector<double>& values) {
  Spread spread;
  spread.n = static_cast<int>(values.size());
  if (spread.n == 0) return spread;
  double sum = 0;
  for (const double value : values) sum += value;
  spread.mean = sum / spread.n;
  if (spread.n == 1) return spread;
  double squares = 0;
  for (const double value : values) {
    squares += (value - spread.mean) * (value - spread.mean);
  }
  spread.deviation = std::sqrt(squares / (spread.n - 1));
  return spread;
}

std::string RunsCsv(const std::vector<RunRow>& rows) {
  std::string csv = "variant,seed,state";
  for (const Column& column : kColumns) absl::StrAppend(&csv, ",", column.name);
  csv += ",genotype\n";
  for (const RunRow& row : rows) {
    absl::StrAppend(&csv, row.variant, ",", row.seed, ",",
                    RunStateName(row.state));
    for (const Column& column : kColumns) {
      absl::StrAppend(&csv, ",", NumberText(column.value(row)));
    }
    absl::StrAppend(&csv, ",", CsvCell(GenotypeText(row)), "\n");
  }
  return csv;
}

std::string VariantsCsv(const StudyPlan& plan,
                        const std::vector<RunRow>& rows) {
  std::string csv = "variant,runs,networks";
  for (const Column& column : kColumns) {
    absl::StrAppend(&csv, ",", column.name, "_n,", column.name, "_mean,",
                    column.name, "_sd");
  }
  csv += "\n";
  for (const StudyPlan::Variant& variant : plan.variants) {
    const Summary summary = Summarise(variant.name, rows);
    absl::StrAppend(&csv, variant.name, ",", summary.runs, ",",
                    summary.networks);
    for (const Spread& spread : summary.spreads) {
      absl::StrAppend(&csv, ",", spread.n, ",",
                      spread.n > 0 ? NumberText(spread.mean) : "", ",",
                      spread.n > 1 ? NumberText(spread.deviation) : "");
    }
    csv += "\n";
  }
  return csv;
}

std::string VariantsMarkdown(const StudyPlan& plan,
                             const std::vector<RunRow>& rows) {
  std::string text = Heading(plan, "variants");
  text += "| variant | runs | networks |";
  for (const Column& column : kColumns)
    absl::StrAppend(&text, " ", column.title, " |");
  text += "\n|---|--:|--:|";
  for (size_t i = 0; i < std::size(kColumns); ++i) text += "--:|";
  text += "\n";
  for (const StudyPlan::Variant& variant : plan.variants) {
    const Summary summary = Summarise(variant.name, rows);
    absl::StrAppend(&text, "| ", variant.name, " | ", summary.runs, " | ",
                    summary.networks, " |");
    for (size_t i = 0; i < std::size(kColumns); ++i) {
      absl::StrAppend(&text, " ",
                      SpreadText(summary.spreads[i], kColumns[i], summary.runs),
                      " |");
    }
    text += "\n";
  }
  text += "\n";
  for (const StudyPlan::Variant& variant : plan.variants) {
    if (variant.description.empty()) continue;
    absl::StrAppend(&text, "- `", variant.name,
                    "`: ", MarkdownCell(variant.description), "\n");
  }
  return absl::StrCat(text, "\n", kMeaning);
}

std::vector<const RunRow*> Ranked(const std::vector<RunRow>& rows) {
  std::vector<const RunRow*> ranked;
  for (const RunRow& row : rows) {
    if (row.state != RunState::kTrained) continue;
    FD_CHECK(row.training.has_value() && row.cost.has_value() &&
             row.genotype.has_value());
    ranked.push_back(&row);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const RunRow* a, const RunRow* b) {
                     if (a->training->valid_top1 != b->training->valid_top1) {
                       return a->training->valid_top1 > b->training->valid_top1;
                     }
                     return a->cost->macs < b->cost->macs;
                   });
  return ranked;
}

std::vector<const RunRow*> Chosen(const std::vector<RunRow>& rows, int tested) {
  std::map<std::string, int> taken;
  std::vector<const RunRow*> chosen;
  for (const RunRow* const row : Ranked(rows)) {
    if (taken[row->variant]++ < tested) chosen.push_back(row);
  }
  return chosen;
}

std::string RankedCsv(const std::vector<RunRow>& rows) {
  std::string csv =
      "rank,variant,seed,valid_top1,normal_skips,reduce_skips,macs,parameters,"
      "test_top1,genotype\n";
  int rank = 0;
  for (const RunRow* const row : Ranked(rows)) {
    absl::StrAppend(&csv, ++rank, ",", row->variant, ",", row->seed, ",",
                    NumberText(row->training->valid_top1), ",",
                    CountSkips(row->genotype->normal), ",",
                    CountSkips(row->genotype->reduce), ",", row->cost->macs,
                    ",", row->cost->parameters, ",",
                    row->test.has_value() ? NumberText(row->test->top1()) : "",
                    ",", CsvCell(GenotypeText(*row)), "\n");
  }
  return csv;
}

std::string RankedMarkdown(const StudyPlan& plan,
                           const std::vector<RunRow>& rows) {
  const std::vector<const RunRow*> ranked = Ranked(rows);
  std::string text = Heading(plan, "genotypes by held-out accuracy");
  text +=
      "| rank | variant | seed | held-out top-1 % | test top-1 % | skips, "
      "normal | skips, reduction | MACs, M | parameters, k |\n"
      "|--:|---|--:|--:|--:|--:|--:|--:|--:|\n";
  for (size_t i = 0; i < ranked.size(); ++i) {
    const RunRow& row = *ranked[i];
    absl::StrAppendFormat(
        &text, "| %d | %s | %d | %.2f | %s | %d | %d | %.2f | %.2f |\n", i + 1,
        row.variant, row.seed, 100 * row.training->valid_top1,
        row.test.has_value() ? absl::StrFormat("%.2f", 100 * row.test->top1())
                             : "",
        CountSkips(row.genotype->normal), CountSkips(row.genotype->reduce),
        row.cost->macs * 1e-6, row.cost->parameters * 1e-3);
  }
  absl::StrAppendFormat(
      &text,
      "\nHeld-out images rank the networks and choose the best %s of each "
      "variant; the test images were used for those alone, once. The alphas "
      "may have seen the held-out images, and the best of several is better on "
      "them than it is: test top-1 is the fair number.\n\n",
      plan.tested == 1 ? "one" : absl::StrCat(plan.tested));
  for (size_t i = 0; i < ranked.size(); ++i) {
    absl::StrAppend(&text, i + 1, ". `", GenotypeText(*ranked[i]), "`\n");
  }
  return text;
}

std::string StudyTimingCsv(const std::vector<RunRow>& rows) {
  std::string csv = "variant,seed,search_seconds,train_seconds\n";
  for (const RunRow& row : rows) {
    absl::StrAppend(&csv, row.variant, ",", row.seed, ",",
                    row.search.has_value()
                        ? absl::StrFormat("%.1f", row.search->seconds)
                        : "",
                    ",",
                    row.training.has_value()
                        ? absl::StrFormat("%.1f", row.training->seconds)
                        : "",
                    "\n");
  }
  return csv;
}

}  // namespace fairdarts
