#ifndef TRAINING_SEARCH_LOOP_H_
#define TRAINING_SEARCH_LOOP_H_

// A whole search: the epochs around fairdarts/search_step.h, what they report
// and what they leave in the run folder.

#include <memory>

#include "absl/status/statusor.h"
#include "fairdarts/decision.h"
#include "fairdarts/search_step.h"
#include "genotypes/genotype.h"
#include "training/config.pb.h"
#include "training/data/batch.h"
#include "training/data/dataset.h"
#include "training/data/sampler.h"
#include "training/progress.h"
#include "training/run_folder.h"
#include "training/run_log.h"
#include "training/schedule/lr_schedule.h"

namespace fairdarts {

struct SearchResult {
  Genotype genotype;
  Decision decision;      // of the final weights, against op_threshold
  double valid_top1 = 0;  // on the alpha half, without augmentation
};

// Not thread-safe.
class SearchLoop {
 public:
  // Network, optimisers and batches of a resolved configuration. `dataset` is
  // a training split and must outlive the loop. Usage errors name the flag
  // that does not fit the data. Writes nothing.
  static absl::StatusOr<std::unique_ptr<SearchLoop>> Create(
      const SearchConfig& config, const Dataset* dataset);

  // Runs all epochs and leaves in `folder` the cells (cell_files.h), the
  // history of every alpha (history.h), metrics.csv and weights.safetensors.
  // History and metrics are written after every epoch. A loss that is not
  // finite ends the run with a numbers error that names epoch and step.
  absl::StatusOr<SearchResult> Run(const RunFolder& folder, RunLog& log);

  // What it starts from and works on, for the log.
  const SearchSampler& sampler() const { return sampler_; }
  const Supernet& supernet() const { return *supernet_; }

 private:
  struct EpochSums;

  SearchLoop(const SearchConfig& config, const Dataset* dataset,
             CosineSchedule schedule, SearchSampler sampler, BatchMaker train,
             BatchMaker alpha, std::shared_ptr<Supernet> supernet,
             std::unique_ptr<SearchStep> step);

  // The relaxed weights of now.
  EdgeMatrix NormalWeights() const;
  EdgeMatrix ReduceWeights() const;

  absl::StatusOr<EpochSums> RunEpoch(int epoch, Progress& progress);

  const SearchConfig config_;
  const Dataset* const dataset_;
  const CosineSchedule schedule_;
  const SearchSampler sampler_;
  const BatchMaker train_batches_;
  const BatchMaker alpha_batches_;
  const std::shared_ptr<Supernet> supernet_;
  const std::unique_ptr<SearchStep> step_;
};

}  // namespace fairdarts

#endif  // TRAINING_SEARCH_LOOP_H_
