#ifndef TRAINING_STUDIES_ALPHAS_PLOT_H_
#define TRAINING_STUDIES_ALPHAS_PLOT_H_

// The relaxed weights of several searches over their epochs, as one picture.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "training/history.h"
#include "training/run_folder.h"

namespace fairdarts {

struct AlphasPanel {
  std::string title;
  // At the start of each epoch, and at the end of the last one that counts.
  std::vector<RelaxedWeights> epochs;
};

// The weights that a finished search has left in its folder: to the state that
// it took, which is the one after epoch `returned_to` (from 0), or after its
// last one. A data error begins with the path of the file that is missing or
// damaged.
absl::StatusOr<std::vector<RelaxedWeights>> ReadRelaxedWeights(
    const RunFolder& folder, absl::optional<int> returned_to);

// An SVG with two panels for each search, normal and reduction cell: each
// candidate of each edge is a line from 0 to 1 over the epochs in its
// operation's colour, and skip connections lie above the others. The same
// panels give the same bytes.
std::string AlphasSvg(absl::string_view title,
                      const std::vector<AlphasPanel>& panels);

}  // namespace fairdarts

#endif  // TRAINING_STUDIES_ALPHAS_PLOT_H_
