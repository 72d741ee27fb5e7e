#include "genotypes/quote.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace fairdarts {

std::string EscapeUnprintable(absl::string_view text) {
  std::string escaped;
  for (size_t i = 0; i < text.size(); ++i) {
    const absl::string_view one = text.substr(i, 1);
    absl::StrAppend(&escaped, absl::ascii_isprint(text[i])
                                  ? std::string(one)
                                  : absl::CHexEscape(one));
  }
  return escaped;
}

std::string Quote(absl::string_view text) {
  constexpr size_t kShown = 40;
  return absl::StrCat("'", EscapeUnprintable(text.substr(0, kShown)),
                      text.size() > kShown ? "..." : "", "'");
}

}  // namespace fairdarts
