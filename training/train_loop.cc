#include "training/train_loop.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "fairdarts/base/status.h"
#include "genotypes/python_literal.h"
#include "ops/autocast.h"
#include "ops/device.h"
#include "ops/torch_status.h"
#include "search_space/initialization.h"
#include "training/checkpoint/checkpointer.h"
#include "training/data_record.h"
#include "training/memory_format.h"
#include "training/network_weights.h"
#include "training/train_config.h"
#include "training/train_metrics.h"
#include "training/train_options.h"

namespace fairdarts {
namespace {

// Evaluation keeps no activations: larger batches cost little memory and
// spread the overhead of each operation over more images.
constexpr int64_t kEvaluationBatch = 256;

absl::StatusOr<BatchMaker> Batches(const TrainConfig& config,
                                   const Dataset* dataset, bool channels_last) {
  BatchOptions options;
  options.augment = AugmentationOptions(config);
  options.seed = config.seed();
  options.purpose = "derived";
  options.channels_last = channels_last;
  return BatchMaker::Create(dataset, options);
}

std::string EpochLine(const TrainEpochMetrics& metrics, int epochs,
                      double images_per_second, bool best) {
  const std::string valid =
      metrics.valid_top1.has_value()
          ? absl::StrFormat("  valid loss %.4f  valid top-1 %.2f %%%s",
                            *metrics.valid_loss, 100 * *metrics.valid_top1,
                            best ? " (best)" : "")
          : "";
  return absl::StrFormat(
      "epoch %d/%d: lr %.4g  train loss %.4f  train top-1 %.2f %%%s  %.0f "
      "images/s",
      metrics.epoch + 1, epochs, metrics.learning_rate, metrics.train_loss,
      100 * metrics.train_top1, valid, images_per_second);
}

std::string ResultText(const TrainResult& result, int epochs) {
  nlohmann::ordered_json json;
  json["epochs"] = epochs;
  json["train_top1"] = result.train_top1;
  if (result.best_valid_top1.has_value()) {
    json["last_valid_top1"] = *result.last_valid_top1;
    json["best_valid_top1"] = *result.best_valid_top1;
    json["best_epoch"] = result.best_epoch + 1;
  }
  return json.dump(2) + "\n";
}

// A file's bytes as an entry of a snapshot, and back.
void PutBytes(absl::string_view name, const std::string& bytes,
              Snapshot& snapshot) {
  const torch::Tensor tensor =
      torch::empty({static_cast<int64_t>(bytes.size())}, torch::kUInt8);
  std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
  snapshot.PutTensor(name, tensor);
}

absl::StatusOr<std::string> TakeBytes(const Snapshot& snapshot,
                                      absl::string_view name) {
  FD_ASSIGN_OR_RETURN(const torch::Tensor tensor, snapshot.Tensor(name));
  if (tensor.scalar_type() != torch::kUInt8 || tensor.dim() != 1) {
    return snapshot.Error(absl::StrCat(name, ": is not a row of bytes"));
  }
  return std::string(static_cast<const char*>(tensor.const_data_ptr()),
                     tensor.numel());
}

}  // namespace

absl::StatusOr<std::unique_ptr<TrainLoop>> TrainLoop::Create(
    const TrainConfig& config, const Genotype& genotype, const Dataset* dataset,
    bool ahead) {
  FD_ASSIGN_OR_RETURN(
      const torch::Device device,
      FindDevice(config.device() == TrainConfig::CUDA, config.deterministic()));
  FD_ASSIGN_OR_RETURN(const LrSchedule schedule,
                      LrSchedule::Create(ScheduleOptions(config)));
  FD_ASSIGN_OR_RETURN(EpochSampler sampler, CreateSampler(config, *dataset));
  FD_ASSIGN_OR_RETURN(const NetworkConfig network_options,
                      NetworkOptions(config, *dataset));
  FD_ASSIGN_OR_RETURN(TrainNetwork network,
                      CreateTrainNetwork(config, genotype, network_options,
                                         at::get_num_threads()));
  // The fused engine's tensors have a place and a layout of their own.
  const bool channels_last =
      !network.fused &&
      UsesChannelsLast(config.memory_format(), config.init_channels());
  FD_RETURN_IF_ERROR(CatchTorch("network", [&] {
    InitializeParameters(*network.network, config.seed());
    if (!network.fused) network.network->to(device);
    if (channels_last) ToChannelsLast(*network.network);
  }));
  FD_ASSIGN_OR_RETURN(BatchMaker batches,
                      Batches(config, dataset, channels_last));
  FD_ASSIGN_OR_RETURN(std::unique_ptr<TrainStep> step,
                      TrainStep::Create(network.network, StepOptions(config)));
  return absl::WrapUnique(new TrainLoop(config, dataset, device,
                                        ahead || !device.is_cpu(), schedule,
                                        std::move(sampler), std::move(batches),
                                        std::move(network), std::move(step)));
}

TrainLoop::TrainLoop(const TrainConfig& config, const Dataset* dataset,
                     torch::Device device, bool ahead, LrSchedule schedule,
                     EpochSampler sampler, BatchMaker batches,
                     TrainNetwork network, std::unique_ptr<TrainStep> step)
    : config_(config),
      dataset_(dataset),
      device_(device),
      schedule_(std::move(schedule)),
      sampler_(std::move(sampler)),
      batches_(std::move(batches)),
      network_(std::move(network.network)),
      engine_(std::move(network.engine)),
      step_(std::move(step)),
      augmenter_(batches_.AugmenterOn(device)) {
  if (ahead) {
    ahead_ = std::make_unique<DeviceSteps>(
        device_, config_.cuda_graph(),
        [this](int64_t step) { return StepInputs(step); },
        [this](const std::vector<torch::Tensor>& in) {
          return step_->Launch({augmenter_.Apply(in[0], in[2]), in[1]}, in[3],
                               in[4]);
        });
  }
  state_.metrics = TrainMetricsHeader();
  state_.timing = TimingHeader();
}

int64_t TrainLoop::steps_done() const {
  return state_.epoch * sampler_.steps_per_epoch() + state_.step;
}

// Batches, orders of samples and dropped paths are functions of the seed, the
// epoch and the step, so these say where every random stream and the sampler
// stand.
absl::StatusOr<Snapshot> TrainLoop::TakeSnapshot() {
  FD_RETURN_IF_ERROR(
      Annotate(Look(), absl::StrCat("epoch ", state_.epoch + 1)));
  Snapshot snapshot(RunKind::kTrain);
  step_->PutInto(snapshot);
  snapshot.PutText("config", TrainConfigText(config_));
  PutDataRecord(*dataset_, snapshot);
  snapshot.PutText("genotype", ToPythonText(network_->genotype()));
  snapshot.PutInteger("epoch", state_.epoch);
  snapshot.PutInteger("step", state_.step);
  snapshot.PutReal("epoch_sums/loss", state_.loss);
  snapshot.PutReal("epoch_sums/gradient_norm", state_.gradient_norm);
  snapshot.PutInteger("epoch_sums/correct", state_.correct);
  snapshot.PutInteger("epoch_sums/images", state_.images);
  snapshot.PutReal("epoch_sums/seconds", state_.seconds);
  snapshot.PutText(kTrainMetrics, state_.metrics);
  snapshot.PutText(kTimingFile, state_.timing);
  snapshot.PutReal("last/train_top1", state_.result.train_top1);
  if (!state_.last_weights.empty()) {
    PutBytes("last/file", state_.last_weights, snapshot);
  }
  if (state_.result.last_valid_top1.has_value()) {
    snapshot.PutReal("last/valid_top1", *state_.result.last_valid_top1);
  }
  if (state_.result.best_epoch >= 0) {
    snapshot.PutInteger("best/epoch", state_.result.best_epoch);
    snapshot.PutReal("best/valid_top1", *state_.result.best_valid_top1);
    snapshot.PutReal("best/valid_loss", state_.best_valid_loss);
    PutBytes("best/file", state_.best_weights, snapshot);
  }
  return snapshot;
}

absl::Status TrainLoop::Resume(const Snapshot& snapshot) {
  FD_RETURN_IF_ERROR(CheckDataRecord(snapshot, *dataset_));
  State state;
  FD_ASSIGN_OR_RETURN(const int64_t epoch, snapshot.Integer("epoch"));
  FD_ASSIGN_OR_RETURN(state.step, snapshot.Integer("step"));
  state.looked_at = state.step;
  if (epoch < 0 || epoch > config_.epochs() || state.step < 0 ||
      state.step > sampler_.steps_per_epoch()) {
    return snapshot.Error(absl::StrCat(
        "epoch ", epoch, ", step ", state.step, ": the run has ",
        config_.epochs(), " epochs of ", sampler_.steps_per_epoch(), " steps"));
  }
  state.epoch = static_cast<int>(epoch);
  FD_ASSIGN_OR_RETURN(state.loss, snapshot.Real("epoch_sums/loss"));
  FD_ASSIGN_OR_RETURN(state.gradient_norm,
                      snapshot.Real("epoch_sums/gradient_norm"));
  FD_ASSIGN_OR_RETURN(state.correct, snapshot.Integer("epoch_sums/correct"));
  FD_ASSIGN_OR_RETURN(state.images, snapshot.Integer("epoch_sums/images"));
  FD_ASSIGN_OR_RETURN(state.seconds, snapshot.Real("epoch_sums/seconds"));
  FD_ASSIGN_OR_RETURN(state.metrics, snapshot.Text(kTrainMetrics));
  FD_ASSIGN_OR_RETURN(state.timing, snapshot.Text(kTimingFile));
  FD_ASSIGN_OR_RETURN(state.result.train_top1,
                      snapshot.Real("last/train_top1"));
  if (snapshot.HasTensor("last/file")) {
    FD_ASSIGN_OR_RETURN(state.last_weights, TakeBytes(snapshot, "last/file"));
  }
  if (snapshot.HasText("last/valid_top1")) {
    FD_ASSIGN_OR_RETURN(const double top1, snapshot.Real("last/valid_top1"));
    state.result.last_valid_top1 = top1;
  }
  if (snapshot.HasText("best/epoch")) {
    FD_ASSIGN_OR_RETURN(const int64_t best, snapshot.Integer("best/epoch"));
    state.result.best_epoch = static_cast<int>(best);
    FD_ASSIGN_OR_RETURN(const double top1, snapshot.Real("best/valid_top1"));
    state.result.best_valid_top1 = top1;
    FD_ASSIGN_OR_RETURN(state.best_valid_loss,
                        snapshot.Real("best/valid_loss"));
    FD_ASSIGN_OR_RETURN(state.best_weights, TakeBytes(snapshot, "best/file"));
  }
  FD_RETURN_IF_ERROR(step_->TakeFrom(snapshot));
  state_ = std::move(state);
  return absl::OkStatus();
}

std::vector<torch::Tensor> TrainLoop::StepInputs(int64_t step) {
  const int64_t epoch = step / sampler_.steps_per_epoch();
  const int64_t of_epoch = step % sampler_.steps_per_epoch();
  if (input_epoch_ != epoch) {
    input_epoch_ = epoch;
    input_order_ = sampler_.Order(epoch);
  }
  const auto options =
      torch::TensorOptions(torch::kFloat).pinned_memory(device_.is_cuda());
  const RawBatch raw = batches_.Raw(sampler_.Batch(input_order_, of_epoch),
                                    epoch, device_.is_cuda());
  const int64_t images = raw.labels.size(0);
  const int64_t paths = network_->paths();
  const torch::Tensor scales = torch::empty({paths, images}, options);
  const std::vector<float> drawn =
      DroppedPaths(config_, static_cast<int>(epoch), of_epoch)
          .DrawScales(paths * images);
  std::copy(drawn.begin(), drawn.end(), scales.mutable_data_ptr<float>());
  const torch::Tensor rates =
      torch::empty({TrainStep::kRates}, options.dtype(torch::kDouble));
  const auto values =
      step_->Rates(step, schedule_.LearningRate(static_cast<int>(epoch)));
  std::copy(values.begin(), values.end(), rates.mutable_data_ptr<double>());
  return {raw.bytes, raw.labels, raw.places, rates, scales};
}

void TrainLoop::Add(const TrainStepResult& result) {
  state_.loss += result.loss;
  state_.gradient_norm += result.gradient_norm;
  state_.correct += result.correct;
  ++state_.looked_at;
}

int64_t TrainLoop::ImagesBefore(int64_t step) const {
  return step < sampler_.steps_per_epoch()
             ? step * config_.batch_size()
             : (step - 1) * config_.batch_size() + sampler_.last_batch_size();
}

absl::Status TrainLoop::Look() {
  if (ahead_ == nullptr || ahead_->pending() == 0) return absl::OkStatus();
  const absl::Time start = absl::Now();
  FD_ASSIGN_OR_RETURN(const std::vector<DeviceSteps::Finished> finished,
                      ahead_->Finish());
  for (const DeviceSteps::Finished& one : finished) {
    const int64_t step = one.step % sampler_.steps_per_epoch();
    const absl::StatusOr<TrainStepResult> result = TrainStep::Read(one.values);
    FD_RETURN_IF_ERROR(
        Annotate(result.status(), absl::StrCat("found of step ", step + 1)));
    Add(*result);
  }
  state_.seconds += absl::ToDoubleSeconds(absl::Now() - start);
  return absl::OkStatus();
}

absl::Status TrainLoop::RunStep(const std::vector<int64_t>& order) {
  const absl::Time start = absl::Now();
  const double seconds_before = state_.seconds;
  if (ahead_ == nullptr) {
    const Batch batch = ToDevice(
        batches_.Augmented(sampler_.Batch(order, state_.step), state_.epoch),
        device_);
    FD_ASSIGN_OR_RETURN(
        const TrainStepResult result,
        step_->Run(batch, schedule_.LearningRate(state_.epoch),
                   DroppedPaths(config_, state_.epoch, state_.step)));
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
  state_.images = ImagesBefore(state_.step);
  // A look within it is counted once.
  state_.seconds = seconds_before + absl::ToDoubleSeconds(absl::Now() - start);
  return absl::OkStatus();
}

absl::StatusOr<Classification> TrainLoop::ClassifyImages(int64_t begin,
                                                         int64_t end) {
  network_->eval();
  const bool bfloat16 = config_.precision() == Machine::BF16;
  return Classify(
      [&](const torch::Tensor& images) {
        const Autocast autocast(bfloat16, device_.type());
        return network_->Logits(images.to(device_));
      },
      dataset_->classes, batches_, begin, end, kEvaluationBatch);
}

absl::Status TrainLoop::TryEvaluation(Progress& progress) {
  const int64_t images = std::min(kEvaluationBatch, held_out());
  if (images == 0) return absl::OkStatus();
  const int64_t begin = sampler_.samples();
  FD_RETURN_IF_ERROR(ClassifyImages(begin, begin + images).status());
  const absl::Time start = absl::Now();
  FD_RETURN_IF_ERROR(ClassifyImages(begin, begin + images).status());
  progress.Evaluated(images, absl::Now() - start);
  return absl::OkStatus();
}

absl::Status TrainLoop::EndEpoch(const RunFolder& folder, Progress& progress,
                                 RunLog& log) {
  FD_RETURN_IF_ERROR(Look());
  const auto steps = static_cast<double>(state_.step);
  TrainEpochMetrics metrics;
  metrics.epoch = state_.epoch;
  metrics.learning_rate = schedule_.LearningRate(state_.epoch);
  metrics.drop_path = DropProbability(config_, state_.epoch);
  metrics.train_loss = state_.loss / steps;
  metrics.train_top1 =
      static_cast<double>(state_.correct) / static_cast<double>(state_.images);
  metrics.grad_norm = state_.gradient_norm / steps;
  state_.result.train_top1 = metrics.train_top1;

  bool best = false;
  std::string weights;
  FD_RETURN_IF_ERROR(step_->WithResult([&]() -> absl::Status {
    // Every step but the last one is checked by the loss of the next one;
    // where nothing is held out a batch of the other images checks that one.
    const absl::Time start = absl::Now();
    FD_ASSIGN_OR_RETURN(
        const Classification seen,
        held_out() > 0
            ? ClassifyImages(sampler_.samples(), dataset_->size())
            : ClassifyImages(0, std::min(kEvaluationBatch, dataset_->size())));
    progress.Evaluated(seen.images, absl::Now() - start);
    if (!std::isfinite(seen.loss())) {
      return NumbersError(
          absl::StrCat("after its last step the loss without augmentation is ",
                       seen.loss()));
    }
    if (held_out() > 0) {
      metrics.valid_loss = seen.loss();
      metrics.valid_top1 = seen.top1();
    }
    FD_ASSIGN_OR_RETURN(
        weights,
        SerializeNetwork(*network_, DescribeNetwork(*network_, *dataset_)));
    return absl::OkStatus();
  }));
  if (metrics.valid_top1.has_value()) {
    TrainResult& result = state_.result;
    result.last_valid_top1 = metrics.valid_top1;
    best = !result.best_valid_top1.has_value() ||
           *metrics.valid_top1 > *result.best_valid_top1 ||
           (*metrics.valid_top1 == *result.best_valid_top1 &&
            *metrics.valid_loss < state_.best_valid_loss);
    if (best) {
      result.best_valid_top1 = metrics.valid_top1;
      result.best_epoch = state_.epoch;
      state_.best_valid_loss = *metrics.valid_loss;
      state_.best_weights = weights;
    }
  }
  const double images_per_second =
      static_cast<double>(state_.images) / state_.seconds;
  log.Info(EpochLine(metrics, config_.epochs(), images_per_second, best));
  absl::StrAppend(&state_.metrics, TrainMetricsRow(metrics));
  absl::StrAppend(&state_.timing,
                  TimingRow(state_.epoch, state_.seconds, images_per_second));
  state_.last_weights = std::move(weights);
  FD_RETURN_IF_ERROR(WriteFiles(folder));
  ++state_.epoch;
  state_.step = 0;
  state_.loss = state_.gradient_norm = state_.seconds = 0;
  state_.correct = state_.images = state_.looked_at = 0;
  return absl::OkStatus();
}

absl::Status TrainLoop::WriteFiles(const RunFolder& folder) const {
  FD_RETURN_IF_ERROR(folder.Write(kTrainMetrics, state_.metrics));
  FD_RETURN_IF_ERROR(folder.Write(kTimingFile, state_.timing));
  for (const auto& [name, weights] :
       {std::make_pair(kBestWeights, &state_.best_weights),
        std::make_pair(kLastWeights, &state_.last_weights)}) {
    FD_RETURN_IF_ERROR(weights->empty() ? folder.Remove(name)
                                        : folder.Write(name, *weights));
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainResult> TrainLoop::Run(const RunFolder& folder,
                                           StopSignals& signals, RunLog& log) {
  CheckpointerOptions options;
  options.every_steps = config_.checkpoint_steps();
  Checkpointer checkpointer(
      CheckpointFolder(folder.path(), RunKind::kTrain), signals, log,
      [this] { return TakeSnapshot(); }, options);
  // A finished run may have been taken up again further back.
  if (state_.epoch < config_.epochs()) {
    FD_RETURN_IF_ERROR(folder.Remove(kTrainResult));
  }
  FD_RETURN_IF_ERROR(WriteFiles(folder));
  Progress::Options progress_options;
  progress_options.epochs = config_.epochs();
  progress_options.steps_per_epoch =
      static_cast<int>(sampler_.steps_per_epoch());
  progress_options.steps_before = steps_done();
  progress_options.report_freq = config_.report_freq();
  progress_options.evaluated_each_epoch =
      held_out() > 0 ? held_out()
                     : std::min(kEvaluationBatch, dataset_->size());
  Progress progress(log, progress_options);
  bool evaluation_tried = false;

  while (state_.epoch < config_.epochs()) {
    const int epoch = state_.epoch;
    const std::string epoch_name = absl::StrCat("epoch ", epoch + 1);
    const std::vector<int64_t> order = sampler_.Order(epoch);
    while (state_.step < sampler_.steps_per_epoch()) {
      const int64_t images_before = state_.images;
      const std::string where =
          absl::StrCat(epoch_name, ": step ", state_.step + 1);
      FD_RETURN_IF_ERROR(checkpointer.Guard(
          steps_done(), absl::StrCat("before ", where), [&]() -> absl::Status {
            FD_RETURN_IF_ERROR(Annotate(RunStep(order), where));
            if (evaluation_tried) return absl::OkStatus();
            evaluation_tried = true;
            return TryEvaluation(progress);
          }));
      StepReport report;
      report.epoch = epoch;
      report.step = static_cast<int>(state_.step) - 1;
      report.train_loss = state_.loss / static_cast<double>(state_.looked_at);
      report.train_top1 = static_cast<double>(state_.correct) /
                          static_cast<double>(ImagesBefore(state_.looked_at));
      report.images = state_.images - images_before;
      progress.Step(report);
    }
    FD_RETURN_IF_ERROR(checkpointer.Guard(
        steps_done(), absl::StrCat("after ", epoch_name),
        [&] { return Annotate(EndEpoch(folder, progress, log), epoch_name); }));
    FD_RETURN_IF_ERROR(
        checkpointer.Save(steps_done(), state_.result.best_epoch == epoch));
    progress.EpochEnded();
  }
  FD_RETURN_IF_ERROR(
      folder.Write(kTrainResult, ResultText(state_.result, config_.epochs())));
  return state_.result;
}

}  // namespace fairdarts
