#include "training/profiling/profile_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

ProfileRow Row(absl::string_view key,
               const NetworkConfig& config = NetworkConfig::Cifar()) {
  const CatalogEntry& entry = *FindInCatalog(key)->entry;
  const absl::StatusOr<ProfileRow> row =
      MakeProfileRow(entry.key(), entry.genotype, &entry, config);
  EXPECT_THAT(row, IsOk());
  return row.value_or(ProfileRow());
}

// The whole catalog, one row of it measured.
Profile WholeCatalog() {
  Profile profile;
  profile.config = NetworkConfig::Cifar();
  profile.batch_size = 8;
  profile.threads = 2;
  for (const CatalogEntry& entry : Catalog()) {
    profile.rows.push_back(Row(entry.key()));
  }
  Measurement measurement;
  measurement.latency = {0.0125, 0.025, 21};
  measurement.batch_peak_bytes = int64_t{12} << 20;
  measurement.process_peak_bytes = int64_t{3} << 30;
  profile.rows[1].measurement = measurement;
  return profile;
}

// RFC 4180's grammar, strictly: records of fields, each ended by CR LF.
std::vector<std::vector<std::string>> ParseCsv(const std::string& text) {
  std::vector<std::vector<std::string>> records;
  size_t at = 0;
  while (at < text.size()) {
    std::vector<std::string> record;
    for (;;) {
      std::string field;
      if (text[at] == '"') {
        for (++at;; ++at) {
          EXPECT_LT(at, text.size()) << "an open quote";
          if (at >= text.size()) return records;
          if (text[at] == '"') {
            if (text.substr(at, 2) != "\"\"") break;
            ++at;
          }
          field += text[at];
        }
        ++at;
      } else {
        const size_t end = text.find_first_of(",\r\n\"", at);
        EXPECT_NE(end, std::string::npos) << "a record without an end";
        if (end == std::string::npos) return records;
        field = text.substr(at, end - at);
        at = end;
      }
      record.push_back(field);
      if (text[at] != ',') break;
      ++at;
    }
    EXPECT_EQ(text.substr(at, 2), "\r\n");
    at += 2;
    records.push_back(record);
  }
  return records;
}

TEST(MakeProfileRowTest, CountsAndPublishedFigures) {
  const ProfileRow row = Row("fairdarts/FairDARTS_a");
  EXPECT_EQ(row.name, "fairdarts/FairDARTS_a");
  EXPECT_EQ(row.macs, 371455200);
  EXPECT_EQ(row.parameters, 2360782);
  EXPECT_EQ(row.with_head, 2837208);
  ASSERT_EQ(row.flops.size(), FlopsConventions().size());
  EXPECT_EQ(row.flops.back(), row.macs);
  EXPECT_EQ(row.published.size(), 4u);
  EXPECT_FALSE(row.measurement.has_value());
}

TEST(MakeProfileRowTest, FiguresAreThoseOfThePublishedNetworkOnly) {
  NetworkConfig config = NetworkConfig::Cifar();
  config.init_channels = 16;
  EXPECT_TRUE(Row("fairdarts/FairDARTS_a", config).published.empty());
  const absl::StatusOr<ProfileRow> mine =
      MakeProfileRow("mine", FindInCatalog("FairDARTS_a")->entry->genotype,
                     nullptr, NetworkConfig::Cifar());
  ASSERT_THAT(mine, IsOk());
  EXPECT_TRUE(mine->published.empty());
}

TEST(MakeProfileRowTest, ANetworkWithoutAHeadStillCounts) {
  NetworkConfig config = NetworkConfig::Cifar();
  config.image_size = 64;  // the head would see 16x16
  EXPECT_FALSE(Row("fairdarts/FairDARTS_a", config).with_head.has_value());
  config.auxiliary = true;
  EXPECT_EQ(Row("fairdarts/FairDARTS_a", config).macs,
            4 * 371455200 - 3 * 432 * 10);
}

TEST(MakeProfileRowTest, RefusesWhatNoNetworkCanBeBuiltFrom) {
  Genotype genotype = FindInCatalog("FairDARTS_a")->entry->genotype;
  genotype.normal.edges.clear();
  EXPECT_THAT(MakeProfileRow("empty", genotype, nullptr, NetworkConfig::Cifar())
                  .status(),
              ExitCodeIs(ExitCode::kData));
  NetworkConfig config = NetworkConfig::Cifar();
  config.layers = 0;
  EXPECT_THAT(MakeProfileRow("none", FindInCatalog("DARTS_V2")->entry->genotype,
                             nullptr, config)
                  .status(),
              ExitCodeIs(ExitCode::kUsage));
}

TEST(ProfileAsCsvTest, IsRfc4180WithARecordAGenotype) {
  const Profile profile = WholeCatalog();
  const auto records = ParseCsv(ProfileAsCsv(profile));
  ASSERT_EQ(records.size(), profile.rows.size() + 1);
  for (const auto& record : records) {
    EXPECT_EQ(record.size(), records[0].size());
  }
  const auto value = [&](const std::string& key, const std::string& column) {
    for (const auto& record : records) {
      if (record[0] != key) continue;
      for (size_t i = 0; i < record.size(); ++i) {
        if (records[0][i] == column) return record[i];
      }
    }
    ADD_FAILURE() << "no " << column << " of " << key;
    return std::string();
  };
  EXPECT_EQ(value("fairdarts/FairDARTS_a", "macs"), "371455200");
  EXPECT_EQ(value("fairdarts/FairDARTS_a", "flops_thop-0.0.22"), "373063526");
  EXPECT_EQ(value("fairdarts/FairDARTS_a", "comment_flops_millions"), "373");
  EXPECT_EQ(value("fairdarts/FairDARTS_a", "comment_flops_difference_millions"),
            "1.544800");
  EXPECT_EQ(value("fairdarts/FairDARTS_a", "comment_flops_explained_by"),
            "thop-0.0.22");
  EXPECT_EQ(value("fairdarts/FairDARTS_a", "comment_flops_printed_by"),
            "truncated");
  EXPECT_EQ(value("fairdarts/DARTS_V2", "readme_flops_explained_by"), "none");
  EXPECT_EQ(value("fairdarts/DARTS_V2", "readme_flops_printed_by"), "");
  EXPECT_EQ(value("darts/NOISEDARTS_50_1", "comment_parameters_printed_by"),
            "rounded");
  EXPECT_EQ(value("darts/NOISEDARTS_50_1", "readme_flops_explained_by"), "");
  EXPECT_EQ(value("fairdarts/DARTS", "median_ms"), "25.000");
  EXPECT_EQ(value("fairdarts/DARTS", "batch_peak_bytes"), "12582912");
  EXPECT_EQ(value("fairdarts/DARTS_V2", "median_ms"), "");
}

TEST(ProfileAsCsvTest, NamesFromTheCommandLineAreQuoted) {
  Profile profile = WholeCatalog();
  profile.rows.resize(2);
  profile.rows[0].name = "a,b \"c\"\r\nd";
  profile.rows[1].name = "";
  const auto records = ParseCsv(ProfileAsCsv(profile));
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[1][0], "a,b \"c\"\r\nd");
  EXPECT_EQ(records[1].size(), records[0].size());
  EXPECT_EQ(records[2][0], "");
  EXPECT_EQ(records[2].size(), records[0].size());
}

TEST(ProfileAsJsonTest, HoldsEveryGenotypeAndTheRules) {
  const Profile profile = WholeCatalog();
  const std::string text = ProfileAsJson(profile);
  EXPECT_THAT(text, EndsWith("}\n"));
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  ASSERT_TRUE(json.is_object());
  EXPECT_EQ(json["network"]["kind"], "cifar");
  EXPECT_EQ(json["network"]["layers"], 20);
  EXPECT_EQ(json["measurement"]["batch_size"], 8);
  EXPECT_EQ(json["measurement"]["threads"], 2);
  EXPECT_EQ(json["flops_conventions"].size(), FlopsConventions().size());
  ASSERT_EQ(json["genotypes"].size(), Catalog().size());
  std::map<std::string, nlohmann::json> rows;
  for (const auto& row : json["genotypes"]) rows[row["genotype"]] = row;
  const nlohmann::json& darts = rows["fairdarts/DARTS_V2"];
  EXPECT_EQ(darts["macs"], profile.rows[2].macs);
  EXPECT_EQ(darts["flops"]["conv+linear"], darts["macs"]);
  EXPECT_TRUE(darts["measured"].is_null());
  ASSERT_EQ(darts["published"].size(), 4u);
  EXPECT_EQ(darts["published"][0]["explained_by"], "thop-0.0.31");
  EXPECT_TRUE(darts["published"][0]["exception"].is_null());
  EXPECT_EQ(darts["published"][2]["millions"], 522);
  EXPECT_TRUE(darts["published"][2]["explained_by"].is_null());
  EXPECT_THAT(darts["published"][2]["exception"].get<std::string>(),
              HasSubstr("528.4 M"));
  EXPECT_EQ(rows["fairdarts/DARTS"]["measured"]["median_ms"], 25);
  EXPECT_EQ(rows["fairdarts/DARTS"]["measured"]["repetitions"], 21);
}

TEST(ProfileAsJsonTest, StaysValidWhateverTheNameAndWithoutMeasurements) {
  Profile profile = WholeCatalog();
  profile.rows.resize(1);
  profile.rows[0].name = "\xff\"\n";
  const nlohmann::json json =
      nlohmann::json::parse(ProfileAsJson(profile), nullptr, false);
  ASSERT_TRUE(json.is_object());
  EXPECT_TRUE(json["measurement"].is_null());
}

TEST(ProfileAsTextTest, IsAlignedAndSaysWhatIsNotExplained) {
  const std::string text = ProfileAsText(WholeCatalog());
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  size_t header = 0;
  while (header < lines.size() && lines[header].rfind("genotype", 0) != 0) {
    ++header;
  }
  ASSERT_LT(header + Catalog().size(), lines.size());
  // A column to the right ends where its title ends.
  const size_t macs_end = lines[header].find("MACs") + 4;
  const size_t head_end = lines[header].find("with head") + 9;
  for (size_t i = 0; i < Catalog().size(); ++i) {
    const std::string& line = lines[header + 1 + i];
    EXPECT_THAT(line, StartsWith(Catalog()[i].key() + " "));
    for (const size_t end : {macs_end, head_end}) {
      ASSERT_GE(line.size(), end);
      EXPECT_NE(line[end - 1], ' ') << line;
      EXPECT_TRUE(line.size() == end || line[end] == ' ') << line;
    }
    EXPECT_NE(line.back(), ' ') << line;
  }
  EXPECT_THAT(text, HasSubstr("\nthop-0.0.31: "));
  EXPECT_THAT(text, HasSubstr("a forward pass of 8 images on 2 threads"));
  EXPECT_THAT(text, HasSubstr("\nfairdarts/DARTS_V2: the readme's 522 M FLOPs: "
                              "none; its convolutions "
                              "alone have\n    528.4 M"));
  EXPECT_THAT(text, HasSubstr("\nfairdarts/FairDARTS_g: the readme's 3.38 M "
                              "parameters: with-head, rounded\n"));
  EXPECT_THAT(text, HasSubstr(" with-head~"));
  EXPECT_THAT(text, HasSubstr("12.5       25.0       12.0       3072.0"));
}

TEST(ProfileAsTextTest, LeavesOutWhatNobodyHas) {
  Profile profile;
  profile.config = NetworkConfig::ImageNet();
  profile.rows.push_back(Row("PDARTS", profile.config));
  const std::string text = ProfileAsText(profile);
  EXPECT_THAT(text, HasSubstr("imagenet network: 48 initial channels, 14 "));
  EXPECT_THAT(text, Not(HasSubstr("published")));
  EXPECT_THAT(text, Not(HasSubstr("median")));
  EXPECT_THAT(text, Not(HasSubstr("thop")));
}

}  // namespace
}  // namespace fairdarts
