#include "genotypes/primitive.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "genotypes/quote.h"

namespace fairdarts {

absl::string_view PrimitiveName(Primitive primitive) {
  // No default: the compiler lists what a new primitive lacks.
  switch (primitive) {
    case Primitive::kMaxPool3x3:
      return "max_pool_3x3";
    case Primitive::kAvgPool3x3:
      return "avg_pool_3x3";
    case Primitive::kSkipConnect:
      return "skip_connect";
    case Primitive::kSepConv3x3:
      return "sep_conv_3x3";
    case Primitive::kSepConv5x5:
      return "sep_conv_5x5";
    case Primitive::kSepConv7x7:
      return "sep_conv_7x7";
    case Primitive::kDilConv3x3:
      return "dil_conv_3x3";
    case Primitive::kDilConv5x5:
      return "dil_conv_5x5";
    case Primitive::kConv7x1_1x7:
      return "conv_7x1_1x7";
  }
  FD_CHECK(false) << "no primitive has the number "
                  << static_cast<int>(primitive);
  return "";
}

absl::StatusOr<Primitive> ParsePrimitive(absl::string_view name) {
  std::string known;
  for (const Primitive primitive : kAllPrimitives) {
    if (PrimitiveName(primitive) == name) return primitive;
    absl::StrAppend(&known, known.empty() ? "" : " ", PrimitiveName(primitive));
  }
  return DataError(absl::StrCat("unknown operation ", Quote(name),
                                "; the known ones are ", known));
}

}  // namespace fairdarts
