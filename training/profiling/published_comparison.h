#ifndef TRAINING_PROFILING_PUBLISHED_COMPARISON_H_
#define TRAINING_PROFILING_PUBLISHED_COMPARISON_H_

// The catalog's published figures beside what the conventions make of each
// genotype.
//
// A convention explains a figure when its count equals it after truncation or
// rounding to the digits that are printed. Nothing is tolerated beyond that:
// what no convention explains is an exception with a name.

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "genotypes/catalog.h"
#include "training/profiling/conventions.h"

namespace fairdarts {

enum class FigureSource { kComment, kReadme };  // the two of CatalogEntry
enum class FigureKind { kFlops, kParameters };

// "comment", "readme"; "FLOPs", "parameters".
absl::string_view FigureSourceName(FigureSource source);
absl::string_view FigureKindName(FigureKind kind);

enum class PrintedBy { kTruncation, kRounding };

// How `millions`, a published figure, comes out of `count`; false where
// neither gives its digits. Its digits are those of its shortest decimal form,
// so 3.3 is met by 3.25 to just below 3.40 million.
bool PrintsAs(int64_t count, double millions, PrintedBy& how);

// A figure that no convention explains.
struct PublishedException {
  absl::string_view key;  // of the catalog
  FigureSource source;
  FigureKind kind;
  absl::string_view reason;  // what is known about it
};

// All of them.
const std::vector<PublishedException>& PublishedExceptions();

struct FigureComparison {
  FigureSource source;
  FigureKind kind;
  double published;  // in millions
  // The first convention of its kind that explains the figure by truncation,
  // else the first that does by rounding, else null.
  const Convention* explained_by = nullptr;
  PrintedBy how = PrintedBy::kTruncation;         // where it is explained
  const PublishedException* exception = nullptr;  // where it is listed as one
};

// The network that published figures are about: NetworkConfig::Cifar(). The
// auxiliary head is the conventions' business.
bool IsPublishedNetwork(const NetworkConfig& config);

// Every figure of an entry: FLOPs and parameters of the comment, then of the
// README. Empty where nothing is published.
std::vector<FigureComparison> ComparePublished(const CatalogEntry& entry);

}  // namespace fairdarts

#endif  // TRAINING_PROFILING_PUBLISHED_COMPARISON_H_
