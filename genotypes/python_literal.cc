#include "genotypes/python_literal.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/optional.h"
#include "fairdarts/base/status.h"
#include "genotypes/edge_layout.h"
#include "genotypes/quote.h"

namespace fairdarts {
namespace {

constexpr absl::string_view kClass = "Genotype";
constexpr absl::string_view kKeywords =
    "normal, normal_concat, reduce or reduce_concat";
// Longer numbers cannot be right, and cost nothing to refuse.
constexpr size_t kMaxIntegerDigits = 6;
constexpr size_t kMaxFloatLength = 40;
// A threshold cell holds each operation on each edge at most once.
constexpr size_t kMaxTuples =
    kAllPrimitives.size() * kMaxCellNodes * (kMaxCellNodes + 3) / 2;

bool IsIdentifierChar(char c) { return absl::ascii_isalnum(c) || c == '_'; }

// A recursive descent over the grammar of the header, without recursion: no
// rule contains itself.
class Parser {
 public:
  Parser(absl::string_view text, size_t position)
      : text_(text), position_(position) {}

  // At `Genotype`; ends after the closing parenthesis.
  absl::StatusOr<Genotype> ParseGenotype() {
    FD_RETURN_IF_ERROR(ExpectWord(kClass));
    FD_RETURN_IF_ERROR(Expect('('));
    absl::optional<GenotypeCell> normal, reduce;
    absl::optional<std::vector<int>> normal_concat, reduce_concat;
    while (!TakeIf(')')) {
      SkipSpace();
      const size_t start = position_;
      const absl::string_view keyword = TakeIdentifier();
      bool repeated = false;
      const auto claim = [&repeated](auto& field) {
        repeated = field.has_value();
        field.emplace();
      };
      GenotypeCell* cell = nullptr;
      std::vector<int>* concat = nullptr;
      if (keyword == "normal") {
        claim(normal);
        cell = &*normal;
      } else if (keyword == "reduce") {
        claim(reduce);
        cell = &*reduce;
      } else if (keyword == "normal_concat") {
        claim(normal_concat);
        concat = &*normal_concat;
      } else if (keyword == "reduce_concat") {
        claim(reduce_concat);
        concat = &*reduce_concat;
      } else {
        position_ = start;
        return Expected(absl::StrCat("the keyword ", kKeywords, ", or ')'"));
      }
      if (repeated) {
        position_ = start;
        return ErrorHere(
            absl::StrCat("the keyword ", Quote(keyword), " is there twice"));
      }
      FD_RETURN_IF_ERROR(Expect('='));
      FD_RETURN_IF_ERROR(cell ? ParseEdges(*cell) : ParseConcat(*concat));
      if (TakeIf(')')) break;
      FD_RETURN_IF_ERROR(Expect(',', "',' or ')'"));
    }
    const std::pair<absl::string_view, bool> keywords[] = {
        {"normal", normal.has_value()},
        {"normal_concat", normal_concat.has_value()},
        {"reduce", reduce.has_value()},
        {"reduce_concat", reduce_concat.has_value()}};
    for (const auto& [keyword, present] : keywords) {
      if (!present) {
        --position_;
        return ErrorHere(
            absl::StrCat("the genotype ends without ", Quote(keyword)));
      }
    }
    Genotype genotype;
    // Only a threshold rule can leave both cells empty.
    genotype.form = form_.value_or(GenotypeForm::kThreshold);
    genotype.normal = {std::move(normal->edges), *std::move(normal_concat)};
    genotype.reduce = {std::move(reduce->edges), *std::move(reduce_concat)};
    return genotype;
  }

  absl::Status ExpectEnd() {
    SkipSpace();
    if (position_ == text_.size()) return absl::OkStatus();
    return Expected("nothing after the genotype");
  }

 private:
  // "line 3, column 17: message" about the current position.
  absl::Status ErrorHere(absl::string_view message) const {
    const absl::string_view before = text_.substr(0, position_);
    const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    return DataError(absl::StrCat(
        "line ", 1 + std::count(before.begin(), before.end(), '\n'),
        ", column ", 1 + position_ - line_start, ": ", message));
  }

  absl::Status Expected(absl::string_view what) {
    SkipSpace();
    return ExpectedHere(what);
  }

  absl::Status ExpectedHere(absl::string_view what) const {
    const absl::string_view rest = text_.substr(position_);
    // What was found: a word, or else one character.
    size_t length = 0;
    while (length < rest.size() && IsIdentifierChar(rest[length])) ++length;
    return ErrorHere(absl::StrCat(
        "expected ", what, ", found ",
        rest.empty() ? "the end of the text"
                     : Quote(rest.substr(0, std::max<size_t>(length, 1)))));
  }

  void SkipSpace() {
    while (position_ < text_.size() && absl::ascii_isspace(text_[position_])) {
      ++position_;
    }
  }

  bool TakeIf(char c) {
    SkipSpace();
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  absl::Status Expect(char c, absl::string_view what = "") {
    if (TakeIf(c)) return absl::OkStatus();
    return Expected(what.empty() ? absl::StrCat("'", std::string(1, c), "'")
                                 : std::string(what));
  }

  absl::string_view TakeIdentifier() {
    const size_t start = position_;
    while (position_ < text_.size() && IsIdentifierChar(text_[position_])) {
      ++position_;
    }
    return text_.substr(start, position_ - start);
  }

  absl::Status ExpectWord(absl::string_view word) {
    SkipSpace();
    const size_t start = position_;
    if (TakeIdentifier() == word) return absl::OkStatus();
    position_ = start;
    return Expected(Quote(word));
  }

  // The characters that a number could be made of, cut off well after the
  // longest one that is accepted.
  absl::string_view PeekNumber() {
    SkipSpace();
    size_t end = position_;
    while (end < text_.size() && end - position_ <= kMaxFloatLength) {
      const char c = text_[end];
      const bool sign_of_exponent =
          (c == '+' || c == '-') &&
          (end == position_ || text_[end - 1] == 'e' || text_[end - 1] == 'E');
      if (!IsIdentifierChar(c) && c != '.' && !sign_of_exponent) break;
      ++end;
    }
    return text_.substr(position_, end - position_);
  }

  absl::StatusOr<int> ParseInteger(absl::string_view what) {
    const absl::string_view token = PeekNumber();
    const bool digits =
        !token.empty() && std::all_of(token.begin(), token.end(), [](char c) {
          return absl::ascii_isdigit(c);
        });
    if (!digits || (token.size() > 1 && token[0] == '0')) {
      return Expected(absl::StrCat(what, ", a whole number from 0 on"));
    }
    if (token.size() > kMaxIntegerDigits) {
      return ErrorHere(
          absl::StrCat(what, " has more than ", kMaxIntegerDigits, " digits"));
    }
    int value = 0;
    for (const char c : token) value = value * 10 + (c - '0');
    position_ += token.size();
    return value;
  }

  // A Python float: digits with a point or an exponent, maybe a sign.
  absl::StatusOr<double> ParseFloat() {
    const absl::string_view token = PeekNumber();
    if (token.size() > kMaxFloatLength) {
      return ErrorHere(absl::StrCat("the weight is longer than ",
                                    kMaxFloatLength, " characters"));
    }
    const bool starts_well =
        !token.empty() &&
        (absl::ascii_isdigit(token[0]) || token[0] == '-' || token[0] == '.');
    // SimpleAtod also takes hexadecimal floats, "inf" and "nan".
    const bool decimal = std::all_of(token.begin(), token.end(), [](char c) {
      return absl::ascii_isdigit(c) || absl::StrContains(".eE+-", c);
    });
    double value = 0;
    if (!starts_well || !decimal || !absl::SimpleAtod(token, &value)) {
      return Expected("a weight, a decimal number such as 0.25");
    }
    if (!std::isfinite(value)) {
      return ErrorHere("the weight is too large for a float");
    }
    position_ += token.size();
    return value;
  }

  absl::StatusOr<Primitive> ParseOp() {
    SkipSpace();
    const size_t start = position_;
    const char quote = position_ < text_.size() ? text_[position_] : '\0';
    if (quote != '\'' && quote != '"') {
      return Expected("the name of an operation in quotes");
    }
    ++position_;
    const absl::string_view name = TakeIdentifier();
    if (position_ >= text_.size() || text_[position_] != quote) {
      return ExpectedHere("the closing quote of the operation's name");
    }
    ++position_;
    absl::StatusOr<Primitive> op = ParsePrimitive(name);
    if (!op.ok()) {
      position_ = start;
      return ErrorHere(op.status().message());
    }
    return op;
  }

  absl::Status ParseTuple(GenotypeCell& cell) {
    const size_t start = position_;
    FD_RETURN_IF_ERROR(Expect('(', "a tuple such as ('sep_conv_3x3', 0)"));
    GenotypeEdge edge;
    FD_ASSIGN_OR_RETURN(edge.op, ParseOp());
    FD_RETURN_IF_ERROR(Expect(','));
    FD_ASSIGN_OR_RETURN(const int first, ParseInteger("a state"));
    GenotypeForm form = GenotypeForm::kPairs;
    edge.to = kCellInputs + static_cast<int>(cell.edges.size() / 2);
    edge.from = first;
    if (!TakeIf(')')) {
      FD_RETURN_IF_ERROR(Expect(',', "',' or ')'"));
      if (!TakeIf(')')) {
        const absl::string_view third = PeekNumber();
        if (third.find_first_of(".eE") != absl::string_view::npos) {
          form = GenotypeForm::kWeighted;
          FD_ASSIGN_OR_RETURN(edge.weight, ParseFloat());
        } else {
          form = GenotypeForm::kThreshold;
          edge.to = first;
          FD_ASSIGN_OR_RETURN(edge.from,
                              ParseInteger("a state or a decimal weight"));
        }
        TakeIf(',');
        FD_RETURN_IF_ERROR(Expect(')', "')' after the third element"));
      }
    }
    if (form_.has_value() && *form_ != form) {
      position_ = start;
      SkipSpace();
      return ErrorHere(absl::StrCat("this tuple is of the kind ",
                                    FormName(form), ", those before it are ",
                                    FormName(*form_)));
    }
    form_ = form;
    cell.edges.push_back(edge);
    return absl::OkStatus();
  }

  absl::Status ParseEdges(GenotypeCell& cell) {
    FD_RETURN_IF_ERROR(Expect('[', "'[', a list of tuples"));
    while (!TakeIf(']')) {
      if (cell.edges.size() >= kMaxTuples) {
        return ErrorHere(
            absl::StrCat("the cell has more than ", kMaxTuples, " tuples"));
      }
      FD_RETURN_IF_ERROR(ParseTuple(cell));
      if (TakeIf(']')) break;
      FD_RETURN_IF_ERROR(Expect(',', "',' or ']' after a tuple"));
    }
    return absl::OkStatus();
  }

  absl::Status ParseConcat(std::vector<int>& concat) {
    constexpr int kMaxStates = kCellInputs + kMaxCellNodes;
    if (TakeIf('[')) {
      while (!TakeIf(']')) {
        if (concat.size() >= kMaxStates) {
          return ErrorHere(
              absl::StrCat("the list has more than ", kMaxStates, " states"));
        }
        FD_ASSIGN_OR_RETURN(const int state, ParseInteger("a state or ']'"));
        concat.push_back(state);
        if (TakeIf(']')) break;
        FD_RETURN_IF_ERROR(Expect(',', "',' or ']' after a state"));
      }
      return absl::OkStatus();
    }
    SkipSpace();
    const size_t start = position_;
    if (TakeIdentifier() != "range") {
      position_ = start;
      return Expected("range(first, end) or a list of states");
    }
    FD_RETURN_IF_ERROR(Expect('('));
    FD_ASSIGN_OR_RETURN(const int first, ParseInteger("the first state"));
    FD_RETURN_IF_ERROR(Expect(','));
    FD_ASSIGN_OR_RETURN(const int end,
                        ParseInteger("the state after the last"));
    FD_RETURN_IF_ERROR(Expect(')'));
    if (end - first > kMaxStates) {
      position_ = start;
      return ErrorHere(
          absl::StrCat("the range has more than ", kMaxStates, " states"));
    }
    for (int state = first; state < end; ++state) concat.push_back(state);
    return absl::OkStatus();
  }

  const absl::string_view text_;
  size_t position_;
  absl::optional<GenotypeForm> form_;  // of the tuples so far
};

// As Python's repr(float): the shortest digits that read back equal, with an
// exponent below 1e-4 and from 1e16 on.
std::string PythonFloat(double value) {
  char buffer[32];
  const double magnitude = std::fabs(value);
  const bool exponent =
      magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16);
  const std::to_chars_result end = std::to_chars(
      buffer, buffer + sizeof(buffer), value,
      exponent ? std::chars_format::scientific : std::chars_format::fixed);
  std::string text(buffer, end.ptr);
  if (!exponent && text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string EdgesText(const GenotypeCell& cell, GenotypeForm form) {
  return absl::StrCat(
      "[",
      absl::StrJoin(cell.edges, ", ",
                    [form](std::string* out, const GenotypeEdge& edge) {
                      absl::StrAppend(out, "('", PrimitiveName(edge.op), "', ");
                      if (form == GenotypeForm::kThreshold) {
                        absl::StrAppend(out, edge.to, ", ");
                      }
                      absl::StrAppend(out, edge.from);
                      if (form == GenotypeForm::kWeighted) {
                        absl::StrAppend(out, ", ", PythonFloat(edge.weight));
                      }
                      absl::StrAppend(out, ")");
                    }),
      "]");
}

std::string ConcatText(const std::vector<int>& concat, ConcatStyle style) {
  bool successive = !concat.empty();
  for (size_t i = 1; i < concat.size(); ++i) {
    successive = successive && concat[i] == concat[i - 1] + 1;
  }
  if (style == ConcatStyle::kRange && successive) {
    return absl::StrCat("range(", concat.front(), ", ", concat.back() + 1, ")");
  }
  return absl::StrCat("[", absl::StrJoin(concat, ", "), "]");
}

// Calls visit(start) for each `Genotype(` of a text, from its beginning.
template <typename Visit>
void ForEachGenotype(absl::string_view text, Visit visit) {
  constexpr absl::string_view kStart = "Genotype(";
  for (size_t start = text.find(kStart); start != absl::string_view::npos;
       start = text.find(kStart, start + kStart.size())) {
    // MyGenotype( is something else.
    if (start == 0 || !IsIdentifierChar(text[start - 1])) visit(start);
  }
}

absl::StatusOr<Genotype> Validated(absl::StatusOr<Genotype> genotype) {
  if (genotype.ok()) FD_RETURN_IF_ERROR(genotype->Validate());
  return genotype;
}

}  // namespace

absl::StatusOr<Genotype> ParsePythonGenotype(absl::string_view text) {
  Parser parser(text, 0);
  absl::StatusOr<Genotype> genotype = parser.ParseGenotype();
  if (genotype.ok()) FD_RETURN_IF_ERROR(parser.ExpectEnd());
  return Validated(std::move(genotype));
}

absl::StatusOr<Genotype> ParseLastPythonGenotype(absl::string_view text) {
  size_t last = absl::string_view::npos;
  ForEachGenotype(text, [&](size_t start) { last = start; });
  if (last == absl::string_view::npos) {
    return DataError("there is no \"Genotype(\" in the text");
  }
  return Validated(Parser(text, last).ParseGenotype());
}

int64_t CountPythonGenotypes(absl::string_view text) {
  int64_t count = 0;
  ForEachGenotype(text, [&](size_t) { ++count; });
  return count;
}

std::string ToPythonText(const Genotype& genotype, ConcatStyle style) {
  return absl::StrCat(
      kClass, "(normal=", EdgesText(genotype.normal, genotype.form),
      ", normal_concat=", ConcatText(genotype.normal.concat, style),
      ", reduce=", EdgesText(genotype.reduce, genotype.form),
      ", reduce_concat=", ConcatText(genotype.reduce.concat, style), ")");
}

}  // namespace fairdarts
