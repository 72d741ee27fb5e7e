#include "fairdarts/runtime/cuda/fake_driver.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <thread>  // NOLINT(build/c++11)
#include <utility>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "ops/cuda/element.h"
#include "ops/cuda/host_stage.h"
#include "ops/cuda/stage.h"

namespace fairdarts {
namespace {

FakeDriver* the_fake = nullptr;

// What the GPU's addresses are off from the host's: none of them can be read.
constexpr uint64_t kDeviceBias = uint64_t{1} << 60;

// What allocations are aligned to.
constexpr size_t kAlignment = 256;

// Of dynamic shared memory, unless a kernel is given more.
constexpr int kUsualShared = 48 * 1024;

// The most blocks of a launch.
constexpr uint32_t kMostBlocks = 0x7fffffff;

thread_local std::vector<CUcontext> current_contexts;

// Any address will do.
char context_of_device;
const CUcontext kContext = reinterpret_cast<CUcontext>(&context_of_device);

CUresult CUDAAPI ErrorName(CUresult error, const char** name) {
  switch (error) {
    case CUDA_ERROR_INVALID_VALUE:
      *name = "CUDA_ERROR_INVALID_VALUE";
      return CUDA_SUCCESS;
    case CUDA_ERROR_OUT_OF_MEMORY:
      *name = "CUDA_ERROR_OUT_OF_MEMORY";
      return CUDA_SUCCESS;
    case CUDA_ERROR_NO_DEVICE:
      *name = "CUDA_ERROR_NO_DEVICE";
      return CUDA_SUCCESS;
    case CUDA_ERROR_ILLEGAL_ADDRESS:
      *name = "CUDA_ERROR_ILLEGAL_ADDRESS";
      return CUDA_SUCCESS;
    case CUDA_ERROR_LAUNCH_FAILED:
      *name = "CUDA_ERROR_LAUNCH_FAILED";
      return CUDA_SUCCESS;
    default:
      *name = nullptr;
      return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult CUDAAPI ErrorString(CUresult error, const char** text) {
  if (error == CUDA_ERROR_ILLEGAL_ADDRESS) {
    *text = "an illegal memory access was encountered";
    return CUDA_SUCCESS;
  }
  if (error == CUDA_ERROR_OUT_OF_MEMORY) {
    *text = "out of memory";
    return CUDA_SUCCESS;
  }
  *text = nullptr;
  return CUDA_ERROR_INVALID_VALUE;
}

absl::optional<Precision> PrecisionOf(const std::string& kernel) {
  if (kernel == "fairdarts_stage_float32") return Precision::kFloat32;
  if (kernel == "fairdarts_stage_float16") return Precision::kFloat16;
  if (kernel == "fairdarts_stage_bfloat16") return Precision::kBFloat16;
  return absl::nullopt;
}

}  // namespace

// Done or not; whose stream does it.
struct FakeDriver::Ticket {
  Stream* stream;
  bool done = false;
};

struct FakeDriver::Stream {
  struct Work {
    std::function<CUresult()> run;
    std::shared_ptr<Ticket> ticket;
  };
  std::deque<Work> work;
  Graph* capturing = nullptr;
  std::thread::id capturer;
  bool invalidated = false;
  CUgraphNode last = nullptr;  // of the graph
};

struct FakeDriver::Event {
  std::shared_ptr<Ticket> ticket;  // of the last record
};

struct FakeDriver::Function {
  Precision precision;
  int most_shared = kUsualShared;
};

struct FakeDriver::Module {
  std::vector<std::unique_ptr<Function>> functions;
};

struct FakeDriver::Kernel {
  Function* function;
  uint32_t blocks;
  int64_t shared_bytes;
  StageArguments arguments;
};

// A kernel, or work of a library.
struct FakeDriver::Node {
  Kernel kernel = {};
  std::function<CUresult()> work;
};

struct FakeDriver::Graph {
  std::vector<std::unique_ptr<Node>> nodes;
};

struct FakeDriver::Exec {
  std::vector<Node> nodes;
  std::map<CUgraphNode, size_t> index;
  std::shared_ptr<Ticket> last;
};

// The functions of the table.
struct FakeDriver::Functions {
#define FD_ENTER(...)                                           \
  std::lock_guard<std::recursive_mutex> lock(the_fake->mutex_); \
  FakeDriver& fake = *the_fake;                                 \
  if (const CUresult entered = fake.Enter(__VA_ARGS__);         \
      entered != CUDA_SUCCESS) {                                \
    return entered;                                             \
  }

  static CUresult CUDAAPI Init(unsigned int) {
    FD_ENTER("cuInit", false);
    return fake.settings.devices == 0 ? CUDA_ERROR_NO_DEVICE : CUDA_SUCCESS;
  }

  static CUresult CUDAAPI DriverGetVersion(int* version) {
    FD_ENTER("cuDriverGetVersion", false);
    *version = fake.settings.version;
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI DeviceGetCount(int* count) {
    FD_ENTER("cuDeviceGetCount", false);
    *count = fake.settings.devices;
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI DeviceGet(CUdevice* device, int number) {
    FD_ENTER("cuDeviceGet", false);
    if (number < 0 || number >= fake.settings.devices) {
      return CUDA_ERROR_INVALID_DEVICE;
    }
    *device = number;
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI DeviceGetName(char* name, int size, CUdevice) {
    FD_ENTER("cuDeviceGetName", false);
    std::strncpy(name, fake.settings.name.c_str(), size - 1);
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI DeviceGetAttribute(int* value,
                                             CUdevice_attribute attribute,
                                             CUdevice) {
    FD_ENTER("cuDeviceGetAttribute", false);
    switch (attribute) {
      case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
        *value = fake.settings.major;
        return CUDA_SUCCESS;
      case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
        *value = fake.settings.minor;
        return CUDA_SUCCESS;
      case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
        *value = fake.settings.multiprocessors;
        return CUDA_SUCCESS;
      case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
        *value = fake.settings.shared_bytes;
        return CUDA_SUCCESS;
      case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR:
        *value = fake.settings.multiprocessor_shared_bytes;
        return CUDA_SUCCESS;
      default:
        return CUDA_ERROR_INVALID_VALUE;
    }
  }

  static CUresult CUDAAPI PrimaryCtxRetain(CUcontext* context, CUdevice) {
    FD_ENTER("cuDevicePrimaryCtxRetain", false);
    ++fake.retained_;
    *context = kContext;
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI PrimaryCtxRelease(CUdevice) {
    std::lock_guard<std::recursive_mutex> lock(the_fake->mutex_);
    const CUresult entered =
        the_fake->Enter("cuDevicePrimaryCtxRelease", false, true);
    --the_fake->retained_;
    return entered;
  }

  static CUresult CUDAAPI CtxPushCurrent(CUcontext context) {
    FD_ENTER("cuCtxPushCurrent", false);
    if (context != kContext || fake.retained_ == 0) {
      return CUDA_ERROR_INVALID_CONTEXT;
    }
    current_contexts.push_back(context);
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI CtxPopCurrent(CUcontext* context) {
    std::lock_guard<std::recursive_mutex> lock(the_fake->mutex_);
    const CUresult entered = the_fake->Enter("cuCtxPopCurrent", true, true);
    if (current_contexts.empty()) return CUDA_ERROR_INVALID_CONTEXT;
    *context = current_contexts.back();
    current_contexts.pop_back();
    return entered;
  }

  static CUresult CUDAAPI MemAlloc(CUdeviceptr* memory, size_t bytes) {
    FD_ENTER("cuMemAlloc");
    if (fake.Capturing()) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    if (static_cast<int64_t>(bytes) >
        fake.settings.memory - fake.device_bytes()) {
      return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *memory = fake.Allocate(static_cast<int64_t>(bytes), 0, false);
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI MemAllocHost(void** memory, size_t bytes) {
    FD_ENTER("cuMemAllocHost");
    if (fake.Capturing()) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    *memory = reinterpret_cast<void*>(
        fake.Allocate(static_cast<int64_t>(bytes), -1, false));
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI MemFree(CUdeviceptr memory) {
    return Free("cuMemFree", memory);
  }

  static CUresult CUDAAPI MemFreeHost(void* memory) {
    return Free("cuMemFreeHost", reinterpret_cast<CUdeviceptr>(memory));
  }

  static CUresult CUDAAPI MemGetInfo(size_t* free, size_t* total) {
    FD_ENTER("cuMemGetInfo");
    *free = static_cast<size_t>(fake.settings.memory - fake.device_bytes());
    *total = static_cast<size_t>(fake.settings.memory);
    return CUDA_SUCCESS;
  }

  static CUresult Free(const char* function, CUdeviceptr memory) {
    std::lock_guard<std::recursive_mutex> lock(the_fake->mutex_);
    FakeDriver& fake = *the_fake;
    const CUresult entered = fake.Enter(function, true, true);
    if (fake.Busy()) fake.freed_in_use_ = true;
    const auto found = fake.memory_.find(memory);
    if (found == fake.memory_.end()) return CUDA_ERROR_INVALID_VALUE;
    fake.FinishAll();
    fake.Forget(found);
    return entered;
  }

  static CUresult CUDAAPI MemcpyHtoDAsync(CUdeviceptr to, const void* from,
                                          size_t bytes, CUstream stream) {
    FD_ENTER("cuMemcpyHtoDAsync");
    // Of memory that is not pinned the driver takes a copy at once.
    const bool pinned = fake.Translate(from, bytes) != nullptr;
    const auto copy = std::make_shared<std::string>();
    if (!pinned) copy->assign(static_cast<const char*>(from), bytes);
    return fake.Enqueue(stream, [=, &fake] {
      char* const target =
          fake.Translate(reinterpret_cast<const void*>(to), bytes);
      if (target == nullptr) return CUDA_ERROR_ILLEGAL_ADDRESS;
      std::memcpy(target, pinned ? from : copy->data(), bytes);
      return CUDA_SUCCESS;
    });
  }

  static CUresult CUDAAPI MemcpyDtoHAsync(void* to, CUdeviceptr from,
                                          size_t bytes, CUstream stream) {
    FD_ENTER("cuMemcpyDtoHAsync");
    return fake.Enqueue(stream, [=, &fake] {
      const char* const source =
          fake.Translate(reinterpret_cast<const void*>(from), bytes);
      if (source == nullptr) return CUDA_ERROR_ILLEGAL_ADDRESS;
      std::memcpy(to, source, bytes);
      return CUDA_SUCCESS;
    });
  }

  static CUresult CUDAAPI PointerGetAttributes(unsigned int count,
                                               CUpointer_attribute* attributes,
                                               void** values,
                                               CUdeviceptr pointer) {
    FD_ENTER("cuPointerGetAttributes", false);
    const Allocation* allocation = nullptr;
    CUdeviceptr start = 0;
    const auto behind = fake.memory_.upper_bound(pointer);
    if (behind != fake.memory_.begin()) {
      const auto& [begin, its] = *std::prev(behind);
      if (pointer < begin + its.size) {
        allocation = &its;
        start = begin;
      }
    }
    for (unsigned int i = 0; i < count; ++i) {
      switch (attributes[i]) {
        case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
          *static_cast<unsigned int*>(values[i]) = allocation == nullptr ? 0
                                                   : allocation->device == -1
                                                       ? CU_MEMORYTYPE_HOST
                                                       : CU_MEMORYTYPE_DEVICE;
          break;
        case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
          *static_cast<CUdeviceptr*>(values[i]) =
              allocation == nullptr ? 0 : pointer;
          break;
        case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
          *static_cast<int*>(values[i]) =
              allocation == nullptr ? -2 : std::max(allocation->device, 0);
          break;
        case CU_POINTER_ATTRIBUTE_IS_MANAGED:
          *static_cast<unsigned int*>(values[i]) = 0;
          break;
        case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
          *static_cast<CUdeviceptr*>(values[i]) = start;
          break;
        case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
          *static_cast<size_t*>(values[i]) =
              allocation == nullptr ? 0 : allocation->size;
          break;
        default:
          return CUDA_ERROR_INVALID_VALUE;
      }
    }
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI ModuleLoadData(CUmodule* module, const void* image) {
    FD_ENTER("cuModuleLoadData");
    if (image == nullptr) return CUDA_ERROR_INVALID_IMAGE;
    auto made = std::make_unique<Module>();
    *module = reinterpret_cast<CUmodule>(made.get());
    fake.modules_[made.get()] = std::move(made);
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI ModuleUnload(CUmodule module) {
    return Drop("cuModuleUnload", &fake_modules(), module);
  }

  static CUresult CUDAAPI ModuleGetFunction(CUfunction* function,
                                            CUmodule module, const char* name) {
    FD_ENTER("cuModuleGetFunction");
    const auto found = fake.modules_.find(module);
    if (found == fake.modules_.end()) return CUDA_ERROR_INVALID_HANDLE;
    const absl::optional<Precision> precision = PrecisionOf(name);
    if (!precision.has_value()) return CUDA_ERROR_NOT_FOUND;
    found->second->functions.push_back(std::make_unique<Function>());
    found->second->functions.back()->precision = *precision;
    *function =
        reinterpret_cast<CUfunction>(found->second->functions.back().get());
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI FuncGetAttribute(int* value,
                                           CUfunction_attribute attribute,
                                           CUfunction) {
    FD_ENTER("cuFuncGetAttribute");
    if (attribute != CU_FUNC_ATTRIBUTE_PTX_VERSION) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    *value = fake.settings.code_version;
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI FuncSetAttribute(CUfunction function,
                                           CUfunction_attribute attribute,
                                           int value) {
    FD_ENTER("cuFuncSetAttribute");
    if (attribute == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT) {
      fake.carveout_ = value;
      return CUDA_SUCCESS;
    }
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES ||
        value < 0 || value > fake.settings.shared_bytes) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    reinterpret_cast<Function*>(function)->most_shared = value;
    fake.dynamic_shared_bytes_ = value;
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI StreamCreate(CUstream* stream, unsigned int) {
    FD_ENTER("cuStreamCreate");
    auto made = std::make_unique<Stream>();
    *stream = reinterpret_cast<CUstream>(made.get());
    fake.streams_[made.get()] = std::move(made);
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI StreamDestroy(CUstream stream) {
    if (Stream* const its = the_fake->Find(stream)) {
      // Its work goes on.
      while (!its->work.empty()) the_fake->RunNext(its);
    }
    return Drop("cuStreamDestroy", &the_fake->streams_, stream);
  }

  static CUresult CUDAAPI StreamSynchronize(CUstream stream) {
    FD_ENTER("cuStreamSynchronize");
    Stream* const its = fake.Find(stream);
    if (its == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (its->capturing != nullptr) {
      its->invalidated = true;
      return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    while (!its->work.empty()) fake.RunNext(its);
    return fake.spoilt_;
  }

  static CUresult CUDAAPI StreamWaitEvent(CUstream stream, CUevent event,
                                          unsigned int) {
    FD_ENTER("cuStreamWaitEvent");
    Stream* const its = fake.Find(stream);
    const auto found = fake.events_.find(event);
    if (its == nullptr || found == fake.events_.end()) {
      return CUDA_ERROR_INVALID_HANDLE;
    }
    if (its->capturing != nullptr) {
      its->invalidated = true;
      return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    }
    const std::shared_ptr<Ticket> ticket = found->second->ticket;
    return fake.Enqueue(stream, [ticket, &fake] {
      fake.Finish(ticket);
      return CUDA_SUCCESS;
    });
  }

  static CUresult CUDAAPI EventCreate(CUevent* event, unsigned int) {
    FD_ENTER("cuEventCreate");
    auto made = std::make_unique<Event>();
    *event = reinterpret_cast<CUevent>(made.get());
    fake.events_[made.get()] = std::move(made);
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI EventDestroy(CUevent event) {
    return Drop("cuEventDestroy", &the_fake->events_, event);
  }

  static CUresult CUDAAPI EventRecord(CUevent event, CUstream stream) {
    FD_ENTER("cuEventRecord");
    Stream* const its = fake.Find(stream);
    const auto found = fake.events_.find(event);
    if (its == nullptr || found == fake.events_.end()) {
      return CUDA_ERROR_INVALID_HANDLE;
    }
    if (its->capturing != nullptr) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    const CUresult enqueued = fake.Enqueue(stream, [] { return CUDA_SUCCESS; });
    found->second->ticket = its->work.back().ticket;
    return enqueued;
  }

  static CUresult CUDAAPI EventSynchronize(CUevent event) {
    FD_ENTER("cuEventSynchronize");
    const auto found = fake.events_.find(event);
    if (found == fake.events_.end()) return CUDA_ERROR_INVALID_HANDLE;
    fake.Finish(found->second->ticket);
    return fake.spoilt_;
  }

  static CUresult CUDAAPI StreamBeginCapture(CUstream stream,
                                             CUstreamCaptureMode) {
    FD_ENTER("cuStreamBeginCapture");
    Stream* const its = fake.Find(stream);
    if (its == nullptr || stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (its->capturing != nullptr) return CUDA_ERROR_ILLEGAL_STATE;
    auto graph = std::make_unique<Graph>();
    its->capturing = graph.get();
    its->capturer = std::this_thread::get_id();
    its->invalidated = false;
    its->last = nullptr;
    fake.graphs_[graph.get()] = std::move(graph);
    return CUDA_SUCCESS;
  }

  // Ends a capture whatever comes.
  static CUresult CUDAAPI StreamEndCapture(CUstream stream, CUgraph* graph) {
    std::lock_guard<std::recursive_mutex> lock(the_fake->mutex_);
    FakeDriver& fake = *the_fake;
    const CUresult entered = fake.Enter("cuStreamEndCapture", true, true);
    Stream* const its = fake.Find(stream);
    *graph = nullptr;
    if (its == nullptr || its->capturing == nullptr) {
      return CUDA_ERROR_ILLEGAL_STATE;
    }
    Graph* const captured = std::exchange(its->capturing, nullptr);
    if (entered != CUDA_SUCCESS || its->invalidated) {
      fake.graphs_.erase(captured);
      return entered != CUDA_SUCCESS ? entered
                                     : CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
    *graph = reinterpret_cast<CUgraph>(captured);
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI StreamIsCapturing(CUstream stream,
                                            CUstreamCaptureStatus* status) {
    FD_ENTER("cuStreamIsCapturing");
    Stream* const its = fake.Find(stream);
    if (its == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    *status = its->capturing == nullptr ? CU_STREAM_CAPTURE_STATUS_NONE
              : its->invalidated        ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                        : CU_STREAM_CAPTURE_STATUS_ACTIVE;
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI StreamGetCaptureInfo(CUstream stream,
                                               CUstreamCaptureStatus* status,
                                               cuuint64_t* id, CUgraph* graph,
                                               const CUgraphNode** nodes,
                                               const CUgraphEdgeData** edges,
                                               size_t* count) {
    FD_ENTER("cuStreamGetCaptureInfo");
    Stream* const its = fake.Find(stream);
    if (its == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    *status = its->capturing == nullptr ? CU_STREAM_CAPTURE_STATUS_NONE
                                        : CU_STREAM_CAPTURE_STATUS_ACTIVE;
    if (its->capturing == nullptr) return CUDA_SUCCESS;
    *id = 1;
    *graph = reinterpret_cast<CUgraph>(its->capturing);
    *nodes = &its->last;
    *edges = nullptr;
    *count = its->last == nullptr ? 0 : 1;
    return CUDA_SUCCESS;
  }

  static CUresult CheckLaunch(FakeDriver& fake, CUfunction function,
                              const unsigned int (&grid)[3],
                              const unsigned int (&block)[3],
                              unsigned int shared_bytes) {
    auto* const its = reinterpret_cast<Function*>(function);
    const bool known = std::any_of(
        fake.modules_.begin(), fake.modules_.end(), [&](const auto& module) {
          const auto& functions = module.second->functions;
          return std::any_of(
              functions.begin(), functions.end(),
              [&](const auto& known) { return known.get() == its; });
        });
    if (!known) return CUDA_ERROR_INVALID_HANDLE;
    if (grid[0] == 0 || grid[0] > kMostBlocks || grid[1] != 1 || grid[2] != 1 ||
        block[0] != kStageThreads || block[1] != 1 || block[2] != 1 ||
        static_cast<int64_t>(shared_bytes) > its->most_shared) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI LaunchKernelEx(const CUlaunchConfig* config,
                                         CUfunction function, void** parameters,
                                         void** extra) {
    FD_ENTER("cuLaunchKernelEx");
    if (const CUresult wrong = CheckLaunch(
            fake, function,
            {config->gridDimX, config->gridDimY, config->gridDimZ},
            {config->blockDimX, config->blockDimY, config->blockDimZ},
            config->sharedMemBytes);
        wrong != CUDA_SUCCESS) {
      return wrong;
    }
    for (unsigned int i = 0; i < config->numAttrs; ++i) {
      if (config->attrs[i].id !=
              CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION ||
          fake.settings.code_version < 90) {
        return CUDA_ERROR_NOT_SUPPORTED;
      }
      ++fake.overlapping_;
    }
    const CUstream stream = config->hStream;
    if (extra != nullptr) return CUDA_ERROR_INVALID_VALUE;
    Stream* const its = fake.Find(stream);
    if (its == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    Kernel kernel;
    kernel.function = reinterpret_cast<Function*>(function);
    kernel.blocks = config->gridDimX;
    kernel.shared_bytes = config->sharedMemBytes;
    std::memcpy(&kernel.arguments, parameters[0], sizeof(kernel.arguments));
    if (its->capturing != nullptr) {
      auto node = std::make_unique<Node>();
      node->kernel = kernel;
      its->last = reinterpret_cast<CUgraphNode>(node.get());
      its->capturing->nodes.push_back(std::move(node));
      return CUDA_SUCCESS;
    }
    return fake.Enqueue(stream,
                        [kernel, &fake] { return fake.Execute(kernel); });
  }

  static CUresult CUDAAPI GraphDestroy(CUgraph graph) {
    return Drop("cuGraphDestroy", &the_fake->graphs_, graph);
  }

  static CUresult CUDAAPI GraphInstantiate(CUgraphExec* exec, CUgraph graph,
                                           unsigned long long) {  // NOLINT
    FD_ENTER("cuGraphInstantiate");
    const auto found = fake.graphs_.find(graph);
    if (found == fake.graphs_.end()) return CUDA_ERROR_INVALID_HANDLE;
    auto made = std::make_unique<Exec>();
    for (const auto& node : found->second->nodes) {
      made->index[reinterpret_cast<CUgraphNode>(node.get())] =
          made->nodes.size();
      made->nodes.push_back(*node);
    }
    *exec = reinterpret_cast<CUgraphExec>(made.get());
    fake.execs_[made.get()] = std::move(made);
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI GraphExecDestroy(CUgraphExec exec) {
    return Drop("cuGraphExecDestroy", &the_fake->execs_, exec);
  }

  static CUresult CUDAAPI GraphUpload(CUgraphExec exec, CUstream stream) {
    FD_ENTER("cuGraphUpload");
    if (fake.execs_.count(exec) == 0) return CUDA_ERROR_INVALID_HANDLE;
    return fake.Enqueue(stream, [] { return CUDA_SUCCESS; });
  }

  // Later launches alone see it.
  static CUresult CUDAAPI
  GraphExecKernelNodeSetParams(CUgraphExec exec, CUgraphNode node,
                               const CUDA_KERNEL_NODE_PARAMS* kernel) {
    FD_ENTER("cuGraphExecKernelNodeSetParams");
    const auto found = fake.execs_.find(exec);
    if (found == fake.execs_.end()) return CUDA_ERROR_INVALID_HANDLE;
    const auto index = found->second->index.find(node);
    if (index == found->second->index.end()) return CUDA_ERROR_INVALID_HANDLE;
    Node& its = found->second->nodes[index->second];
    if (its.work != nullptr || kernel->extra != nullptr) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    if (const CUresult wrong = CheckLaunch(
            fake, kernel->func,
            {kernel->gridDimX, kernel->gridDimY, kernel->gridDimZ},
            {kernel->blockDimX, kernel->blockDimY, kernel->blockDimZ},
            kernel->sharedMemBytes);
        wrong != CUDA_SUCCESS) {
      return wrong;
    }
    its.kernel.function = reinterpret_cast<Function*>(kernel->func);
    its.kernel.blocks = kernel->gridDimX;
    its.kernel.shared_bytes = kernel->sharedMemBytes;
    std::memcpy(&its.kernel.arguments, kernel->kernelParams[0],
                sizeof(its.kernel.arguments));
    return CUDA_SUCCESS;
  }

  static CUresult CUDAAPI GraphLaunch(CUgraphExec exec, CUstream stream) {
    FD_ENTER("cuGraphLaunch");
    const auto found = fake.execs_.find(exec);
    Stream* const its = fake.Find(stream);
    if (found == fake.execs_.end() || its == nullptr) {
      return CUDA_ERROR_INVALID_HANDLE;
    }
    if (its->capturing != nullptr) {
      its->invalidated = true;
      return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    const std::shared_ptr<Ticket> last = found->second->last;
    const CUresult enqueued =
        fake.Enqueue(stream, [nodes = found->second->nodes, last, &fake] {
          // A graph does not run beside itself.
          fake.Finish(last);
          for (const Node& node : nodes) {
            const CUresult result = fake.Execute(node);
            if (result != CUDA_SUCCESS) return result;
          }
          return CUDA_SUCCESS;
        });
    found->second->last = its->work.back().ticket;
    return enqueued;
  }

  template <typename T, typename Handle>
  static CUresult Drop(const char* function,
                       std::map<void*, std::unique_ptr<T>>* all,
                       Handle handle) {
    std::lock_guard<std::recursive_mutex> lock(the_fake->mutex_);
    FakeDriver& fake = *the_fake;
    const CUresult entered = fake.Enter(function, true, true);
    if (fake.Busy()) fake.freed_in_use_ = true;
    fake.FinishAll();
    return all->erase(handle) == 1 ? entered : CUDA_ERROR_INVALID_HANDLE;
  }

  static std::map<void*, std::unique_ptr<Module>>& fake_modules() {
    return the_fake->modules_;
  }
#undef FD_ENTER
};

FakeDriver::FakeDriver() {
  FD_CHECK(the_fake == nullptr);
  the_fake = this;
  streams_[nullptr] = std::make_unique<Stream>();  // the default one
  table_.cuCtxPopCurrent = Functions::CtxPopCurrent;
  table_.cuCtxPushCurrent = Functions::CtxPushCurrent;
  table_.cuDeviceGet = Functions::DeviceGet;
  table_.cuDeviceGetAttribute = Functions::DeviceGetAttribute;
  table_.cuDeviceGetCount = Functions::DeviceGetCount;
  table_.cuDeviceGetName = Functions::DeviceGetName;
  table_.cuDevicePrimaryCtxRelease = Functions::PrimaryCtxRelease;
  table_.cuDevicePrimaryCtxRetain = Functions::PrimaryCtxRetain;
  table_.cuDriverGetVersion = Functions::DriverGetVersion;
  table_.cuEventCreate = Functions::EventCreate;
  table_.cuEventDestroy = Functions::EventDestroy;
  table_.cuEventRecord = Functions::EventRecord;
  table_.cuEventSynchronize = Functions::EventSynchronize;
  table_.cuFuncGetAttribute = Functions::FuncGetAttribute;
  table_.cuFuncSetAttribute = Functions::FuncSetAttribute;
  table_.cuGetErrorName = ErrorName;
  table_.cuGetErrorString = ErrorString;
  table_.cuGraphDestroy = Functions::GraphDestroy;
  table_.cuGraphExecDestroy = Functions::GraphExecDestroy;
  table_.cuGraphExecKernelNodeSetParams =
      Functions::GraphExecKernelNodeSetParams;
  table_.cuGraphInstantiate = Functions::GraphInstantiate;
  table_.cuGraphLaunch = Functions::GraphLaunch;
  table_.cuGraphUpload = Functions::GraphUpload;
  table_.cuInit = Functions::Init;
  table_.cuLaunchKernelEx = Functions::LaunchKernelEx;
  table_.cuMemAlloc = Functions::MemAlloc;
  table_.cuMemAllocHost = Functions::MemAllocHost;
  table_.cuMemFree = Functions::MemFree;
  table_.cuMemFreeHost = Functions::MemFreeHost;
  table_.cuMemGetInfo = Functions::MemGetInfo;
  table_.cuMemcpyDtoHAsync = Functions::MemcpyDtoHAsync;
  table_.cuMemcpyHtoDAsync = Functions::MemcpyHtoDAsync;
  table_.cuModuleGetFunction = Functions::ModuleGetFunction;
  table_.cuModuleLoadData = Functions::ModuleLoadData;
  table_.cuModuleUnload = Functions::ModuleUnload;
  table_.cuPointerGetAttributes = Functions::PointerGetAttributes;
  table_.cuStreamBeginCapture = Functions::StreamBeginCapture;
  table_.cuStreamCreate = Functions::StreamCreate;
  table_.cuStreamDestroy = Functions::StreamDestroy;
  table_.cuStreamEndCapture = Functions::StreamEndCapture;
  table_.cuStreamGetCaptureInfo = Functions::StreamGetCaptureInfo;
  table_.cuStreamIsCapturing = Functions::StreamIsCapturing;
  table_.cuStreamSynchronize = Functions::StreamSynchronize;
  table_.cuStreamWaitEvent = Functions::StreamWaitEvent;
}

FakeDriver::~FakeDriver() {
  while (!memory_.empty()) Forget(memory_.begin());
  the_fake = nullptr;
}

int64_t FakeDriver::calls(const std::string& function) const {
  const auto found = calls_of_.find(function);
  return found == calls_of_.end() ? 0 : found->second;
}

void FakeDriver::FailCall(int64_t number, CUresult result,
                          const std::string& function) {
  fail_at_ = number;
  fail_result_ = result;
  fail_function_ = function;
}

// Counts a call, and gives the error that it meets.
CUresult FakeDriver::Enter(const char* function, bool needs_context,
                           bool gives_back) {
  ++calls_;
  ++calls_of_[function];
  if (fail_at_ >= 0 && (fail_function_.empty() || fail_function_ == function) &&
      fail_at_-- == 0) {
    return Spoil(fail_result_);
  }
  if (spoilt_ != CUDA_SUCCESS) return spoilt_;
  if (needs_context && current_contexts.empty()) {
    FD_CHECK(!gives_back) << function << " without a context";
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  return CUDA_SUCCESS;
}

CUresult FakeDriver::Spoil(CUresult result) {
  if (!LeavesContextUsable(result)) spoilt_ = result;
  return result;
}

FakeDriver::Stream* FakeDriver::Find(CUstream stream) {
  const auto found =
      streams_.find(stream == CU_STREAM_LEGACY ? nullptr : stream);
  return found == streams_.end() ? nullptr : found->second.get();
}

// Whether this thread must not do what is no work of a stream.
bool FakeDriver::Capturing() const {
  return std::any_of(streams_.begin(), streams_.end(), [](const auto& stream) {
    return stream.second->capturing != nullptr &&
           stream.second->capturer == std::this_thread::get_id();
  });
}

CUresult FakeDriver::Enqueue(CUstream stream, std::function<CUresult()> work) {
  Stream* const its = Find(stream);
  if (its == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (its->capturing != nullptr) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  auto ticket = std::make_shared<Ticket>();
  ticket->stream = its;
  its->work.push_back({std::move(work), std::move(ticket)});
  return CUDA_SUCCESS;
}

CUresult FakeDriver::Append(CUstream stream, std::function<CUresult()> work) {
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  Stream* const its = Find(stream);
  if (its == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (its->capturing == nullptr) return Enqueue(stream, std::move(work));
  auto node = std::make_unique<Node>();
  node->work = std::move(work);
  its->last = reinterpret_cast<CUgraphNode>(node.get());
  its->capturing->nodes.push_back(std::move(node));
  return CUDA_SUCCESS;
}

void FakeDriver::RunNext(Stream* stream) {
  const Stream::Work next = std::move(stream->work.front());
  stream->work.pop_front();
  // Nothing runs any more behind an error that spoilt the context.
  if (spoilt_ == CUDA_SUCCESS) Spoil(next.run());
  next.ticket->done = true;
}

void FakeDriver::Finish(const std::shared_ptr<Ticket>& ticket) {
  if (ticket == nullptr) return;
  while (!ticket->done) RunNext(ticket->stream);
}

void FakeDriver::FinishAll() {
  for (auto& [handle, stream] : streams_) {
    while (!stream->work.empty()) RunNext(stream.get());
  }
}

// Whether there is work that is still to be done.
bool FakeDriver::Busy() const {
  return spoilt_ == CUDA_SUCCESS &&
         std::any_of(streams_.begin(), streams_.end(), [](const auto& stream) {
           return !stream.second->work.empty();
         });
}

CUresult FakeDriver::Execute(const Node& node) {
  return node.work != nullptr ? node.work() : Execute(node.kernel);
}

CUresult FakeDriver::Execute(const Kernel& kernel) {
  ++kernels_;
  if (next_kernel_ != CUDA_SUCCESS) {
    return std::exchange(next_kernel_, CUDA_SUCCESS);
  }
  const StageArguments& given = kernel.arguments;
  StageArguments arguments = given;
  bool legal = true;
  const auto translate = [&](const void* pointer, int64_t bytes) {
    char* const found = Translate(pointer, bytes);
    legal = legal && found != nullptr;
    return found;
  };
  arguments.tasks = reinterpret_cast<const StageTask*>(
      translate(given.tasks, given.task_count * sizeof(StageTask)));
  if (!legal) return CUDA_ERROR_ILLEGAL_ADDRESS;
  // What the tasks read and write, from end to end.
  int64_t segments = 0;
  int64_t directs = 0;
  int64_t images = 0;
  int64_t logits = 0;
  for (int t = 0; t < given.task_count; ++t) {
    const StageTask& task = arguments.tasks[t];
    segments = std::max<int64_t>(segments, task.first_segment + task.segments);
    directs = std::max<int64_t>(directs, task.first_direct + task.directs);
    logits = std::max<int64_t>(logits, int64_t{task.images} * task.logits);
  }
  if (segments > 0) {
    arguments.segments = reinterpret_cast<const StageSegment*>(
        translate(given.segments, segments * sizeof(StageSegment)));
  }
  if (directs > 0) {
    arguments.directs = reinterpret_cast<const StageDirect*>(
        translate(given.directs, directs * sizeof(StageDirect)));
  }
  if (!legal) return CUDA_ERROR_ILLEGAL_ADDRESS;
  for (int t = 0; t < given.task_count; ++t) {
    const StageTask& task = arguments.tasks[t];
    for (int d = 0; d < task.directs; ++d) {
      const StageDirect& direct = arguments.directs[task.first_direct + d];
      if (direct.kind != StageDirect::kImage) continue;
      images = std::max(images, int64_t{task.images} * direct.in.channels *
                                    direct.in.height * direct.in.width);
    }
  }
  arguments.weights = translate(given.weights, 1);
  arguments.biases = reinterpret_cast<const float*>(translate(given.biases, 1));
  arguments.arena = translate(given.arena, 1);
  arguments.image = nullptr;
  if (images > 0) {
    arguments.image = reinterpret_cast<const float*>(
        translate(given.image, images * sizeof(float)));
  }
  arguments.logits = nullptr;
  if (logits > 0) {
    arguments.logits = reinterpret_cast<float*>(
        translate(given.logits, logits * sizeof(float)));
  }
  if (!legal) return CUDA_ERROR_ILLEGAL_ADDRESS;
  if (!settings.run_kernels) return CUDA_SUCCESS;
  RunStageOnHost(arguments, kernel.function->precision,
                 static_cast<int>(kernel.blocks), kernel.shared_bytes);
  return CUDA_SUCCESS;
}

CUdeviceptr FakeDriver::Allocate(int64_t bytes, int device, bool program) {
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  char* const memory =
      static_cast<char*>(std::aligned_alloc(kAlignment, rounded));
  FD_CHECK(memory != nullptr);
  std::memset(memory, 0xff, rounded);  // as floats not a number, as halves too
  const uint64_t address =
      reinterpret_cast<uint64_t>(memory) + (device < 0 ? 0 : kDeviceBias);
  memory_[address] = {memory, bytes, device, program};
  return address;
}

float* FakeDriver::Device(int64_t floats) {
  return reinterpret_cast<float*>(Allocate(floats * sizeof(float), 0, true));
}

float* FakeDriver::Pinned(int64_t floats) {
  return reinterpret_cast<float*>(Allocate(floats * sizeof(float), -1, true));
}

float* FakeDriver::Elsewhere(int64_t floats) {
  return reinterpret_cast<float*>(Allocate(floats * sizeof(float), 1, true));
}

void FakeDriver::Release(float* pointer) {
  Forget(memory_.find(reinterpret_cast<uint64_t>(pointer)));
}

CUstream FakeDriver::NewStream() {
  auto stream = std::make_unique<Stream>();
  Stream* const made = stream.get();
  streams_[made] = std::move(stream);
  ++program_streams_;
  return reinterpret_cast<CUstream>(made);
}

void FakeDriver::Finish(CUstream stream) {
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  Stream* const its = Find(stream);
  while (!its->work.empty()) RunNext(its);
}

void FakeDriver::Forget(std::map<uint64_t, Allocation>::iterator allocation) {
  std::free(allocation->second.bytes);
  memory_.erase(allocation);
}

char* FakeDriver::Translate(const void* pointer, int64_t bytes) const {
  const uint64_t address = reinterpret_cast<uint64_t>(pointer);
  const auto behind = memory_.upper_bound(address);
  if (behind == memory_.begin()) return nullptr;
  const auto& [begin, allocation] = *std::prev(behind);
  const int64_t offset = static_cast<int64_t>(address - begin);
  return offset + bytes <= allocation.size && allocation.device <= 0
             ? allocation.bytes + offset
             : nullptr;
}

float* FakeDriver::Host(const float* pointer) const {
  return reinterpret_cast<float*>(Translate(pointer, sizeof(float)));
}

int64_t FakeDriver::device_bytes() const {
  int64_t bytes = 0;
  for (const auto& [address, allocation] : memory_) {
    if (allocation.device == 0 && !allocation.program) bytes += allocation.size;
  }
  return bytes;
}

int FakeDriver::pushed() const {
  return static_cast<int>(current_contexts.size());
}

std::string FakeDriver::Living() const {
  std::string living;
  const auto add = [&](int64_t count, const char* what) {
    if (count > 0) absl::StrAppend(&living, count, " ", what, " ");
  };
  add(std::count_if(
          memory_.begin(), memory_.end(),
          [](const auto& allocation) { return !allocation.second.program; }),
      "allocations");
  add(modules_.size(), "modules");
  add(events_.size(), "events");
  add(graphs_.size(), "graphs");
  add(execs_.size(), "ready graphs");
  add(streams_.size() - program_streams_, "streams");
  add(retained_, "contexts");
  return living;
}

}  // namespace fairdarts
