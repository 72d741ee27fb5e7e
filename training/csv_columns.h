#ifndef TRAINING_CSV_COLUMNS_H_
#define TRAINING_CSV_COLUMNS_H_

// Rows of a csv file whose columns one function names and fills, so that header
// and rows cannot come apart: for_each(visit) calls visit(name, value) for each
// column, in order; a value is an int, a double or an optional double.

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace fairdarts {

inline std::string CsvText(int value) { return absl::StrCat(value); }
inline std::string CsvText(double value) {
  return absl::StrFormat("%.7g", value);
}
inline std::string CsvText(absl::optional<double> value) {
  return value.has_value() ? CsvText(*value) : "";
}

// The line of names, and that of values.
template <typename ForEach>
std::string CsvHeader(const ForEach& for_each) {
  std::string line;
  for_each([&](absl::string_view name, const auto&) {
    absl::StrAppend(&line, line.empty() ? "" : ",", name);
  });
  return line + "\n";
}

template <typename ForEach>
std::string CsvRow(const ForEach& for_each) {
  std::string line;
  for_each([&](absl::string_view, const auto& value) {
    absl::StrAppend(&line, line.empty() ? "" : ",", CsvText(value));
  });
  return line + "\n";
}

}  // namespace fairdarts

#endif  // TRAINING_CSV_COLUMNS_H_
