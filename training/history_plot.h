#ifndef TRAINING_HISTORY_PLOT_H_
#define TRAINING_HISTORY_PLOT_H_

// The history of a search as a picture.

#include <string>
#include <vector>

namespace fairdarts {

struct RelaxedWeights;

// An SVG of two panels, normal and reduction cell: each candidate of each edge
// is a line over the epochs in its operation's colour, from 0 to 1, and
// `threshold` is a dashed line.
std::string HistorySvg(const std::vector<RelaxedWeights>& epochs,
                       double threshold);

}  // namespace fairdarts

#endif  // TRAINING_HISTORY_PLOT_H_
