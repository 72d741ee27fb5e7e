#include "training/search_loop.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "fairdarts/base/status.h"
#include "fairdarts/discretization.h"
#include "fairdarts/relaxation.h"
#include "search_space/initialization.h"
#include "search_space/s1_supernet.h"
#include "training/cell_files.h"
#include "training/history.h"
#include "training/memory_format.h"
#include "training/metrics.h"
#include "training/parse_method.h"
#include "training/search_options.h"
#include "training/supernet_evaluation.h"
#include "training/weights_file.h"

namespace fairdarts {
namespace {

// Evaluation keeps no activations: larger batches cost little memory and
// spread the overhead of each operation over more images.
constexpr int64_t kEvaluationBatch = 256;

absl::StatusOr<BatchMaker> Batches(const SearchConfig& config,
                                   const Dataset* dataset,
                                   const char* purpose) {
  BatchOptions options;
  options.augment = AugmentationOptions(config);
  options.seed = config.seed();
  options.purpose = purpose;
  options.channels_last =
      UsesChannelsLast(config.memory_format(), config.init_channels());
  return BatchMaker::Create(dataset, options);
}

void Add(LossValues& sum, const LossValues& loss) {
  sum.total += loss.total;
  sum.cross_entropy += loss.cross_entropy;
  sum.zero_one += loss.zero_one;
}

// What images were normalised with, one number a channel.
std::string Numbers(const std::vector<double>& values) {
  return absl::StrJoin(values, " ", [](std::string* out, double value) {
    absl::StrAppendFormat(out, "%.17g", value);
  });
}

std::string EpochLine(const EpochMetrics& metrics, int epochs,
                      const Decision& decision) {
  const std::string alpha =
      metrics.alpha_loss.has_value()
          ? absl::StrFormat("  alpha loss %.4f", *metrics.alpha_loss)
          : "";
  return absl::StrFormat(
      "epoch %d/%d: lr %.4g  train loss %.4f (cross-entropy %.4f, zero-one "
      "%.4f)%s  train top-1 %.2f %%  skips chosen %d+%d  "
      "candidates past the threshold %d of %d, undecided %d  %.0f images/s",
      metrics.epoch + 1, epochs, metrics.learning_rate, metrics.train_loss,
      metrics.train_cross_entropy, metrics.train_zero_one, alpha,
      100 * metrics.train_top1, metrics.normal_skips, metrics.reduce_skips,
      metrics.past_threshold, decision.weights, metrics.undecided,
      metrics.images_per_second);
}

}  // namespace

struct SearchLoop::EpochSums {
  LossValues train;
  LossValues alpha;
  double gradient_norm = 0;
  int64_t correct = 0;
  int64_t train_images = 0;
  int64_t images = 0;  // of both halves
  int64_t steps = 0;
  absl::Duration data_time;  // spent on making batches
  absl::Duration time;
};

absl::StatusOr<std::unique_ptr<SearchLoop>> SearchLoop::Create(
    const SearchConfig& config, const Dataset* dataset) {
  FD_ASSIGN_OR_RETURN(
      const CosineSchedule schedule,
      CosineSchedule::Create(config.learning_rate(), config.learning_rate_min(),
                             config.epochs()));
  FD_ASSIGN_OR_RETURN(const SearchSampler sampler,
                      SearchSampler::Create(SamplingOptions(config, *dataset)));
  FD_ASSIGN_OR_RETURN(const BatchMaker train,
                      Batches(config, dataset, "train"));
  FD_ASSIGN_OR_RETURN(const BatchMaker alpha,
                      Batches(config, dataset, "alpha"));
  FD_ASSIGN_OR_RETURN(const std::shared_ptr<S1Supernet> supernet,
                      S1Supernet::Create(NetworkOptions(config, *dataset)));
  InitializeParameters(*supernet, config.seed());
  if (UsesChannelsLast(config.memory_format(), config.init_channels())) {
    ToChannelsLast(*supernet);
  }
  FD_ASSIGN_OR_RETURN(std::unique_ptr<SearchStep> step,
                      SearchStep::Create(supernet, StepOptions(config)));
  return absl::WrapUnique(new SearchLoop(config, dataset, schedule, sampler,
                                         train, alpha, supernet,
                                         std::move(step)));
}

SearchLoop::SearchLoop(const SearchConfig& config, const Dataset* dataset,
                       CosineSchedule schedule, SearchSampler sampler,
                       BatchMaker train, BatchMaker alpha,
                       std::shared_ptr<Supernet> supernet,
                       std::unique_ptr<SearchStep> step)
    : config_(config),
      dataset_(dataset),
      schedule_(std::move(schedule)),
      sampler_(std::move(sampler)),
      train_batches_(std::move(train)),
      alpha_batches_(std::move(alpha)),
      supernet_(std::move(supernet)),
      step_(std::move(step)) {}

EdgeMatrix SearchLoop::NormalWeights() const {
  return ToEdgeMatrix(step_->weights().normal);
}

EdgeMatrix SearchLoop::ReduceWeights() const {
  return ToEdgeMatrix(step_->weights().reduce);
}

absl::StatusOr<SearchLoop::EpochSums> SearchLoop::RunEpoch(int epoch,
                                                           Progress& progress) {
  FD_RETURN_IF_ERROR(step_->SetLearningRate(schedule_.LearningRate(epoch)));
  EpochSums sums;
  const absl::Time start = absl::Now();
  const std::vector<int64_t> order = sampler_.EpochOrder(epoch);
  for (int64_t s = 0; s < sampler_.steps_per_epoch(); ++s) {
    const absl::Time step_start = absl::Now();
    const int64_t global_step = epoch * sampler_.steps_per_epoch() + s;
    const Batch train =
        train_batches_.Augmented(sampler_.WeightBatch(order, s), epoch);
    Batch alpha;
    if (!config_.single_level()) {
      alpha = alpha_batches_.Augmented(sampler_.AlphaBatch(global_step),
                                       global_step);
    }
    sums.data_time += absl::Now() - step_start;

    const absl::StatusOr<StepResult> result = step_->Run(train, alpha);
    if (!result.ok()) {
      return Annotate(result.status(), absl::StrCat("step ", s + 1));
    }
    Add(sums.train, result->train);
    if (result->alpha.has_value()) Add(sums.alpha, *result->alpha);
    sums.gradient_norm += result->gradient_norm;
    sums.correct += result->correct;
    sums.train_images += train.labels.size(0);
    const int64_t images = train.labels.size(0) +
                           (alpha.labels.defined() ? alpha.labels.size(0) : 0);
    sums.images += images;
    ++sums.steps;

    StepReport report;
    report.epoch = epoch;
    report.step = static_cast<int>(s);
    report.train_loss = sums.train.total / sums.steps;
    report.alpha_loss = sums.alpha.total / sums.steps;
    report.train_top1 = static_cast<double>(sums.correct) / sums.train_images;
    report.images = images;
    progress.Step(report);
  }
  sums.time = absl::Now() - start;
  return sums;
}

absl::StatusOr<SearchResult> SearchLoop::Run(const RunFolder& folder,
                                             RunLog& log) {
  const float threshold = static_cast<float>(config_.op_threshold());
  FD_ASSIGN_OR_RETURN(MetricsFile metrics_file,
                      MetricsFile::Create(folder.File("metrics.csv")));
  History history;
  absl::Duration time;
  absl::Duration data_time;
  Progress::Options progress_options;
  progress_options.epochs = config_.epochs();
  progress_options.steps_per_epoch =
      static_cast<int>(sampler_.steps_per_epoch());
  progress_options.report_freq = config_.report_freq();
  Progress progress(log, progress_options);

  SearchResult result;
  for (int epoch = 0; epoch < config_.epochs(); ++epoch) {
    history.Append({NormalWeights().values, ReduceWeights().values});
    const absl::StatusOr<EpochSums> ran = RunEpoch(epoch, progress);
    if (!ran.ok()) {
      return Annotate(ran.status(), absl::StrCat("epoch ", epoch + 1));
    }
    const EpochSums& sums = *ran;
    time += sums.time;
    data_time += sums.data_time;
    FD_ASSIGN_OR_RETURN(result.decision,
                        Decide(NormalWeights(), ReduceWeights(), threshold));

    const double steps = static_cast<double>(sums.steps);
    EpochMetrics metrics;
    metrics.epoch = epoch;
    metrics.learning_rate = schedule_.LearningRate(epoch);
    metrics.train_loss = sums.train.total / steps;
    metrics.train_cross_entropy = sums.train.cross_entropy / steps;
    metrics.train_zero_one = sums.train.zero_one / steps;
    metrics.train_top1 = static_cast<double>(sums.correct) / sums.train_images;
    if (!config_.single_level()) {
      metrics.alpha_loss = sums.alpha.total / steps;
      metrics.alpha_cross_entropy = sums.alpha.cross_entropy / steps;
      metrics.alpha_zero_one = sums.alpha.zero_one / steps;
    }
    metrics.grad_norm = sums.gradient_norm / steps;
    metrics.normal_skips = result.decision.chosen_skips_normal;
    metrics.reduce_skips = result.decision.chosen_skips_reduce;
    metrics.past_threshold = result.decision.past_threshold;
    metrics.decided = result.decision.chosen_past_threshold;
    metrics.undecided = result.decision.undecided;
    metrics.seconds = absl::ToDoubleSeconds(sums.time);
    metrics.images_per_second = sums.images / metrics.seconds;
    if (epoch + 1 == config_.epochs()) {
      FD_ASSIGN_OR_RETURN(
          const Evaluation evaluation,
          EvaluateSupernet(*supernet_, step_->weights(), alpha_batches_,
                           sampler_.weight_samples(), sampler_.samples(),
                           kEvaluationBatch));
      // Every other step is checked by the loss of the next one.
      if (!std::isfinite(evaluation.loss)) {
        return NumbersError(absl::StrCat("epoch ", epoch + 1,
                                         ": after its last step the loss "
                                         "on the alpha half is ",
                                         evaluation.loss));
      }
      metrics.valid_loss = evaluation.loss;
      metrics.valid_top1 = evaluation.top1;
      result.valid_top1 = evaluation.top1;
    }
    log.Info(EpochLine(metrics, config_.epochs(), result.decision));
    FD_RETURN_IF_ERROR(metrics_file.Append(metrics));
    FD_RETURN_IF_ERROR(history.WriteTo(folder, threshold));
  }
  log.Info(absl::StrFormat("%.1f s in %d steps, %.2f %% of it for batches",
                           absl::ToDoubleSeconds(time),
                           config_.epochs() * sampler_.steps_per_epoch(),
                           100 * absl::FDivDuration(data_time, time)));

  FD_ASSIGN_OR_RETURN(result.genotype,
                      Discretize(NormalWeights(), ReduceWeights(),
                                 RuleOf(config_.parse_method()), threshold));
  FD_RETURN_IF_ERROR(
      WriteWeightMatrices(NormalWeights(), ReduceWeights(), folder));
  FD_RETURN_IF_ERROR(WriteGenotypeFiles(result.genotype, folder));
  FD_ASSIGN_OR_RETURN(
      const std::string weights,
      SerializeWeights(
          *supernet_, step_->alphas(),
          {{"kind", "s1_supernet"},
           {"dataset", dataset_->name},
           {"mean", Numbers(dataset_->mean)},
           {"standard_deviation", Numbers(dataset_->standard_deviation)}}));
  FD_RETURN_IF_ERROR(folder.Write("weights.safetensors", weights));
  return result;
}

}  // namespace fairdarts
