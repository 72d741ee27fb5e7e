#include "fairdarts/gpu_engines/libtorch_engine.h"

#include <ATen/Context.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <torch/nn/module.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "fairdarts/base/status.h"
#include "ops/torch_status.h"
#include "search_space/derived_network.h"
#include "search_space/network_factory.h"

namespace fairdarts {
namespace {

// What LibTorch does before its work has settled: algorithms are chosen and
// memory is set aside.
constexpr int kWarmUp = 3;

torch::ScalarType TypeOf(Precision precision) {
  switch (precision) {
    case Precision::kFloat16:
      return torch::kHalf;
    case Precision::kBFloat16:
      return torch::kBFloat16;
    case Precision::kFloat32:
      break;
  }
  return torch::kFloat;
}

void CopyWeights(const ModelFile& file, DerivedNetwork& network) {
  const auto copy = [&](const std::string& name, const torch::Tensor& to) {
    // Counters of batches are in no file.
    if (to.scalar_type() != torch::kFloat) return;
    const TensorView& from = file.Tensor(name);
    std::memcpy(to.mutable_data_ptr(), from.data.data(), from.data.size());
  };
  for (const auto& each : network.named_parameters()) {
    copy(each.key(), each.value());
  }
  for (const auto& each : network.named_buffers()) {
    copy(each.key(), each.value());
  }
}

class LibTorchEngine : public GpuEngine {
 public:
  LibTorchEngine(std::shared_ptr<DerivedNetwork> network, Precision precision,
                 int device, absl::Span<const float> images, int batch)
      : network_(std::move(network)),
        stream_(c10::cuda::getStreamFromPool(
            false, static_cast<c10::DeviceIndex>(device))) {
    const c10::InferenceMode inference;
    const c10::cuda::CUDAStreamGuard guard(stream_);
    const torch::Device gpu(torch::kCUDA, stream_.device_index());
    const torch::ScalarType type = TypeOf(precision);
    network_->eval();
    network_->to(gpu, type);
    for (torch::Tensor& parameter : network_->parameters()) {
      if (parameter.dim() == 4) {
        parameter.set_data(
            parameter.contiguous(torch::MemoryFormat::ChannelsLast));
      }
    }
    const NetworkConfig& config = network_->config();
    torch::Tensor on_host = torch::empty(
        {batch, config.image_channels, config.image_size, config.image_size});
    std::memcpy(on_host.mutable_data_ptr(), images.data(), on_host.nbytes());
    images_ =
        on_host.to(gpu, type).contiguous(torch::MemoryFormat::ChannelsLast);
    for (int i = 0; i < kWarmUp; ++i) logits_ = network_->Logits(images_);
    stream_.synchronize();
  }

  void Capture() {
    const c10::InferenceMode inference;
    const c10::cuda::CUDAStreamGuard guard(stream_);
    graph_ = std::make_unique<at::cuda::CUDAGraph>(/*keep_graph=*/true);
    graph_->capture_begin();
    logits_ = network_->Logits(images_);
    graph_->capture_end();
    graph_->instantiate();
    CountKernels();
  }

  absl::Status Run() override {
    return CatchTorch("a run", [&] {
      const c10::InferenceMode inference;
      const c10::cuda::CUDAStreamGuard guard(stream_);
      if (graph_ != nullptr) {
        graph_->replay();
      } else {
        logits_ = network_->Logits(images_);
      }
    });
  }

  absl::Status Wait() override {
    return CatchTorch("waiting for a run", [&] { stream_.synchronize(); });
  }

  absl::StatusOr<std::vector<float>> Logits() override {
    std::vector<float> logits;
    FD_RETURN_IF_ERROR(CatchTorch("logits", [&] {
      const c10::cuda::CUDAStreamGuard guard(stream_);
      const torch::Tensor host = logits_.to(torch::kCPU, torch::kFloat);
      const float* const data = host.const_data_ptr<float>();
      logits.assign(data, data + host.numel());
    }));
    return logits;
  }

  int kernels() const override { return kernels_; }

 private:
  void CountKernels() {
    size_t count = 0;
    C10_CUDA_CHECK(
        cudaGraphGetNodes(graph_->raw_cuda_graph(), nullptr, &count));
    std::vector<cudaGraphNode_t> nodes(count);
    C10_CUDA_CHECK(
        cudaGraphGetNodes(graph_->raw_cuda_graph(), nodes.data(), &count));
    kernels_ = 0;
    for (const cudaGraphNode_t node : nodes) {
      cudaGraphNodeType type;
      C10_CUDA_CHECK(cudaGraphNodeGetType(node, &type));
      kernels_ += type == cudaGraphNodeTypeKernel ? 1 : 0;
    }
  }

  std::shared_ptr<DerivedNetwork> network_;
  c10::cuda::CUDAStream stream_;
  torch::Tensor images_;
  torch::Tensor logits_;
  std::unique_ptr<at::cuda::CUDAGraph> graph_;
  int kernels_ = kUnknown;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GpuEngine>> MakeLibTorchEngine(
    const ModelFile& file, Precision precision, bool graph, int device,
    absl::Span<const float> images, int batch) {
  FD_ASSIGN_OR_RETURN(std::shared_ptr<DerivedNetwork> network,
                      MakeDerivedNetwork(file.description().genotype,
                                         file.description().network));
  std::unique_ptr<LibTorchEngine> engine;
  FD_RETURN_IF_ERROR(CatchTorch("LibTorch", [&] {
    // Full precision where it is asked for, as ours has it.
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setAllowTF32CuBLAS(false);
    // The fastest of cuDNN's algorithms, found in the first runs.
    at::globalContext().setBenchmarkCuDNN(true);
    CopyWeights(file, *network);
    engine = absl::make_unique<LibTorchEngine>(std::move(network), precision,
                                               device, images, batch);
    if (graph) engine->Capture();
  }));
  return std::unique_ptr<GpuEngine>(std::move(engine));
}

}  // namespace fairdarts
