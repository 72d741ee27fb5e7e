#ifndef GENOTYPES_CATALOG_H_
#define GENOTYPES_CATALOG_H_

// Every genotype that upstream publishes (xiaomi-automl/FairDARTS:
// fairdarts/genotypes.py and darts/genotypes.py), keyed "folder/NAME".
//
// The data are genotypes/data/catalog.textproto, built into the program. All
// functions may be called from several threads.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "genotypes/genotype.h"

namespace fairdarts {

// What upstream prints about a network of CIFAR-10 size; the digits are those
// that it prints, so 3.3 stands for 3.25 to 3.40, rounded or truncated.
struct PublishedFigures {
  double mega_macs;                     // "FLOPs", in millions
  double mega_parameters;               // in millions
  absl::optional<double> top1_percent;  // CIFAR-10 test accuracy
};

struct CatalogEntry {
  std::string folder;  // "fairdarts" or "darts"
  std::string name;    // "FairDARTS_a"
  Genotype genotype;   // valid

  // Of the comment above the genotype, and of the README's table.
  absl::optional<PublishedFigures> source_comment;
  absl::optional<PublishedFigures> readme;
  // Whether source_comment's parameters count the auxiliary head: measured,
  // upstream does not say it. There exactly where source_comment is.
  absl::optional<bool> parameters_include_auxiliary_head;

  // Keys of the other entries with an equal genotype, in catalog order.
  std::vector<std::string> same_genotype;

  std::string key() const;  // "fairdarts/FairDARTS_a"
};

// All entries, fairdarts/ first, each folder by name.
const std::vector<CatalogEntry>& Catalog();

// What a name stands for.
struct CatalogMatch {
  const CatalogEntry* entry;  // lives as long as the program
  // Keys that the bare name could have meant too; empty for a whole key.
  std::vector<std::string> passed_over;

  // One line that says which entry was taken, with which it shares its
  // genotype and what else the name could mean:
  // "fairdarts/DARTS (same genotype as fairdarts/FairDARTS_a); not darts/DARTS,
  // which is another genotype".
  std::string Describe() const;
};

// The entry of a key, or of a bare name: fairdarts/ first, then darts/. An
// unknown name is a data error with the closest keys.
absl::StatusOr<CatalogMatch> FindInCatalog(absl::string_view name);

}  // namespace fairdarts

#endif  // GENOTYPES_CATALOG_H_
