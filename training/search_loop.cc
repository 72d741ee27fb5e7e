#include "training/search_loop.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "fairdarts/alpha_hessian.h"
#include "fairdarts/base/status.h"
#include "fairdarts/edge_cost.h"
#include "fairdarts/relaxation.h"
#include "genotypes/cost.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"
#include "ops/autocast.h"
#include "ops/device.h"
#include "ops/torch_status.h"
#include "search_space/initialization.h"
#include "search_space/s1_factory.h"
#include "training/cell_files.h"
#include "training/checkpoint/checkpoint_file.h"
#include "training/checkpoint/checkpoint_list.h"
#include "training/checkpoint/checkpointer.h"
#include "training/checkpoint/optimizer_state.h"
#include "training/config.h"
#include "training/data_record.h"
#include "training/genotype_choice.h"
#include "training/last_batch.h"
#include "training/memory_format.h"
#include "training/metrics.h"
#include "training/parse_method.h"
#include "training/search_options.h"
#include "training/timing.h"
#include "training/weights_file.h"

namespace fairdarts {
namespace {

// Evaluation keeps no activations: larger batches cost little memory and
// spread the overhead of each operation over more images.
constexpr int64_t kEvaluationBatch = 256;

// The fused engine has a layout of its own.
bool ChannelsLast(const SearchConfig& config) {
  return !UsesFusedEngine(config) &&
         UsesChannelsLast(config.memory_format(), config.init_channels());
}

absl::StatusOr<BatchMaker> Batches(const SearchConfig& config,
                                   const Dataset* dataset,
                                   const char* purpose) {
  BatchOptions options;
  options.augment = AugmentationOptions(config);
  options.seed = config.seed();
  options.purpose = purpose;
  options.channels_last = ChannelsLast(config);
  return BatchMaker::Create(dataset, options);
}

// Others decide on the host in the middle of a step.
bool RunsAhead(const SearchConfig& config) {
  return !config.unrolled() && !config.noise_darts();
}

void AddLoss(LossValues& sum, const LossValues& loss) {
  sum.total += loss.total;
  sum.cross_entropy += loss.cross_entropy;
  sum.zero_one += loss.zero_one;
  sum.cost += loss.cost;
}

// What images were normalised with, one number a channel.
std::string Numbers(const std::vector<double>& values) {
  return absl::StrJoin(values, " ", [](std::string* out, double value) {
    absl::StrAppendFormat(out, "%.17g", value);
  });
}

std::string EpochLine(const EpochMetrics& metrics, int epochs,
                      const Decision& decision, double images_per_second) {
  const std::string cost =
      metrics.train_cost != 0
          ? absl::StrFormat(", cost %.4f", metrics.train_cost)
          : "";
  const std::string eigenvalue =
      metrics.eigenvalue.has_value()
          ? absl::StrFormat("eigenvalue %.4g  ", *metrics.eigenvalue)
          : "";
  const std::string alpha =
      metrics.alpha_loss.has_value()
          ? absl::StrFormat("  alpha loss %.4f", *metrics.alpha_loss)
          : "";
  return absl::StrFormat(
      "epoch %d/%d: lr %.4g  train loss %.4f (cross-entropy %.4f, zero-one "
      "%.4f%s)%s  train top-1 %.2f %%  skips chosen %d+%d  "
      "candidates past the threshold %d of %d, undecided %d  %s%.0f images/s",
      metrics.epoch + 1, epochs, metrics.learning_rate, metrics.train_loss,
      metrics.train_cross_entropy, metrics.train_zero_one, cost, alpha,
      100 * metrics.train_top1, metrics.normal_skips, metrics.reduce_skips,
      metrics.past_threshold, decision.weights, metrics.undecided, eigenvalue,
      images_per_second);
}

// Where the parts of the state stand in a checkpoint.
constexpr char kNetwork[] = "network";
constexpr char kWeightOptimizer[] = "weight_optimizer";
constexpr char kAlphaOptimizer[] = "alpha_optimizer";
constexpr char kNormalAlphas[] = "alphas/normal";
constexpr char kReduceAlphas[] = "alphas/reduce";
constexpr char kNormalHistory[] = "history/normal";
constexpr char kReduceHistory[] = "history/reduce";

constexpr char kSigns[] = "collapse/signs";

// The state after an epoch, beside the checkpoints.
std::string KeptEpochName(int epoch) {
  return absl::StrCat(kCheckpointsFolder, "/after-epoch-",
                      absl::Dec(epoch, absl::kZeroPad4), ".safetensors");
}

// [epochs, 3]: skip connections, whether there is an eigenvalue, and it.
void PutSigns(const std::vector<EpochSigns>& signs, Snapshot& snapshot) {
  const torch::Tensor tensor =
      torch::empty({static_cast<int64_t>(signs.size()), 3}, torch::kDouble);
  double* data = tensor.mutable_data_ptr<double>();
  for (const EpochSigns& epoch : signs) {
    *data++ = epoch.normal_skips;
    *data++ = epoch.eigenvalue.has_value() ? 1 : 0;
    *data++ = epoch.eigenvalue.value_or(0);
  }
  snapshot.PutTensor(kSigns, tensor);
}

absl::StatusOr<std::vector<EpochSigns>> TakeSigns(const Snapshot& snapshot,
                                                  int64_t epochs) {
  torch::Tensor tensor = torch::empty({epochs, 3}, torch::kDouble);
  FD_RETURN_IF_ERROR(snapshot.CopyTensorTo(kSigns, tensor));
  const double* data = tensor.const_data_ptr<double>();
  std::vector<EpochSigns> signs(epochs);
  for (EpochSigns& epoch : signs) {
    const double skips = *data++;
    if (!(skips >= 0 && skips <= 2 * kS1Nodes && skips == std::floor(skips))) {
      return snapshot.Error(absl::StrCat(
          kSigns, ": ", skips, " skip connections of ", 2 * kS1Nodes));
    }
    epoch.normal_skips = static_cast<int>(skips);
    const bool measured = *data++ != 0;
    const double eigenvalue = *data++;
    if (measured) epoch.eigenvalue = eigenvalue;
  }
  return signs;
}

// The names of the alphas for their optimiser.
std::vector<std::string> AlphaNames() { return {"normal", "reduce"}; }

void PutLosses(absl::string_view name, const LossValues& losses,
               Snapshot& snapshot) {
  snapshot.PutReal(absl::StrCat(name, "/total"), losses.total);
  snapshot.PutReal(absl::StrCat(name, "/cross_entropy"), losses.cross_entropy);
  snapshot.PutReal(absl::StrCat(name, "/zero_one"), losses.zero_one);
  snapshot.PutReal(absl::StrCat(name, "/cost"), losses.cost);
}

absl::StatusOr<LossValues> TakeLosses(const Snapshot& snapshot,
                                      absl::string_view name) {
  LossValues losses;
  FD_ASSIGN_OR_RETURN(losses.total,
                      snapshot.Real(absl::StrCat(name, "/total")));
  FD_ASSIGN_OR_RETURN(losses.cross_entropy,
                      snapshot.Real(absl::StrCat(name, "/cross_entropy")));
  FD_ASSIGN_OR_RETURN(losses.zero_one,
                      snapshot.Real(absl::StrCat(name, "/zero_one")));
  FD_ASSIGN_OR_RETURN(losses.cost, snapshot.Real(absl::StrCat(name, "/cost")));
  return losses;
}

// One cell's relaxed weights over the epochs, [epochs, 14, 7].
void PutHistory(absl::string_view name, const History& history,
                std::vector<float> RelaxedWeights::*cell, Snapshot& snapshot) {
  const int64_t edges = EdgeCount(kS1Nodes);
  const int64_t candidates = kS1Candidates.size();
  const torch::Tensor tensor = torch::empty(
      {static_cast<int64_t>(history.epochs().size()), edges, candidates});
  float* data = tensor.mutable_data_ptr<float>();
  for (const RelaxedWeights& weights : history.epochs()) {
    std::memcpy(data, (weights.*cell).data(),
                edges * candidates * sizeof(float));
    data += edges * candidates;
  }
  snapshot.PutTensor(name, tensor);
}

// The rows of the same, one for each of `epochs`.
absl::StatusOr<std::vector<std::vector<float>>> TakeHistory(
    const Snapshot& snapshot, absl::string_view name, int64_t epochs) {
  const int64_t edges = EdgeCount(kS1Nodes);
  const int64_t candidates = kS1Candidates.size();
  torch::Tensor tensor = torch::empty({epochs, edges, candidates});
  FD_RETURN_IF_ERROR(snapshot.CopyTensorTo(name, tensor));
  std::vector<std::vector<float>> rows;
  const float* const data = tensor.const_data_ptr<float>();
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    const float* const row = data + epoch * edges * candidates;
    rows.emplace_back(row, row + edges * candidates);
  }
  return rows;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SearchLoop>> SearchLoop::Create(
    const SearchConfig& config, const Dataset* dataset, bool ahead) {
  FD_ASSIGN_OR_RETURN(const torch::Device device,
                      FindDevice(config.device() == SearchConfig::CUDA,
                                 config.deterministic()));
  FD_ASSIGN_OR_RETURN(const LrSchedule schedule,
                      LrSchedule::Create(ScheduleOptions(config)));
  FD_ASSIGN_OR_RETURN(const SearchSampler sampler,
                      SearchSampler::Create(SamplingOptions(config, *dataset)));
  FD_RETURN_IF_ERROR(CheckLastBatch(sampler.weights(), *dataset));
  FD_ASSIGN_OR_RETURN(const BatchMaker train,
                      Batches(config, dataset, "train"));
  FD_ASSIGN_OR_RETURN(const BatchMaker alpha,
                      Batches(config, dataset, "alpha"));
  FD_ASSIGN_OR_RETURN(
      const std::shared_ptr<Supernet> supernet,
      CreateS1Supernet(NetworkOptions(config, *dataset),
                       UsesFusedEngine(config) ? SupernetEngine::kFused
                                               : SupernetEngine::kPlain,
                       at::get_num_threads()));
  FD_RETURN_IF_ERROR(CatchTorch("search network", [&] {
    InitializeParameters(*supernet, config.seed());
    if (!device.is_cpu()) supernet->to(device);
    if (ChannelsLast(config)) ToChannelsLast(*supernet);
  }));
  FD_ASSIGN_OR_RETURN(std::unique_ptr<SearchStep> step,
                      SearchStep::Create(supernet, StepOptions(config)));
  DrawAlphas(config.arch_init(), config.seed(), step->alphas());
  FD_RETURN_IF_ERROR(
      step->SetSkipNoise(NoiseOf(config, /*epoch=*/0, /*step=*/0)));
  return absl::WrapUnique(new SearchLoop(
      config, dataset, device, (ahead || !device.is_cpu()) && RunsAhead(config),
      schedule, sampler, train, alpha, supernet, std::move(step)));
}

SearchLoop::SearchLoop(const SearchConfig& config, const Dataset* dataset,
                       torch::Device device, bool ahead, LrSchedule schedule,
                       SearchSampler sampler, BatchMaker train,
                       BatchMaker alpha, std::shared_ptr<Supernet> supernet,
                       std::unique_ptr<SearchStep> step)
    : config_(config),
      dataset_(dataset),
      device_(device),
      schedule_(std::move(schedule)),
      sampler_(std::move(sampler)),
      train_batches_(std::move(train)),
      alpha_batches_(std::move(alpha)),
      supernet_(std::move(supernet)),
      step_(std::move(step)),
      augmenter_(train_batches_.AugmenterOn(device)) {
  if (ahead) {
    ahead_ = std::make_unique<DeviceSteps>(
        device_, config_.cuda_graph(),
        [this](int64_t step) { return StepInputs(step); },
        [this](const std::vector<torch::Tensor>& in) {
          const auto batch = [&](size_t first) {
            return Batch{augmenter_.Apply(in[first], in[first + 2]),
                         in[first + 1]};
          };
          return step_->Launch(
              batch(0), config_.single_level() ? Batch() : batch(3), in.back());
        });
  }
  state_.metrics = MetricsHeader();
  state_.timing = TimingHeader();
}

EdgeMatrix SearchLoop::NormalWeights() const {
  return ToEdgeMatrix(step_->weights().normal);
}

EdgeMatrix SearchLoop::ReduceWeights() const {
  return ToEdgeMatrix(step_->weights().reduce);
}

int64_t SearchLoop::steps_done() const {
  return state_.epoch * sampler_.steps_per_epoch() + state_.step;
}

// Batches, crops and orders of samples are functions of the seed, the epoch and
// the step, so these say where every random stream and the sampler stand; the
// learning rate is a function of the epoch.
absl::StatusOr<Snapshot> SearchLoop::TakeSnapshot() {
  FD_RETURN_IF_ERROR(
      Annotate(Look(), absl::StrCat("epoch ", state_.epoch + 1)));
  Snapshot snapshot(RunKind::kSearch);
  snapshot.PutModule(kNetwork, *supernet_);
  PutSgd(kWeightOptimizer, step_->weight_optimizer(),
         ParameterNames(*supernet_), snapshot);
  snapshot.PutTensor(kNormalAlphas, step_->alphas().normal);
  snapshot.PutTensor(kReduceAlphas, step_->alphas().reduce);
  PutAdam(kAlphaOptimizer, step_->alpha_optimizer(), AlphaNames(), snapshot);
  snapshot.PutText("config", SearchConfigText(config_));
  PutDataRecord(*dataset_, snapshot);
  snapshot.PutInteger("epoch", state_.epoch);
  snapshot.PutInteger("step", state_.step);
  PutLosses("epoch_sums/train", state_.train, snapshot);
  PutLosses("epoch_sums/alpha", state_.alpha, snapshot);
  snapshot.PutReal("epoch_sums/gradient_norm", state_.gradient_norm);
  snapshot.PutInteger("epoch_sums/correct", state_.correct);
  snapshot.PutInteger("epoch_sums/train_images", state_.train_images);
  snapshot.PutInteger("epoch_sums/images", state_.images);
  snapshot.PutReal("time/epoch_seconds", state_.seconds);
  snapshot.PutReal("time/run_seconds", state_.run_seconds);
  snapshot.PutReal("time/batch_seconds", state_.batch_seconds);
  snapshot.PutInteger("history/epochs", state_.history.epochs().size());
  PutHistory(kNormalHistory, state_.history, &RelaxedWeights::normal, snapshot);
  PutHistory(kReduceHistory, state_.history, &RelaxedWeights::reduce, snapshot);
  PutSigns(state_.signs, snapshot);
  snapshot.PutText(kSearchMetrics, state_.metrics);
  snapshot.PutText(kTimingFile, state_.timing);
  if (state_.valid_top1.has_value()) {
    snapshot.PutReal("valid_top1", *state_.valid_top1);
    snapshot.PutReal("valid_loss", *state_.valid_loss);
  }
  return snapshot;
}

absl::Status SearchLoop::Resume(const Snapshot& snapshot) {
  FD_RETURN_IF_ERROR(CheckDataRecord(snapshot, *dataset_));
  State state;
  FD_ASSIGN_OR_RETURN(const int64_t epoch, snapshot.Integer("epoch"));
  FD_ASSIGN_OR_RETURN(state.step, snapshot.Integer("step"));
  state.looked_at = state.step;
  const int64_t last_step =
      epoch == config_.epochs() ? 0 : sampler_.steps_per_epoch();
  if (epoch < 0 || epoch > config_.epochs() || state.step < 0 ||
      state.step > last_step) {
    return snapshot.Error(absl::StrCat(
        "epoch ", epoch, ", step ", state.step, ": the run has ",
        config_.epochs(), " epochs of ", sampler_.steps_per_epoch(), " steps"));
  }
  state.epoch = static_cast<int>(epoch);
  FD_ASSIGN_OR_RETURN(state.train, TakeLosses(snapshot, "epoch_sums/train"));
  FD_ASSIGN_OR_RETURN(state.alpha, TakeLosses(snapshot, "epoch_sums/alpha"));
  FD_ASSIGN_OR_RETURN(state.gradient_norm,
                      snapshot.Real("epoch_sums/gradient_norm"));
  FD_ASSIGN_OR_RETURN(state.correct, snapshot.Integer("epoch_sums/correct"));
  FD_ASSIGN_OR_RETURN(state.train_images,
                      snapshot.Integer("epoch_sums/train_images"));
  FD_ASSIGN_OR_RETURN(state.images, snapshot.Integer("epoch_sums/images"));
  FD_ASSIGN_OR_RETURN(state.seconds, snapshot.Real("time/epoch_seconds"));
  FD_ASSIGN_OR_RETURN(state.run_seconds, snapshot.Real("time/run_seconds"));
  FD_ASSIGN_OR_RETURN(state.batch_seconds, snapshot.Real("time/batch_seconds"));
  FD_ASSIGN_OR_RETURN(state.metrics, snapshot.Text(kSearchMetrics));
  FD_ASSIGN_OR_RETURN(state.timing, snapshot.Text(kTimingFile));
  if (snapshot.HasText("valid_top1")) {
    FD_ASSIGN_OR_RETURN(state.valid_top1, snapshot.Real("valid_top1"));
    FD_ASSIGN_OR_RETURN(state.valid_loss, snapshot.Real("valid_loss"));
  }
  if (state.valid_top1.has_value() != (state.epoch == config_.epochs())) {
    return snapshot.Error(
        "valid_top1: must be there after the last epoch, and only then");
  }

  // The epoch that runs has its row from its first step on.
  FD_ASSIGN_OR_RETURN(const int64_t rows, snapshot.Integer("history/epochs"));
  if (rows != epoch && (rows != epoch + 1 || epoch == config_.epochs())) {
    return snapshot.Error(
        absl::StrCat("history/epochs ", rows, ": does not fit epoch ", epoch));
  }
  FD_ASSIGN_OR_RETURN(const auto normal,
                      TakeHistory(snapshot, kNormalHistory, rows));
  FD_ASSIGN_OR_RETURN(const auto reduce,
                      TakeHistory(snapshot, kReduceHistory, rows));
  for (int64_t i = 0; i < rows; ++i) {
    state.history.Append({normal[i], reduce[i]});
  }
  FD_ASSIGN_OR_RETURN(state.signs, TakeSigns(snapshot, epoch));
  FD_RETURN_IF_ERROR(LoadModel(snapshot));
  state_ = std::move(state);
  return absl::OkStatus();
}

absl::Status SearchLoop::LoadModel(const Snapshot& snapshot) {
  FD_RETURN_IF_ERROR(snapshot.LoadModule(kNetwork, *supernet_));
  FD_RETURN_IF_ERROR(LoadSgd(snapshot, kWeightOptimizer,
                             ParameterNames(*supernet_),
                             step_->weight_optimizer()));
  // In place: the optimiser holds these very tensors.
  torch::Tensor alphas = step_->alphas().normal;
  FD_RETURN_IF_ERROR(snapshot.CopyTensorTo(kNormalAlphas, alphas));
  alphas = step_->alphas().reduce;
  FD_RETURN_IF_ERROR(snapshot.CopyTensorTo(kReduceAlphas, alphas));
  return LoadAdam(snapshot, kAlphaOptimizer, AlphaNames(),
                  step_->alpha_optimizer());
}

std::vector<torch::Tensor> SearchLoop::StepInputs(int64_t step) {
  const absl::Time start = absl::Now();
  const int64_t epoch = step / sampler_.steps_per_epoch();
  const int64_t of_epoch = step % sampler_.steps_per_epoch();
  if (input_epoch_ != epoch) {
    input_epoch_ = epoch;
    input_order_ = sampler_.EpochOrder(epoch);
  }
  const bool pinned = device_.is_cuda();
  std::vector<torch::Tensor> inputs;
  const auto put = [&](const RawBatch& raw) {
    inputs.insert(inputs.end(), {raw.bytes, raw.labels, raw.places});
  };
  put(train_batches_.Raw(sampler_.WeightBatch(input_order_, of_epoch), epoch,
                         pinned));
  if (!config_.single_level()) {
    put(alpha_batches_.Raw(sampler_.AlphaBatch(step), step, pinned));
  }
  const torch::Tensor rates =
      torch::empty({SearchStep::kRates},
                   torch::TensorOptions(torch::kDouble).pinned_memory(pinned));
  const auto values =
      step_->Rates(step, schedule_.LearningRate(static_cast<int>(epoch)));
  std::copy(values.begin(), values.end(), rates.mutable_data_ptr<double>());
  inputs.push_back(rates);
  state_.batch_seconds += absl::ToDoubleSeconds(absl::Now() - start);
  return inputs;
}

void SearchLoop::Add(const StepResult& result) {
  AddLoss(state_.train, result.train);
  if (result.alpha.has_value()) AddLoss(state_.alpha, *result.alpha);
  state_.gradient_norm += result.gradient_norm;
  state_.correct += result.correct;
  ++state_.looked_at;
  state_.train_images = ImagesBefore(state_.looked_at);
}

int64_t SearchLoop::ImagesBefore(int64_t step) const {
  return step < sampler_.steps_per_epoch()
             ? step * config_.batch_size()
             : (step - 1) * config_.batch_size() +
                   sampler_.weights().last_batch_size();
}

absl::Status SearchLoop::Look() {
  if (ahead_ == nullptr || ahead_->pending() == 0) return absl::OkStatus();
  const absl::Time start = absl::Now();
  FD_ASSIGN_OR_RETURN(const std::vector<DeviceSteps::Finished> finished,
                      ahead_->Finish());
  for (const DeviceSteps::Finished& one : finished) {
    const int64_t step = one.step % sampler_.steps_per_epoch();
    const absl::StatusOr<StepResult> result = step_->Read(one.values);
    FD_RETURN_IF_ERROR(
        Annotate(result.status(), absl::StrCat("found of step ", step + 1)));
    Add(*result);
  }
  state_.seconds += absl::ToDoubleSeconds(absl::Now() - start);
  return absl::OkStatus();
}

absl::Status SearchLoop::RunStep(const std::vector<int64_t>& order) {
  const absl::Time start = absl::Now();
  const double seconds_before = state_.seconds;
  if (ahead_ == nullptr) {
    FD_RETURN_IF_ERROR(
        step_->SetLearningRate(schedule_.LearningRate(state_.epoch)));
    FD_RETURN_IF_ERROR(
        step_->SetSkipNoise(NoiseOf(config_, state_.epoch, steps_done())));
    const Batch train =
        ToDevice(train_batches_.Augmented(
                     sampler_.WeightBatch(order, state_.step), state_.epoch),
                 device_);
    Batch alpha;
    if (!config_.single_level()) {
      alpha = ToDevice(alpha_batches_.Augmented(
                           sampler_.AlphaBatch(steps_done()), steps_done()),
                       device_);
    }
    state_.batch_seconds += absl::ToDoubleSeconds(absl::Now() - start);
    FD_ASSIGN_OR_RETURN(const StepResult result, step_->Run(train, alpha));
    Add(result);
  } else {
    const int64_t step = steps_done();
    std::optional<int64_t> next;
    if (step + 1 < config_.epochs() * sampler_.steps_per_epoch()) {
      next = step + 1;
    }
    FD_RETURN_IF_ERROR(ahead_->Run(step, next));
    step_->CountStep();
    // Also after the first step of an epoch, for the progress.
    if (state_.looked_at == 0 ||
        ahead_->pending() == DeviceSteps::kMostPending) {
      FD_RETURN_IF_ERROR(Look());
    }
  }
  ++state_.step;
  state_.images =
      ImagesBefore(state_.step) +
      (config_.single_level() ? 0 : state_.step * config_.batch_size());
  // A look within it is counted once.
  state_.seconds = seconds_before + absl::ToDoubleSeconds(absl::Now() - start);
  return absl::OkStatus();
}

absl::StatusOr<TimedStep> SearchLoop::TryStep() {
  state_ = State();
  FD_RETURN_IF_ERROR(
      Annotate(RunStep(sampler_.EpochOrder(/*epoch=*/0)), "trial step"));
  return TimedStep{state_.images, absl::Seconds(state_.seconds),
                   absl::Seconds(state_.batch_seconds)};
}

absl::StatusOr<Classification> SearchLoop::ClassifyAlphaHalf(int64_t images) {
  supernet_->eval();
  const EdgeWeights weights = step_->weights();
  const int64_t begin = sampler_.weight_samples();
  const bool bfloat16 = config_.precision() == Machine::BF16;
  return Classify(
      [&](const torch::Tensor& batch) {
        const Autocast autocast(bfloat16, device_.type());
        return supernet_->Forward(batch.to(device_), weights);
      },
      dataset_->classes, alpha_batches_, begin, begin + images,
      kEvaluationBatch);
}

absl::StatusOr<TimedImages> SearchLoop::TryEvaluation() {
  TimedImages trial;
  trial.images = std::min(kEvaluationBatch, sampler_.alpha_samples());
  FD_RETURN_IF_ERROR(ClassifyAlphaHalf(trial.images).status());
  const absl::Time start = absl::Now();
  FD_RETURN_IF_ERROR(ClassifyAlphaHalf(trial.images).status());
  trial.time = absl::Now() - start;
  return trial;
}

absl::optional<int> SearchLoop::EarlyStop() const {
  switch (config_.early_stop()) {
    case SearchConfig::NONE:
      return absl::nullopt;
    case SearchConfig::SKIPS:
      return SkipStop(state_.signs);
    case SearchConfig::EIGENVALUE:
      return EigenvalueStop(state_.signs);
  }
  return absl::nullopt;
}

absl::Status SearchLoop::KeepEpoch(const RunFolder& folder) {
  const int ended = state_.epoch - 1;
  FD_ASSIGN_OR_RETURN(const Snapshot snapshot, TakeSnapshot());
  FD_RETURN_IF_ERROR(
      folder.Write(KeptEpochName(ended), SerializeCheckpoint(snapshot)));
  const int too_old = ended - kMostEpochsBack - 1;
  if (too_old < 0) return absl::OkStatus();
  return folder.Remove(KeptEpochName(too_old));
}

absl::Status SearchLoop::RemoveKeptEpochs(const RunFolder& folder) const {
  const absl::optional<int> returned_to = EarlyStop();
  for (int epoch = 0; epoch < state_.epoch; ++epoch) {
    // Where it is taken up again there is nothing else to return to.
    if (epoch == returned_to) continue;
    FD_RETURN_IF_ERROR(folder.Remove(KeptEpochName(epoch)));
  }
  return absl::OkStatus();
}

absl::Status SearchLoop::ReturnTo(int epoch, const RunFolder& folder,
                                  RunLog& log) {
  log.Info(absl::StrFormat(
      "early stop after epoch %d, by %s: the state after epoch %d is taken",
      state_.epoch,
      config_.early_stop() == SearchConfig::SKIPS
          ? absl::StrFormat("%d skip connections in the normal cell",
                            state_.signs.back().normal_skips)
          : "the eigenvalue's rise",
      epoch + 1));
  if (epoch + 1 == state_.epoch) return absl::OkStatus();
  FD_ASSIGN_OR_RETURN(
      const Snapshot snapshot,
      ReadCheckpoint(folder.File(KeptEpochName(epoch)), RunKind::kSearch));
  FD_RETURN_IF_ERROR(CheckDataRecord(snapshot, *dataset_));
  FD_ASSIGN_OR_RETURN(const int64_t ended, snapshot.Integer("epoch"));
  if (ended != epoch + 1) {
    return snapshot.Error(absl::StrCat("epoch ", ended, ": must be that of a ",
                                       "state after epoch ", epoch + 1));
  }
  return LoadModel(snapshot);
}

bool SearchLoop::MeasuresEigenvalue() const {
  return config_.eigenvalue() ||
         config_.early_stop() == SearchConfig::EIGENVALUE;
}

// On the same images after every epoch, so that only the search moves it.
absl::StatusOr<double> SearchLoop::MeasureEigenvalue(RunLog& log) {
  const int64_t begin = sampler_.weight_samples();
  const int64_t images =
      std::min<int64_t>(config_.batch_size(), sampler_.alpha_samples());
  // The rule looks for a rise by 1.3.
  PowerIterationOptions options;
  options.tolerance = 0.01;
  options.max_products = 50;
  options.seed = config_.seed();
  FD_ASSIGN_OR_RETURN(
      const LargestEigenvalue found,
      LargestAlphaEigenvalue(
          *supernet_, step_->alphas(), step_->relaxation(),
          ToDevice(alpha_batches_.Plain(begin, begin + images), device_),
          options));
  if (!found.converged) {
    log.Info(absl::StrFormat(
        "note: the eigenvalue %.4g has not settled within %d products",
        found.value, found.products));
  }
  return found.value;
}

absl::Status SearchLoop::EndEpoch(const RunFolder& folder, Progress& progress,
                                  RunLog& log) {
  FD_RETURN_IF_ERROR(Look());
  const float threshold = static_cast<float>(config_.op_threshold());
  FD_ASSIGN_OR_RETURN(const Decision decision,
                      Decide(NormalWeights(), ReduceWeights(), threshold));
  const double steps = static_cast<double>(state_.step);
  EpochMetrics metrics;
  metrics.epoch = state_.epoch;
  metrics.learning_rate = schedule_.LearningRate(state_.epoch);
  metrics.train_loss = state_.train.total / steps;
  metrics.train_cross_entropy = state_.train.cross_entropy / steps;
  metrics.train_zero_one = state_.train.zero_one / steps;
  metrics.train_cost = state_.train.cost / steps;
  metrics.train_top1 =
      static_cast<double>(state_.correct) / state_.train_images;
  if (!config_.single_level()) {
    metrics.alpha_loss = state_.alpha.total / steps;
    metrics.alpha_cross_entropy = state_.alpha.cross_entropy / steps;
    metrics.alpha_zero_one = state_.alpha.zero_one / steps;
  }
  metrics.grad_norm = state_.gradient_norm / steps;
  metrics.normal_skips = decision.chosen_skips_normal;
  metrics.reduce_skips = decision.chosen_skips_reduce;
  metrics.past_threshold = decision.past_threshold;
  metrics.decided = decision.chosen_past_threshold;
  metrics.undecided = decision.undecided;
  const EdgeMatrix normal = NormalWeights();
  const EdgeMatrix reduce = ReduceWeights();
  metrics.normal_spread = WeightSpread(normal);
  metrics.reduce_spread = WeightSpread(reduce);
  FD_ASSIGN_OR_RETURN(const EdgeCosts costs,
                      ComputeEdgeCosts(NetworkConfig::Cifar()));
  metrics.expected_macs =
      ExpectedShare(normal, reduce, SharesOf(costs, CostKind::kMacs));
  metrics.expected_parameters =
      ExpectedShare(normal, reduce, SharesOf(costs, CostKind::kParameters));
  metrics.noise_scale = NoiseOf(config_, state_.epoch, /*step=*/0).scale;
  if (MeasuresEigenvalue()) {
    FD_ASSIGN_OR_RETURN(metrics.eigenvalue, MeasureEigenvalue(log));
  }
  absl::optional<double> valid_top1;
  absl::optional<double> valid_loss;
  if (state_.epoch + 1 == config_.epochs()) {
    const absl::Time start = absl::Now();
    FD_ASSIGN_OR_RETURN(const Classification counts,
                        ClassifyAlphaHalf(sampler_.alpha_samples()));
    progress.Evaluated(counts.images, absl::Now() - start);
    // Every other step is checked by the loss of the next one.
    if (!std::isfinite(counts.loss())) {
      return NumbersError(absl::StrCat(
          "after its last step the loss on the alpha half is ", counts.loss()));
    }
    metrics.valid_loss = counts.loss();
    metrics.valid_top1 = counts.top1();
    valid_top1 = counts.top1();
    valid_loss = counts.loss();
  }
  const double images_per_second = state_.images / state_.seconds;
  log.Info(EpochLine(metrics, config_.epochs(), decision, images_per_second));

  State next;
  next.epoch = state_.epoch + 1;
  next.run_seconds = state_.run_seconds + state_.seconds;
  next.batch_seconds = state_.batch_seconds;
  next.history = state_.history;
  next.signs = state_.signs;
  FD_ASSIGN_OR_RETURN(
      const Genotype genotype,
      Discretize(normal, reduce, RuleOf(config_.parse_method()), threshold));
  next.signs.push_back({CountSkips(genotype.normal), metrics.eigenvalue});
  next.metrics = absl::StrCat(state_.metrics, MetricsRow(metrics));
  next.timing =
      absl::StrCat(state_.timing,
                   TimingRow(state_.epoch, state_.seconds, images_per_second));
  next.valid_top1 = valid_top1;
  next.valid_loss = valid_loss;
  state_ = std::move(next);
  for (const std::string& warning : CollapseWarnings(state_.signs)) {
    log.Info(warning);
  }
  if (config_.early_stop() != SearchConfig::NONE) {
    FD_RETURN_IF_ERROR(KeepEpoch(folder));
  }
  FD_RETURN_IF_ERROR(folder.Write(kSearchMetrics, state_.metrics));
  FD_RETURN_IF_ERROR(folder.Write(kTimingFile, state_.timing));
  return state_.history.WriteTo(folder, threshold);
}

absl::StatusOr<SearchResult> SearchLoop::Run(const RunFolder& folder,
                                             StopSignals& signals,
                                             RunLog& log) {
  if (state_.epoch < config_.epochs() && !EarlyStop().has_value()) {
    // The files say what this run has done so far, also where one that went on
    // longer was taken up again further back.
    FD_RETURN_IF_ERROR(folder.Remove(kSearchWeights));
    FD_RETURN_IF_ERROR(folder.Remove(kSearchResult));
    FD_RETURN_IF_ERROR(folder.Write(kSearchMetrics, state_.metrics));
    FD_RETURN_IF_ERROR(folder.Write(kTimingFile, state_.timing));
  }
  CheckpointerOptions options;
  options.every_steps = config_.checkpoint_steps();
  Checkpointer checkpointer(
      CheckpointFolder(folder.path(), RunKind::kSearch), signals, log,
      [this] { return TakeSnapshot(); }, options);
  Progress::Options progress_options;
  progress_options.epochs = config_.epochs();
  progress_options.steps_per_epoch =
      static_cast<int>(sampler_.steps_per_epoch());
  progress_options.steps_before = steps_done();
  progress_options.report_freq = config_.report_freq();
  progress_options.evaluated_at_end = sampler_.alpha_samples();
  Progress progress(log, progress_options);
  bool evaluation_tried = false;

  while (state_.epoch < config_.epochs() && !EarlyStop().has_value()) {
    const int epoch = state_.epoch;
    const std::string epoch_name = absl::StrCat("epoch ", epoch + 1);
    // Not where an epoch is taken up again after this.
    if (static_cast<int>(state_.history.epochs().size()) == epoch) {
      state_.history.Append({NormalWeights().values, ReduceWeights().values});
    }
    const std::vector<int64_t> order = sampler_.EpochOrder(epoch);
    while (state_.step < sampler_.steps_per_epoch()) {
      const int64_t images_before = state_.images;
      const std::string where =
          absl::StrCat(epoch_name, ": step ", state_.step + 1);
      FD_RETURN_IF_ERROR(checkpointer.Guard(
          steps_done(), absl::StrCat("before ", where), [&]() -> absl::Status {
            FD_RETURN_IF_ERROR(Annotate(RunStep(order), where));
            if (evaluation_tried) return absl::OkStatus();
            // What the time left has to count in.
            evaluation_tried = true;
            FD_ASSIGN_OR_RETURN(const TimedImages trial, TryEvaluation());
            progress.Evaluated(trial.images, trial.time);
            return absl::OkStatus();
          }));
      StepReport report;
      report.epoch = epoch;
      report.step = static_cast<int>(state_.step) - 1;
      report.train_loss = state_.train.total / state_.looked_at;
      if (!config_.single_level()) {
        report.alpha_loss = state_.alpha.total / state_.looked_at;
      }
      report.train_top1 =
          static_cast<double>(state_.correct) / state_.train_images;
      report.images = state_.images - images_before;
      progress.Step(report);
    }
    FD_RETURN_IF_ERROR(checkpointer.Guard(
        steps_done(), absl::StrCat("after ", epoch_name),
        [&] { return Annotate(EndEpoch(folder, progress, log), epoch_name); }));
    FD_RETURN_IF_ERROR(checkpointer.Save(steps_done()));
    progress.EpochEnded();
  }
  return Finish(folder, log);
}

// The smallest network was priced before the search began; what candidates past
// the threshold leave to choose from shows only at its end, which it must not
// cost.
absl::StatusOr<GenotypeChoice> SearchLoop::Choose() const {
  GenotypeChoiceOptions options = ChoiceOptions(config_);
  absl::StatusOr<GenotypeChoice> choice =
      ChooseGenotype(NormalWeights(), ReduceWeights(), options);
  if (choice.ok()) return choice;
  options.flops_budget = 0;
  options.size_budget = 0;
  absl::StatusOr<GenotypeChoice> without =
      ChooseGenotype(NormalWeights(), ReduceWeights(), options);
  if (without.ok()) {
    without->note = absl::StrCat(
        "warning: budget not kept, the genotype is "
        "the rule's own: ",
        choice.status().message());
  }
  return without;
}

absl::StatusOr<SearchResult> SearchLoop::Finish(const RunFolder& folder,
                                                RunLog& log) {
  const float threshold = static_cast<float>(config_.op_threshold());
  log.Info(absl::StrFormat("%.1f s in %d steps, %.2f %% of it for batches",
                           state_.run_seconds, steps_done(),
                           100 * state_.batch_seconds / state_.run_seconds));
  SearchResult result;
  result.returned_to = EarlyStop();
  if (result.returned_to.has_value()) {
    FD_RETURN_IF_ERROR(ReturnTo(*result.returned_to, folder, log));
    FD_ASSIGN_OR_RETURN(const Classification counts,
                        ClassifyAlphaHalf(sampler_.alpha_samples()));
    if (!std::isfinite(counts.loss())) {
      return NumbersError(
          absl::StrCat("the loss on the alpha half is ", counts.loss()));
    }
    result.valid_top1 = counts.top1();
    result.valid_loss = counts.loss();
  } else {
    result.valid_top1 = *state_.valid_top1;
    result.valid_loss = *state_.valid_loss;
  }
  FD_ASSIGN_OR_RETURN(result.decision,
                      Decide(NormalWeights(), ReduceWeights(), threshold));
  // First, so that they are there for another choice where this one fails.
  FD_RETURN_IF_ERROR(
      WriteWeightMatrices(NormalWeights(), ReduceWeights(), folder));
  FD_ASSIGN_OR_RETURN(GenotypeChoice choice, Choose());
  result.genotype = std::move(choice.genotype);
  result.note = std::move(choice.note);
  FD_RETURN_IF_ERROR(WriteGenotypeFiles(result.genotype, folder));
  FD_ASSIGN_OR_RETURN(
      const std::string weights,
      SerializeWeights(
          *supernet_, step_->alphas(),
          {{"kind", "s1_supernet"},
           {"dataset", dataset_->name},
           {"mean", Numbers(dataset_->mean)},
           {"standard_deviation", Numbers(dataset_->standard_deviation)}}));
  FD_RETURN_IF_ERROR(folder.Write(
      kSearchResult,
      absl::StrFormat("{\"epochs\": %d, \"returned_to\": %s, "
                      "\"valid_loss\": %.9g, \"valid_top1\": %.9g}\n",
                      state_.epoch,
                      result.returned_to.has_value()
                          ? absl::StrCat(*result.returned_to)
                          : "null",
                      result.valid_loss, result.valid_top1)));
  // From here on the run is finished.
  FD_RETURN_IF_ERROR(folder.Write(kSearchWeights, weights));
  FD_RETURN_IF_ERROR(RemoveKeptEpochs(folder));
  return result;
}

}  // namespace fairdarts
