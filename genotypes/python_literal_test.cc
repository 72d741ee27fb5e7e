#include "genotypes/python_literal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kPairs[] =
    "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1)], "
    "normal_concat=range(2, 3), "
    "reduce=[('max_pool_3x3', 1), ('conv_7x1_1x7', 0)], reduce_concat=[2])";
constexpr char kThreshold[] =
    "Genotype(normal=[('sep_conv_3x3', 5, 3)], normal_concat=range(2, 6), "
    "reduce=[], reduce_concat=range(2, 6))";
constexpr char kWeighted[] =
    "Genotype(normal=[('sep_conv_3x3', 0, 0.25), ('skip_connect', 1, 1e-05)], "
    "normal_concat=range(2, 3), "
    "reduce=[('max_pool_3x3', 1, -3.0), ('sep_conv_5x5', 0, 1.0)], "
    "reduce_concat=range(2, 3))";

Genotype Parsed(absl::string_view text) {
  const absl::StatusOr<Genotype> genotype = ParsePythonGenotype(text);
  EXPECT_TRUE(genotype.ok()) << genotype.status();
  return genotype.value_or(Genotype());
}

std::string ErrorOf(absl::string_view text) {
  const absl::Status status = ParsePythonGenotype(text).status();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kData) << text.substr(0, 500);
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n")));
  return std::string(status.message());
}

// kPairs with one part replaced, which has to be there.
std::string Damaged(absl::string_view part, absl::string_view by,
                    absl::string_view text = kPairs) {
  EXPECT_TRUE(absl::StrContains(text, part)) << part;
  return absl::StrReplaceAll(text, {{part, by}});
}

// The facts of the published genotypes: text and tuples, read by another
// program.
nlohmann::json Published() {
  const absl::StatusOr<std::string> text =
      ReadFile("tests/golden/data/genotypes.json");
  EXPECT_TRUE(text.ok()) << text.status();
  const nlohmann::json json = nlohmann::json::parse(*text, nullptr, false);
  EXPECT_EQ(json.size(), 51u);
  return json;
}

void ExpectCellIs(const GenotypeCell& cell, const std::string& kind,
                  const nlohmann::json& edges, const nlohmann::json& concat) {
  EXPECT_EQ(cell.concat, concat.get<std::vector<int>>());
  ASSERT_EQ(cell.edges.size(), edges.size());
  for (size_t i = 0; i < edges.size(); ++i) {
    const GenotypeEdge& edge = cell.edges[i];
    const nlohmann::json& tuple = edges[i];
    EXPECT_EQ(std::string(PrimitiveName(edge.op)), tuple[0].get<std::string>());
    const bool threshold = kind == "threshold";
    EXPECT_EQ(edge.to, threshold ? tuple[1].get<int>() : int(2 + i / 2));
    EXPECT_EQ(edge.from, tuple[threshold ? 2 : 1].get<int>());
    EXPECT_EQ(edge.weight, kind == "reweighted" ? tuple[2].get<double>() : 1.0);
  }
}

TEST(PythonLiteralTest, EveryPublishedTextIsReadAndWrittenAsItIs) {
  for (const nlohmann::json& row : Published()) {
    const std::string text = row["text"].get<std::string>();
    SCOPED_TRACE(text);
    const Genotype genotype = Parsed(text);
    const std::string kind = row["kind"].get<std::string>();
    const nlohmann::json& facts = row["genotype"];
    ExpectCellIs(genotype.normal, kind, facts["normal"],
                 facts["normal_concat"]);
    ExpectCellIs(genotype.reduce, kind, facts["reduce"],
                 facts["reduce_concat"]);
    EXPECT_EQ(genotype.form, kind == "threshold"    ? GenotypeForm::kThreshold
                             : kind == "reweighted" ? GenotypeForm::kWeighted
                                                    : GenotypeForm::kPairs);
    const bool range = absl::StrContains(text, "range");
    EXPECT_EQ(ToPythonText(genotype,
                           range ? ConcatStyle::kRange : ConcatStyle::kList),
              text);
    for (const ConcatStyle style : {ConcatStyle::kRange, ConcatStyle::kList}) {
      EXPECT_EQ(Parsed(ToPythonText(genotype, style)), genotype);
    }
  }
}

TEST(PythonLiteralTest, EveryPrefixOfAPublishedTextIsRefused) {
  for (const nlohmann::json& row : Published()) {
    const std::string text = row["text"].get<std::string>();
    for (size_t length = 0; length < text.size(); ++length) {
      const absl::StatusOr<Genotype> genotype =
          ParsePythonGenotype(absl::string_view(text).substr(0, length));
      ASSERT_EQ(ExitCodeOf(genotype.status()), ExitCode::kData) << length;
    }
  }
}

TEST(PythonLiteralTest, AnyChangedByteIsReadOrRefused) {
  for (const absl::string_view original : {kPairs, kThreshold, kWeighted}) {
    for (size_t i = 0; i < original.size(); ++i) {
      for (const char c :
           {'\0', '\n', '(', ')', '[', ',', '\'', '9', '-', 'e', '\xff'}) {
        std::string text(original);
        text[i] = c;
        const absl::StatusOr<Genotype> genotype = ParsePythonGenotype(text);
        if (genotype.ok()) {
          EXPECT_TRUE(genotype->Validate().ok()) << text;
        } else {
          EXPECT_THAT(std::string(genotype.status().message()),
                      Not(HasSubstr("\n")));
        }
      }
    }
  }
}

TEST(PythonLiteralTest, ReadsTheThreeKindsOfTuples) {
  EXPECT_EQ(Parsed(kPairs).form, GenotypeForm::kPairs);
  EXPECT_EQ(Parsed(kPairs).normal.edges[1],
            (GenotypeEdge{Primitive::kSkipConnect, 2, 1}));
  EXPECT_EQ(Parsed(kThreshold).form, GenotypeForm::kThreshold);
  EXPECT_EQ(Parsed(kThreshold).normal.edges[0],
            (GenotypeEdge{Primitive::kSepConv3x3, 5, 3}));
  EXPECT_EQ(Parsed(kWeighted).form, GenotypeForm::kWeighted);
  EXPECT_EQ(Parsed(kWeighted).reduce.edges[0],
            (GenotypeEdge{Primitive::kMaxPool3x3, 2, 1, -3.0}));
}

TEST(PythonLiteralTest, AGenotypeWithoutTuplesIsAThresholdOne) {
  const std::string text =
      "Genotype(normal=[], normal_concat=range(2, 6), reduce=[], "
      "reduce_concat=range(2, 6))";
  const Genotype genotype = Parsed(text);
  EXPECT_EQ(genotype.form, GenotypeForm::kThreshold);
  EXPECT_THAT(genotype.reduce.concat, ElementsAre(2, 3, 4, 5));
  EXPECT_EQ(ToPythonText(genotype), text);
}

TEST(PythonLiteralTest, TakesPythonsFreedoms) {
  EXPECT_EQ(Parsed("  Genotype (\n"
                   "  reduce_concat = [ 2, ],\n"
                   "  reduce = [(\"max_pool_3x3\", 1,), (\"conv_7x1_1x7\", 0), "
                   "],\n\tnormal_concat = range( 2 , 3 ),\n"
                   "  normal = [('sep_conv_3x3',0),('skip_connect',1)],\n)\n"),
            Parsed(kPairs));
}

TEST(PythonLiteralTest, ConcatIsARangeOnlyWhereItsStatesAreSuccessive) {
  Genotype genotype = Parsed(kPairs);
  const std::vector<std::pair<std::vector<int>, std::string>> cases = {
      {{}, "normal_concat=[]"},
      {{2}, "normal_concat=range(2, 3)"},
      {{0, 1, 2}, "normal_concat=range(0, 3)"},
      {{1, 0}, "normal_concat=[1, 0]"},
      {{0, 2}, "normal_concat=[0, 2]"}};
  for (const auto& [concat, text] : cases) {
    genotype.normal.concat = concat;
    EXPECT_THAT(ToPythonText(genotype), HasSubstr(text));
    EXPECT_EQ(Parsed(ToPythonText(genotype)), genotype);
  }
  EXPECT_THAT(Parsed(Damaged("range(2, 3)", "range(3, 2)")).normal.concat,
              IsEmpty());
}

TEST(PythonLiteralTest, WritesFloatsAsPythonDoes) {
  Genotype genotype = Parsed(kWeighted);
  // What repr() of Python 3 gives.
  const std::vector<std::pair<double, std::string>> cases = {
      {0.1, "0.1"},
      {1.0, "1.0"},
      {-0.0, "-0.0"},
      {100, "100.0"},
      {0.0001, "0.0001"},
      {0.00001, "1e-05"},
      {1e15, "1000000000000000.0"},
      {1e16, "1e+16"},
      {1.5e300, "1.5e+300"},
      {1.0 / 3, "0.3333333333333333"}};
  for (const auto& [value, text] : cases) {
    genotype.normal.edges[0].weight = value;
    const std::string written = ToPythonText(genotype);
    EXPECT_THAT(written, HasSubstr(absl::StrCat(", 0, ", text, ")")));
    EXPECT_EQ(Parsed(written), genotype);
  }
}

TEST(PythonLiteralTest, ErrorsGiveThePositionAndWhatWasExpected) {
  const std::string words = std::string(300, 'a');
  const auto refuses = [](const std::string& text, absl::string_view message) {
    EXPECT_THAT(ErrorOf(text), HasSubstr(std::string(message)))
        << text.substr(0, 500);
  };
  refuses("",
          "line 1, column 1: expected 'Genotype', found the end of the text");
  refuses("print(1)", "line 1, column 1: expected 'Genotype', found 'print'");
  refuses("Genotype[", "line 1, column 9: expected '(', found '['");
  refuses(Damaged("normal=", "normal:"),
          "line 1, column 16: expected '=', found ':'");
  refuses(
      Damaged("reduce=", "\nredux="),
      "line 2, column 1: expected the keyword normal, normal_concat, reduce "
      "or reduce_concat, or ')', found 'redux'");
  refuses(Damaged("reduce=", "normal="), "the keyword 'normal' is there twice");
  refuses(Damaged("reduce_concat=", "normal_concat="),
          "the keyword 'normal_concat' is there twice");
  refuses(Damaged(", reduce_concat=[2]", ""),
          "the genotype ends without 'reduce_concat'");
  refuses("Genotype()",
          "line 1, column 10: the genotype ends without 'normal'");
  refuses(Damaged("normal=[", "normal=("),
          "expected '[', a list of tuples, found '('");
  refuses(Damaged("normal=[", "normal=[["),
          "line 1, column 18: expected a tuple such as ('sep_conv_3x3', 0), "
          "found '['");
  refuses(
      Damaged("'sep_conv_3x3'", "sep_conv_3x3"),
      "line 1, column 19: expected the name of an operation in quotes, found "
      "'sep_conv_3x3'");
  refuses(
      Damaged("'sep_conv_3x3'", "'sep_conv_3x3\""),
      "line 1, column 32: expected the closing quote of the operation's name, "
      "found '\"'");
  refuses(Damaged("'sep_conv_3x3'", "' sep_conv_3x3'"),
          "expected the closing quote of the operation's name, found ' '");
  refuses(Damaged("'sep_conv_3x3'", "'sep_conv\n_3x3'"),
          "expected the closing quote of the operation's name, found '\\n'");
  refuses(Damaged("sep_conv_3x3", "sep_conv_9x9"),
          "line 1, column 19: unknown operation 'sep_conv_9x9'");
  refuses(Damaged("'sep_conv_3x3'", "''"), "unknown operation ''");
  refuses(Damaged("sep_conv_3x3", words),
          "unknown operation '" + std::string(40, 'a') + "...'");
  refuses(Damaged("'sep_conv_3x3', 0", "'sep_conv_3x3'"),
          "expected ',', found ')'");
  refuses(Damaged("'sep_conv_3x3', 0", "'sep_conv_3x3', -1"),
          "expected a state, a whole number from 0 on, found '-'");
  refuses(Damaged("'sep_conv_3x3', 0", "'sep_conv_3x3', 00"),
          "expected a state, a whole number from 0 on, found '00'");
  refuses(Damaged("'sep_conv_3x3', 0", "'sep_conv_3x3', 0x1"),
          "expected a state, a whole number from 0 on, found '0x1'");
  refuses(Damaged("'sep_conv_3x3', 0", "'sep_conv_3x3', 1 + 1"),
          "expected ',' or ')', found '+'");
  refuses(Damaged("'sep_conv_3x3', 0", "'sep_conv_3x3', 1.0"),
          "expected a state, a whole number from 0 on");
  refuses(
      Damaged("'sep_conv_3x3', 0", "'sep_conv_3x3', " + std::string(1000, '9')),
      "a state has more than 6 digits");
  refuses(
      Damaged("('skip_connect', 1)", "('skip_connect', 2, 1)"),
      "line 1, column 39: this tuple is of the kind threshold edges (op, to, "
      "from), those before it are pairs (op, from)");
  refuses(Damaged("('conv_7x1_1x7', 0)", "('conv_7x1_1x7', 0, 0.5)"),
          "this tuple is of the kind weighted pairs (op, from, weight), those "
          "before it are pairs (op, from)");
  refuses(Damaged("-3.0", "3", kWeighted),
          "this tuple is of the kind threshold edges");
  refuses(Damaged("0.25", "0.25, 1", kWeighted),
          "expected ')' after the third element, found '1'");
  refuses(Damaged("0.25", "1e999", kWeighted),
          "the weight is too large for a float");
  refuses(Damaged("0.25", "0." + std::string(1000, '1'), kWeighted),
          "the weight is longer than 40 characters");
  refuses(Damaged("0.25", "0x1.8p1", kWeighted),
          "expected a weight, a decimal number such as 0.25");
  refuses(Damaged("0.25", "1.5e", kWeighted),
          "expected a weight, a decimal number such as 0.25");
  refuses(Damaged("0.25", "float('nan')", kWeighted),
          "expected a state or a decimal weight");
  refuses(Damaged(", ('skip_connect', 1)", " ('skip_connect', 1)"),
          "expected ',' or ']' after a tuple, found '('");
  refuses(Damaged("range(2, 3)", "range(2)"), "expected ',', found ')'");
  refuses(Damaged("range(2, 3)", "range(2, 3, 1)"), "expected ')', found ','");
  refuses(Damaged("range(2, 3)", "range(2, 999999)"),
          "the range has more than 34 states");
  refuses(Damaged("range(2, 3)", "range(2, 9999999999)"),
          "the state after the last has more than 6 digits");
  refuses(Damaged("range(2, 3)", "list(range(2, 3))"),
          "expected range(first, end) or a list of states, found 'list'");
  refuses(Damaged("range(2, 3)", "[2, [3]]"),
          "expected a state or ']', a whole number from 0 on, found '['");
  refuses(Damaged("range(2, 3)", "[2 3]"),
          "expected ',' or ']' after a state, found '3'");
  refuses(Damaged("range(2, 3)", "[2,,]"),
          "expected a state or ']', a whole number from 0 on, found ','");
  refuses(std::string(kPairs) + " # why",
          "expected nothing after the genotype, found '#'");
  refuses(std::string(kPairs) + kPairs,
          "expected nothing after the genotype, found 'Genotype'");
}

TEST(PythonLiteralTest, AGenotypeAgainstTheRulesIsRefused) {
  EXPECT_THAT(
      ErrorOf(Damaged("'skip_connect', 1", "'skip_connect', 2")),
      HasSubstr("normal: edge 1 (skip_connect, 2 <- 2): reads state 2"));
  EXPECT_THAT(ErrorOf(Damaged("reduce=[]",
                              "reduce=[('skip_connect', 3, 0), "
                              "('skip_connect', 3, 0)]",
                              kThreshold)),
              HasSubstr("reduce: edge 1 (skip_connect, 3 <- 0): is there "
                        "twice"));
  EXPECT_THAT(ErrorOf(Damaged("[2]", "[2, 2]")),
              HasSubstr("reduce_concat: names state 2 twice"));
}

TEST(PythonLiteralTest, SizeAndNestingAreBounded) {
  std::string many = "Genotype(normal=[";
  for (int i = 0; i < 200000; ++i) many += "('skip_connect', 3, 0), ";
  EXPECT_THAT(ErrorOf(many), HasSubstr("the cell has more than 5040 tuples"));
  std::string states = "Genotype(normal_concat=[";
  for (int i = 0; i < 200000; ++i) states += "2, ";
  EXPECT_THAT(ErrorOf(states), HasSubstr("the list has more than 34 states"));
  for (const char* open : {"(", "[", "Genotype(", "Genotype(normal=[("}) {
    std::string deep;
    for (int i = 0; i < 200000; ++i) deep += open;
    EXPECT_THAT(ErrorOf(deep), HasSubstr("expected"));
    EXPECT_THAT(ErrorOf(absl::StrCat("Genotype(normal=", deep)),
                HasSubstr("expected"));
  }
}

TEST(PythonLiteralTest, TheLastGenotypeOfALogIsTaken) {
  const std::string log = absl::StrCat(
      "07/14 10:01:11 AM epoch 0 lr 5.000000e-03\n"
      "07/14 10:01:11 AM genotype = ",
      kThreshold,
      "\n"
      "07/14 11:22:33 AM train_acc 88.02 (top: 'a)\n"
      "07/14 11:22:34 AM genotype = ",
      kPairs, " (best)\r\n07/14 11:22:35 AM done MyGenotype(x)\n");
  const absl::StatusOr<Genotype> genotype = ParseLastPythonGenotype(log);
  ASSERT_TRUE(genotype.ok()) << genotype.status();
  EXPECT_EQ(*genotype, Parsed(kPairs));
  EXPECT_EQ(CountPythonGenotypes(log), 2);
}

TEST(PythonLiteralTest, ADamagedLastGenotypeIsNotPassedOver) {
  const std::string log = absl::StrCat(
      "genotype = ", kPairs,
      "\ngenotype = ", absl::string_view(kPairs).substr(0, 30), "\nepoch 1\n");
  const absl::Status status = ParseLastPythonGenotype(log).status();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kData);
  EXPECT_THAT(std::string(status.message()), HasSubstr("line 2, column "));
}

TEST(PythonLiteralTest, ATextWithoutGenotypeIsRefused) {
  for (const char* text : {"", "epoch 1", "MyGenotype(", "Genotype",
                           "namedtuple('Genotype', 'normal')"}) {
    EXPECT_EQ(ParseLastPythonGenotype(text).status().message(),
              "there is no \"Genotype(\" in the text")
        << text;
    EXPECT_EQ(CountPythonGenotypes(text), 0) << text;
  }
}

}  // namespace
}  // namespace fairdarts
