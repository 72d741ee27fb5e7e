#ifndef TRAINING_SEARCH_LOOP_H_
#define TRAINING_SEARCH_LOOP_H_

// A whole search: the epochs around fairdarts/search_step.h, what they report
// and what they leave in the run folder.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "fairdarts/collapse.h"
#include "fairdarts/decision.h"
#include "fairdarts/search_step.h"
#include "genotypes/genotype.h"
#include "training/accelerator/device_steps.h"
#include "training/checkpoint/snapshot.h"
#include "training/checkpoint/stop_signals.h"
#include "training/classification.h"
#include "training/config.pb.h"
#include "training/data/batch.h"
#include "training/data/dataset.h"
#include "training/data/device_augment.h"
#include "training/data/sampler.h"
#include "training/genotype_choice.h"
#include "training/history.h"
#include "training/progress.h"
#include "training/run_folder.h"
#include "training/run_log.h"
#include "training/schedule/lr_schedule.h"
#include "training/search_files.h"

namespace fairdarts {

struct SearchResult {
  Genotype genotype;
  std::string note;  // what a budget did to it, or empty
  // The epoch (from 0) after which the state was taken, where it stopped early.
  absl::optional<int> returned_to;
  Decision decision;      // of the final weights, against op_threshold
  double valid_top1 = 0;  // on the alpha half, without augmentation
  double valid_loss = 0;
};

// How long something was done to images.
struct TimedImages {
  int64_t images = 0;
  absl::Duration time;
};

// A step on its own.
struct TimedStep {
  int64_t images = 0;  // of both halves
  absl::Duration time;
  absl::Duration batches;  // of it, spent on making batches
};

// The state between two steps is a function of configuration, data and the
// number of steps alone: a search that was stopped at any step and taken up
// again ends with the same bytes, but for timing.csv, on the same machine with
// the same number of threads. Not thread-safe.
class SearchLoop {
 public:
  // Network, optimisers and batches of a resolved configuration. `dataset` is
  // a training split and must outlive the loop. Usage errors name the flag
  // that does not fit the data. Writes nothing.
  //
  // On a GPU steps are asked for ahead of their results (DeviceSteps), but for
  // those of second order and with noise, which wait for it: a loss that is not
  // finite is found some steps later, before anything is written. `ahead` does
  // the same on the CPU, for tests.
  static absl::StatusOr<std::unique_ptr<SearchLoop>> Create(
      const SearchConfig& config, const Dataset* dataset, bool ahead = false);

  // Takes the state of a checkpoint over. A model-file error where it does not
  // fit the configuration, or was made with other data; the loop is of no
  // further use then.
  absl::Status Resume(const Snapshot& snapshot);

  // Runs the epochs that remain, or those up to an early stop, after which
  // network and alphas are those after the epoch that its rule chooses, and
  // leaves its files (search_files.h) in `folder`.
  // History, metrics and a checkpoint are written after every epoch, and a
  // checkpoint every `checkpoint_steps` steps. There is no best checkpoint:
  // nothing is validated before the last epoch. A signal ends the run with a
  // checkpoint and StopSignals' error. A loss that is not finite ends it with a
  // numbers error that names epoch and step.
  absl::StatusOr<SearchResult> Run(const RunFolder& folder,
                                   StopSignals& signals, RunLog& log);

  // What it starts from and works on, for the log.
  const SearchSampler& sampler() const { return sampler_; }
  const Supernet& supernet() const { return *supernet_; }
  int64_t steps_done() const;

  // Runs the first step of the epoch whatever was run before, to see how long
  // it takes: the loop is for further trials then, and for no run.
  absl::StatusOr<TimedStep> TryStep();

  // Evaluates a batch of the alpha half twice and times the second.
  absl::StatusOr<TimedImages> TryEvaluation();

 private:
  // Everything that moves but network, alphas and their optimisers.
  struct State {
    int epoch = 0;     // that is running
    int64_t step = 0;  // of it, that comes next
    // Sums over the steps of the epoch so far.
    LossValues train;
    LossValues alpha;
    double gradient_norm = 0;
    int64_t correct = 0;
    int64_t train_images = 0;
    int64_t looked_at = 0;  // steps that the sums above are of
    int64_t images = 0;     // of both halves
    double seconds = 0;
    // Over the whole run.
    double run_seconds = 0;
    double batch_seconds = 0;  // of them, spent on making batches
    History history;
    std::vector<EpochSigns> signs;  // of the epochs that have ended
    std::string metrics;            // kSearchMetrics and kTimingFile so far
    std::string timing;
    absl::optional<double> valid_top1;
    absl::optional<double> valid_loss;
  };

  SearchLoop(const SearchConfig& config, const Dataset* dataset,
             torch::Device device, bool ahead, LrSchedule schedule,
             SearchSampler sampler, BatchMaker train, BatchMaker alpha,
             std::shared_ptr<Supernet> supernet,
             std::unique_ptr<SearchStep> step);

  // The relaxed weights of now.
  EdgeMatrix NormalWeights() const;
  EdgeMatrix ReduceWeights() const;

  // What a step of the run reads on the device: the training batch, the alpha
  // batch where there is one, and the rates.
  std::vector<torch::Tensor> StepInputs(int64_t step);
  // Waits for the steps that were asked for.
  absl::Status Look();
  void Add(const StepResult& result);
  // Images of the weights' half in the steps of an epoch before step `step`.
  int64_t ImagesBefore(int64_t step) const;

  absl::StatusOr<Snapshot> TakeSnapshot();
  absl::Status RunStep(const std::vector<int64_t>& order);
  // The first so many of it, without augmentation.
  absl::StatusOr<Classification> ClassifyAlphaHalf(int64_t images);
  // Where the search has to end before its last epoch: the epoch to return to.
  absl::optional<int> EarlyStop() const;
  absl::Status ReturnTo(int epoch, const RunFolder& folder, RunLog& log);
  // What an early stop may return to: the states after the last epochs.
  absl::Status KeepEpoch(const RunFolder& folder);
  absl::Status RemoveKeptEpochs(const RunFolder& folder) const;
  // Network, alphas and their optimisers.
  absl::Status LoadModel(const Snapshot& snapshot);
  bool MeasuresEigenvalue() const;
  absl::StatusOr<double> MeasureEigenvalue(RunLog& log);
  absl::Status EndEpoch(const RunFolder& folder, Progress& progress,
                        RunLog& log);
  absl::StatusOr<GenotypeChoice> Choose() const;
  absl::StatusOr<SearchResult> Finish(const RunFolder& folder, RunLog& log);

  const SearchConfig config_;
  const Dataset* const dataset_;
  const torch::Device device_;
  const LrSchedule schedule_;
  const SearchSampler sampler_;
  const BatchMaker train_batches_;
  const BatchMaker alpha_batches_;
  const std::shared_ptr<Supernet> supernet_;
  const std::unique_ptr<SearchStep> step_;
  const DeviceAugmenter augmenter_;
  std::unique_ptr<DeviceSteps> ahead_;  // none where steps are waited for
  // Of the last epoch that StepInputs() was asked for.
  int64_t input_epoch_ = -1;
  std::vector<int64_t> input_order_;
  State state_;
};

}  // namespace fairdarts

#endif  // TRAINING_SEARCH_LOOP_H_
