#ifndef TRAINING_STUDIES_STUDY_TABLES_H_
#define TRAINING_STUDIES_STUDY_TABLES_H_

// The tables of a study. The same rows give the same bytes: what the clock says
// stands in the one of StudyTimingCsv alone.

#include <string>
#include <vector>

#include "training/studies/run_row.h"
#include "training/studies/study_plan.h"

namespace fairdarts {

// Mean and sample standard deviation (the root of the squares' sum over n - 1)
// of n values.
struct Spread {
  int n = 0;
  double mean = 0;       // where n > 0
  double deviation = 0;  // where n > 1
};
Spread SpreadOf(const std::vector<double>& values);

// A line a run, in the order of the rows: numbers of both cells unless a name
// says otherwise, fractions for accuracies, the genotype as Python's text.
std::string RunsCsv(const std::vector<RunRow>& rows);

// A line a variant of the plan: its runs, how many of them made a network, and
// of each number how many runs have it, its mean and its deviation. In the
// markdown accuracies are in per cent, and below the table stands what its
// columns mean.
std::string VariantsCsv(const StudyPlan& plan, const std::vector<RunRow>& rows);
std::string VariantsMarkdown(const StudyPlan& plan,
                             const std::vector<RunRow>& rows);

// The trained rows, most of the held-out images recognised first; of equals the
// cheaper network, then the earlier row.
std::vector<const RunRow*> Ranked(const std::vector<RunRow>& rows);

// Of the ranked rows those that see the test images: the first `tested` of each
// variant.
std::vector<const RunRow*> Chosen(const std::vector<RunRow>& rows, int tested);

std::string RankedCsv(const std::vector<RunRow>& rows);
std::string RankedMarkdown(const StudyPlan& plan,
                           const std::vector<RunRow>& rows);

std::string StudyTimingCsv(const std::vector<RunRow>& rows);

}  // namespace fairdarts

#endif  // TRAINING_STUDIES_STUDY_TABLES_H_
