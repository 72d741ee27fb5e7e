#include "training/profiling/published_comparison.h"

#include <cmath>
#include <cstdlib>
#include <string>

#include "absl/strings/str_format.h"
#include "absl/types/optional.h"
#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

constexpr int kMillionDigits = 6;

// The fewest decimals that give the number back.
int Decimals(double millions) {
  for (int decimals = 0; decimals < kMillionDigits; ++decimals) {
    const std::string text = absl::StrFormat("%.*f", decimals, millions);
    if (std::strtod(text.c_str(), nullptr) == millions) return decimals;
  }
  return kMillionDigits;
}

const PublishedException* FindException(absl::string_view key,
                                        FigureSource source, FigureKind kind) {
  for (const PublishedException& exception : PublishedExceptions()) {
    if (exception.key == key && exception.source == source &&
        exception.kind == kind) {
      return &exception;
    }
  }
  return nullptr;
}

FigureComparison Compare(const std::string& key, FigureSource source,
                         FigureKind kind, double published,
                         const NetworkCost& cost, const NetworkConfig& config) {
  FigureComparison comparison;
  comparison.source = source;
  comparison.kind = kind;
  comparison.published = published;
  comparison.exception = FindException(key, source, kind);
  const std::vector<Convention>& conventions =
      kind == FigureKind::kFlops ? FlopsConventions() : ParameterConventions();
  for (const Convention& convention : conventions) {
    const absl::StatusOr<int64_t> count = convention.count(cost, config);
    FD_CHECK(count.ok()) << key << ": " << count.status();
    PrintedBy how;
    if (!PrintsAs(*count, published, how)) continue;
    if (comparison.explained_by != nullptr && how == PrintedBy::kRounding) {
      continue;
    }
    comparison.explained_by = &convention;
    comparison.how = how;
    if (how == PrintedBy::kTruncation) break;
  }
  return comparison;
}

}  // namespace

absl::string_view FigureSourceName(FigureSource source) {
  switch (source) {
    case FigureSource::kComment:
      return "comment";
    case FigureSource::kReadme:
      return "readme";
  }
  FD_CHECK(false) << "no such source";
}

absl::string_view FigureKindName(FigureKind kind) {
  switch (kind) {
    case FigureKind::kFlops:
      return "FLOPs";
    case FigureKind::kParameters:
      return "parameters";
  }
  FD_CHECK(false) << "no such kind";
}

bool PrintsAs(int64_t count, double millions, PrintedBy& how) {
  const int decimals = Decimals(millions);
  int64_t unit = 1;  // of the last printed digit
  for (int i = decimals; i < kMillionDigits; ++i) unit *= 10;
  const int64_t digits = std::llround(millions * std::pow(10.0, decimals));
  const int64_t truncated = count / unit;
  if (truncated == digits) {
    how = PrintedBy::kTruncation;
    return true;
  }
  if (truncated + 1 == digits && 2 * (count % unit) >= unit) {
    how = PrintedBy::kRounding;
    return true;
  }
  return false;
}

const std::vector<PublishedException>& PublishedExceptions() {
  static const auto& exceptions = *new std::vector<PublishedException>{
      {"fairdarts/DARTS_V2", FigureSource::kReadme, FigureKind::kFlops,
       "its convolutions alone have 528.4 M multiply-accumulates, as the "
       "comment above the genotype says; no rule that only adds gives 522"},
      {"fairdarts/DARTS_V2", FigureSource::kReadme, FigureKind::kParameters,
       "3.349 M without and 3.826 M with the auxiliary head"},
  };
  return exceptions;
}

bool IsPublishedNetwork(const NetworkConfig& config) {
  const NetworkConfig cifar = NetworkConfig::Cifar();
  return config.kind == cifar.kind &&
         config.init_channels == cifar.init_channels &&
         config.layers == cifar.layers && config.classes == cifar.classes &&
         config.image_size == cifar.image_size &&
         config.image_channels == cifar.image_channels;
}

std::vector<FigureComparison> ComparePublished(const CatalogEntry& entry) {
  std::vector<FigureComparison> comparisons;
  if (!entry.source_comment && !entry.readme) return comparisons;
  NetworkConfig config = NetworkConfig::Cifar();
  config.auxiliary = true;
  const absl::StatusOr<NetworkCost> cost =
      ComputeNetworkCost(entry.genotype, config);
  FD_CHECK(cost.ok()) << entry.key() << ": " << cost.status();
  const auto compare = [&](FigureSource source,
                           const absl::optional<PublishedFigures>& figures) {
    if (!figures) return;
    comparisons.push_back(Compare(entry.key(), source, FigureKind::kFlops,
                                  figures->mega_macs, *cost, config));
    comparisons.push_back(Compare(entry.key(), source, FigureKind::kParameters,
                                  figures->mega_parameters, *cost, config));
  };
  compare(FigureSource::kComment, entry.source_comment);
  compare(FigureSource::kReadme, entry.readme);
  return comparisons;
}

}  // namespace fairdarts
