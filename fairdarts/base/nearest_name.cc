#include "fairdarts/base/nearest_name.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace fairdarts {
namespace {

constexpr size_t kSuggestions = 3;

std::string Folded(absl::string_view name) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(name), {{"-", "_"}});
}

// Insertions, deletions, substitutions and swaps of neighbours (optimal string
// alignment) that make `b` of `a`.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  // Three rows of the usual table: row[j] is the distance of a[:i] to b[:j].
  std::vector<size_t> row(b.size() + 1), above(b.size() + 1), above2;
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    above2 = std::exchange(above, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1),
                         above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], above2[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::string JoinWithOr(const std::vector<std::string>& names) {
  if (names.size() < 2) return absl::StrJoin(names, "");
  return absl::StrCat(absl::StrJoin(names.begin(), names.end() - 1, ", "),
                      " or ", names.back());
}

}  // namespace

std::vector<std::string> NearestNames(absl::string_view name,
                                      const std::vector<std::string>& known) {
  const std::string folded = Folded(name);
  std::vector<std::pair<size_t, std::string>> near;
  for (const std::string& candidate : known) {
    const size_t allowed = std::max<size_t>(1, candidate.size() / 3);
    // A longer name is no typing error, and the table's size stays bounded.
    if (folded.size() > candidate.size() + allowed) continue;
    const size_t distance = EditDistance(folded, Folded(candidate));
    if (distance <= allowed) near.emplace_back(distance, candidate);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) {
    return a.first < b.first;
  });
  std::vector<std::string> names;
  for (const auto& [distance, candidate] : near) {
    if (names.size() == kSuggestions) break;
    names.push_back(candidate);
  }
  return names;
}

std::string DidYouMean(absl::string_view name,
                       const std::vector<std::string>& known) {
  const std::vector<std::string> near = NearestNames(name, known);
  if (near.empty()) return "";
  return absl::StrCat("did you mean ", JoinWithOr(near), "?");
}

std::string MustBeOneOf(absl::string_view name,
                        const std::vector<std::string>& known) {
  std::string text = absl::StrCat("must be ", JoinWithOr(known));
  const std::string guess = DidYouMean(name, known);
  if (!guess.empty()) absl::StrAppend(&text, "; ", guess);
  return text;
}

}  // namespace fairdarts
