#include "training/genotype_argument.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"
#include "genotypes/catalog.h"
#include "genotypes/cell_graph.h"
#include "genotypes/proto_io.h"
#include "genotypes/python_literal.h"
#include "genotypes/quote.h"
#include "training/newest_run.h"

namespace fairdarts {
namespace {

// The log of 600 epochs has a few megabytes.
constexpr int64_t kMaxTextBytes = int64_t{64} << 20;

constexpr char kDefaultGenotype[] = "fairdarts/FairDARTS_a";
constexpr char kGenotypeProto[] = "genotype.textproto";
constexpr char kGenotypeText[] = "genotype.txt";
constexpr char kGivenText[] = "the given text";

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

GenotypeArgument FromCatalog(const CatalogMatch& match,
                             absl::string_view text) {
  GenotypeArgument argument;
  argument.genotype = match.entry->genotype;
  argument.name = match.entry->key();
  argument.record = argument.name;
  if (!match.passed_over.empty()) {
    argument.note =
        absl::StrCat("genotype ", text, ": taken is ", match.Describe());
  } else if (Exists(UserPath(text))) {
    argument.note = absl::StrCat("genotype ", text, ": taken is the published ",
                                 argument.name, ", not the path; for that ",
                                 "write ./", text);
  }
  return argument;
}

absl::StatusOr<GenotypeArgument> FromFile(const std::string& path) {
  FD_ASSIGN_OR_RETURN(const std::string contents,
                      ReadFile(path, kMaxTextBytes));
  GenotypeArgument argument;
  argument.name = path;
  const int64_t count = CountPythonGenotypes(contents);
  if (count > 0) {
    absl::StatusOr<Genotype> genotype = ParseLastPythonGenotype(contents);
    if (!genotype.ok()) return Annotate(genotype.status(), path);
    argument.genotype = *std::move(genotype);
    if (count > 1) {
      argument.note = absl::StrCat(path, ": holds ", count,
                                   " genotypes; the last is taken");
    }
    return argument;
  }
  if (static_cast<int64_t>(contents.size()) > kMaxGenotypeFileBytes) {
    return DataError(absl::StrCat(
        path, ": holds no Genotype(...), and with ", contents.size(),
        " bytes it is too large for a genotype's textproto"));
  }
  absl::StatusOr<Genotype> genotype =
      ParseGenotype(contents, GenotypeFormat::kText);
  if (!genotype.ok()) {
    return Annotate(genotype.status(),
                    absl::StrCat(path, ": holds no Genotype(...), and as a ",
                                 "genotype's textproto"));
  }
  argument.genotype = *std::move(genotype);
  return argument;
}

absl::StatusOr<GenotypeArgument> FromFolder(const std::string& path) {
  for (const char* const name : {kGenotypeProto, kGenotypeText}) {
    const std::string file = absl::StrCat(path, "/", name);
    if (Exists(file)) return FromFile(file);
  }
  return DataError(absl::StrCat(
      path, ": has neither ", kGenotypeProto, " nor ", kGenotypeText,
      "; give the folder of a run that came to its end, or a file"));
}

// None where the text does not look like a genotype.
absl::optional<absl::StatusOr<Genotype>> FromText(absl::string_view text) {
  if (CountPythonGenotypes(text) > 0) {
    // What stands before it in a log: "genotype =" or "genotype:".
    const size_t start = text.find("Genotype(");
    const absl::string_view before =
        absl::StripAsciiWhitespace(text.substr(0, start));
    if (absl::EndsWith(before, "=") || absl::EndsWith(before, ":")) {
      text.remove_prefix(start);
    }
    return ParsePythonGenotype(text);
  }
  if (absl::StrContains(text, "{")) {
    return ParseGenotype(text, GenotypeFormat::kText);
  }
  return absl::nullopt;
}

absl::StatusOr<GenotypeArgument> Find(absl::string_view text) {
  const absl::StatusOr<CatalogMatch> match = FindInCatalog(text);
  if (match.ok()) return FromCatalog(*match, text);
  const std::string path = UserPath(text);
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return FromFolder(path);
  if (Exists(path)) return FromFile(path);
  absl::optional<absl::StatusOr<Genotype>> genotype = FromText(text);
  if (!genotype.has_value()) {
    return UsageError(absl::StrCat(
        "genotype ", Quote(text), ": is neither a file nor a folder (",
        EscapeUnprintable(path), "), and ", match.status().message()));
  }
  if (!genotype->ok()) {
    return UsageError(absl::StrCat("genotype: ", genotype->status().message()));
  }
  GenotypeArgument argument;
  argument.genotype = **std::move(genotype);
  argument.name = kGivenText;
  return argument;
}

absl::StatusOr<GenotypeArgument> FromNewestSearch(
    const std::string& runs_folder) {
  const absl::optional<std::string> run =
      NewestRun(runs_folder, RunKind::kSearch, {kGenotypeProto});
  if (!run.has_value()) {
    FD_ASSIGN_OR_RETURN(GenotypeArgument argument, Find(kDefaultGenotype));
    argument.note =
        absl::StrCat("no genotype is named and ", runs_folder,
                     " holds no finished search: taken is ", argument.name);
    return argument;
  }
  FD_ASSIGN_OR_RETURN(GenotypeArgument argument, FromFolder(*run));
  argument.note = absl::StrCat(
      "no genotype is named: taken is that of the newest search, ", *run);
  return argument;
}

absl::string_view MethodName(GenotypeOptions::ParseMethod method) {
  switch (method) {
    case GenotypeOptions::AUTO:
      return "auto";
    case GenotypeOptions::DARTS:
      return "darts";
    case GenotypeOptions::THRESHOLD:
      return "threshold";
    case GenotypeOptions::THRESHOLD_SPARSE:
      return "threshold_sparse";
    case GenotypeOptions::THRESHOLD_EDGE:
      return "threshold_edge";
  }
  return "";
}

// What a threshold rule leaves at most.
struct Limits {
  int edges_a_node;
  int operations_an_edge;
};

// "node 3 has 4 tuples" for the first fault, "" where there is none.
std::string BeyondLimits(const GenotypeCell& cell, const Limits& limits) {
  std::map<std::pair<int, int>, int> operations;
  for (const GenotypeEdge& edge : cell.edges) {
    ++operations[{edge.to, edge.from}];
  }
  std::map<int, int> edges;
  for (const auto& [ends, count] : operations) {
    ++edges[ends.first];
    if (count > limits.operations_an_edge) {
      return absl::StrCat("node ", ends.first, " reads ", ends.second,
                          " through ", count, " operations");
    }
  }
  for (const auto& [node, count] : edges) {
    if (count > limits.edges_a_node) {
      return absl::StrCat("node ", node, " has ", count, " edges");
    }
  }
  return "";
}

}  // namespace

absl::Status CheckParseMethod(const Genotype& genotype, absl::string_view name,
                              GenotypeOptions::ParseMethod method) {
  if (method == GenotypeOptions::AUTO) return absl::OkStatus();
  const bool threshold = genotype.form == GenotypeForm::kThreshold;
  if (threshold == (method == GenotypeOptions::DARTS)) {
    return UsageError(
        absl::StrCat("parse_method ", MethodName(method), ": the tuples of ",
                     name, " are ", FormName(genotype.form), "; use ",
                     threshold ? "threshold" : "darts", ", or leave it out"));
  }
  // Any edge is there; sparse keeps two of them.
  Limits limits = {kMaxCellNodes + 2, 2};
  if (method == GenotypeOptions::THRESHOLD_SPARSE) limits = {2, 1};
  if (!threshold || method == GenotypeOptions::THRESHOLD) {
    return absl::OkStatus();
  }
  for (const auto& [cell, cell_name] :
       {std::pair(&genotype.normal, "normal"),
        std::pair(&genotype.reduce, "reduce")}) {
    const std::string fault = BeyondLimits(*cell, limits);
    if (fault.empty()) continue;
    return UsageError(absl::StrCat(
        "parse_method ", MethodName(method), ": in the ", cell_name,
        " cell of ", name, " ", fault, ", which that rule does not leave; use ",
        "threshold, or leave it out"));
  }
  return absl::OkStatus();
}

absl::StatusOr<GenotypeArgument> ResolveGenotypeArgument(
    absl::string_view text, const GenotypeArgumentOptions& options) {
  FD_ASSIGN_OR_RETURN(
      GenotypeArgument argument,
      text.empty() ? FromNewestSearch(options.runs_folder) : Find(text));
  FD_RETURN_IF_ERROR(
      CheckParseMethod(argument.genotype, argument.name, options.parse_method));
  FD_RETURN_IF_ERROR(Annotate(CheckBuildable(argument.genotype),
                              absl::StrCat("genotype: ", argument.name)));
  if (argument.record.empty()) {
    argument.record = ToPythonText(argument.genotype);
  }
  return argument;
}

}  // namespace fairdarts
