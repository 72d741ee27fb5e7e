#ifndef FAIRDARTS_CLASSIFIER_REPORT_H_
#define FAIRDARTS_CLASSIFIER_REPORT_H_

// What is said about one image, for people and for programs.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "fairdarts/classifier/top_classes.h"

namespace fairdarts {

// The text with '?' for characters that steer a terminal or end a line: names
// of files and classes come from anywhere.
std::string Printable(absl::string_view text);

// The image's name and a line for each class, "  93.21 %  bird", all printable.
// `class_names` are those of all classes, or none; then classes are numbers.
std::string ClassesText(absl::string_view image,
                        const std::vector<ClassProbability>& classes,
                        const std::vector<std::string>& class_names);

// One line with a JSON object, {"image": ..., "classes": [CLASS, ...]}, the
// most probable class first. A CLASS is
//   {"index": ..., "class": ..., "probability": ...}
// without "class" where there are no names.
std::string ClassesJson(absl::string_view image,
                        const std::vector<ClassProbability>& classes,
                        const std::vector<std::string>& class_names);

// The same for an image that was not classified: {"image": ..., "error": ...}.
std::string ErrorJson(absl::string_view image, absl::string_view error);

}  // namespace fairdarts

#endif  // FAIRDARTS_CLASSIFIER_REPORT_H_
