#include "genotypes/catalog.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "genotypes/catalog.pb.h"
#include "genotypes/catalog_data.h"
#include "genotypes/proto_io.h"
#include "genotypes/quote.h"
#include "genotypes/strict_proto.h"

namespace fairdarts {
namespace {

PublishedFigures FiguresFromProto(const CatalogEntryProto::Figures& proto) {
  FD_CHECK(proto.has_mega_macs() && proto.has_mega_parameters());
  PublishedFigures figures;
  figures.mega_macs = proto.mega_macs();
  figures.mega_parameters = proto.mega_parameters();
  if (proto.has_top1_percent()) figures.top1_percent = proto.top1_percent();
  return figures;
}

// The data are part of the program: what is wrong with them is our own bug.
CatalogEntry EntryFromProto(const CatalogEntryProto& proto) {
  CatalogEntry entry;
  entry.folder = proto.folder();
  entry.name = proto.name();
  FD_CHECK(!entry.folder.empty() && !entry.name.empty()) << entry.key();
  absl::StatusOr<Genotype> genotype = GenotypeFromProto(proto.genotype());
  FD_CHECK(genotype.ok()) << entry.key() << ": " << genotype.status();
  entry.genotype = *std::move(genotype);
  if (proto.has_source_comment()) {
    entry.source_comment = FiguresFromProto(proto.source_comment());
  }
  if (proto.has_readme()) entry.readme = FiguresFromProto(proto.readme());
  FD_CHECK_EQ(proto.has_source_comment(),
              proto.has_parameters_include_auxiliary_head())
      << entry.key();
  if (proto.has_parameters_include_auxiliary_head()) {
    entry.parameters_include_auxiliary_head =
        proto.parameters_include_auxiliary_head();
  }
  return entry;
}

std::vector<CatalogEntry> LoadCatalog() {
  CatalogProto proto;
  const absl::Status status = ParseStrictTextproto(kCatalogTextproto, proto);
  FD_CHECK(status.ok()) << status;
  std::vector<CatalogEntry> entries;
  for (const CatalogEntryProto& entry : proto.entry()) {
    entries.push_back(EntryFromProto(entry));
  }
  for (CatalogEntry& entry : entries) {
    for (const CatalogEntry& other : entries) {
      if (&other == &entry) continue;
      FD_CHECK(other.key() != entry.key()) << entry.key() << " is there twice";
      if (other.genotype == entry.genotype) {
        entry.same_genotype.push_back(other.key());
      }
    }
  }
  return entries;
}

// Insertions, deletions and replacements between two texts.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// The keys that a mistyped name is likely to mean, closest first.
std::vector<std::string> Suggestions(absl::string_view name) {
  constexpr size_t kMaxNameLength = 64;
  constexpr size_t kMaxSuggestions = 3;
  if (name.empty() || name.size() > kMaxNameLength) return {};
  const std::string wanted = absl::AsciiStrToLower(name);
  const size_t allowed = std::max<size_t>(2, name.size() / 3);
  std::vector<std::pair<size_t, std::string>> close;
  for (const CatalogEntry& entry : Catalog()) {
    const std::string key = absl::AsciiStrToLower(entry.key());
    const std::string bare = absl::AsciiStrToLower(entry.name);
    const size_t distance =
        std::min(EditDistance(wanted, key), EditDistance(wanted, bare));
    // "fairdarts" alone is far from every name, yet the start of seven.
    if (distance <= allowed || absl::StrContains(bare, wanted)) {
      close.emplace_back(distance, entry.key());
    }
  }
  std::stable_sort(
      close.begin(), close.end(),
      [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> keys;
  for (auto& [distance, key] : close) {
    if (keys.size() < kMaxSuggestions) keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace

std::string CatalogEntry::key() const {
  return absl::StrCat(folder, "/", name);
}

const std::vector<CatalogEntry>& Catalog() {
  static const auto& catalog = *new std::vector<CatalogEntry>(LoadCatalog());
  return catalog;
}

std::string CatalogMatch::Describe() const {
  std::string text = entry->key();
  if (!entry->same_genotype.empty()) {
    absl::StrAppend(&text, " (same genotype as ",
                    absl::StrJoin(entry->same_genotype, ", "), ")");
  }
  for (const std::string& key : passed_over) {
    const bool same =
        std::find(entry->same_genotype.begin(), entry->same_genotype.end(),
                  key) != entry->same_genotype.end();
    if (!same) {
      absl::StrAppend(&text, "; not ", key, ", which is another genotype");
    }
  }
  return text;
}

absl::StatusOr<CatalogMatch> FindInCatalog(absl::string_view name) {
  // The catalog holds fairdarts/ first, so the first bare match is the right
  // one.
  CatalogMatch match = {nullptr, {}};
  for (const CatalogEntry& entry : Catalog()) {
    if (entry.key() == name) return CatalogMatch{&entry, {}};
    if (entry.name != name) continue;
    if (match.entry == nullptr) {
      match.entry = &entry;
    } else {
      match.passed_over.push_back(entry.key());
    }
  }
  if (match.entry != nullptr) return match;
  const std::vector<std::string> close = Suggestions(name);
  return DataError(absl::StrCat(
      "no published genotype is called ", Quote(name),
      close.empty()
          ? absl::StrCat("; there are ", Catalog().size(),
                         ", such as fairdarts/FairDARTS_a or darts/DARTS_V1")
          : absl::StrCat("; did you mean ", absl::StrJoin(close, " or "),
                         "?")));
}

}  // namespace fairdarts
