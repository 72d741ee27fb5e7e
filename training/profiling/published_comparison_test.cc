#include "training/profiling/published_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::string Name(const CatalogEntry& entry, const FigureComparison& figure) {
  return entry.key() + " " + std::string(FigureSourceName(figure.source)) +
         " " + std::string(FigureKindName(figure.kind));
}

// Each figure of the catalog, whatever is added to it.
template <typename Function>
void ForEachFigure(Function&& function) {
  for (const CatalogEntry& entry : Catalog()) {
    for (const FigureComparison& figure : ComparePublished(entry)) {
      SCOPED_TRACE(Name(entry, figure));
      function(entry, figure);
    }
  }
}

TEST(PublishedComparisonTest, EveryFigureIsExplainedOrANamedException) {
  size_t exceptions = 0;
  ForEachFigure([&](const CatalogEntry&, const FigureComparison& figure) {
    EXPECT_NE(figure.explained_by == nullptr, figure.exception == nullptr)
        << "explained figures are no exceptions, the others have to be";
    exceptions += figure.exception != nullptr;
  });
  EXPECT_EQ(exceptions, PublishedExceptions().size())
      << "an exception that is about no figure";
}

// What README.md of this folder says.
TEST(PublishedComparisonTest, ThirtyThreePublishedFlopsAndTheirRules) {
  std::map<std::string, int> explained;
  std::vector<std::string> early;
  ForEachFigure([&](const CatalogEntry& entry, const FigureComparison& figure) {
    if (figure.source != FigureSource::kComment ||
        figure.kind != FigureKind::kFlops) {
      return;
    }
    ASSERT_NE(figure.explained_by, nullptr);
    EXPECT_EQ(figure.how, PrintedBy::kTruncation);
    const std::string rule(figure.explained_by->name);
    ++explained[rule];
    if (rule == "thop-0.0.22") early.push_back(entry.key());
  });
  EXPECT_THAT(explained, UnorderedElementsAre(Pair("thop-0.0.31", 32),
                                              Pair("thop-0.0.22", 1)));
  EXPECT_THAT(early, ElementsAre("fairdarts/FairDARTS_a"));
}

TEST(PublishedComparisonTest, ParametersAgreeWithTheMeasuredFlag) {
  std::map<std::string, int> explained;
  std::vector<std::string> rounded;
  ForEachFigure([&](const CatalogEntry& entry, const FigureComparison& figure) {
    if (figure.kind != FigureKind::kParameters) return;
    if (figure.explained_by == nullptr) return;
    EXPECT_EQ(figure.explained_by->name,
              *entry.parameters_include_auxiliary_head ? "with-head"
                                                       : "without-head");
    if (figure.source == FigureSource::kComment) {
      ++explained[std::string(figure.explained_by->name)];
    }
    if (figure.how == PrintedBy::kRounding) {
      rounded.push_back(Name(entry, figure));
    }
  });
  EXPECT_THAT(explained, UnorderedElementsAre(Pair("with-head", 23),
                                              Pair("without-head", 10)));
  EXPECT_THAT(rounded, ElementsAre("fairdarts/FairDARTS_g readme parameters",
                                   "darts/NOISEDARTS_50_1 comment parameters"));
}

// A figure that is one unit away from what is printed is explained by none.
TEST(PublishedComparisonTest, AWrongFigureIsNotExplained) {
  CatalogEntry entry = *FindInCatalog("MdeNAS")->entry;
  entry.source_comment->mega_macs = 598;
  entry.source_comment->mega_parameters = 3.79;
  for (const FigureComparison& figure : ComparePublished(entry)) {
    EXPECT_EQ(figure.explained_by, nullptr);
  }
}

TEST(PublishedComparisonTest, FiguresComeInOrder) {
  const std::vector<FigureComparison> figures =
      ComparePublished(*FindInCatalog("DARTS_V2")->entry);
  ASSERT_EQ(figures.size(), 4u);
  EXPECT_EQ(figures[0].published, 528);
  EXPECT_EQ(figures[1].published, 3.3);
  EXPECT_EQ(figures[2].published, 522);
  EXPECT_EQ(figures[3].published, 3.36);
  EXPECT_EQ(figures[2].exception, &PublishedExceptions()[0]);
  EXPECT_TRUE(ComparePublished(*FindInCatalog("AmoebaNet")->entry).empty());
}

TEST(PrintsAsTest, TruncatedRoundedOrNeither) {
  PrintedBy how;
  ASSERT_TRUE(PrintsAs(373000000, 373, how));
  EXPECT_EQ(how, PrintedBy::kTruncation);
  ASSERT_TRUE(PrintsAs(373999999, 373, how));
  EXPECT_EQ(how, PrintedBy::kTruncation);
  EXPECT_FALSE(PrintsAs(374000000, 373, how));
  ASSERT_TRUE(PrintsAs(372500000, 373, how));
  EXPECT_EQ(how, PrintedBy::kRounding);
  EXPECT_FALSE(PrintsAs(372499999, 373, how));
  // As many digits as are printed.
  EXPECT_TRUE(PrintsAs(3349342, 3.3, how));
  EXPECT_FALSE(PrintsAs(3349342, 3.36, how));
  EXPECT_TRUE(PrintsAs(3375478, 3.375, how));
  EXPECT_FALSE(PrintsAs(3376000, 3.375, how));
  EXPECT_TRUE(PrintsAs(2590000, 2.59, how));
  EXPECT_FALSE(PrintsAs(2584999, 2.59, how));
}

TEST(IsPublishedNetworkTest, OnlyWhatUpstreamTrains) {
  NetworkConfig config = NetworkConfig::Cifar();
  EXPECT_TRUE(IsPublishedNetwork(config));
  config.auxiliary = true;
  EXPECT_TRUE(IsPublishedNetwork(config));
  config.classes = 100;
  EXPECT_FALSE(IsPublishedNetwork(config));
  EXPECT_FALSE(IsPublishedNetwork(NetworkConfig::ImageNet()));
}

}  // namespace
}  // namespace fairdarts
