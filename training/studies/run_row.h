#ifndef TRAINING_STUDIES_RUN_ROW_H_
#define TRAINING_STUDIES_RUN_ROW_H_

// What one run of a study came to, read from the files that its search and its
// training have left: nothing is kept twice.

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "fairdarts/decision.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"
#include "training/run_folder.h"

namespace fairdarts {

// A relaxed weight nearer to 0.5 than this says nothing either way.
inline constexpr float kNearHalf = 0.1f;

struct SearchOutcome {
  Genotype genotype;
  Decision decision;  // of the final weights
  int near_half = 0;  // weights of both cells that are near 0.5
  // On the images of the alphas, without augmentation, where it was measured.
  absl::optional<double> top1;
  // From 0: the epoch after which an early stop took the state. None where that
  // is the state after the last epoch of all.
  absl::optional<int> returned_to;
  double seconds = 0;  // of its steps
};

struct TrainOutcome {
  double valid_top1 = 0;  // of the best epoch, on the images held out
  int best_epoch = 0;     // from 1
  double seconds = 0;     // of its steps
};

// The test images of one network.
struct TestOutcome {
  int64_t images = 0;
  int64_t correct = 0;

  double top1() const { return static_cast<double>(correct) / images; }
};

enum class RunState {
  kTrained,
  kNoNetwork,  // a cell without edges: no network can be built
  kNoMatch,    // random: nothing to be like, or no draw is of that size
  kDiverged,   // a loss that is not finite ended its search or its training
};

// "trained", "no network", "no match", "diverged".
absl::string_view RunStateName(RunState state);

struct RunRow {
  std::string variant;
  uint64_t seed = 0;
  RunState state = RunState::kTrained;
  absl::optional<Genotype> genotype;      // none after a search that diverged
  absl::optional<SearchOutcome> search;   // none of random variants
  absl::optional<Cost> cost;              // of the network that is trained
  absl::optional<TrainOutcome> training;  // where the state is kTrained
  absl::optional<TestOutcome> test;       // of the networks that were chosen
};

// Of a finished run's folder. A data error begins with the path of the file
// that is missing or damaged.
absl::StatusOr<SearchOutcome> ReadSearchOutcome(const RunFolder& folder,
                                                float threshold);
absl::StatusOr<TrainOutcome> ReadTrainOutcome(const RunFolder& folder);

// The record of the one time that a network saw the test images, as a file
// test.json of its folder; none where it is not there.
absl::Status WriteTestOutcome(const TestOutcome& test, const RunFolder& folder);
absl::StatusOr<absl::optional<TestOutcome>> ReadTestOutcome(
    const RunFolder& folder);

}  // namespace fairdarts

#endif  // TRAINING_STUDIES_RUN_ROW_H_
