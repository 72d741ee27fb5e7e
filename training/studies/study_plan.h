#ifndef TRAINING_STUDIES_STUDY_PLAN_H_
#define TRAINING_STUDIES_STUDY_PLAN_H_

// What a study does, from its recipe.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "training/config.pb.h"
#include "training/studies/study.pb.h"
#include "training/train_config.pb.h"

namespace fairdarts {

// Where a study is run, and how much it says: nothing that changes a result.
struct StudyMachine {
  std::string data;  // the dataset's folder, or empty for the default one
  int threads = 0;
  int report_freq = 200;
};

// Immutable; may be used from several threads.
struct StudyPlan {
  struct Variant {
    std::string name;
    std::string description;
    absl::optional<SearchConfig> search;  // one of the two
    absl::optional<StudyRandom> random;
  };

  // One variant under one seed.
  struct Run {
    const Variant* variant;
    uint64_t seed;
  };

  // The place of a run in the study's folder: VARIANT/seed-SEED.
  static std::string Folder(absl::string_view variant, uint64_t seed);

  // Seed by seed, so that an unfinished study already compares; of a seed first
  // the searches, which random variants look at.
  std::vector<Run> Runs() const;

  // The whole configuration of a run's search, and that of its training without
  // the genotype.
  SearchConfig SearchOf(const Run& run, const StudyMachine& machine) const;
  TrainConfig TrainOf(const Run& run, const StudyMachine& machine) const;

  std::string name;
  std::string description;
  std::vector<uint64_t> seeds;
  std::vector<Variant> variants;
  TrainConfig train;
  std::string dataset;  // of all searches and trainings
  int tested = 0;
  std::string record;  // the recipe as a textproto that ParseStudy takes
};

// `text` is a textproto of Study and `source` stands before every error, which
// is a usage error that names the variant, the field and what would be right.
// Values are merged and checked as flags are over a recipe.
absl::StatusOr<StudyPlan> ParseStudy(absl::string_view text,
                                     absl::string_view source);

// What its searches warn of, a line for each: "variant NAME: warning: ...".
std::vector<std::string> StudyWarnings(const StudyPlan& plan);

// The study that --recipe names: a shipped one, or a file that begins where the
// user typed. The text for ParseStudy and its source.
struct StudyText {
  std::string text;
  std::string source;
};
absl::StatusOr<StudyText> FindStudy(absl::string_view recipe);

}  // namespace fairdarts

#endif  // TRAINING_STUDIES_STUDY_PLAN_H_
