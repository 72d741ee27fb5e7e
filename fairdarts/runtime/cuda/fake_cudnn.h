#ifndef FAIRDARTS_RUNTIME_CUDA_FAKE_CUDNN_H_
#define FAIRDARTS_RUNTIME_CUDA_FAKE_CUDNN_H_

// cuDNN's backend interface for tests: keeps what is described to it, refuses
// what is incomplete, and convolves on the host by what was described alone.

#include <cuda.h>
#include <cudnn_graph.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "fairdarts/runtime/cuda/cudnn_library.h"

namespace fairdarts {

// One at a time lives, since cuDNN's functions have no place for it. Aborts
// where a descriptor is used that has ended. A run spoils its workspace.
class FakeCudnn {
 public:
  // What an engine of its lists says of itself, and what becomes of a plan.
  struct Engine {
    std::vector<cudnnBackendNumericalNote_t> notes;
    int64_t workspace_bytes = 0;
    cudnnStatus_t plan = CUDNN_STATUS_SUCCESS;
    std::vector<cudnnBackendBehaviorNote_t> behavior = {};
  };

  struct Run {
    int64_t workspace_bytes;
    void* workspace;
    cudaStream_t stream;
  };

  using Work = std::function<CUresult()>;

  FakeCudnn();
  FakeCudnn(const FakeCudnn&) = delete;
  FakeCudnn& operator=(const FakeCudnn&) = delete;
  ~FakeCudnn();

  const Cudnn& cudnn() const { return cudnn_; }

  // A mode that is not here is refused.
  std::map<cudnnBackendHeurMode_t, std::vector<Engine>> engines = {
      {CUDNN_HEUR_MODE_A, {Engine()}}};
  size_t version = 91900;
  // Of the calls that can fail, counted from 0, the one that does.
  int failing_call = -1;
  cudnnStatus_t failure = CUDNN_STATUS_INTERNAL_ERROR;

  // What becomes of the work of a run, which needs none of the descriptors any
  // more; it is done at once unless a test takes it over.
  std::function<CUresult(CUstream, Work)> append =
      [](CUstream, const Work& work) { return work(); };
  // Where so many bytes lie that a run was given, or null.
  std::function<char*(void*, int64_t)> translate = [](void* pointer, int64_t) {
    return static_cast<char*>(pointer);
  };

  cudaStream_t stream = nullptr;  // of the last handle that was given one
  int calls = 0;
  int live = 0;  // descriptors and handles
  std::vector<Run> runs;

  class Backend;

 private:
  Cudnn cudnn_;
  std::unique_ptr<Backend> backend_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_FAKE_CUDNN_H_
