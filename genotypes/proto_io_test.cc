#include "genotypes/proto_io.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "genotypes/edge_layout.h"

namespace fairdarts {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Genotype Weighted() {
  const GenotypeCell cell = {{{Primitive::kSepConv3x3, 2, 0, 0.2386},
                              {Primitive::kSkipConnect, 2, 1, 1}},
                             {2}};
  return {GenotypeForm::kWeighted, cell, cell};
}

Genotype Empty() { return {GenotypeForm::kThreshold, {{}, {2, 3, 4, 5}}, {}}; }

std::string TempPath(const std::string& name) {
  return absl::StrCat(testing::TempDir(), "/", getpid(), "_", name);
}

constexpr GenotypeFormat kFormats[] = {GenotypeFormat::kText,
                                       GenotypeFormat::kBinary};

TEST(ProtoIoTest, BothFormatsRoundTrip) {
  for (const GenotypeFormat format : kFormats) {
    for (const Genotype& genotype : {Weighted(), Empty()}) {
      const absl::StatusOr<Genotype> again =
          ParseGenotype(SerializeGenotype(genotype, format), format);
      ASSERT_TRUE(again.ok()) << again.status();
      EXPECT_EQ(*again, genotype);
    }
  }
}

TEST(ProtoIoTest, TheTextIsReadable) {
  EXPECT_EQ(SerializeGenotype(Weighted(), GenotypeFormat::kText),
            R"(# proto-file: genotypes/genotype.proto
# proto-message: fairdarts.GenotypeProto
form: WEIGHTED
normal {
  edge {
    op: "sep_conv_3x3"
    to: 2
    from: 0
    weight: 0.2386
  }
  edge {
    op: "skip_connect"
    to: 2
    from: 1
    weight: 1
  }
  concat: [2]
}
reduce {
  edge {
    op: "sep_conv_3x3"
    to: 2
    from: 0
    weight: 0.2386
  }
  edge {
    op: "skip_connect"
    to: 2
    from: 1
    weight: 1
  }
  concat: [2]
}
)");
}

TEST(ProtoIoTest, EveryTruncationIsRefused) {
  for (const GenotypeFormat format : kFormats) {
    const std::string whole = SerializeGenotype(Weighted(), format);
    // Without the last line break a text still says the same.
    const size_t end =
        format == GenotypeFormat::kText ? whole.size() - 1 : whole.size();
    for (size_t length = 0; length < end; ++length) {
      const absl::StatusOr<Genotype> genotype =
          ParseGenotype(absl::string_view(whole).substr(0, length), format);
      ASSERT_EQ(ExitCodeOf(genotype.status()), ExitCode::kData) << length;
    }
  }
}

TEST(ProtoIoTest, EveryRuleRefusesByField) {
  struct Refusal {
    void (*damage)(GenotypeProto&);
    const char* message;
  };
  const Refusal refusals[] = {
      {[](GenotypeProto& p) { p.clear_form(); }, "form: is missing"},
      {[](GenotypeProto& p) { p.clear_normal(); }, "normal: is missing"},
      {[](GenotypeProto& p) { p.clear_reduce(); }, "reduce: is missing"},
      {[](GenotypeProto& p) { p.set_form(GenotypeProto::FORM_UNSPECIFIED); },
       "form: is 0; it has to be PAIRS, THRESHOLD or WEIGHTED"},
      {[](GenotypeProto& p) { p.set_form(GenotypeProto::Form(9)); },
       "form: is 9; it has to be PAIRS, THRESHOLD or WEIGHTED"},
      {[](GenotypeProto& p) {
         p.mutable_normal()->mutable_edge(1)->clear_op();
       },
       "normal: edge 1: op: is missing"},
      {[](GenotypeProto& p) {
         p.mutable_reduce()->mutable_edge(0)->clear_to();
       },
       "reduce: edge 0: to: is missing"},
      {[](GenotypeProto& p) {
         p.mutable_reduce()->mutable_edge(0)->clear_from();
       },
       "reduce: edge 0: from: is missing"},
      {[](GenotypeProto& p) {
         p.mutable_reduce()->mutable_edge(1)->clear_weight();
       },
       "reduce: edge 1: weight: is missing"},
      {[](GenotypeProto& p) { p.set_form(GenotypeProto::PAIRS); },
       "normal: edge 0: weight: pairs (op, from) have no weights"},
      {[](GenotypeProto& p) {
         p.mutable_normal()->mutable_edge(1)->set_op("none");
       },
       "normal: edge 1: op: unknown operation 'none'"},
      {[](GenotypeProto& p) {
         p.mutable_normal()->mutable_edge(1)->set_from(2);
       },
       "normal: edge 1 (skip_connect, 2 <- 2, weight 1): reads state 2"},
      {[](GenotypeProto& p) {
         p.mutable_normal()->mutable_edge(1)->set_to(-1);
       },
       "normal: edge 1 (skip_connect, -1 <- 1, weight 1): feeds state -1"},
      {[](GenotypeProto& p) {
         p.mutable_normal()->mutable_edge(1)->set_weight(
             std::numeric_limits<double>::infinity());
       },
       "its weight has to be a finite number"},
      {[](GenotypeProto& p) { p.mutable_reduce()->add_concat(2); },
       "reduce_concat: names state 2 twice"},
      {[](GenotypeProto& p) { p.mutable_reduce()->add_concat(2147483647); },
       "reduce_concat: names state 2147483647"},
  };
  for (const Refusal& refusal : refusals) {
    GenotypeProto proto = GenotypeToProto(Weighted());
    refusal.damage(proto);
    const absl::Status status = GenotypeFromProto(proto).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kData);
    EXPECT_THAT(std::string(status.message()), HasSubstr(refusal.message));
  }
}

TEST(ProtoIoTest, FilesRoundTrip) {
  for (const GenotypeFormat format : kFormats) {
    const std::string path = TempPath("genotype");
    ASSERT_TRUE(WriteGenotypeFile(path, Weighted(), format).ok());
    const absl::StatusOr<Genotype> genotype = ReadGenotypeFile(path, format);
    ASSERT_TRUE(genotype.ok()) << genotype.status();
    EXPECT_EQ(*genotype, Weighted());
  }
}

TEST(ProtoIoTest, FileErrorsBeginWithThePath) {
  const std::string path = TempPath("damaged");
  const auto read_error = [&](absl::string_view contents,
                              GenotypeFormat format) {
    EXPECT_TRUE(WriteFileAtomic(path, contents).ok());
    const absl::Status status = ReadGenotypeFile(path, format).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kData);
    return std::string(status.message());
  };
  const std::string text = SerializeGenotype(Weighted(), GenotypeFormat::kText);
  EXPECT_THAT(
      read_error(absl::StrReplaceAll(text, {{"skip_connect", "none"}}),
                 GenotypeFormat::kText),
      StartsWith(path + ": normal: edge 1: op: unknown operation 'none'"));
  EXPECT_THAT(
      read_error(absl::StrCat(text, "colour: 1"), GenotypeFormat::kText),
      AllOf(StartsWith(path + ": line 34, column "), HasSubstr("colour")));
  EXPECT_THAT(read_error(text, GenotypeFormat::kBinary),
              StartsWith(path + ": is not a whole fairdarts.GenotypeProto"));
  EXPECT_THAT(read_error(SerializeGenotype(Weighted(), GenotypeFormat::kBinary),
                         GenotypeFormat::kText),
              StartsWith(path + ": line 1, column"));
  EXPECT_THAT(read_error("", GenotypeFormat::kText),
              StartsWith(path + ": form: is missing"));
  EXPECT_THAT(read_error(std::string(kMaxGenotypeFileBytes + 1, ' '),
                         GenotypeFormat::kText),
              StartsWith(path + ": has 1048577 bytes, more than"));
  EXPECT_THAT(
      std::string(ReadGenotypeFile(path + "_none", GenotypeFormat::kText)
                      .status()
                      .message()),
      StartsWith(path + "_none: cannot open"));
}

TEST(ProtoIoTest, TheLargestGenotypeFitsIntoAFile) {
  Genotype genotype;
  genotype.form = GenotypeForm::kThreshold;
  for (const CellEdge& edge : EdgeLayout(kMaxCellNodes)) {
    for (const Primitive op : kAllPrimitives) {
      genotype.normal.edges.push_back({op, edge.to, edge.from});
    }
  }
  genotype.reduce = genotype.normal;
  const std::string path = TempPath("largest");
  for (const GenotypeFormat format : kFormats) {
    ASSERT_TRUE(WriteGenotypeFile(path, genotype, format).ok());
    const absl::StatusOr<Genotype> again = ReadGenotypeFile(path, format);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, genotype);
  }
}

TEST(ProtoIoTest, AnInvalidGenotypeIsNotWritten) {
  const std::string path = TempPath("kept");
  ASSERT_TRUE(WriteFileAtomic(path, "old").ok());
  Genotype genotype = Weighted();
  genotype.normal.edges[0].from = 2;
  const absl::Status status =
      WriteGenotypeFile(path, genotype, GenotypeFormat::kText);
  EXPECT_THAT(std::string(status.message()), StartsWith(path + ": normal:"));
  EXPECT_EQ(*ReadFile(path), "old");
}

TEST(ProtoIoTest, AFileThatCannotBeWrittenIsAnEnvironmentError) {
  const absl::Status status = WriteGenotypeFile(
      TempPath("no_such_folder") + "/g", Weighted(), GenotypeFormat::kText);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kEnvironment);
}

}  // namespace
}  // namespace fairdarts
