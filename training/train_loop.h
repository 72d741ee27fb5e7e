#ifndef TRAINING_TRAIN_LOOP_H_
#define TRAINING_TRAIN_LOOP_H_

// A whole training of a derived network: the epochs around train_step.h, what
// they report and what they leave in the run folder.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "genotypes/genotype.h"
#include "search_space/derived_network.h"
#include "torch/types.h"
#include "training/accelerator/device_steps.h"
#include "training/checkpoint/checkpoint_folder.h"
#include "training/checkpoint/snapshot.h"
#include "training/checkpoint/step_guard.h"
#include "training/checkpoint/stop_signals.h"
#include "training/classification.h"
#include "training/data/batch.h"
#include "training/data/dataset.h"
#include "training/data/device_augment.h"
#include "training/data/epoch_sampler.h"
#include "training/progress.h"
#include "training/run_folder.h"
#include "training/run_log.h"
#include "training/schedule/lr_schedule.h"
#include "training/train_config.pb.h"
#include "training/train_files.h"
#include "training/train_network.h"
#include "training/train_step.h"

namespace fairdarts {

struct TrainResult {
  double train_top1 = 0;  // of the last epoch, with augmentation
  // On what was held out, without augmentation; none where nothing was.
  absl::optional<double> last_valid_top1;
  absl::optional<double> best_valid_top1;
  int best_epoch = -1;  // from 0
};

// The state between two steps is a function of configuration, genotype, data
// and the number of steps alone: a run that was stopped at any step and taken
// up again ends with the same bytes, but for timing.csv. Not thread-safe.
class TrainLoop {
 public:
  // Network, optimiser and batches of a resolved configuration. `dataset` is a
  // training split and must outlive the loop. Usage errors name the flag that
  // does not fit the data. Writes nothing.
  //
  // On a GPU steps are asked for ahead of their results (DeviceSteps): a loss
  // that is not finite is found some steps later, before anything is written.
  // `ahead` does the same on the CPU, for tests.
  static absl::StatusOr<std::unique_ptr<TrainLoop>> Create(
      const TrainConfig& config, const Genotype& genotype,
      const Dataset* dataset, bool ahead = false);

  // Takes the state of a checkpoint over. After an error the loop is of no
  // further use.
  absl::Status Resume(const Snapshot& snapshot);

  // Runs the epochs that remain. After each the held-out images are evaluated,
  // and the files (train_files.h) and a checkpoint are written. A signal ends
  // the run with a checkpoint and StopSignals' error. A loss that is not finite
  // ends it with a numbers error that names epoch and step.
  absl::StatusOr<TrainResult> Run(const RunFolder& folder, StopSignals& signals,
                                  RunLog& log);

  // What it starts from and works on, for the log.
  const EpochSampler& sampler() const { return sampler_; }
  const DerivedNetwork& network() const { return *network_; }
  const std::string& engine() const { return engine_; }
  int64_t held_out() const { return dataset_->size() - sampler_.samples(); }
  int64_t steps_done() const;

 private:
  // Everything that moves but the network and its optimiser.
  struct State {
    int epoch = 0;     // that is running
    int64_t step = 0;  // of it, that comes next
    // Over the steps of the epoch so far.
    double loss = 0;
    double gradient_norm = 0;
    int64_t correct = 0;
    int64_t images = 0;
    int64_t looked_at = 0;  // steps that loss and correct are of
    double seconds = 0;
    std::string metrics;  // kTrainMetrics and kTimingFile so far
    std::string timing;
    TrainResult result;
    double best_valid_loss = 0;
    std::string best_weights;  // kBestWeights and kLastWeights so far
    std::string last_weights;
  };

  TrainLoop(const TrainConfig& config, const Dataset* dataset,
            torch::Device device, bool ahead, LrSchedule schedule,
            EpochSampler sampler, BatchMaker batches, TrainNetwork network,
            std::unique_ptr<TrainStep> step);

  // What a step of the run reads on the device, of which the last two are the
  // rates and the factors of the dropped paths.
  std::vector<torch::Tensor> StepInputs(int64_t step);
  // Waits for the steps that were asked for.
  absl::Status Look();
  void Add(const TrainStepResult& result);
  // Images of the steps of an epoch before step `step` of it.
  int64_t ImagesBefore(int64_t step) const;

  absl::StatusOr<Snapshot> TakeSnapshot();
  // The files as they were at this point of the run: what a later part of a
  // course that was left has written must not stay.
  absl::Status WriteFiles(const RunFolder& folder) const;
  absl::Status RunStep(const std::vector<int64_t>& order);
  absl::Status EndEpoch(const RunFolder& folder, Progress& progress,
                        RunLog& log);
  // Evaluates a batch of the held-out images twice and reports the second, for
  // the time left.
  absl::Status TryEvaluation(Progress& progress);
  // Samples [begin, end) without augmentation.
  absl::StatusOr<Classification> ClassifyImages(int64_t begin, int64_t end);

  const TrainConfig config_;
  const Dataset* const dataset_;
  const torch::Device device_;
  const LrSchedule schedule_;
  const EpochSampler sampler_;
  const BatchMaker batches_;
  const std::shared_ptr<DerivedNetwork> network_;
  const std::string engine_;
  const std::unique_ptr<TrainStep> step_;
  const DeviceAugmenter augmenter_;
  std::unique_ptr<DeviceSteps> ahead_;  // none where steps are waited for
  // Of the last epoch that StepInputs() was asked for.
  int64_t input_epoch_ = -1;
  std::vector<int64_t> input_order_;
  State state_;
};

}  // namespace fairdarts

#endif  // TRAINING_TRAIN_LOOP_H_
