#include "training/profiling/profile_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr FigureSource kSources[] = {FigureSource::kComment,
                                     FigureSource::kReadme};
constexpr FigureKind kKinds[] = {FigureKind::kFlops, FigureKind::kParameters};

double Millions(int64_t count) { return static_cast<double>(count) / 1e6; }
double Mib(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }
double Milliseconds(double seconds) { return seconds * 1e3; }

const char* NetworkName(const NetworkConfig& config) {
  return config.kind == NetworkConfig::Kind::kCifar ? "cifar" : "imagenet";
}

const char* HowName(PrintedBy how) {
  return how == PrintedBy::kTruncation ? "truncated" : "rounded";
}

const FigureComparison* Find(const ProfileRow& row, FigureSource source,
                             FigureKind kind) {
  for (const FigureComparison& figure : row.published) {
    if (figure.source == source && figure.kind == kind) return &figure;
  }
  return nullptr;
}

// A published figure less the table's own count of its kind, in millions.
double Difference(const ProfileRow& row, const FigureComparison& figure) {
  return figure.published - Millions(figure.kind == FigureKind::kFlops
                                         ? row.macs
                                         : row.parameters);
}

std::string ExplainedBy(const FigureComparison& figure) {
  return figure.explained_by == nullptr
             ? "none"
             : std::string(figure.explained_by->name);
}

// The shortest decimal form, as it is published.
std::string Shortest(double value) { return absl::StrCat(value); }

// Columns of text, as wide as their widest cell, two spaces between them.
class TextTable {
 public:
  // A column and its cells, one a row. Left out where all cells are empty.
  void Add(std::string title, bool to_the_right,
           std::vector<std::string> cells) {
    size_t width = 0;
    for (const std::string& cell : cells) width = std::max(width, cell.size());
    if (width == 0) return;
    width = std::max(width, title.size());
    columns_.push_back(
        {std::move(title), to_the_right, width, std::move(cells)});
  }

  std::string Text(size_t rows) const {
    std::string text;
    AddLine(text, [](const Column& c) { return c.title; });
    for (size_t row = 0; row < rows; ++row) {
      AddLine(text, [row](const Column& c) { return c.cells[row]; });
    }
    return text;
  }

 private:
  struct Column {
    std::string title;
    bool to_the_right;
    size_t width;
    std::vector<std::string> cells;
  };

  template <typename Cell>
  void AddLine(std::string& text, Cell&& cell_of) const {
    std::string line;
    for (const Column& column : columns_) {
      const std::string cell = cell_of(column);
      const std::string space(column.width - cell.size(), ' ');
      absl::StrAppend(&line, line.empty() ? "" : "  ",
                      column.to_the_right ? space : cell,
                      column.to_the_right ? cell : space);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }

  std::vector<Column> columns_;
};

template <typename Cell>
std::vector<std::string> Cells(const Profile& profile, Cell&& cell_of) {
  std::vector<std::string> cells;
  for (const ProfileRow& row : profile.rows) cells.push_back(cell_of(row));
  return cells;
}

template <typename Cell>
std::vector<std::string> MeasuredCells(const Profile& profile, Cell&& cell_of) {
  return Cells(profile, [&](const ProfileRow& row) -> std::string {
    return row.measurement ? cell_of(*row.measurement) : "";
  });
}

bool Measured(const Profile& profile) {
  return std::any_of(
      profile.rows.begin(), profile.rows.end(),
      [](const ProfileRow& row) { return row.measurement.has_value(); });
}

// A paragraph in lines of at most 80 columns, all but the first indented.
std::string Paragraph(absl::string_view text) {
  constexpr size_t kColumns = 80;
  constexpr char kIndent[] = "    ";
  std::string paragraph, line;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    if (!line.empty() && line.size() + 1 + word.size() > kColumns) {
      absl::StrAppend(&paragraph, line, "\n");
      line = absl::StrCat(kIndent, word);
    } else {
      absl::StrAppend(&line, line.empty() ? "" : " ", word);
    }
  }
  return absl::StrCat(paragraph, line, "\n");
}

std::string Plural(int count, absl::string_view noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

std::string Legend(const Profile& profile) {
  const NetworkConfig& c = profile.config;
  std::string text = Paragraph(absl::StrFormat(
      "%s network: %d initial channels, %d layers, %d classes, image %dx%d",
      NetworkName(c), c.init_channels, c.layers, c.classes, c.image_size,
      c.image_size));
  absl::StrAppend(
      &text,
      Paragraph("MACs: multiply-accumulates of convolutions and classifier for "
                "one image, in millions"),
      Paragraph("params: in millions, without and with the auxiliary head"));
  const bool published =
      std::any_of(profile.rows.begin(), profile.rows.end(),
                  [](const ProfileRow& row) { return !row.published.empty(); });
  if (published) {
    absl::StrAppend(
        &text,
        Paragraph("published: upstream's figure in millions; diff: it less "
                  "MACs or params; by: the first of these rules that gives it, "
                  "truncated or rounded (~) to its digits"));
    for (const auto* conventions :
         {&FlopsConventions(), &ParameterConventions()}) {
      for (const Convention& convention : *conventions) {
        absl::StrAppend(&text, Paragraph(absl::StrCat(convention.name, ": ",
                                                      convention.rule)));
      }
    }
  }
  if (Measured(profile)) {
    absl::StrAppend(
        &text,
        Paragraph(absl::StrCat("ms: a forward pass of ",
                               Plural(profile.batch_size, "image"), " on ",
                               Plural(profile.threads, "thread"),
                               ", shortest and median")),
        Paragraph("batch MiB: what a batch adds to the process at its peak; "
                  "process MiB: the peak of the whole process"));
  }
  return text;
}

void AddPublishedColumns(const Profile& profile, FigureKind kind, int decimals,
                         TextTable& table) {
  const auto cells = [&](auto cell_of) {
    return Cells(profile, [&](const ProfileRow& row) -> std::string {
      const FigureComparison* figure = Find(row, FigureSource::kComment, kind);
      return figure == nullptr ? "" : cell_of(row, *figure);
    });
  };
  table.Add("published", true,
            cells([](const ProfileRow&, const FigureComparison& figure) {
              return Shortest(figure.published);
            }));
  table.Add("diff", true,
            cells([&](const ProfileRow& row, const FigureComparison& figure) {
              return absl::StrFormat("%+.*f", decimals,
                                     Difference(row, figure));
            }));
  table.Add(
      "by", false, cells([](const ProfileRow&, const FigureComparison& figure) {
        return absl::StrCat(
            ExplainedBy(figure),
            figure.explained_by != nullptr && figure.how == PrintedBy::kRounding
                ? "~"
                : "");
      }));
}

// The figures that the table has no column for, and those that are unexplained.
std::string Notes(const Profile& profile) {
  std::string text;
  for (const ProfileRow& row : profile.rows) {
    for (const FigureComparison& figure : row.published) {
      const FigureComparison* comment =
          Find(row, FigureSource::kComment, figure.kind);
      const bool in_the_table =
          comment != nullptr && comment->published == figure.published;
      if (in_the_table && figure.explained_by != nullptr) continue;
      std::string note =
          absl::StrCat(row.name, ": the ", FigureSourceName(figure.source),
                       "'s ", Shortest(figure.published), " M ",
                       FigureKindName(figure.kind), ": ", ExplainedBy(figure));
      if (figure.explained_by != nullptr) {
        absl::StrAppend(&note, ", ", HowName(figure.how));
      }
      if (figure.exception != nullptr) {
        absl::StrAppend(&note, "; ", figure.exception->reason);
      }
      absl::StrAppend(&text, Paragraph(note));
    }
  }
  return text;
}

// RFC 4180, 2.6 and 2.7: quotes around what holds a separator, and doubled
// within.
std::string CsvField(absl::string_view text) {
  if (text.find_first_of(",\"\r\n") == absl::string_view::npos) {
    return std::string(text);
  }
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

// A name and what a row has there.
using CsvFields = std::vector<std::pair<std::string, std::string>>;

CsvFields FieldsOf(const ProfileRow& row) {
  CsvFields fields = {
      {"genotype", row.name},
      {"macs", absl::StrCat(row.macs)},
      {"parameters", absl::StrCat(row.parameters)},
      {"parameters_with_head",
       row.with_head ? absl::StrCat(*row.with_head) : ""},
  };
  for (size_t i = 0; i < FlopsConventions().size(); ++i) {
    fields.emplace_back(absl::StrCat("flops_", FlopsConventions()[i].name),
                        absl::StrCat(row.flops[i]));
  }
  for (const FigureSource source : kSources) {
    for (const FigureKind kind : kKinds) {
      const std::string prefix =
          absl::StrCat(FigureSourceName(source),
                       kind == FigureKind::kFlops ? "_flops" : "_parameters");
      const FigureComparison* figure = Find(row, source, kind);
      const bool there = figure != nullptr;
      const bool explained = there && figure->explained_by != nullptr;
      fields.emplace_back(absl::StrCat(prefix, "_millions"),
                          there ? Shortest(figure->published) : "");
      fields.emplace_back(
          absl::StrCat(prefix, "_difference_millions"),
          there ? absl::StrFormat("%.6f", Difference(row, *figure)) : "");
      fields.emplace_back(absl::StrCat(prefix, "_explained_by"),
                          there ? ExplainedBy(*figure) : "");
      fields.emplace_back(absl::StrCat(prefix, "_printed_by"),
                          explained ? HowName(figure->how) : "");
    }
  }
  const auto measured = [&](const char* name, auto value_of) {
    fields.emplace_back(
        name, row.measurement ? value_of(*row.measurement) : std::string());
  };
  measured("min_ms", [](const Measurement& m) {
    return absl::StrFormat("%.3f", Milliseconds(m.latency.min_seconds));
  });
  measured("median_ms", [](const Measurement& m) {
    return absl::StrFormat("%.3f", Milliseconds(m.latency.median_seconds));
  });
  measured("repetitions", [](const Measurement& m) {
    return absl::StrCat(m.latency.repetitions);
  });
  measured("batch_peak_bytes", [](const Measurement& m) {
    return absl::StrCat(m.batch_peak_bytes);
  });
  measured("process_peak_bytes", [](const Measurement& m) {
    return absl::StrCat(m.process_peak_bytes);
  });
  return fields;
}

using Json = nlohmann::ordered_json;

std::string ToStdString(absl::string_view text) { return std::string(text); }

Json ConventionsAsJson(const std::vector<Convention>& conventions) {
  Json list = Json::array();
  for (const Convention& convention : conventions) {
    list.push_back({{"name", ToStdString(convention.name)},
                    {"rule", ToStdString(convention.rule)}});
  }
  return list;
}

Json FigureAsJson(const ProfileRow& row, const FigureComparison& figure) {
  Json json = {
      {"source", ToStdString(FigureSourceName(figure.source))},
      {"kind", ToStdString(FigureKindName(figure.kind))},
      {"millions", figure.published},
      {"difference_millions", Difference(row, figure)},
      {"explained_by", nullptr},
      {"printed_by", nullptr},
      {"exception", nullptr},
  };
  if (figure.explained_by != nullptr) {
    json["explained_by"] = ToStdString(figure.explained_by->name);
    json["printed_by"] = HowName(figure.how);
  }
  if (figure.exception != nullptr) {
    json["exception"] = ToStdString(figure.exception->reason);
  }
  return json;
}

Json RowAsJson(const ProfileRow& row) {
  Json json = {
      {"genotype", row.name},         {"macs", row.macs},
      {"parameters", row.parameters}, {"parameters_with_head", nullptr},
      {"flops", Json::object()},      {"published", Json::array()},
      {"measured", nullptr},
  };
  if (row.with_head) json["parameters_with_head"] = *row.with_head;
  for (size_t i = 0; i < FlopsConventions().size(); ++i) {
    json["flops"][ToStdString(FlopsConventions()[i].name)] = row.flops[i];
  }
  for (const FigureComparison& figure : row.published) {
    json["published"].push_back(FigureAsJson(row, figure));
  }
  if (row.measurement) {
    const Measurement& m = *row.measurement;
    json["measured"] = {
        {"min_ms", Milliseconds(m.latency.min_seconds)},
        {"median_ms", Milliseconds(m.latency.median_seconds)},
        {"repetitions", m.latency.repetitions},
        {"batch_peak_bytes", m.batch_peak_bytes},
        {"process_peak_bytes", m.process_peak_bytes},
    };
  }
  return json;
}

}  // namespace

absl::StatusOr<ProfileRow> MakeProfileRow(absl::string_view name,
                                          const Genotype& genotype,
                                          const CatalogEntry* entry,
                                          const NetworkConfig& config) {
  NetworkConfig with_head = config;
  with_head.auxiliary = true;
  NetworkConfig without_head = config;
  without_head.auxiliary = false;
  FD_ASSIGN_OR_RETURN(const NetworkCost cost,
                      ComputeNetworkCost(genotype, without_head));
  ProfileRow row;
  row.name = std::string(name);
  row.macs = cost.total.macs;
  row.parameters = cost.total.parameters;
  // What is wrong now is about the head alone.
  const absl::StatusOr<NetworkCost> whole =
      ComputeNetworkCost(genotype, with_head);
  if (whole.ok()) row.with_head = whole->total.parameters;
  for (const Convention& convention : FlopsConventions()) {
    FD_ASSIGN_OR_RETURN(const int64_t count, convention.count(cost, config));
    row.flops.push_back(count);
  }
  if (entry != nullptr && IsPublishedNetwork(config)) {
    row.published = ComparePublished(*entry);
  }
  return row;
}

std::string ProfileAsText(const Profile& profile) {
  TextTable table;
  table.Add("genotype", false,
            Cells(profile, [](const ProfileRow& row) { return row.name; }));
  table.Add("MACs", true, Cells(profile, [](const ProfileRow& row) {
              return absl::StrFormat("%.3f", Millions(row.macs));
            }));
  AddPublishedColumns(profile, FigureKind::kFlops, 3, table);
  table.Add("params", true, Cells(profile, [](const ProfileRow& row) {
              return absl::StrFormat("%.4f", Millions(row.parameters));
            }));
  table.Add("with head", true,
            Cells(profile, [](const ProfileRow& row) -> std::string {
              return row.with_head
                         ? absl::StrFormat("%.4f", Millions(*row.with_head))
                         : "";
            }));
  AddPublishedColumns(profile, FigureKind::kParameters, 4, table);
  table.Add("min ms", true, MeasuredCells(profile, [](const Measurement& m) {
              return absl::StrFormat("%.1f",
                                     Milliseconds(m.latency.min_seconds));
            }));
  table.Add("median ms", true, MeasuredCells(profile, [](const Measurement& m) {
              return absl::StrFormat("%.1f",
                                     Milliseconds(m.latency.median_seconds));
            }));
  table.Add("batch MiB", true, MeasuredCells(profile, [](const Measurement& m) {
              return absl::StrFormat("%.1f", Mib(m.batch_peak_bytes));
            }));
  table.Add("process MiB", true,
            MeasuredCells(profile, [](const Measurement& m) {
              return absl::StrFormat("%.1f", Mib(m.process_peak_bytes));
            }));
  const std::string notes = Notes(profile);
  return absl::StrCat(Legend(profile), "\n", table.Text(profile.rows.size()),
                      notes.empty() ? "" : "\n", notes);
}

std::string ProfileAsCsv(const Profile& profile) {
  std::string text;
  for (const ProfileRow& row : profile.rows) {
    std::vector<std::string> names, values;
    for (const auto& [name, value] : FieldsOf(row)) {
      names.push_back(CsvField(name));
      values.push_back(CsvField(value));
    }
    if (text.empty()) absl::StrAppend(&text, absl::StrJoin(names, ","), "\r\n");
    absl::StrAppend(&text, absl::StrJoin(values, ","), "\r\n");
  }
  return text;
}

std::string ProfileAsJson(const Profile& profile) {
  const NetworkConfig& c = profile.config;
  Json json = {
      {"network",
       {{"kind", NetworkName(c)},
        {"init_channels", c.init_channels},
        {"layers", c.layers},
        {"classes", c.classes},
        {"image_size", c.image_size},
        {"image_channels", c.image_channels}}},
      {"measurement", nullptr},
      {"flops_conventions", ConventionsAsJson(FlopsConventions())},
      {"parameter_conventions", ConventionsAsJson(ParameterConventions())},
      {"genotypes", Json::array()},
  };
  if (Measured(profile)) {
    json["measurement"] = {{"batch_size", profile.batch_size},
                           {"threads", profile.threads}};
  }
  for (const ProfileRow& row : profile.rows) {
    json["genotypes"].push_back(RowAsJson(row));
  }
  // Names come from the command line and need not be UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fairdarts
