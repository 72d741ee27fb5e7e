#ifndef TRAINING_EVALUATION_REPORT_H_
#define TRAINING_EVALUATION_REPORT_H_

// What an evaluation found, for people and for programs.

#include <string>
#include <utility>
#include <vector>

#include "training/classification.h"

namespace fairdarts {

struct EvaluationReport {
  explicit EvaluationReport(Classification counts)
      : counts(std::move(counts)) {}

  std::string model;    // the file
  std::string dataset;  // its name
  std::string split;    // "test"
  Classification counts;
  double seconds = 0;  // for all images, from bytes to counts
  // Names of the classes, or none; then they are numbers.
  std::vector<std::string> class_names;
  bool per_class = false;  // with a line for each class
  bool confusion = false;  // with the confusion matrix
};

// Lines of text. Of a class: its images, how many of them are recognised
// (recall), and how many of those taken for it are of it (precision).
std::string EvaluationText(const EvaluationReport& report);

// One JSON object; fractions are in [0, 1].
std::string EvaluationJson(const EvaluationReport& report);

}  // namespace fairdarts

#endif  // TRAINING_EVALUATION_REPORT_H_
