#include "training/accelerator/graph_recorder.h"

#ifdef FAIRDARTS_CUDA
#include <ATen/ATen.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#endif

namespace fairdarts {
#ifdef FAIRDARTS_CUDA
namespace {

class CudaGraphRecorder : public GraphRecorder {
 public:
  void Record(const std::function<void()>& work) override {
    // What is under way takes no part in it.
    c10::cuda::device_synchronize();
    graph_.capture_begin();
    work();
    graph_.capture_end();
  }

  void Replay() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
};

}  // namespace
#endif

std::unique_ptr<GraphRecorder> MakeGraphRecorder(c10::Device device) {
#ifdef FAIRDARTS_CUDA
  if (device.is_cuda()) return std::make_unique<CudaGraphRecorder>();
#else
  static_cast<void>(device);
#endif
  return nullptr;
}

}  // namespace fairdarts
