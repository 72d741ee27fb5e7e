#include "training/torch_import/shown.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace fairdarts {

std::string Shown(absl::string_view text) {
  constexpr size_t kMaxShown = 100;
  return absl::StrCat(absl::CHexEscape(text.substr(0, kMaxShown)),
                      text.size() > kMaxShown ? "..." : "");
}

}  // namespace fairdarts
