#ifndef GENOTYPES_PRIMITIVE_H_
#define GENOTYPES_PRIMITIVE_H_

// The candidate operations of a cell, under the names that papers and files
// use for them.

#include <array>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

enum class Primitive {
  kMaxPool3x3,
  kAvgPool3x3,
  kSkipConnect,
  kSepConv3x3,
  kSepConv5x5,
  kSepConv7x7,
  kDilConv3x3,
  kDilConv5x5,
  kConv7x1_1x7,
};

// Every primitive that a genotype may name.
inline constexpr std::array<Primitive, 9> kAllPrimitives = {
    Primitive::kMaxPool3x3, Primitive::kAvgPool3x3, Primitive::kSkipConnect,
    Primitive::kSepConv3x3, Primitive::kSepConv5x5, Primitive::kSepConv7x7,
    Primitive::kDilConv3x3, Primitive::kDilConv5x5, Primitive::kConv7x1_1x7,
};

// The seven candidates of an edge of the search space S1, in the order of the
// columns of its alphas.
inline constexpr std::array<Primitive, 7> kS1Candidates = {
    Primitive::kMaxPool3x3, Primitive::kAvgPool3x3, Primitive::kSkipConnect,
    Primitive::kSepConv3x3, Primitive::kSepConv5x5, Primitive::kDilConv3x3,
    Primitive::kDilConv5x5,
};

// "max_pool_3x3" and so on.
absl::string_view PrimitiveName(Primitive primitive);

// The primitive of a name; an unknown one is a data error that lists the known
// names.
absl::StatusOr<Primitive> ParsePrimitive(absl::string_view name);

}  // namespace fairdarts

#endif  // GENOTYPES_PRIMITIVE_H_
