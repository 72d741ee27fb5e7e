#ifndef FAIRDARTS_RUNTIME_CUDA_FAKE_CUDNN_H_
#define FAIRDARTS_RUNTIME_CUDA_FAKE_CUDNN_H_

// cuDNN's backend interface for tests: keeps what is described to it, refuses
// what is incomplete, and convolves on the host by what was described alone.

#include <cudnn_graph.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "fairdarts/runtime/cuda/cudnn_library.h"

namespace fairdarts {

// One at a time lives, since cuDNN's functions have no place for it. Pointers
// are the host's. Aborts where a descriptor is used that has ended.
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
    const void* workspace;
    cudaStream_t stream;
  };

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
