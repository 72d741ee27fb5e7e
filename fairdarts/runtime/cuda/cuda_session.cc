#include "fairdarts/runtime/cuda/cuda_session.h"

#include <cuda.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <iterator>
#include <limits>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/cuda/convolution_weights.h"
#include "fairdarts/runtime/cuda/cudnn_library.h"
#include "fairdarts/runtime/cuda/cudnn_resources.h"
#include "fairdarts/runtime/cuda/driver.h"
#include "fairdarts/runtime/cuda/resources.h"
#include "fairdarts/runtime/cuda/stage_convolutions.h"
#include "fairdarts/runtime/cuda/stage_plan.h"
#include "fairdarts/runtime/cuda/stage_schedule.h"
#include "fairdarts/runtime/run_spans.h"
#include "fairdarts/runtime/without_bad_alloc.h"
#include "ops/cuda/stage.h"
#include "ops/cuda/stage_fatbin.h"

namespace fairdarts {
namespace {

// Where parts of an allocation begin: what CUDA aligns its own to.
constexpr int64_t kAlignment = 256;

// An engine of cuDNN's that wants to work in more than this is none for us:
// some would take more than all maps together.
constexpr int64_t kMostWorkspace = int64_t{64} << 20;

// The code, as CUDA counts virtual architectures, from which on the stage
// kernel waits for the one in front of it (programmatic dependent launch).
constexpr int kAwaitingCode = 90;

// Parts of one allocation.
class Layout {
 public:
  // Where a part of so many bytes begins.
  int64_t Add(int64_t bytes) {
    const int64_t offset = bytes_;
    bytes_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return offset;
  }
  int64_t bytes() const { return bytes_; }

 private:
  int64_t bytes_ = 0;
};

// A launch of a kernel, or a convolution of cuDNN's. The caller's pointers are
// filled in where it takes them.
struct Launch {
  int convolution = -1;  // which launch of the schedule, or -1: a kernel
  StageArguments arguments;
  bool takes_image = false;
  bool makes_logits = false;
  // Whether it may begin before the one in front of it has ended: the kernel
  // waits for it where it needs what that one makes.
  bool overlaps = false;
  unsigned int blocks = 0;
  unsigned int shared_bytes = 0;
};

// The runs of one size.
struct Batch {
  int images = 0;
  std::vector<Launch> launches;
  CudaGraph graph;
  CudaGraphExec exec;
  // Of the launches that have a pointer of the caller's.
  std::vector<std::pair<const Launch*, CUgraphNode>> ends;
  // What they have; 0 where that is not known.
  CUdeviceptr image = 0;
  CUdeviceptr logits = 0;
};

template <typename T>
int64_t BytesOf(const std::vector<T>& values) {
  return static_cast<int64_t>(values.size() * sizeof(T));
}

template <typename T>
T* At(CUdeviceptr base, int64_t offset) {
  return reinterpret_cast<T*>(base + offset);
}

// Largest first, each once, with 1.
absl::StatusOr<std::vector<int>> BatchSizes(const CudaOptions& options) {
  if (options.batch_sizes.size() > kMaxCudaBatchSizes) {
    return UsageError(absl::StrCat("batch_sizes: are ",
                                   options.batch_sizes.size(),
                                   "; there are at most ", kMaxCudaBatchSizes));
  }
  std::vector<int> sizes = options.batch_sizes;
  for (const int size : sizes) {
    if (size < 1) {
      return UsageError(absl::StrCat("batch_sizes: ", size,
                                     " is one of them; a batch has 1 image at "
                                     "least"));
    }
  }
  sizes.push_back(1);
  std::sort(sizes.begin(), sizes.end(), std::greater<int>());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

const char* KernelName(Precision precision) {
  switch (precision) {
    case Precision::kFloat16:
      return "fairdarts_stage_float16";
    case Precision::kBFloat16:
      return "fairdarts_stage_bfloat16";
    case Precision::kFloat32:
      break;
  }
  return "fairdarts_stage_float32";
}

// Whether one of a launch's tasks reads the caller's image.
bool TakesImage(const StageSchedule& schedule, const StageLaunch& launch) {
  for (int t = 0; t < launch.tasks; ++t) {
    const StageTask& task = schedule.tasks[launch.first_task + t];
    for (int d = 0; d < task.directs; ++d) {
      if (schedule.directs[task.first_direct + d].kind == StageDirect::kImage) {
        return true;
      }
    }
  }
  return false;
}

bool MakesLogits(const StageSchedule& schedule, const StageLaunch& launch) {
  const auto first = schedule.tasks.begin() + launch.first_task;
  return std::any_of(first, first + launch.tasks,
                     [](const StageTask& task) { return task.logits != 0; });
}

}  // namespace

class CudaSession::Impl {
 public:
  static absl::StatusOr<std::unique_ptr<Impl>> Create(
      const ModelFile& file, const CudaDriver& driver, CudaDevice device,
      const CudaOptions& options);
  ~Impl();

  absl::Status Run(absl::Span<const float> images, absl::Span<float> logits);
  absl::Status RunAsync(const float* images, int64_t count, float* logits,
                        CUstream stream);

  const ModelDescription& description() const { return description_; }
  int64_t image_floats() const { return image_floats_; }
  Precision precision() const { return precision_; }
  const std::vector<int>& batch_sizes() const { return batch_sizes_; }
  bool uses_cudnn() const { return resources_->cudnn.has_value(); }
  int launches(int batch_size) const;
  int64_t device_bytes() const { return device_bytes_; }
  int64_t pinned_bytes() const { return pinned_bytes_; }
  const std::string& device_name() const { return device_.name; }

 private:
  // Pinned memory for the images and logits of a batch on their way, and how
  // much of it a copy still works on.
  struct Slot {
    float* images = nullptr;
    float* logits = nullptr;
    CudaEvent done;
    float* to = nullptr;  // where the logits go
    int64_t floats = 0;   // of them; 0 where the slot is free
  };

  // What needs the context to be given back.
  struct Resources {
    CudaModule module;
    CudaMemory memory;
    CudaHostMemory pinned;
    CudaOwnStream stream;
    CudaEvent done;
    std::vector<Slot> slots;
    absl::optional<CudnnHandle> cudnn;
    // Of a batch each.
    std::vector<StageConvolutions> convolutions;
    std::vector<Batch> batches;
  };

  Impl(const CudaDriver& driver, CudaDevice device, PrimaryContext context,
       const ModelFile& file, const CudaOptions& options);

  absl::Status Build(const StagePlan& plan, const CudaOptions& options);
  absl::StatusOr<std::vector<StageSchedule>> Schedule(
      const StagePlan& plan, bool library_convolutions) const;
  absl::StatusOr<std::vector<StageSchedule>> ScheduleWithCudnn(
      const StagePlan& plan, const CudaOptions& options);
  absl::StatusOr<std::vector<StageSchedule>> ScheduleConvolutions(
      const StagePlan& plan, const CudaOptions& options);
  absl::Status Place(const StagePlan& plan,
                     const std::vector<StageSchedule>& schedules);
  absl::Status RunConvolutions(const Batch& batch);
  absl::Status Capture(Batch* batch);
  absl::Status LaunchAll(Batch* batch, CUdeviceptr image, CUdeviceptr logits,
                         CUstream stream, bool note_nodes);
  absl::Status LaunchConvolution(const Batch& batch, const Launch& launch,
                                 CUstream stream);
  absl::Status LaunchKernel(const Launch& launch, CUdeviceptr image,
                            CUdeviceptr logits, CUstream stream);
  absl::Status NoteNode(const Launch& launch, Batch* batch);
  absl::Status PointTo(Batch* batch, CUdeviceptr image, CUdeviceptr logits);
  absl::Status RunBatch(Batch* batch, CUdeviceptr image, CUdeviceptr logits,
                        CUstream stream, bool eager);
  absl::Status FollowEarlierRuns(CUstream stream);
  absl::Status RunInSlots(const float* images, int64_t count, float* logits);
  static void Finish(Slot* slot);
  absl::StatusOr<CUdeviceptr> Reach(const void* pointer, int64_t bytes,
                                    absl::string_view name);
  // The status of a call; what spoils the context ends the session.
  absl::Status Check(CUresult result, absl::string_view doing);
  Batch* LargestWithin(int64_t images);
  StageArguments ArgumentsOf(const Launch& launch, CUdeviceptr image,
                             CUdeviceptr logits) const;

  const CudaDriver& driver_;
  const CudaDevice device_;
  const PrimaryContext context_;
  const ModelDescription description_;
  const int64_t image_floats_;
  const Precision precision_;
  const bool graph_;
  std::vector<int> batch_sizes_;
  int64_t device_bytes_ = 0;
  int64_t pinned_bytes_ = 0;
  CUfunction kernel_ = nullptr;
  // Whether it waits for the kernel in front of it by itself.
  bool kernel_awaits_ = false;
  CUstream stream_;                // of Run
  CUdeviceptr device_images_ = 0;  // of Run, for the largest batch
  CUdeviceptr device_logits_ = 0;
  bool has_run_ = false;
  absl::Status ended_;  // by which error, if any
  absl::optional<Resources> resources_;
};

CudaSession::Impl::Impl(const CudaDriver& driver, CudaDevice device,
                        PrimaryContext context, const ModelFile& file,
                        const CudaOptions& options)
    : driver_(driver),
      device_(std::move(device)),
      context_(std::move(context)),
      description_(file.description()),
      image_floats_(int64_t{description_.network.image_channels} *
                    description_.network.image_size *
                    description_.network.image_size),
      precision_(options.precision),
      graph_(options.graph),
      stream_(options.stream),
      resources_(Resources()) {}

CudaSession::Impl::~Impl() {
  // In a context that is spoilt all of this fails, and nothing is left to wait
  // for.
  const CurrentContext current(driver_, context_.get());
  if (has_run_) driver_.cuEventSynchronize(resources_->done.get());
  if (resources_->stream.get() != nullptr) {
    driver_.cuStreamSynchronize(resources_->stream.get());
  }
  resources_.reset();
}

absl::StatusOr<std::unique_ptr<CudaSession::Impl>> CudaSession::Impl::Create(
    const ModelFile& file, const CudaDriver& driver, CudaDevice device,
    const CudaOptions& options) {
  FD_ASSIGN_OR_RETURN(std::vector<int> sizes, BatchSizes(options));
  FD_ASSIGN_OR_RETURN(const StagePlan plan, LowerPlan(file, options.precision));
  FD_ASSIGN_OR_RETURN(PrimaryContext context,
                      PrimaryContext::Retain(driver, device.device));
  auto impl = absl::WrapUnique(
      new Impl(driver, std::move(device), std::move(context), file, options));
  impl->batch_sizes_ = std::move(sizes);
  const CurrentContext current(driver, impl->context_.get());
  FD_RETURN_IF_ERROR(impl->Check(current.result(), "entering the context"));
  FD_RETURN_IF_ERROR(impl->Build(plan, options));
  return impl;
}

absl::StatusOr<std::vector<StageSchedule>> CudaSession::Impl::Schedule(
    const StagePlan& plan, bool library_convolutions) const {
  StageDevice shape;
  shape.multiprocessors = device_.multiprocessors;
  shape.shared_bytes = device_.shared_bytes;
  shape.multiprocessor_shared_bytes = device_.multiprocessor_shared_bytes;
  std::vector<StageSchedule> schedules;
  for (const int size : batch_sizes_) {
    FD_ASSIGN_OR_RETURN(
        StageSchedule schedule,
        ScheduleStages(plan, size, shape, library_convolutions));
    schedules.push_back(std::move(schedule));
  }
  return schedules;
}

absl::StatusOr<std::vector<StageSchedule>> CudaSession::Impl::ScheduleWithCudnn(
    const StagePlan& plan, const CudaOptions& options) {
  const Cudnn* cudnn = options.cudnn;
  if (cudnn == nullptr) {
    if (options.driver != nullptr) {
      return EnvironmentError("no cuDNN is given beside the driver");
    }
    FD_ASSIGN_OR_RETURN(cudnn, SystemCudnn());
  }
  FD_ASSIGN_OR_RETURN(std::vector<StageSchedule> schedules,
                      Schedule(plan, /*library_convolutions=*/true));
  FD_ASSIGN_OR_RETURN(CudnnHandle handle, CudnnHandle::Create(*cudnn));
  CudnnTarget target;
  target.handle = handle.get();
  resources_->cudnn.emplace(std::move(handle));
  for (const StageSchedule& schedule : schedules) {
    FD_ASSIGN_OR_RETURN(StageConvolutions convolutions,
                        StageConvolutions::Create(*cudnn, target, plan,
                                                  schedule, kMostWorkspace));
    resources_->convolutions.push_back(std::move(convolutions));
  }
  return schedules;
}

absl::StatusOr<std::vector<StageSchedule>>
CudaSession::Impl::ScheduleConvolutions(const StagePlan& plan,
                                        const CudaOptions& options) {
  if (options.convolutions != CudaConvolutions::kOwn) {
    absl::StatusOr<std::vector<StageSchedule>> schedules =
        ScheduleWithCudnn(plan, options);
    if (schedules.ok()) return schedules;
    if (options.convolutions == CudaConvolutions::kLibrary) {
      const absl::Status& status = schedules.status();
      return absl::IsUnimplemented(status) ? EnvironmentError(status.message())
                                           : status;
    }
    resources_->convolutions.clear();
    resources_->cudnn.reset();
  }
  return Schedule(plan, /*library_convolutions=*/false);
}

absl::Status CudaSession::Impl::Build(const StagePlan& plan,
                                      const CudaOptions& options) {
  FD_ASSIGN_OR_RETURN(const std::vector<StageSchedule> schedules,
                      ScheduleConvolutions(plan, options));
  int64_t shared_bytes = 0;
  for (const StageSchedule& schedule : schedules) {
    for (const StageLaunch& launch : schedule.launches) {
      shared_bytes = std::max(shared_bytes, launch.shared_bytes);
    }
  }

  Resources& own = *resources_;
  FD_ASSIGN_OR_RETURN(own.module, LoadModule(driver_, StageFatbin().data()));
  FD_RETURN_IF_ERROR(
      Check(driver_.cuModuleGetFunction(&kernel_, own.module.get(),
                                        KernelName(precision_)),
            "looking for a kernel"));
  // What a GPU of another kind compiles from the code for 8.0 does not.
  int code_version = 0;
  FD_RETURN_IF_ERROR(
      Check(driver_.cuFuncGetAttribute(&code_version,
                                       CU_FUNC_ATTRIBUTE_PTX_VERSION, kernel_),
            "looking at a kernel"));
  kernel_awaits_ = code_version >= kAwaitingCode;
  FD_RETURN_IF_ERROR(
      Check(driver_.cuFuncSetAttribute(
                kernel_, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                static_cast<int>(shared_bytes)),
            "asking for shared memory"));
  // Launches take more of it or less. Were the driver to choose for each how
  // much of a multiprocessor's fast memory is shared, it might have to change
  // that between two of them, and the second could not begin early. (Not
  // timed.)
  FD_RETURN_IF_ERROR(
      Check(driver_.cuFuncSetAttribute(
                kernel_, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT,
                CU_SHAREDMEM_CARVEOUT_MAX_SHARED),
            "asking for shared memory"));
  FD_ASSIGN_OR_RETURN(own.stream, CreateStream(driver_));
  if (stream_ == nullptr) stream_ = own.stream.get();
  FD_ASSIGN_OR_RETURN(own.done, CreateEvent(driver_));
  FD_RETURN_IF_ERROR(Place(plan, schedules));
  for (Batch& batch : own.batches) {
    // Without graphs too: the caller may capture what it runs.
    FD_RETURN_IF_ERROR(RunConvolutions(batch));
    if (graph_) FD_RETURN_IF_ERROR(Capture(&batch));
  }
  return Check(driver_.cuStreamSynchronize(own.stream.get()),
               "making the batches ready");
}

// Allocates, and puts there what does not change.
absl::Status CudaSession::Impl::Place(
    const StagePlan& plan, const std::vector<StageSchedule>& schedules) {
  Resources& own = *resources_;
  const int64_t largest = batch_sizes_.front();
  const int64_t image_bytes = largest * image_floats_ * sizeof(float);
  const int64_t logit_bytes = largest * plan.classes * sizeof(float);

  struct Part {
    int64_t offset;
    const void* data;
    int64_t bytes;
  };
  Layout layout;
  std::vector<Part> parts;
  const auto add = [&](const auto& values) {
    const int64_t bytes = BytesOf(values);
    parts.push_back({layout.Add(bytes), values.data(), bytes});
    return parts.back().offset;
  };
  const int64_t weights = add(plan.weights);
  const int64_t biases = add(plan.biases);
  struct Tables {
    int64_t tasks;
    int64_t segments;
    int64_t directs;
  };
  std::vector<Tables> tables;
  int64_t arena_elements = 0;
  for (const StageSchedule& schedule : schedules) {
    tables.push_back(
        {add(schedule.tasks), add(schedule.segments), add(schedule.directs)});
    arena_elements = std::max(arena_elements, schedule.arena_elements);
  }
  const int64_t arena = layout.Add(arena_elements * ElementBytes(precision_));
  // cuDNN wants weights its own way.
  ConvolutionWeights library_weights;
  int64_t workspace_bytes = 0;
  if (own.cudnn.has_value()) library_weights = UnpackConvolutions(plan);
  for (const StageConvolutions& convolutions : own.convolutions) {
    workspace_bytes = std::max(workspace_bytes, convolutions.workspace_bytes());
  }
  const int64_t library = add(library_weights.bytes);
  const int64_t workspace = layout.Add(workspace_bytes);
  const int64_t images = layout.Add(image_bytes);
  const int64_t logits = layout.Add(logit_bytes);
  device_bytes_ = layout.bytes();
  FD_ASSIGN_OR_RETURN(own.memory, AllocateOnDevice(driver_, device_bytes_));
  const CUdeviceptr base = own.memory.get();
  device_images_ = base + images;
  device_logits_ = base + logits;

  // Two, so that the next batch is copied while one is under way.
  Layout pinned;
  const int64_t slot_images[] = {pinned.Add(image_bytes),
                                 pinned.Add(image_bytes)};
  const int64_t slot_logits[] = {pinned.Add(logit_bytes),
                                 pinned.Add(logit_bytes)};
  pinned_bytes_ = pinned.bytes();
  FD_ASSIGN_OR_RETURN(own.pinned, AllocateOnHost(driver_, pinned_bytes_));
  char* const host = static_cast<char*>(own.pinned.get());
  for (int i = 0; i < 2; ++i) {
    Slot slot;
    slot.images = reinterpret_cast<float*>(host + slot_images[i]);
    slot.logits = reinterpret_cast<float*>(host + slot_logits[i]);
    FD_ASSIGN_OR_RETURN(slot.done, CreateEvent(driver_));
    own.slots.push_back(std::move(slot));
  }

  for (const Part& part : parts) {
    if (part.bytes == 0) continue;
    FD_RETURN_IF_ERROR(
        Check(driver_.cuMemcpyHtoDAsync(base + part.offset, part.data,
                                        static_cast<size_t>(part.bytes),
                                        own.stream.get()),
              "copying the network to the GPU"));
  }
  FD_RETURN_IF_ERROR(Check(driver_.cuStreamSynchronize(own.stream.get()),
                           "copying the network to the GPU"));

  for (StageConvolutions& convolutions : own.convolutions) {
    FD_RETURN_IF_ERROR(convolutions.Bind(library_weights, At<void>(base, arena),
                                         At<void>(base, library),
                                         At<void>(base, workspace)));
  }
  for (size_t i = 0; i < schedules.size(); ++i) {
    const StageSchedule& schedule = schedules[i];
    Batch batch;
    batch.images = schedule.batch;
    for (const StageLaunch& stage : schedule.launches) {
      Launch launch;
      if (stage.kind == StageLaunch::Kind::kConvolution) {
        launch.convolution = static_cast<int>(batch.launches.size());
        batch.launches.push_back(launch);
        continue;
      }
      launch.arguments.tasks =
          At<const StageTask>(base, tables[i].tasks) + stage.first_task;
      launch.arguments.task_count = stage.tasks;
      launch.arguments.segments =
          At<const StageSegment>(base, tables[i].segments);
      launch.arguments.directs = At<const StageDirect>(base, tables[i].directs);
      launch.arguments.weights = At<const void>(base, weights);
      launch.arguments.biases = At<const float>(base, biases);
      launch.arguments.arena = At<void>(base, arena);
      launch.arguments.image = nullptr;
      launch.arguments.logits = nullptr;
      launch.takes_image = TakesImage(schedule, stage);
      launch.makes_logits = MakesLogits(schedule, stage);
      launch.overlaps = kernel_awaits_ && !batch.launches.empty() &&
                        batch.launches.back().convolution < 0;
      launch.blocks = static_cast<unsigned int>(stage.blocks);
      launch.shared_bytes = static_cast<unsigned int>(stage.shared_bytes);
      batch.launches.push_back(launch);
    }
    own.batches.push_back(std::move(batch));
  }
  return absl::OkStatus();
}

// cuDNN loads a kernel when it is first used, which a stream that is being
// captured does not allow. What is computed matters to nobody.
absl::Status CudaSession::Impl::RunConvolutions(const Batch& batch) {
  for (const Launch& launch : batch.launches) {
    if (launch.convolution < 0) continue;
    FD_RETURN_IF_ERROR(
        LaunchConvolution(batch, launch, resources_->stream.get()));
  }
  return absl::OkStatus();
}

// The graph of a batch, with the pointers of Run.
absl::Status CudaSession::Impl::Capture(Batch* batch) {
  const CUstream stream = resources_->stream.get();
  // Another thread's work, and its graphs, are none of ours.
  FD_RETURN_IF_ERROR(Check(
      driver_.cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
      "beginning a graph"));
  const absl::Status launched = LaunchAll(batch, device_images_, device_logits_,
                                          stream, /*note_nodes=*/true);
  CUgraph graph = nullptr;
  const CUresult ended = driver_.cuStreamEndCapture(stream, &graph);
  if (graph != nullptr) batch->graph = CudaGraph(graph, driver_.cuGraphDestroy);
  FD_RETURN_IF_ERROR(launched);
  FD_RETURN_IF_ERROR(Check(ended, "ending a graph"));
  CUgraphExec exec = nullptr;
  FD_RETURN_IF_ERROR(Check(driver_.cuGraphInstantiate(&exec, graph, 0),
                           "making a graph ready"));
  batch->exec = CudaGraphExec(exec, driver_.cuGraphExecDestroy);
  batch->image = device_images_;
  batch->logits = device_logits_;
  return Check(driver_.cuGraphUpload(exec, stream), "uploading a graph");
}

absl::Status CudaSession::Impl::LaunchAll(Batch* batch, CUdeviceptr image,
                                          CUdeviceptr logits, CUstream stream,
                                          bool note_nodes) {
  for (const Launch& launch : batch->launches) {
    if (launch.convolution >= 0) {
      FD_RETURN_IF_ERROR(LaunchConvolution(*batch, launch, stream));
      continue;
    }
    FD_RETURN_IF_ERROR(LaunchKernel(launch, image, logits, stream));
    if (note_nodes && (launch.takes_image || launch.makes_logits)) {
      FD_RETURN_IF_ERROR(NoteNode(launch, batch));
    }
  }
  return absl::OkStatus();
}

absl::Status CudaSession::Impl::LaunchConvolution(const Batch& batch,
                                                  const Launch& launch,
                                                  CUstream stream) {
  CudnnHandle& cudnn = *resources_->cudnn;
  FD_RETURN_IF_ERROR(cudnn.SetStream(stream));
  const size_t index = &batch - resources_->batches.data();
  const absl::Status executed =
      resources_->convolutions[index].Execute(launch.convolution, cudnn.get());
  // The caller may end its stream before the session ends cuDNN's handle.
  const absl::Status left = cudnn.SetStream(resources_->stream.get());
  return executed.ok() ? left : executed;
}

absl::Status CudaSession::Impl::LaunchKernel(const Launch& launch,
                                             CUdeviceptr image,
                                             CUdeviceptr logits,
                                             CUstream stream) {
  StageArguments arguments = ArgumentsOf(launch, image, logits);
  void* parameters[] = {&arguments};
  CUlaunchAttribute overlap;
  std::memset(&overlap, 0, sizeof(overlap));
  overlap.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  overlap.value.programmaticStreamSerializationAllowed = 1;
  CUlaunchConfig config;
  std::memset(&config, 0, sizeof(config));
  config.gridDimX = launch.blocks;
  config.gridDimY = config.gridDimZ = 1;
  config.blockDimX = kStageThreads;
  config.blockDimY = config.blockDimZ = 1;
  config.sharedMemBytes = launch.shared_bytes;
  config.hStream = stream;
  config.attrs = &overlap;
  config.numAttrs = launch.overlaps ? 1 : 0;
  return Check(driver_.cuLaunchKernelEx(&config, kernel_, parameters, nullptr),
               "launching a kernel");
}

// The last node of the graph that is being made is the launch's.
absl::Status CudaSession::Impl::NoteNode(const Launch& launch, Batch* batch) {
  CUstreamCaptureStatus capturing = CU_STREAM_CAPTURE_STATUS_NONE;
  cuuint64_t id = 0;
  CUgraph graph = nullptr;
  const CUgraphNode* nodes = nullptr;
  const CUgraphEdgeData* edges = nullptr;
  size_t count = 0;
  FD_RETURN_IF_ERROR(
      Check(driver_.cuStreamGetCaptureInfo(resources_->stream.get(), &capturing,
                                           &id, &graph, &nodes, &edges, &count),
            "looking at a graph"));
  if (capturing != CU_STREAM_CAPTURE_STATUS_ACTIVE || count != 1) {
    return EnvironmentError(absl::StrCat(
        "looking at a graph: a chain of kernels ends in ", count, " nodes"));
  }
  batch->ends.push_back({&launch, nodes[0]});
  return absl::OkStatus();
}

// Gives a graph the caller's pointers.
absl::Status CudaSession::Impl::PointTo(Batch* batch, CUdeviceptr image,
                                        CUdeviceptr logits) {
  if (batch->image == image && batch->logits == logits) {
    return absl::OkStatus();
  }
  // Neither, should an error leave one node as it was.
  batch->image = 0;
  batch->logits = 0;
  for (const auto& [launch, node] : batch->ends) {
    StageArguments arguments = ArgumentsOf(*launch, image, logits);
    void* parameters[] = {&arguments};
    CUDA_KERNEL_NODE_PARAMS kernel;
    std::memset(&kernel, 0, sizeof(kernel));
    kernel.func = kernel_;
    kernel.gridDimX = launch->blocks;
    kernel.gridDimY = kernel.gridDimZ = 1;
    kernel.blockDimX = kStageThreads;
    kernel.blockDimY = kernel.blockDimZ = 1;
    kernel.sharedMemBytes = launch->shared_bytes;
    kernel.kernelParams = parameters;
    FD_RETURN_IF_ERROR(Check(driver_.cuGraphExecKernelNodeSetParams(
                                 batch->exec.get(), node, &kernel),
                             "giving a graph new pointers"));
  }
  batch->image = image;
  batch->logits = logits;
  return absl::OkStatus();
}

absl::Status CudaSession::Impl::RunBatch(Batch* batch, CUdeviceptr image,
                                         CUdeviceptr logits, CUstream stream,
                                         bool eager) {
  if (eager) {
    return LaunchAll(batch, image, logits, stream, /*note_nodes=*/false);
  }
  FD_RETURN_IF_ERROR(PointTo(batch, image, logits));
  return Check(driver_.cuGraphLaunch(batch->exec.get(), stream),
               "launching a graph");
}

// Runs share the maps, and a stream that is gone may have had this one's name.
absl::Status CudaSession::Impl::FollowEarlierRuns(CUstream stream) {
  if (!has_run_) return absl::OkStatus();
  return Check(driver_.cuStreamWaitEvent(stream, resources_->done.get(),
                                         CU_EVENT_WAIT_DEFAULT),
               "waiting for earlier runs");
}

absl::Status CudaSession::Impl::RunAsync(const float* images, int64_t count,
                                         float* logits, CUstream stream) {
  if (!ended_.ok()) return ended_;
  constexpr int64_t kFloatBytes = sizeof(float);
  const int64_t classes = description_.network.classes;
  const int64_t most = std::numeric_limits<int64_t>::max() / kFloatBytes /
                       std::max(image_floats_, classes);
  if (count < 1 || count > most) {
    return UsageError(absl::StrCat("count: is ", count,
                                   "; at least one image is needed, and no "
                                   "more than fit in memory"));
  }
  if (images == nullptr || logits == nullptr) {
    return UsageError("images and logits must not be null");
  }
  const CurrentContext current(driver_, context_.get());
  FD_RETURN_IF_ERROR(Check(current.result(), "entering the context"));
  FD_ASSIGN_OR_RETURN(
      CUdeviceptr image,
      Reach(images, count * image_floats_ * kFloatBytes, "images"));
  FD_ASSIGN_OR_RETURN(CUdeviceptr logit,
                      Reach(logits, count * classes * kFloatBytes, "logits"));
  // The legacy default stream is never captured.
  CUstreamCaptureStatus capturing = CU_STREAM_CAPTURE_STATUS_NONE;
  if (stream != nullptr && stream != CU_STREAM_LEGACY) {
    FD_RETURN_IF_ERROR(Check(driver_.cuStreamIsCapturing(stream, &capturing),
                             "looking at the stream"));
  }
  const bool captured = capturing != CU_STREAM_CAPTURE_STATUS_NONE;
  if (!captured) FD_RETURN_IF_ERROR(FollowEarlierRuns(stream));

  absl::Status status;
  while (status.ok() && count > 0) {
    Batch* const batch = LargestWithin(count);
    status = RunBatch(batch, image, logit, stream, captured || !graph_);
    count -= batch->images;
    image += batch->images * image_floats_ * kFloatBytes;
    logit += batch->images * classes * kFloatBytes;
  }
  if (captured) return status;
  // Also behind an error: some of the batches may be under way.
  const absl::Status recorded = Check(
      driver_.cuEventRecord(resources_->done.get(), stream), "ending a run");
  if (recorded.ok()) has_run_ = true;
  return status.ok() ? recorded : status;
}

absl::Status CudaSession::Impl::Run(absl::Span<const float> images,
                                    absl::Span<float> logits) {
  if (!ended_.ok()) return ended_;
  FD_ASSIGN_OR_RETURN(
      const int64_t count,
      CountImages(images, logits, image_floats_, description_.network.classes));
  const CurrentContext current(driver_, context_.get());
  FD_RETURN_IF_ERROR(Check(current.result(), "entering the context"));
  const absl::Status status = RunInSlots(images.data(), count, logits.data());
  if (!status.ok()) {
    // Whatever is under way works in the slots.
    Check(driver_.cuStreamSynchronize(stream_), "waiting after an error")
        .IgnoreError();
    for (Slot& slot : resources_->slots) slot.floats = 0;
  }
  return status;
}

absl::Status CudaSession::Impl::RunInSlots(const float* images, int64_t count,
                                           float* logits) {
  FD_RETURN_IF_ERROR(FollowEarlierRuns(stream_));
  Slot* const slots = resources_->slots.data();
  int next = 0;
  while (count > 0) {
    Slot& slot = slots[next];
    if (slot.floats != 0) {
      FD_RETURN_IF_ERROR(Check(driver_.cuEventSynchronize(slot.done.get()),
                               "waiting for a batch"));
      Finish(&slot);
    }
    Batch* const batch = LargestWithin(count);
    const int64_t image_floats = batch->images * image_floats_;
    slot.to = logits;
    slot.floats = int64_t{batch->images} * description_.network.classes;
    std::copy_n(images, image_floats, slot.images);
    FD_RETURN_IF_ERROR(
        Check(driver_.cuMemcpyHtoDAsync(device_images_, slot.images,
                                        image_floats * sizeof(float), stream_),
              "copying images to the GPU"));
    FD_RETURN_IF_ERROR(RunBatch(batch, device_images_, device_logits_, stream_,
                                /*eager=*/!graph_));
    FD_RETURN_IF_ERROR(
        Check(driver_.cuMemcpyDtoHAsync(slot.logits, device_logits_,
                                        slot.floats * sizeof(float), stream_),
              "copying logits from the GPU"));
    count -= batch->images;
    images += image_floats;
    logits += slot.floats;
    if (count > 0) {
      FD_RETURN_IF_ERROR(Check(driver_.cuEventRecord(slot.done.get(), stream_),
                               "marking the end of a batch"));
    }
    next = 1 - next;
  }
  FD_RETURN_IF_ERROR(
      Check(driver_.cuStreamSynchronize(stream_), "waiting for the logits"));
  for (Slot& slot : resources_->slots) Finish(&slot);
  return absl::OkStatus();
}

// The logits of a batch that is done go where they belong.
void CudaSession::Impl::Finish(Slot* slot) {
  std::copy_n(slot->logits, slot->floats, slot->to);
  slot->floats = 0;
}

// What the GPU calls memory of the caller's. Asked for each time: the same
// address may be other memory by now, and a kernel that reaches outside would
// spoil the context for the whole program.
absl::StatusOr<CUdeviceptr> CudaSession::Impl::Reach(const void* pointer,
                                                     int64_t bytes,
                                                     absl::string_view name) {
  if (reinterpret_cast<uintptr_t>(pointer) % alignof(float) != 0) {
    return UsageError(absl::StrCat(name, ": does not begin at a multiple of ",
                                   alignof(float), " bytes"));
  }
  unsigned int kind = 0;
  CUdeviceptr reached = 0;
  int device = -1;
  unsigned int managed = 0;
  CUdeviceptr begin = 0;
  size_t size = 0;
  CUpointer_attribute attributes[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                      CU_POINTER_ATTRIBUTE_DEVICE_POINTER,
                                      CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
                                      CU_POINTER_ATTRIBUTE_IS_MANAGED,
                                      CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
                                      CU_POINTER_ATTRIBUTE_RANGE_SIZE};
  void* values[] = {&kind, &reached, &device, &managed, &begin, &size};
  static_assert(std::size(attributes) == std::size(values));
  const auto address = reinterpret_cast<CUdeviceptr>(pointer);
  FD_RETURN_IF_ERROR(Check(
      driver_.cuPointerGetAttributes(static_cast<unsigned>(std::size(values)),
                                     attributes, values, address),
      "looking at the caller's memory"));
  // Nothing is known of memory that CUDA has no part in.
  if (kind == 0 || reached == 0) {
    return UsageError(
        absl::StrCat(name,
                     ": is memory that the GPU does not reach; it has to "
                     "be the GPU's, pinned or managed"));
  }
  if (kind == CU_MEMORYTYPE_DEVICE && managed == 0 &&
      device != device_.device) {
    return UsageError(absl::StrCat(name, ": is memory of GPU ", device,
                                   "; the session is on GPU ", device_.device));
  }
  // The range may be told as the host has it or as the GPU has it.
  const CUdeviceptr offset =
      address - begin < size ? address - begin : reached - begin;
  if (offset < size && size - offset < static_cast<uint64_t>(bytes)) {
    return UsageError(absl::StrCat(name, ": is memory that ends after ",
                                   size - offset, " bytes; the run needs ",
                                   bytes));
  }
  return reached;
}

absl::Status CudaSession::Impl::Check(CUresult result,
                                      absl::string_view doing) {
  if (result == CUDA_SUCCESS) return absl::OkStatus();
  const absl::Status status = CudaError(driver_, result, doing);
  if (!LeavesContextUsable(result) && ended_.ok()) {
    ended_ = Annotate(status, "an earlier error has ended this session");
  }
  return status;
}

Batch* CudaSession::Impl::LargestWithin(int64_t images) {
  std::vector<Batch>& batches = resources_->batches;
  return &*std::find_if(
      batches.begin(), batches.end(),
      [&](const Batch& batch) { return batch.images <= images; });
}

StageArguments CudaSession::Impl::ArgumentsOf(const Launch& launch,
                                              CUdeviceptr image,
                                              CUdeviceptr logits) const {
  StageArguments arguments = launch.arguments;
  if (launch.takes_image) arguments.image = At<const float>(image, 0);
  if (launch.makes_logits) arguments.logits = At<float>(logits, 0);
  return arguments;
}

int CudaSession::Impl::launches(int batch_size) const {
  for (const Batch& batch : resources_->batches) {
    if (batch.images == batch_size) {
      return static_cast<int>(batch.launches.size());
    }
  }
  return 0;
}

absl::StatusOr<CudaSession> CudaSession::LoadFrom(
    absl::string_view name, const CudaOptions& options,
    absl::FunctionRef<absl::StatusOr<ModelFile>()> load) {
  return WithoutBadAlloc([&]() -> absl::StatusOr<CudaSession> {
    // What the machine lacks first: it is so for every file.
    const CudaDriver* driver = options.driver;
    if (driver == nullptr) {
      FD_ASSIGN_OR_RETURN(driver, SystemCudaDriver());
    }
    FD_ASSIGN_OR_RETURN(CudaDevice device,
                        OpenCudaDevice(*driver, options.device));
    FD_ASSIGN_OR_RETURN(const ModelFile file, load());
    absl::StatusOr<std::unique_ptr<Impl>> impl =
        Impl::Create(file, *driver, std::move(device), options);
    if (!impl.ok()) return Annotate(impl.status(), name);
    return CudaSession(*std::move(impl));
  });
}

absl::StatusOr<CudaSession> CudaSession::Load(const std::string& path,
                                              const CudaOptions& options) {
  return LoadFrom(path, options, [&] { return ModelFile::Load(path); });
}

absl::StatusOr<CudaSession> CudaSession::LoadBytes(std::string bytes,
                                                   absl::string_view name,
                                                   const CudaOptions& options) {
  return LoadFrom(name, options,
                  [&] { return ModelFile::Parse(std::move(bytes), name); });
}

CudaSession::CudaSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CudaSession::CudaSession(CudaSession&&) noexcept = default;
CudaSession& CudaSession::operator=(CudaSession&&) noexcept = default;
CudaSession::~CudaSession() = default;

absl::Status CudaSession::Run(absl::Span<const float> images,
                              absl::Span<float> logits) {
  return impl_->Run(images, logits);
}

absl::Status CudaSession::RunAsync(const float* images, int64_t count,
                                   float* logits, CudaStream stream) {
  return impl_->RunAsync(images, count, logits, stream);
}

const ModelDescription& CudaSession::description() const {
  return impl_->description();
}

int64_t CudaSession::image_floats() const { return impl_->image_floats(); }

Precision CudaSession::precision() const { return impl_->precision(); }

const std::vector<int>& CudaSession::batch_sizes() const {
  return impl_->batch_sizes();
}

bool CudaSession::uses_cudnn() const { return impl_->uses_cudnn(); }

int CudaSession::launches(int batch_size) const {
  return impl_->launches(batch_size);
}

int64_t CudaSession::device_bytes() const { return impl_->device_bytes(); }

int64_t CudaSession::pinned_bytes() const { return impl_->pinned_bytes(); }

const std::string& CudaSession::device_name() const {
  return impl_->device_name();
}

}  // namespace fairdarts
