#include "fairdarts/runtime/cuda/cudnn_convolution.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

// What graph and pointers call the same thing.
enum Uid : int64_t { kX = 1, kW, kB, kY, kProduct, kSum };

// Offsets of maps are multiples of kStageVector elements, of two bytes at the
// least.
constexpr int64_t kAlignment = 2 * kStageVector;

// More notes than there are.
constexpr int kMostNotes = 32;

cudnnDataType_t DataType(Precision precision) {
  switch (precision) {
    case Precision::kFloat16:
      return CUDNN_DATA_HALF;
    case Precision::kBFloat16:
      return CUDNN_DATA_BFLOAT16;
    case Precision::kFloat32:
      break;
  }
  return CUDNN_DATA_FLOAT;
}

// One side of the maps.
struct Side {
  int in;
  int out;
  int kernel;
  int stride;
  int dilation;
  int pad_before;

  int Window() const { return dilation * (kernel - 1) + 1; }
  // Windows that fit with so many zeros behind the map.
  int Fit(int pad_after) const {
    const int room = in + pad_before + pad_after - Window();
    return room < 0 ? 0 : room / stride + 1;
  }
  // The zeros behind the map: as many as in front of it, which most kernels
  // want, or else the fewest.
  int PadAfter() const {
    if (Fit(pad_before) == out) return pad_before;
    return std::max(0, (out - 1) * stride + Window() - in - pad_before);
  }
  bool CanBeDescribed() const {
    return pad_before >= 0 && Fit(PadAfter()) == out;
  }
};

Side Rows(const StageTask& task, const StageSegment& segment) {
  return {segment.in.height,     task.out.height,  segment.kernel_height,
          segment.stride_height, segment.dilation, segment.pad_top};
}

Side Columns(const StageTask& task, const StageSegment& segment) {
  return {segment.in.width,     task.out.width,   segment.kernel_width,
          segment.stride_width, segment.dilation, segment.pad_left};
}

// Strides in the order of dimensions, NCHW.
std::vector<int64_t> Strides(const StageMap& map) {
  return {int64_t{map.height} * map.width * map.pitch, 1,
          int64_t{map.width} * map.pitch, map.pitch};
}

std::vector<int64_t> Dimensions(int images, const StageMap& map) {
  return {images, map.channels, map.height, map.width};
}

class Builder {
 public:
  Builder(const Cudnn& cudnn, const CudnnTarget& target, Precision precision,
          const StageTask& task, const StageSegment& segment,
          int64_t most_workspace)
      : cudnn_(cudnn),
        target_(target),
        exact_(precision == Precision::kFloat32),
        type_(DataType(precision)),
        task_(task),
        segment_(segment),
        most_workspace_(most_workspace) {}

  // Made by Build: what the plan refers to, and how much memory it wants.
  std::vector<CudnnDescriptor> graph;
  int64_t workspace_bytes = 0;

  absl::StatusOr<CudnnDescriptor> Build() {
    FD_RETURN_IF_ERROR(AddGraph());
    for (const cudnnBackendHeurMode_t mode :
         {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_B, CUDNN_HEUR_MODE_FALLBACK}) {
      FD_ASSIGN_OR_RETURN(absl::optional<CudnnDescriptor> plan, PlanOf(mode));
      if (plan.has_value()) return *std::move(plan);
    }
    return absl::UnimplementedError(absl::StrCat(
        "cuDNN ", CudnnVersion(cudnn_), " has no engine for it: ", otherwise_,
        " compute otherwise or are compiled at run time, ", large_,
        " want more workspace than ", most_workspace_, " bytes, ", refused_,
        " do not work",
        last_refusal_.ok()
            ? ""
            : absl::StrCat(", the last: ", last_refusal_.message())));
  }

 private:
  absl::StatusOr<CudnnDescriptor> Tensor(absl::string_view what, Uid uid,
                                         cudnnDataType_t type,
                                         const std::vector<int64_t>& dimensions,
                                         const std::vector<int64_t>& strides,
                                         bool is_virtual = false) {
    return CudnnBuilder(cudnn_, CUDNN_BACKEND_TENSOR_DESCRIPTOR, what)
        .Set(CUDNN_ATTR_TENSOR_UNIQUE_ID, int64_t{uid})
        .Set(CUDNN_ATTR_TENSOR_DATA_TYPE, type)
        .Set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kAlignment)
        .Set(CUDNN_ATTR_TENSOR_DIMENSIONS, dimensions)
        .Set(CUDNN_ATTR_TENSOR_STRIDES, strides)
        .Set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, is_virtual)
        .Finalize();
  }

  // A float32 map that is nowhere in memory, in the shape of y.
  absl::StatusOr<CudnnDescriptor> Virtual(absl::string_view what, Uid uid) {
    return Tensor(what, uid, CUDNN_DATA_FLOAT,
                  Dimensions(task_.images, task_.out), Strides(task_.out),
                  /*is_virtual=*/true);
  }

  absl::StatusOr<CudnnDescriptor> Convolution() {
    const Side rows = Rows(task_, segment_);
    const Side columns = Columns(task_, segment_);
    const auto of_both = [&](auto value) {
      return std::vector<int64_t>{value(rows), value(columns)};
    };
    return CudnnBuilder(cudnn_, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR,
                        "a convolution")
        .Set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
        .Set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
        .Set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2})
        .Set(CUDNN_ATTR_CONVOLUTION_DILATIONS,
             of_both([](const Side& side) { return side.dilation; }))
        .Set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES,
             of_both([](const Side& side) { return side.stride; }))
        .Set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS,
             of_both([](const Side& side) { return side.pad_before; }))
        .Set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS,
             of_both([](const Side& side) { return side.PadAfter(); }))
        .Finalize();
  }

  absl::StatusOr<CudnnDescriptor> Pointwise(cudnnPointwiseMode_t mode) {
    return CudnnBuilder(cudnn_, CUDNN_BACKEND_POINTWISE_DESCRIPTOR,
                        "a function of elements")
        .Set(CUDNN_ATTR_POINTWISE_MODE, mode)
        .Set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT)
        .Finalize();
  }

  // The operation graph is the last of what it adds.
  absl::Status AddGraph() {
    const int64_t out = task_.out.channels;
    const int64_t in = segment_.in.channels;
    const int64_t rows = segment_.kernel_height;
    const int64_t columns = segment_.kernel_width;
    const bool relu = task_.relu != 0;
    FD_ASSIGN_OR_RETURN(
        CudnnDescriptor x,
        Tensor("the map that is read", kX, type_,
               Dimensions(task_.images, segment_.in), Strides(segment_.in)));
    FD_ASSIGN_OR_RETURN(
        CudnnDescriptor w,
        Tensor("the filter", kW, type_, {out, in, rows, columns},
               {rows * columns * in, 1, columns * in, in}));
    FD_ASSIGN_OR_RETURN(
        CudnnDescriptor b,
        Tensor("the bias", kB, type_, {1, out, 1, 1}, {out, 1, out, out}));
    FD_ASSIGN_OR_RETURN(
        CudnnDescriptor y,
        Tensor("the map that is written", kY, type_,
               Dimensions(task_.images, task_.out), Strides(task_.out)));
    FD_ASSIGN_OR_RETURN(CudnnDescriptor product,
                        Virtual("the product", kProduct));
    FD_ASSIGN_OR_RETURN(CudnnDescriptor convolution, Convolution());
    FD_ASSIGN_OR_RETURN(CudnnDescriptor add, Pointwise(CUDNN_POINTWISE_ADD));

    std::vector<cudnnBackendDescriptor_t> operations;
    std::vector<CudnnDescriptor> kept;
    const auto keep = [&](CudnnDescriptor operation) {
      operations.push_back(operation.get());
      kept.push_back(std::move(operation));
    };
    FD_ASSIGN_OR_RETURN(
        CudnnDescriptor convolve,
        CudnnBuilder(cudnn_,
                     CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                     "what is convolved")
            .Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                 convolution)
            .Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x)
            .Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w)
            .Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, product)
            .Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1.0f)
            .Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0.0f)
            .Finalize());
    keep(std::move(convolve));
    // With ReLU behind it the sum has no place in memory either.
    absl::optional<CudnnDescriptor> sum;
    if (relu) {
      FD_ASSIGN_OR_RETURN(sum, Virtual("the sum", kSum));
    }
    FD_ASSIGN_OR_RETURN(
        CudnnDescriptor biased,
        CudnnBuilder(cudnn_, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
                     "what is added")
            .Set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, add)
            .Set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, product)
            .Set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b)
            .Set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, relu ? *sum : y)
            .Finalize());
    keep(std::move(biased));
    if (relu) {
      FD_ASSIGN_OR_RETURN(CudnnDescriptor rectify,
                          Pointwise(CUDNN_POINTWISE_RELU_FWD));
      FD_ASSIGN_OR_RETURN(
          CudnnDescriptor rectified,
          CudnnBuilder(cudnn_, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
                       "what is rectified")
              .Set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, rectify)
              .Set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, *sum)
              .Set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y)
              .Finalize());
      keep(std::move(rectified));
      graph.push_back(std::move(rectify));
      graph.push_back(*std::move(sum));
    }
    CudnnBuilder builder(cudnn_, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR,
                         "a convolution's operations");
    builder.Set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                static_cast<int64_t>(operations.size()), operations.data());
    if (target_.handle != nullptr) {
      builder.Set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, target_.handle);
    }
    FD_ASSIGN_OR_RETURN(CudnnDescriptor whole, builder.Finalize());
    for (CudnnDescriptor* const each :
         {&x, &w, &b, &y, &product, &convolution, &add}) {
      graph.push_back(std::move(*each));
    }
    for (CudnnDescriptor& each : kept) graph.push_back(std::move(each));
    graph.push_back(std::move(whole));
    return absl::OkStatus();
  }

  // The first plan of one of cuDNN's lists that will do, whose configuration
  // becomes the last of what it refers to.
  absl::StatusOr<absl::optional<CudnnDescriptor>> PlanOf(
      cudnnBackendHeurMode_t mode) {
    FD_ASSIGN_OR_RETURN(std::vector<CudnnDescriptor> configurations,
                        Configurations(mode));
    for (CudnnDescriptor& configuration : configurations) {
      FD_ASSIGN_OR_RETURN(const bool wanted, IsWanted(configuration));
      if (!wanted) {
        ++otherwise_;
        continue;
      }
      absl::StatusOr<CudnnDescriptor> plan = PlanWith(configuration);
      if (!plan.ok()) {
        FD_RETURN_IF_ERROR(Refuse(plan.status()));
        continue;
      }
      FD_ASSIGN_OR_RETURN(
          workspace_bytes,
          CudnnNumber(cudnn_, *plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE));
      if (workspace_bytes > most_workspace_) {
        ++large_;
        continue;
      }
      graph.push_back(std::move(configuration));
      return absl::optional<CudnnDescriptor>(*std::move(plan));
    }
    return absl::optional<CudnnDescriptor>();
  }

  // cuDNN's list of engines, the best first.
  absl::StatusOr<std::vector<CudnnDescriptor>> Configurations(
      cudnnBackendHeurMode_t mode) {
    std::vector<CudnnDescriptor> configurations;
    CudnnBuilder builder(cudnn_, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR,
                         "a choice of engines");
    builder.Set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.back())
        .Set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
    if (target_.device != nullptr) {
      builder.Set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP,
                  CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &target_.device);
    }
    const absl::StatusOr<CudnnDescriptor> choice = builder.Finalize();
    if (!choice.ok()) {
      FD_RETURN_IF_ERROR(Refuse(choice.status()));
      return configurations;
    }
    int64_t count = 0;
    FD_RETURN_IF_ERROR(
        CudnnCheck(cudnn_,
                   cudnn_.cudnnBackendGetAttribute(
                       choice->get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                       CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr),
                   "counting cuDNN's engines"));
    std::vector<cudnnBackendDescriptor_t> places;
    for (int64_t i = 0; i < count; ++i) {
      FD_ASSIGN_OR_RETURN(
          CudnnDescriptor configuration,
          CudnnDescriptor::Create(cudnn_, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
      places.push_back(configuration.get());
      configurations.push_back(std::move(configuration));
    }
    if (count == 0) return configurations;
    int64_t filled = 0;
    FD_RETURN_IF_ERROR(CudnnCheck(
        cudnn_,
        cudnn_.cudnnBackendGetAttribute(
            choice->get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
            CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &filled, places.data()),
        "asking for cuDNN's engines"));
    FD_CHECK_LE(filled, count);
    while (static_cast<int64_t>(configurations.size()) > filled) {
      configurations.pop_back();
    }
    return configurations;
  }

  // Whether an engine is one of cuDNN's own kernels and sums up products of the
  // elements themselves, in float32 and always in the same order: whatever it
  // says of its numbers is known to be harmless.
  absl::StatusOr<bool> IsWanted(const CudnnDescriptor& configuration) {
    FD_ASSIGN_OR_RETURN(
        const CudnnDescriptor engine,
        CudnnDescriptor::Create(cudnn_, CUDNN_BACKEND_ENGINE_DESCRIPTOR));
    cudnnBackendDescriptor_t place = engine.get();
    int64_t count = 0;
    FD_RETURN_IF_ERROR(
        CudnnCheck(cudnn_,
                   cudnn_.cudnnBackendGetAttribute(
                       configuration.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                       CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &place),
                   "asking cuDNN for an engine"));
    FD_ASSIGN_OR_RETURN(
        const auto behavior,
        Notes<cudnnBackendBehaviorNote_t>(
            engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE));
    FD_ASSIGN_OR_RETURN(const auto numbers,
                        Notes<cudnnBackendNumericalNote_t>(
                            engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                            CUDNN_TYPE_NUMERICAL_NOTE));
    return std::find(behavior.begin(), behavior.end(),
                     CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) ==
               behavior.end() &&
           std::all_of(
               numbers.begin(), numbers.end(),
               [&](cudnnBackendNumericalNote_t note) {
                 return note == CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP ||
                        // Of float32 they take the upper 19 bits.
                        (note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE && !exact_);
               });
  }

  // What an engine says of itself.
  template <typename T>
  absl::StatusOr<std::vector<T>> Notes(const CudnnDescriptor& engine,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type) {
    std::vector<T> notes(kMostNotes);
    int64_t count = 0;
    FD_RETURN_IF_ERROR(CudnnCheck(
        cudnn_,
        cudnn_.cudnnBackendGetAttribute(engine.get(), name, type, kMostNotes,
                                        &count, notes.data()),
        "asking what an engine of cuDNN's computes"));
    notes.resize(std::min<int64_t>(count, kMostNotes));
    return notes;
  }

  absl::StatusOr<CudnnDescriptor> PlanWith(
      const CudnnDescriptor& configuration) {
    CudnnBuilder builder(cudnn_, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR,
                         "a plan");
    builder.Set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
    if (target_.handle != nullptr) {
      builder.Set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target_.handle);
    } else {
      builder.Set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                  CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &target_.device);
    }
    return builder.Finalize();
  }

  // Notes what does not work; want of memory would end every other attempt as
  // well.
  absl::Status Refuse(const absl::Status& refusal) {
    if (absl::IsResourceExhausted(refusal)) return refusal;
    ++refused_;
    last_refusal_ = refusal;
    return absl::OkStatus();
  }

  const Cudnn& cudnn_;
  const CudnnTarget target_;
  const bool exact_;
  const cudnnDataType_t type_;
  const StageTask& task_;
  const StageSegment& segment_;
  const int64_t most_workspace_;
  int otherwise_ = 0;
  int large_ = 0;
  int refused_ = 0;
  absl::Status last_refusal_;
};

// For messages.
std::string Text(const StageTask& task, const StageSegment& segment) {
  return absl::StrCat("a convolution of ", segment.kernel_height, "x",
                      segment.kernel_width, " from ", segment.in.channels,
                      " to ", task.out.channels, " channels of ", task.images,
                      " x ", segment.in.height, "x", segment.in.width);
}

}  // namespace

bool CudnnCanDescribe(const StageTask& task, const StageSegment& segment) {
  return task.segments == 1 && task.directs == 0 && task.logits == 0 &&
         task.bias >= 0 && segment.kind == StageSegment::kDense &&
         segment.relu == 0 && Rows(task, segment).CanBeDescribed() &&
         Columns(task, segment).CanBeDescribed();
}

CudnnConvolution::CudnnConvolution(const Cudnn& cudnn,
                                   std::vector<CudnnDescriptor> graph,
                                   CudnnDescriptor plan,
                                   int64_t workspace_bytes)
    : cudnn_(&cudnn),
      graph_(std::move(graph)),
      plan_(std::move(plan)),
      workspace_bytes_(workspace_bytes) {}

absl::StatusOr<CudnnConvolution> CudnnConvolution::Create(
    const Cudnn& cudnn, const CudnnTarget& target, Precision precision,
    const StageTask& task, const StageSegment& segment,
    int64_t most_workspace) {
  FD_CHECK((target.handle == nullptr) != (target.device == nullptr));
  if (!CudnnCanDescribe(task, segment)) {
    return absl::UnimplementedError(
        absl::StrCat(Text(task, segment),
                     " has a padding or terms that cuDNN "
                     "does not"));
  }
  Builder builder(cudnn, target, precision, task, segment, most_workspace);
  absl::StatusOr<CudnnDescriptor> plan = builder.Build();
  if (!plan.ok()) return Annotate(plan.status(), Text(task, segment));
  return CudnnConvolution(cudnn, std::move(builder.graph), *std::move(plan),
                          builder.workspace_bytes);
}

absl::Status CudnnConvolution::Bind(void* x, void* w, void* b, void* y,
                                    void* workspace) {
  FD_ASSIGN_OR_RETURN(
      pointers_, CudnnBuilder(*cudnn_, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
                              "a convolution's pointers")
                     .Set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS,
                          std::vector<int64_t>{kX, kW, kB, kY})
                     .Set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                          std::vector<void*>{x, w, b, y})
                     .Set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace)
                     .Finalize());
  return absl::OkStatus();
}

absl::Status CudnnConvolution::Execute(cudnnHandle_t handle) const {
  FD_CHECK(pointers_.has_value()) << "Bind comes before Execute";
  return CudnnCheck(
      *cudnn_,
      cudnn_->cudnnBackendExecute(handle, plan_.get(), pointers_->get()),
      "running a convolution by cuDNN");
}

}  // namespace fairdarts
