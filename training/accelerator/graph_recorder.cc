#include "training/accelerator/graph_recorder.h"

#ifdef FAIRDARTS_CUDA
#include <ATen/ATen.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>

#include <exception>
#endif

namespace fairdarts {
#ifdef FAIRDARTS_CUDA
namespace {

class CudaGraphRecorder : public GraphRecorder {
 public:
  void Record(const std::function<void()>& work) override {
    // What is under way takes no part in it.
    c10::cuda::device_synchronize();
    // A recording has memory of its own, as much as a step: what the steps
    // before it left in the cache would stand beside it, and is not given back
    // while something is recorded.
    c10::cuda::CUDACachingAllocator::emptyCache();
    graph_.capture_begin();
    try {
      work();
    } catch (...) {
      // The stream records until it is told to end, whatever is thrown.
      try {
        graph_.capture_end();
      } catch (const std::exception&) {
        // The first error says more.
      }
      throw;
    }
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
