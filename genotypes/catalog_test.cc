#include "genotypes/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "genotypes/cell_graph.h"
#include "genotypes/proto_io.h"
#include "genotypes/python_literal.h"

namespace fairdarts {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(CatalogTest, EveryEntryIsValidAndBuildable) {
  EXPECT_EQ(Catalog().size(), 51u);
  std::set<std::string> keys, names;
  for (const CatalogEntry& entry : Catalog()) {
    SCOPED_TRACE(entry.key());
    EXPECT_TRUE(keys.insert(entry.key()).second);
    names.insert(entry.name);
    const absl::Status valid = entry.genotype.Validate();
    EXPECT_TRUE(valid.ok()) << valid;
    const absl::Status buildable = CheckBuildable(entry.genotype);
    EXPECT_TRUE(buildable.ok()) << buildable;
  }
  EXPECT_EQ(names.size(), 47u);
}

TEST(CatalogTest, EveryEntryRoundTripsInEveryFormat) {
  for (const CatalogEntry& entry : Catalog()) {
    SCOPED_TRACE(entry.key());
    for (const GenotypeFormat format :
         {GenotypeFormat::kText, GenotypeFormat::kBinary}) {
      const absl::StatusOr<Genotype> genotype =
          ParseGenotype(SerializeGenotype(entry.genotype, format), format);
      ASSERT_TRUE(genotype.ok()) << genotype.status();
      EXPECT_EQ(*genotype, entry.genotype);
    }
    for (const ConcatStyle style : {ConcatStyle::kRange, ConcatStyle::kList}) {
      const absl::StatusOr<Genotype> genotype =
          ParsePythonGenotype(ToPythonText(entry.genotype, style));
      ASSERT_TRUE(genotype.ok()) << genotype.status();
      EXPECT_EQ(*genotype, entry.genotype);
    }
  }
}

void ExpectFigures(const absl::optional<PublishedFigures>& figures,
                   const nlohmann::json& row, const char* field) {
  ASSERT_EQ(figures.has_value(), row.contains(field)) << field;
  if (!figures.has_value()) return;
  EXPECT_EQ(figures->mega_macs, row[field]["mflops"].get<double>());
  EXPECT_EQ(figures->mega_parameters, row[field]["mparams"].get<double>());
  ASSERT_EQ(figures->top1_percent.has_value(), row[field].contains("top1"));
  if (figures->top1_percent.has_value()) {
    EXPECT_EQ(*figures->top1_percent, row[field]["top1"].get<double>());
  }
}

TEST(CatalogTest, HoldsWhatUpstreamPublishesInItsOrder) {
  const absl::StatusOr<std::string> text =
      ReadFile("tests/golden/data/genotypes.json");
  ASSERT_TRUE(text.ok()) << text.status();
  const nlohmann::json rows = nlohmann::json::parse(*text, nullptr, false);
  ASSERT_EQ(rows.size(), Catalog().size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const CatalogEntry& entry = Catalog()[i];
    const nlohmann::json& row = rows[i];
    SCOPED_TRACE(entry.key());
    EXPECT_EQ(entry.folder, row["folder"].get<std::string>());
    EXPECT_EQ(entry.name, row["name"].get<std::string>());
    const absl::StatusOr<Genotype> genotype =
        ParsePythonGenotype(row["text"].get<std::string>());
    ASSERT_TRUE(genotype.ok()) << genotype.status();
    EXPECT_EQ(entry.genotype, *genotype);
    ExpectFigures(entry.source_comment, row, "published");
    ExpectFigures(entry.readme, row, "readme");
    const char kFlag[] = "published_params_include_auxiliary_head";
    ASSERT_EQ(entry.parameters_include_auxiliary_head.has_value(),
              row.contains(kFlag));
    if (row.contains(kFlag)) {
      EXPECT_EQ(*entry.parameters_include_auxiliary_head,
                row[kFlag].get<bool>());
    }
  }
}

TEST(FindInCatalogTest, EveryKeyFindsItsEntry) {
  for (const CatalogEntry& entry : Catalog()) {
    const absl::StatusOr<CatalogMatch> match = FindInCatalog(entry.key());
    ASSERT_TRUE(match.ok()) << match.status();
    EXPECT_EQ(match->entry, &entry);
    EXPECT_THAT(match->passed_over, IsEmpty());
  }
}

TEST(FindInCatalogTest, ABareNameMeansFairdartsFirst) {
  for (const CatalogEntry& entry : Catalog()) {
    SCOPED_TRACE(entry.key());
    const absl::StatusOr<CatalogMatch> match = FindInCatalog(entry.name);
    ASSERT_TRUE(match.ok()) << match.status();
    EXPECT_EQ(match->entry->name, entry.name);
    const bool in_fairdarts = std::any_of(
        Catalog().begin(), Catalog().end(), [&](const CatalogEntry& other) {
          return other.key() == "fairdarts/" + entry.name;
        });
    EXPECT_EQ(match->entry->folder, in_fairdarts ? "fairdarts" : "darts");
  }
}

TEST(FindInCatalogTest, DartsSaysWhichWasTaken) {
  const absl::StatusOr<CatalogMatch> bare = FindInCatalog("DARTS");
  ASSERT_TRUE(bare.ok()) << bare.status();
  EXPECT_EQ(bare->entry->key(), "fairdarts/DARTS");
  EXPECT_THAT(bare->entry->same_genotype, ElementsAre("fairdarts/FairDARTS_a"));
  EXPECT_THAT(bare->passed_over, ElementsAre("darts/DARTS"));
  EXPECT_EQ(bare->Describe(),
            "fairdarts/DARTS (same genotype as fairdarts/FairDARTS_a); not "
            "darts/DARTS, which is another genotype");

  const absl::StatusOr<CatalogMatch> whole = FindInCatalog("darts/DARTS");
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_THAT(whole->entry->same_genotype,
              ElementsAre("fairdarts/DARTS_V2", "darts/DARTS_V2"));
  EXPECT_EQ(whole->Describe(),
            "darts/DARTS (same genotype as fairdarts/DARTS_V2, "
            "darts/DARTS_V2)");
  // Equal in both folders: nothing to warn about.
  EXPECT_EQ(FindInCatalog("NASNet")->Describe(),
            "fairdarts/NASNet (same genotype as darts/NASNet)");
  EXPECT_EQ(FindInCatalog("SNAS")->Describe(), "fairdarts/SNAS");
}

std::string UnknownError(absl::string_view name) {
  const absl::Status status = FindInCatalog(name).status();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kData) << name;
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n")));
  return std::string(status.message());
}

TEST(FindInCatalogTest, UnknownNamesGetCloseOnes) {
  EXPECT_EQ(UnknownError("NASNeT"),
            "no published genotype is called 'NASNeT'; did you mean "
            "fairdarts/NASNet or darts/NASNet or fairdarts/ENASNet?");
  EXPECT_THAT(UnknownError("fairdarts_b"),
              HasSubstr("did you mean fairdarts/FairDARTS_b"));
  EXPECT_THAT(UnknownError("fairdart/FairDARTS_c"),
              HasSubstr("did you mean fairdarts/FairDARTS_c"));
  EXPECT_THAT(UnknownError("FairDARTS"),
              HasSubstr("did you mean fairdarts/FairDARTS_a or "
                        "fairdarts/FairDARTS_b or fairdarts/FairDARTS_c?"));
  EXPECT_THAT(UnknownError("darts/FairDARTS_a"),
              HasSubstr("did you mean fairdarts/FairDARTS_a"));
}

TEST(FindInCatalogTest, NamesLikeNothingGetAnExample) {
  for (const std::string& name :
       {std::string(), std::string("efficientnet_v2"), std::string("\n\n\n\n"),
        std::string(1 << 20, 'D')}) {
    EXPECT_THAT(UnknownError(name), AllOf(HasSubstr("; there are 51, such as"),
                                          Not(HasSubstr("did you mean"))));
  }
}

}  // namespace
}  // namespace fairdarts
