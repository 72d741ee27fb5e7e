#ifndef GENOTYPES_PYTHON_LITERAL_H_
#define GENOTYPES_PYTHON_LITERAL_H_

// Genotypes as upstream's Python prints them:
//
//   Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6),
//            reduce=[...], reduce_concat=[2, 3, 4, 5])
//
// The tuples of a genotype are all of one kind: (op, from), (op, to, from) or
// (op, from, weight), the last two told apart by their third element, which is
// an integer or a float. The reader takes the four keywords in any order, each
// once, white space and trailing commas where Python does, and nothing else:
// no other expression, so nothing is ever evaluated and nesting is bounded by
// the grammar. A genotype without any tuple is a threshold one, the only kind
// that may be empty.

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "genotypes/genotype.h"

namespace fairdarts {

// The genotype of a text that holds one `Genotype(...)`, with white space
// around it and nothing else. The data error gives line and column, both from
// 1, and what was expected there; or the rule of Genotype::Validate().
absl::StatusOr<Genotype> ParsePythonGenotype(absl::string_view text);

// The last `Genotype(...)` anywhere in a text, such as a whole log file or a
// Python source. When the last one is damaged, that is the error: an earlier
// one is never taken instead.
absl::StatusOr<Genotype> ParseLastPythonGenotype(absl::string_view text);

// How many `Genotype(` a text holds: ParseLastPythonGenotype reads the last.
int64_t CountPythonGenotypes(absl::string_view text);

// How *_concat is written where both are possible.
enum class ConcatStyle {
  kRange,  // range(2, 6) for successive states, as a search prints them
  kList,   // [2, 3, 4, 5]
};

// One line without line break, which the readers take back to an equal
// genotype. Floats are the shortest that do, as Python's repr().
std::string ToPythonText(const Genotype& genotype,
                         ConcatStyle style = ConcatStyle::kRange);

}  // namespace fairdarts

#endif  // GENOTYPES_PYTHON_LITERAL_H_
