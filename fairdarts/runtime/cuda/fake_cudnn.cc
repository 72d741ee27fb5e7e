#include "fairdarts/runtime/cuda/fake_cudnn.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <tuple>

#include "fairdarts/base/check.h"
#include "ops/cuda/element.h"

namespace fairdarts {
namespace {

// What an attribute of a descriptor looks like.
struct Rule {
  cudnnBackendDescriptorType_t descriptor;
  cudnnBackendAttributeName_t name;
  cudnnBackendAttributeType_t type;
  int64_t count;  // 0: any but none
  bool required = true;
};

constexpr Rule kRules[] = {
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_UNIQUE_ID,
     CUDNN_TYPE_INT64, 1},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_DATA_TYPE,
     CUDNN_TYPE_DATA_TYPE, 1},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT,
     CUDNN_TYPE_INT64, 1},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_DIMENSIONS,
     CUDNN_TYPE_INT64, 4},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_STRIDES,
     CUDNN_TYPE_INT64, 4},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_IS_VIRTUAL,
     CUDNN_TYPE_BOOLEAN, 1},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_COMP_TYPE,
     CUDNN_TYPE_DATA_TYPE, 1},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_CONV_MODE,
     CUDNN_TYPE_CONVOLUTION_MODE, 1},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS,
     CUDNN_TYPE_INT64, 1},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_DILATIONS,
     CUDNN_TYPE_INT64, 2},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR,
     CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS,
     CUDNN_TYPE_INT64, 2},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS,
     CUDNN_TYPE_INT64, 2},
    {CUDNN_BACKEND_POINTWISE_DESCRIPTOR, CUDNN_ATTR_POINTWISE_MODE,
     CUDNN_TYPE_POINTWISE_MODE, 1},
    {CUDNN_BACKEND_POINTWISE_DESCRIPTOR, CUDNN_ATTR_POINTWISE_MATH_PREC,
     CUDNN_TYPE_DATA_TYPE, 1},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
     CUDNN_TYPE_BACKEND_DESCRIPTOR, 1},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_TYPE_BACKEND_DESCRIPTOR,
     1},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_TYPE_BACKEND_DESCRIPTOR,
     1},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_TYPE_BACKEND_DESCRIPTOR,
     1},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR,
     CUDNN_TYPE_BACKEND_DESCRIPTOR, 1},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_POINTWISE_BDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
     false},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_POINTWISE_YDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1},
    {CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, CUDNN_ATTR_OPERATIONGRAPH_OPS,
     CUDNN_TYPE_BACKEND_DESCRIPTOR, 0},
    {CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, CUDNN_ATTR_OPERATIONGRAPH_HANDLE,
     CUDNN_TYPE_HANDLE, 1},
    {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH,
     CUDNN_TYPE_BACKEND_DESCRIPTOR, 1},
    {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_MODE,
     CUDNN_TYPE_HEUR_MODE, 1},
    {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR,
     CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1},
    {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_ATTR_EXECUTION_PLAN_HANDLE,
     CUDNN_TYPE_HANDLE, 1},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS,
     CUDNN_TYPE_INT64, 0},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
     CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 0},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_ATTR_VARIANT_PACK_WORKSPACE,
     CUDNN_TYPE_VOID_PTR, 1},
};

// Of one value.
size_t SizeOf(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_BOOLEAN:
      return sizeof(bool);
    case CUDNN_TYPE_INT64:
      return sizeof(int64_t);
    case CUDNN_TYPE_FLOAT:
      return sizeof(float);
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
      return sizeof(void*);
    default:
      return sizeof(int);  // the enumerations
  }
}

}  // namespace

// The library, behind its C functions.
class FakeCudnn::Backend {
 public:
  struct Descriptor {
    cudnnBackendDescriptorType_t type;
    bool finalized = false;
    std::map<cudnnBackendAttributeName_t, std::vector<char>> attributes;
    // A configuration's, and that of the engine taken from it.
    const Engine* engine = nullptr;
    Descriptor* graph = nullptr;

    template <typename T>
    std::vector<T> All(cudnnBackendAttributeName_t name) const {
      const auto found = attributes.find(name);
      if (found == attributes.end()) return {};
      std::vector<T> values(found->second.size() / sizeof(T));
      std::memcpy(values.data(), found->second.data(), found->second.size());
      return values;
    }
    template <typename T>
    T One(cudnnBackendAttributeName_t name) const {
      const std::vector<char>& bytes = attributes.at(name);
      FD_CHECK_EQ(bytes.size(), sizeof(T));
      T value;
      std::memcpy(&value, bytes.data(), sizeof(T));
      return value;
    }
  };

  explicit Backend(FakeCudnn* fake) : fake_(fake) {}

  FakeCudnn& fake() { return *fake_; }

  // What a call returns at once, if it is the one that fails.
  bool Fails(cudnnStatus_t* result) {
    if (fake_->calls++ != fake_->failing_call) return false;
    *result = Say(fake_->failure, "this call was to fail");
    return true;
  }

  cudnnStatus_t Say(cudnnStatus_t status, const std::string& text) {
    text_ = text;
    return status;
  }
  const std::string& text() const { return text_; }

  cudnnHandle_t NewHandle() {
    ++fake_->live;
    handles_.push_back(std::make_unique<char>());
    return reinterpret_cast<cudnnHandle_t>(handles_.back().get());
  }
  void EndHandle(cudnnHandle_t handle) {
    const auto found =
        std::find_if(handles_.begin(), handles_.end(), [&](const auto& each) {
          return each.get() == reinterpret_cast<char*>(handle);
        });
    FD_CHECK(found != handles_.end());
    handles_.erase(found);
    --fake_->live;
  }
  void CheckHandle(cudnnHandle_t handle) const {
    FD_CHECK(std::any_of(handles_.begin(), handles_.end(),
                         [&](const auto& each) {
                           return each.get() == reinterpret_cast<char*>(handle);
                         }))
        << "no such handle";
  }

  cudnnBackendDescriptor_t New(cudnnBackendDescriptorType_t type) {
    ++fake_->live;
    auto descriptor = std::make_unique<Descriptor>();
    descriptor->type = type;
    void* const key = descriptor.get();
    descriptors_[key] = std::move(descriptor);
    return key;
  }
  void End(cudnnBackendDescriptor_t key) {
    FD_CHECK_EQ(descriptors_.erase(key), size_t{1});
    --fake_->live;
  }
  Descriptor& At(cudnnBackendDescriptor_t key) {
    const auto found = descriptors_.find(key);
    FD_CHECK(found != descriptors_.end()) << "this descriptor has ended";
    return *found->second;
  }
  Descriptor& At(const Descriptor& from, cudnnBackendAttributeName_t name) {
    return At(from.One<cudnnBackendDescriptor_t>(name));
  }

  cudnnStatus_t Set(Descriptor* descriptor, cudnnBackendAttributeName_t name,
                    cudnnBackendAttributeType_t type, int64_t count,
                    const void* values) {
    if (descriptor->finalized) {
      return Say(CUDNN_STATUS_BAD_PARAM, "finalized");
    }
    for (const Rule& rule : kRules) {
      if (rule.descriptor != descriptor->type || rule.name != name) continue;
      if (rule.type != type) {
        return Say(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "type");
      }
      if (count < 1 || (rule.count != 0 && rule.count != count)) {
        return Say(CUDNN_STATUS_BAD_PARAM, "count");
      }
      const char* const bytes = static_cast<const char*>(values);
      descriptor->attributes[name].assign(bytes, bytes + count * SizeOf(type));
      if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
        for (void* const each : descriptor->All<void*>(name)) {
          if (At(each).type != CUDNN_BACKEND_ENGINECFG_DESCRIPTOR &&
              !At(each).finalized) {
            return Say(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "an attribute");
          }
        }
      }
      if (type == CUDNN_TYPE_HANDLE) {
        CheckHandle(descriptor->One<cudnnHandle_t>(name));
      }
      return CUDNN_STATUS_SUCCESS;
    }
    return Say(CUDNN_STATUS_BAD_PARAM, "no such attribute");
  }

  cudnnStatus_t Finalize(Descriptor* descriptor) {
    for (const Rule& rule : kRules) {
      if (rule.descriptor == descriptor->type && rule.required &&
          descriptor->attributes.count(rule.name) == 0) {
        return Say(CUDNN_STATUS_BAD_PARAM,
                   "lacks attribute " + std::to_string(rule.name));
      }
    }
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    if (descriptor->type ==
        CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR) {
      status = CheckShapes(*descriptor);
    } else if (descriptor->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR) {
      if (fake_->engines.count(descriptor->One<cudnnBackendHeurMode_t>(
              CUDNN_ATTR_ENGINEHEUR_MODE)) == 0) {
        status = Say(CUDNN_STATUS_NOT_SUPPORTED, "no such mode");
      }
    } else if (descriptor->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
      const Descriptor& configuration =
          At(*descriptor, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
      FD_CHECK(configuration.engine != nullptr);
      status = configuration.engine->plan;
      if (status != CUDNN_STATUS_SUCCESS) Say(status, "a plan\nrefused\n");
      descriptor->engine = configuration.engine;
      descriptor->graph = configuration.graph;
    }
    descriptor->finalized = status == CUDNN_STATUS_SUCCESS;
    return status;
  }

  template <typename T>
  static cudnnStatus_t GetAll(const std::vector<T>& all, int64_t requested,
                              int64_t* count, void* values) {
    *count = static_cast<int64_t>(all.size());
    std::copy_n(all.begin(), std::min(*count, requested),
                static_cast<T*>(values));
    return CUDNN_STATUS_SUCCESS;
  }

  cudnnStatus_t Get(Descriptor* descriptor, cudnnBackendAttributeName_t name,
                    cudnnBackendAttributeType_t type, int64_t requested,
                    int64_t* count, void* values) {
    switch (name) {
      case CUDNN_ATTR_ENGINEHEUR_RESULTS: {
        FD_CHECK_EQ(type, CUDNN_TYPE_BACKEND_DESCRIPTOR);
        const std::vector<Engine>& engines =
            fake_->engines[descriptor->One<cudnnBackendHeurMode_t>(
                CUDNN_ATTR_ENGINEHEUR_MODE)];
        *count = static_cast<int64_t>(engines.size());
        if (requested == 0) return CUDNN_STATUS_SUCCESS;
        *count = std::min(*count, requested);
        for (int64_t i = 0; i < *count; ++i) {
          Descriptor& place = At(static_cast<void**>(values)[i]);
          FD_CHECK_EQ(place.type, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
          place.engine = &engines[i];
          place.graph = &At(*descriptor, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
        }
        return CUDNN_STATUS_SUCCESS;
      }
      case CUDNN_ATTR_ENGINECFG_ENGINE: {
        FD_CHECK_EQ(type, CUDNN_TYPE_BACKEND_DESCRIPTOR);
        FD_CHECK_EQ(requested, 1);
        Descriptor& place = At(*static_cast<void**>(values));
        FD_CHECK_EQ(place.type, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
        place.engine = descriptor->engine;
        *count = 1;
        return CUDNN_STATUS_SUCCESS;
      }
      case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
        FD_CHECK_EQ(type, CUDNN_TYPE_NUMERICAL_NOTE);
        return GetAll(descriptor->engine->notes, requested, count, values);
      case CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE:
        FD_CHECK_EQ(type, CUDNN_TYPE_BEHAVIOR_NOTE);
        return GetAll(descriptor->engine->behavior, requested, count, values);
      case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
        FD_CHECK_EQ(type, CUDNN_TYPE_INT64);
        FD_CHECK_EQ(requested, 1);
        FD_CHECK(descriptor->finalized);
        *count = 1;
        *static_cast<int64_t*>(values) = descriptor->engine->workspace_bytes;
        return CUDNN_STATUS_SUCCESS;
      default:
        return Say(CUDNN_STATUS_BAD_PARAM, "no such attribute");
    }
  }

  cudnnStatus_t Execute(const Descriptor& plan, const Descriptor& pack);

 private:
  using Numbers = std::vector<int64_t>;

  // A tensor and where it lies.
  struct Tensor {
    int64_t uid = 0;
    bool is_virtual = false;
    cudnnDataType_t type = CUDNN_DATA_FLOAT;
    Numbers dimensions;
    Numbers strides;
    char* data = nullptr;

    int64_t At(int64_t n, int64_t c, int64_t y, int64_t x) const {
      return n * strides[0] + c * strides[1] + y * strides[2] + x * strides[3];
    }
    int64_t Bytes() const {
      return (At(dimensions[0] - 1, dimensions[1] - 1, dimensions[2] - 1,
                 dimensions[3] - 1) +
              1) *
             (type == CUDNN_DATA_FLOAT ? 4 : 2);
    }
    float Load(int64_t element) const {
      switch (type) {
        case CUDNN_DATA_HALF:
          return ToFloat(reinterpret_cast<const Half*>(data)[element]);
        case CUDNN_DATA_BFLOAT16:
          return ToFloat(reinterpret_cast<const BFloat16*>(data)[element]);
        default:
          return reinterpret_cast<const float*>(data)[element];
      }
    }
    void Store(int64_t element, float value) const {
      switch (type) {
        case CUDNN_DATA_HALF:
          reinterpret_cast<Half*>(data)[element] = FromFloat<Half>(value);
          break;
        case CUDNN_DATA_BFLOAT16:
          reinterpret_cast<BFloat16*>(data)[element] =
              FromFloat<BFloat16>(value);
          break;
        default:
          reinterpret_cast<float*>(data)[element] = value;
      }
    }
    template <typename Function>
    void ForEach(Function&& function) const {
      for (int64_t n = 0; n < dimensions[0]; ++n) {
        for (int64_t c = 0; c < dimensions[1]; ++c) {
          for (int64_t y = 0; y < dimensions[2]; ++y) {
            for (int64_t x = 0; x < dimensions[3]; ++x) function(n, c, y, x);
          }
        }
      }
    }
  };

  // An operation by itself: what is under way needs no descriptor.
  struct Operation {
    bool is_convolution = false;
    Tensor x;
    Tensor y;
    Tensor second;  // the filter, or the bias
    bool flipped = false;
    Numbers dilation;
    Numbers stride;
    Numbers pad;
    float alpha = 1;
    float beta = 0;
    cudnnPointwiseMode_t mode = CUDNN_POINTWISE_ADD;
  };

  Operation OperationOf(const Descriptor& descriptor, const Descriptor& pack);
  Tensor TensorOf(const Descriptor& descriptor, const Descriptor& pack);
  CUresult Compute(std::vector<Operation> operations, const Run& run);
  static void Convolve(const Operation& operation);
  static void Apply(const Operation& operation);

  static Numbers DimensionsOf(const Descriptor& tensor) {
    return tensor.All<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  }

  // Whether x, w and y fit each other.
  cudnnStatus_t CheckShapes(const Descriptor& operation) {
    const Numbers x =
        DimensionsOf(At(operation, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X));
    const Numbers w =
        DimensionsOf(At(operation, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W));
    const Numbers y =
        DimensionsOf(At(operation, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y));
    const Descriptor& convolution =
        At(operation, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC);
    if (x[0] != y[0] || x[1] != w[1] || w[0] != y[1]) {
      return Say(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "channels");
    }
    for (int i = 0; i < 2; ++i) {
      const auto of = [&](cudnnBackendAttributeName_t name) {
        return convolution.All<int64_t>(name)[i];
      };
      const int64_t room =
          x[2 + i] + of(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS) +
          of(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS) -
          of(CUDNN_ATTR_CONVOLUTION_DILATIONS) * (w[2 + i] - 1) - 1;
      if (of(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS) < 0 ||
          of(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS) < 0 || room < 0 ||
          room / of(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES) + 1 != y[2 + i]) {
        return Say(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "windows");
      }
    }
    return CUDNN_STATUS_SUCCESS;
  }

  FakeCudnn* const fake_;
  std::string text_;
  std::vector<std::unique_ptr<char>> handles_;
  std::map<void*, std::unique_ptr<Descriptor>> descriptors_;
};

FakeCudnn::Backend::Tensor FakeCudnn::Backend::TensorOf(
    const Descriptor& descriptor, const Descriptor& pack) {
  Tensor tensor;
  tensor.uid = descriptor.One<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
  tensor.is_virtual = descriptor.One<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL);
  tensor.type = descriptor.One<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE);
  tensor.dimensions = DimensionsOf(descriptor);
  tensor.strides = descriptor.All<int64_t>(CUDNN_ATTR_TENSOR_STRIDES);
  if (tensor.is_virtual) return tensor;
  const auto uids = pack.All<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto pointers = pack.All<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  FD_CHECK_EQ(uids.size(), pointers.size());
  const auto found = std::find(uids.begin(), uids.end(), tensor.uid);
  FD_CHECK(found != uids.end()) << "no pointer for " << tensor.uid;
  tensor.data = static_cast<char*>(pointers[found - uids.begin()]);
  FD_CHECK_EQ(reinterpret_cast<uintptr_t>(tensor.data) %
                  descriptor.One<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT),
              uintptr_t{0});
  return tensor;
}

FakeCudnn::Backend::Operation FakeCudnn::Backend::OperationOf(
    const Descriptor& descriptor, const Descriptor& pack) {
  Operation operation;
  const auto tensor = [&](cudnnBackendAttributeName_t name) {
    return TensorOf(At(descriptor, name), pack);
  };
  operation.is_convolution =
      descriptor.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR;
  if (operation.is_convolution) {
    const Descriptor& how =
        At(descriptor, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC);
    FD_CHECK_EQ(how.One<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE),
                CUDNN_DATA_FLOAT);
    FD_CHECK_EQ(how.One<int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS), 2);
    operation.flipped =
        how.One<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) ==
        CUDNN_CONVOLUTION;
    operation.dilation = how.All<int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS);
    operation.stride = how.All<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
    operation.pad = how.All<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
    operation.alpha =
        descriptor.One<float>(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA);
    operation.beta =
        descriptor.One<float>(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA);
    operation.x = tensor(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X);
    operation.second = tensor(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W);
    operation.y = tensor(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y);
    return operation;
  }
  FD_CHECK_EQ(descriptor.type, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  const Descriptor& how =
      At(descriptor, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
  FD_CHECK_EQ(how.One<cudnnDataType_t>(CUDNN_ATTR_POINTWISE_MATH_PREC),
              CUDNN_DATA_FLOAT);
  operation.mode = how.One<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE);
  operation.x = tensor(CUDNN_ATTR_OPERATION_POINTWISE_XDESC);
  operation.y = tensor(CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
  FD_CHECK(operation.x.dimensions == operation.y.dimensions);
  if (operation.mode == CUDNN_POINTWISE_ADD) {
    operation.second = tensor(CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
    FD_CHECK(operation.second.dimensions ==
             Numbers({1, operation.y.dimensions[1], 1, 1}));
  } else {
    FD_CHECK_EQ(operation.mode, CUDNN_POINTWISE_RELU_FWD);
  }
  return operation;
}

void FakeCudnn::Backend::Convolve(const Operation& operation) {
  const auto& [x, y, w] = std::tie(operation.x, operation.y, operation.second);
  const int64_t rows = w.dimensions[2];
  const int64_t columns = w.dimensions[3];
  const Numbers& stride = operation.stride;
  const Numbers& pad = operation.pad;
  const Numbers& dilation = operation.dilation;
  y.ForEach(
      [&, &x = x, &y = y, &w = w](int64_t n, int64_t k, int64_t p, int64_t q) {
        double sum = 0;
        for (int64_t c = 0; c < x.dimensions[1]; ++c) {
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t s = 0; s < columns; ++s) {
              const int64_t row = p * stride[0] - pad[0] + r * dilation[0];
              const int64_t column = q * stride[1] - pad[1] + s * dilation[1];
              if (row < 0 || row >= x.dimensions[2] || column < 0 ||
                  column >= x.dimensions[3]) {
                continue;
              }
              sum += double{x.Load(x.At(n, c, row, column))} *
                     w.Load(operation.flipped
                                ? w.At(k, c, rows - 1 - r, columns - 1 - s)
                                : w.At(k, c, r, s));
            }
          }
        }
        const int64_t element = y.At(n, k, p, q);
        float value = operation.alpha * static_cast<float>(sum);
        if (operation.beta != 0) value += operation.beta * y.Load(element);
        y.Store(element, value);
      });
}

void FakeCudnn::Backend::Apply(const Operation& operation) {
  operation.y.ForEach([&](int64_t n, int64_t c, int64_t row, int64_t column) {
    const float x = operation.x.Load(operation.x.At(n, c, row, column));
    const float y =
        operation.mode == CUDNN_POINTWISE_ADD
            ? x + operation.second.Load(operation.second.At(0, c, 0, 0))
            : std::max(x, 0.0f);
    operation.y.Store(operation.y.At(n, c, row, column), y);
  });
}

CUresult FakeCudnn::Backend::Compute(std::vector<Operation> operations,
                                     const Run& run) {
  std::map<int64_t, std::vector<char>> virtuals;
  for (Operation& operation : operations) {
    for (Tensor* const tensor :
         {&operation.x, &operation.y, &operation.second}) {
      if (tensor->dimensions.empty()) continue;  // ReLU has no second
      if (tensor->is_virtual) {
        // No numbers, until something is written there.
        std::vector<char>& bytes = virtuals[tensor->uid];
        bytes.resize(tensor->Bytes(), '\xff');
        tensor->data = bytes.data();
        continue;
      }
      tensor->data = fake_->translate(tensor->data, tensor->Bytes());
      if (tensor->data == nullptr) return CUDA_ERROR_ILLEGAL_ADDRESS;
    }
  }
  if (run.workspace_bytes > 0) {
    char* const workspace =
        fake_->translate(run.workspace, run.workspace_bytes);
    if (workspace == nullptr) return CUDA_ERROR_ILLEGAL_ADDRESS;
    std::memset(workspace, 0xff, run.workspace_bytes);
  }
  for (const Operation& operation : operations) {
    if (operation.is_convolution) {
      Convolve(operation);
    } else {
      Apply(operation);
    }
  }
  return CUDA_SUCCESS;
}

cudnnStatus_t FakeCudnn::Backend::Execute(const Descriptor& plan,
                                          const Descriptor& pack) {
  if (!plan.finalized || !pack.finalized) {
    return Say(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "a plan or pack");
  }
  const Run run = {plan.engine->workspace_bytes,
                   pack.One<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE),
                   fake_->stream};
  std::vector<Operation> operations;
  for (void* const key :
       plan.graph->All<void*>(CUDNN_ATTR_OPERATIONGRAPH_OPS)) {
    operations.push_back(OperationOf(At(key), pack));
  }
  fake_->runs.push_back(run);
  const CUresult appended = fake_->append(
      run.stream, [this, operations, run] { return Compute(operations, run); });
  return appended == CUDA_SUCCESS
             ? CUDNN_STATUS_SUCCESS
             : Say(CUDNN_STATUS_EXECUTION_FAILED, "cudaLaunchKernel");
}

namespace {

FakeCudnn::Backend* current = nullptr;

FakeCudnn::Backend& Current() {
  FD_CHECK(current != nullptr) << "the fake has ended";
  return *current;
}

}  // namespace

FakeCudnn::FakeCudnn() : backend_(std::make_unique<Backend>(this)) {
  FD_CHECK(current == nullptr) << "there is one fake already";
  current = backend_.get();
  cudnn_.cudnnGetVersion = [] { return Current().fake().version; };
  cudnn_.cudnnGetErrorString = [](cudnnStatus_t status) {
    return status == CUDNN_STATUS_SUCCESS ? "CUDNN_STATUS_SUCCESS"
                                          : "CUDNN_STATUS_OF_THE_FAKE";
  };
  cudnn_.cudnnGetLastErrorString = [](char* text, size_t size) {
    std::snprintf(text, size, "%s", Current().text().c_str());
  };
  cudnn_.cudnnCreate = [](cudnnHandle_t* handle) {
    cudnnStatus_t result;
    if (Current().Fails(&result)) return result;
    *handle = Current().NewHandle();
    return CUDNN_STATUS_SUCCESS;
  };
  cudnn_.cudnnDestroy = [](cudnnHandle_t handle) {
    Current().EndHandle(handle);
    return CUDNN_STATUS_SUCCESS;
  };
  cudnn_.cudnnSetStream = [](cudnnHandle_t handle, cudaStream_t stream) {
    cudnnStatus_t result;
    if (Current().Fails(&result)) return result;
    Current().CheckHandle(handle);
    Current().fake().stream = stream;
    return CUDNN_STATUS_SUCCESS;
  };
  cudnn_.cudnnBackendCreateDescriptor = [](cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t* made) {
    cudnnStatus_t result;
    if (Current().Fails(&result)) return result;
    *made = Current().New(type);
    return CUDNN_STATUS_SUCCESS;
  };
  cudnn_.cudnnBackendDestroyDescriptor =
      [](cudnnBackendDescriptor_t descriptor) {
        Current().End(descriptor);
        return CUDNN_STATUS_SUCCESS;
      };
  cudnn_.cudnnBackendSetAttribute = [](cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type,
                                       int64_t count, const void* values) {
    cudnnStatus_t result;
    if (Current().Fails(&result)) return result;
    return Current().Set(&Current().At(descriptor), name, type, count, values);
  };
  cudnn_.cudnnBackendFinalize = [](cudnnBackendDescriptor_t descriptor) {
    cudnnStatus_t result;
    if (Current().Fails(&result)) return result;
    return Current().Finalize(&Current().At(descriptor));
  };
  cudnn_.cudnnBackendGetAttribute =
      [](cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
         cudnnBackendAttributeType_t type, int64_t requested, int64_t* count,
         void* values) {
        cudnnStatus_t result;
        if (Current().Fails(&result)) return result;
        return Current().Get(&Current().At(descriptor), name, type, requested,
                             count, values);
      };
  cudnn_.cudnnBackendExecute = [](cudnnHandle_t handle,
                                  cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
    cudnnStatus_t result;
    if (Current().Fails(&result)) return result;
    Current().CheckHandle(handle);
    return Current().Execute(Current().At(plan), Current().At(pack));
  };
}

FakeCudnn::~FakeCudnn() { current = nullptr; }

}  // namespace fairdarts
