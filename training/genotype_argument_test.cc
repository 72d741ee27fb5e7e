#include "training/genotype_argument.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "genotypes/catalog.h"
#include "genotypes/proto_io.h"
#include "genotypes/python_literal.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairdarts {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

namespace fs = std::filesystem;

const Genotype& Published(absl::string_view name) {
  return FindInCatalog(name)->entry->genotype;
}

// The user's folder is the test's own.
class GenotypeArgumentTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* const test =
        testing::UnitTest::GetInstance()->current_test_info();
    here_ = fs::path(absl::StrCat(testing::TempDir(), "/", test->name()))
                .lexically_normal()
                .string();
    fs::remove_all(here_);
    fs::create_directories(here_);
    setenv("BUILD_WORKING_DIRECTORY", here_.c_str(), 1);
    options_.runs_folder = Path("runs");
  }

  void TearDown() override {
    unsetenv("BUILD_WORKING_DIRECTORY");
    fs::remove_all(here_);
  }

  std::string Path(const std::string& name) const {
    return absl::StrCat(here_, "/", name);
  }

  void Write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(Path(name)).parent_path());
    std::ofstream(Path(name)) << text;
  }

  void AddSearch(const std::string& name, absl::string_view genotype) const {
    Write("runs/" + name + "/config.textproto",
          "# proto-file: training/config.proto\n"
          "# proto-message: fairdarts.SearchConfig\n");
    Write("runs/" + name + "/genotype.textproto",
          SerializeGenotype(Published(genotype), GenotypeFormat::kText));
  }

  GenotypeArgument Read(absl::string_view text) const {
    const auto argument = ResolveGenotypeArgument(text, options_);
    EXPECT_TRUE(argument.ok()) << argument.status();
    return argument.value_or(GenotypeArgument());
  }

  std::string Complaint(absl::string_view text,
                        ExitCode code = ExitCode::kUsage) const {
    const absl::Status status =
        ResolveGenotypeArgument(text, options_).status();
    EXPECT_EQ(ExitCodeOf(status), code) << status;
    EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
    return std::string(status.message());
  }

  std::string here_;
  GenotypeArgumentOptions options_;
};

TEST_F(GenotypeArgumentTest, PublishedNames) {
  for (const char* const text : {"FairDARTS_a", "fairdarts/FairDARTS_a"}) {
    const GenotypeArgument argument = Read(text);
    EXPECT_EQ(argument.genotype, Published("fairdarts/FairDARTS_a"));
    EXPECT_EQ(argument.name, "fairdarts/FairDARTS_a");
    EXPECT_EQ(argument.record, "fairdarts/FairDARTS_a");
    EXPECT_EQ(argument.note, "");
  }
  EXPECT_EQ(Read("darts/DARTS").genotype, Published("darts/DARTS"));
}

TEST_F(GenotypeArgumentTest, EveryPublishedGenotypeIsTakenAndRecorded) {
  for (const CatalogEntry& entry : Catalog()) {
    const GenotypeArgument argument = Read(entry.key());
    EXPECT_EQ(argument.genotype, entry.genotype) << entry.key();
    EXPECT_EQ(Read(argument.record).genotype, entry.genotype) << entry.key();
    const GenotypeArgument text = Read(ToPythonText(entry.genotype));
    EXPECT_EQ(text.genotype, entry.genotype) << entry.key();
    EXPECT_EQ(Read(text.record).genotype, entry.genotype) << entry.key();
  }
}

TEST_F(GenotypeArgumentTest, AnAmbiguousNameSaysWhichWasTaken) {
  const GenotypeArgument argument = Read("DARTS");
  EXPECT_EQ(argument.name, "fairdarts/DARTS");
  EXPECT_THAT(argument.note, StartsWith("genotype DARTS: taken is "));
  EXPECT_THAT(argument.note,
              HasSubstr("same genotype as fairdarts/FairDARTS_"));
  EXPECT_THAT(argument.note, HasSubstr("not darts/DARTS"));
}

TEST_F(GenotypeArgumentTest, APublishedNameComesBeforeAPath) {
  Write("FairDARTS_a", ToPythonText(Published("FairDARTS_b")));
  EXPECT_EQ(Read("FairDARTS_a").genotype, Published("FairDARTS_a"));
  EXPECT_THAT(Read("FairDARTS_a").note, EndsWith("write ./FairDARTS_a"));
  EXPECT_EQ(Read("./FairDARTS_a").genotype, Published("FairDARTS_b"));
}

TEST_F(GenotypeArgumentTest, UnknownNamesHaveNearOnes) {
  const std::string complaint = Complaint("FairDART_a");
  EXPECT_THAT(complaint, StartsWith("genotype 'FairDART_a': is neither a file "
                                    "nor a folder ("));
  EXPECT_THAT(complaint, HasSubstr(Path("FairDART_a")));
  EXPECT_THAT(complaint, HasSubstr("did you mean fairdarts/FairDARTS_a"));
  EXPECT_THAT(Complaint("runs/none"), HasSubstr(Path("runs/none")));
  EXPECT_THAT(Complaint(" "), HasSubstr("is neither"));
  // Neither a huge nor an unprintable name does harm.
  Complaint(std::string(1 << 20, 'x'));
  Complaint("a\nb\x01");
}

TEST_F(GenotypeArgumentTest, FilesOfEitherForm) {
  const Genotype& genotype = Published("FairDARTS_c");
  Write("files/g.textproto",
        SerializeGenotype(genotype, GenotypeFormat::kText));
  Write("files/g.txt", ToPythonText(genotype) + "\n");
  for (const char* const name :
       {"files/g.textproto", "files/g.txt", "./files/g.txt"}) {
    const GenotypeArgument argument = Read(name);
    EXPECT_EQ(argument.genotype, genotype) << name;
    EXPECT_THAT(argument.name, StartsWith(Path("files/g.")));
    EXPECT_EQ(argument.record, ToPythonText(genotype));
    EXPECT_EQ(argument.note, "");
  }
  EXPECT_EQ(Read(Path("files/g.txt")).genotype, genotype);
}

TEST_F(GenotypeArgumentTest, TheLastGenotypeOfALogCounts) {
  Write("log.txt",
        absl::StrCat(
            "epoch 0 lr 5e-3\ngenotype = ", ToPythonText(Published("DARTS_V1")),
            "\nepoch 1\n12:00:01 genotype: ",
            ToPythonText(Published("FairDARTS_d")), "\ndone\n"));
  const GenotypeArgument argument = Read("log.txt");
  EXPECT_EQ(argument.genotype, Published("FairDARTS_d"));
  EXPECT_EQ(argument.note,
            Path("log.txt") + ": holds 2 genotypes; the last is taken");
}

TEST_F(GenotypeArgumentTest, RunFolders) {
  AddSearch("search-20260101-000000", "FairDARTS_e");
  EXPECT_EQ(Read("runs/search-20260101-000000").genotype,
            Published("FairDARTS_e"));
  Write("old/genotype.txt", ToPythonText(Published("FairDARTS_f")));
  EXPECT_EQ(Read("old/").genotype, Published("FairDARTS_f"));
}

TEST_F(GenotypeArgumentTest, TheTextItself) {
  const Genotype& genotype = Published("FairDARTS_g");
  const std::string text = ToPythonText(genotype);
  for (const std::string& given :
       {text, "genotype = " + text, "genotype: " + text, " " + text + "\n",
        SerializeGenotype(genotype, GenotypeFormat::kText)}) {
    const GenotypeArgument argument = Read(given);
    EXPECT_EQ(argument.genotype, genotype) << given;
    EXPECT_EQ(argument.name, "the given text");
    EXPECT_EQ(argument.record, text);
  }
}

TEST_F(GenotypeArgumentTest, RefusesTextThatIsNoGenotype) {
  const std::string text = ToPythonText(Published("FairDARTS_g"));
  EXPECT_THAT(Complaint(text + " x"), StartsWith("genotype: line 1, column "));
  EXPECT_THAT(Complaint("x " + text), StartsWith("genotype: line 1, column 1"));
  EXPECT_THAT(Complaint(text.substr(0, text.size() - 1)),
              StartsWith("genotype: line 1, column "));
  EXPECT_THAT(Complaint("form: PAIRS normal { edg"), StartsWith("genotype: "));
}

TEST_F(GenotypeArgumentTest, RefusesFilesWithoutAGenotype) {
  const auto complaint = [&](const std::string& contents) {
    Write("bad", contents);
    return Complaint("bad", ExitCode::kData);
  };
  const std::string start = Path("bad") + ": ";
  EXPECT_THAT(complaint(""), StartsWith(start));
  EXPECT_THAT(complaint("epoch 1\n"),
              StartsWith(start + "holds no Genotype(...), and as a genotype's "
                                 "textproto: line 1"));
  EXPECT_THAT(complaint(std::string("PK\x03\x04\0\0\xff", 7)),
              StartsWith(start + "holds no Genotype(...)"));
  EXPECT_THAT(complaint("genotype = Genotype(normal=["),
              StartsWith(start + "line 1, column "));
  // The last one counts even where it is damaged.
  EXPECT_THAT(complaint(ToPythonText(Published("DARTS")) + "\nGenotype(\n"),
              StartsWith(start + "line 3, column "));
  EXPECT_THAT(complaint(std::string((1 << 20) + 1, ' ')),
              HasSubstr("it is too large for a genotype's textproto"));
  // Sparse: it is refused for its size, before it is read.
  fs::resize_file(Path("bad"), (uintmax_t{64} << 20) + 1);
  EXPECT_THAT(Complaint("bad", ExitCode::kData), HasSubstr("bytes, more than"));
}

TEST_F(GenotypeArgumentTest, RefusesAFolderWithoutAGenotype) {
  fs::create_directories(Path("runs/empty"));
  EXPECT_EQ(Complaint("runs/empty", ExitCode::kData),
            Path("runs/empty") +
                ": has neither genotype.textproto nor genotype.txt; give the "
                "folder of a run that came to its end, or a file");
}

TEST_F(GenotypeArgumentTest, RefusesAnEmptyCell) {
  // The normal cell is empty; the nodes of the reduction cell feed each other
  // from one that is missing.
  const std::string text =
      "Genotype(normal=[], normal_concat=range(2, 6), "
      "reduce=[('skip_connect', 2, 0)], reduce_concat=range(2, 6))";
  EXPECT_THAT(Complaint(text, ExitCode::kData),
              StartsWith("genotype: the given text: normal"));
}

TEST_F(GenotypeArgumentTest, EmptyIsTheNewestSearch) {
  AddSearch("search-20260101-000000", "FairDARTS_e");
  AddSearch("search-20260103-000000", "FairDARTS_f");
  AddSearch("search-20260102-000000", "FairDARTS_g");
  const GenotypeArgument argument = Read("");
  EXPECT_EQ(argument.genotype, Published("FairDARTS_f"));
  EXPECT_EQ(argument.record, ToPythonText(argument.genotype));
  EXPECT_THAT(argument.note, EndsWith("newest search, " +
                                      Path("runs/search-20260103-000000")));
}

TEST_F(GenotypeArgumentTest, EmptyWithoutASearchIsFairDartsA) {
  const GenotypeArgument argument = Read("");
  EXPECT_EQ(argument.name, "fairdarts/FairDARTS_a");
  EXPECT_EQ(argument.note, "no genotype is named and " + Path("runs") +
                               " holds no finished search: taken is "
                               "fairdarts/FairDARTS_a");
}

TEST_F(GenotypeArgumentTest, AWrongParseMethodIsNamedWithWhatTheTuplesAre) {
  options_.parse_method = GenotypeOptions::DARTS;
  EXPECT_EQ(Complaint("FairDARTS_a"),
            "parse_method darts: the tuples of fairdarts/FairDARTS_a are "
            "threshold edges (op, to, from); use threshold, or leave it out");
  Read("DARTS_V1");
  for (const auto method :
       {GenotypeOptions::THRESHOLD, GenotypeOptions::THRESHOLD_SPARSE,
        GenotypeOptions::THRESHOLD_EDGE}) {
    options_.parse_method = method;
    EXPECT_THAT(Complaint("DARTS_V1"),
                EndsWith("are pairs (op, from); use darts, or leave it out"));
    Read("FairDARTS_a");
  }
}

TEST_F(GenotypeArgumentTest, EveryPublishedGenotypeIsOfOneFamilyOfRules) {
  for (const CatalogEntry& entry : Catalog()) {
    const bool threshold = entry.genotype.form == GenotypeForm::kThreshold;
    options_.parse_method =
        threshold ? GenotypeOptions::THRESHOLD : GenotypeOptions::DARTS;
    Read(entry.key());
    options_.parse_method =
        threshold ? GenotypeOptions::DARTS : GenotypeOptions::THRESHOLD;
    Complaint(entry.key());
  }
}

TEST_F(GenotypeArgumentTest, WhatAThresholdRuleCannotLeave) {
  const auto genotype = [](absl::string_view normal) {
    return absl::StrCat("Genotype(normal=[", normal,
                        "], normal_concat=range(2, 6), reduce=[('skip_connect',"
                        " 2, 0)], reduce_concat=range(2, 6))");
  };
  const std::string two_operations = genotype(
      "('skip_connect', 2, 0), ('sep_conv_3x3', 2, 0), ('skip_connect', 2, 1)");
  const std::string three_edges = genotype(
      "('skip_connect', 2, 0), ('skip_connect', 3, 0), ('skip_connect', 3, 1), "
      "('skip_connect', 3, 2)");
  const std::string three_operations = genotype(
      "('skip_connect', 2, 0), ('sep_conv_3x3', 2, 0), ('sep_conv_5x5', 2, 0)");

  options_.parse_method = GenotypeOptions::THRESHOLD_SPARSE;
  EXPECT_EQ(
      Complaint(two_operations),
      "parse_method threshold_sparse: in the normal cell of the given "
      "text node 2 reads 0 through 2 operations, which that rule does not "
      "leave; use threshold, or leave it out");
  EXPECT_THAT(Complaint(three_edges), HasSubstr("node 3 has 3 edges"));
  options_.parse_method = GenotypeOptions::THRESHOLD_EDGE;
  Read(two_operations);
  Read(three_edges);
  EXPECT_THAT(Complaint(three_operations),
              HasSubstr("node 2 reads 0 through 3 operations"));
  options_.parse_method = GenotypeOptions::THRESHOLD;
  Read(three_operations);
}

}  // namespace
}  // namespace fairdarts
