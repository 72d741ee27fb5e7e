#ifndef FAIRDARTS_RUNTIME_CUDA_CUDA_SESSION_H_
#define FAIRDARTS_RUNTIME_CUDA_CUDA_SESSION_H_

// A derived network, ready to run on a GPU: the twin of Session.
//
//   CudaOptions options;
//   options.precision = Precision::kFloat16;
//   FD_ASSIGN_OR_RETURN(CudaSession session,
//                       CudaSession::Load("model.safetensors", options));
//   FD_RETURN_IF_ERROR(session.Run(images, absl::MakeSpan(logits)));
//
// Programs that include this need no CUDA toolkit, and run where there is no
// driver: loading a session is an error there.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "fairdarts/runtime/model_file.h"
#include "ops/cuda/element.h"

struct CUstream_st;

namespace fairdarts {

struct CudaDriver;
struct Cudnn;

// What CUDA's headers call CUstream, or cudaStream_t.
using CudaStream = CUstream_st*;

// Who does the dense convolutions of more than one pixel, such as the stem's.
enum class CudaConvolutions {
  kAuto,     // cuDNN where there is one that can, else the session's kernels;
             // which of the two takes less time was not measured
  kOwn,      // the session's kernels
  kLibrary,  // cuDNN, and an environment error without it
};

inline constexpr size_t kMaxCudaBatchSizes = 64;

struct CudaOptions {
  // The GPU, as CUDA's driver numbers them.
  int device = 0;
  // Of weights and maps. Images and logits are float32 whatever it is, and so
  // are sums; kFloat32 multiplies in full precision too.
  //
  // A weight that is too large for it, with its batch norm, is an error of the
  // model file's. One that is too small becomes 0, and a map's value beyond
  // float16's 65504 infinite, so that logits which depend on it may be infinite
  // or not a number: no call tells that.
  Precision precision = Precision::kFloat32;
  // The numbers of images that a graph is made for. A run takes the largest
  // that fits again and again, so 1 is one of them, named or not; the largest
  // decides how much memory the maps take. At most kMaxCudaBatchSizes.
  std::vector<int> batch_sizes = {1};
  // What Run works on; null: a stream of the session's own. It outlives the
  // session.
  CudaStream stream = nullptr;
  // Whether a run is one launch of a graph for each batch, or one for each
  // kernel: slower, and the same logits to the bit.
  bool graph = true;
  CudaConvolutions convolutions = CudaConvolutions::kAuto;
  // The driver's functions; null: those of the machine's driver.
  const CudaDriver* driver = nullptr;
  // cuDNN's; null: those of the machine's, or none beside another driver.
  const Cudnn* cudnn = nullptr;
};

// Sessions are independent of each other; one is used by one thread at a time.
// The GPU's primary context is shared with the program and left as it was: no
// call changes what is current in the calling thread.
//
// An error that spoils that context, such as another kernel's illegal access or
// a GPU that has gone, ends the session: later calls say so at once. Every
// other error leaves it as usable as before.
class CudaSession {
 public:
  // Errors are those of Session::Load but for threads and instruction sets;
  // resource exhausted for want of memory on either side; a usage error for a
  // batch size below 1 or too large for the network, for too many
  // sizes, and for a device that is not there; an environment error where there
  // is no driver or no GPU, where one of them is too old, and for whatever else
  // the driver refuses.
  static absl::StatusOr<CudaSession> Load(const std::string& path,
                                          const CudaOptions& options = {});
  // The same over bytes in memory; `name` stands for the path in messages.
  static absl::StatusOr<CudaSession> LoadBytes(std::string bytes,
                                               absl::string_view name,
                                               const CudaOptions& options = {});

  CudaSession(CudaSession&&) noexcept;
  CudaSession& operator=(CudaSession&&) noexcept;
  // Waits for what it has been asked to do.
  ~CudaSession();

  // Images [N, C, H, W] to logits [N, classes], both in the program's ordinary
  // memory, and waits for them. Errors are those of Session::Run and the
  // driver's.
  absl::Status Run(absl::Span<const float> images, absl::Span<float> logits);

  // The same for `count` images in memory that the GPU reaches: its own, pinned
  // or managed. Puts the work into a stream, null for the legacy default one,
  // and returns: no memory is allocated, nothing is waited for, and the driver
  // tells errors of the work itself in a later call. The memory stays as it is
  // until the work is done. Runs of a session follow each other, whatever their
  // streams.
  //
  // Where the pointers are not those of the run before, the graph is given the
  // new ones first; what is under way keeps its own.
  //
  // On a stream that is being captured the kernels become part of that graph;
  // whoever launches it sees to it that the session does nothing else at that
  // time and outlives it.
  //
  // A usage error for a count below 1, for memory that the GPU does not reach,
  // and for an allocation that ends before the images or logits do.
  absl::Status RunAsync(const float* images, int64_t count, float* logits,
                        CudaStream stream);

  const ModelDescription& description() const;
  // Floats of one image, C * H * W.
  int64_t image_floats() const;
  int classes() const { return description().network.classes; }
  Precision precision() const;
  // Largest first, with 1.
  const std::vector<int>& batch_sizes() const;
  // Whether cuDNN does convolutions.
  bool uses_cudnn() const;
  // What a run of one of these sizes launches: kernels, and convolutions of
  // cuDNN's; 0 for any other.
  int launches(int batch_size) const;
  // What the session has allocated on the GPU, and in pinned memory.
  int64_t device_bytes() const;
  int64_t pinned_bytes() const;
  const std::string& device_name() const;

 private:
  class Impl;
  explicit CudaSession(std::unique_ptr<Impl> impl);

  static absl::StatusOr<CudaSession> LoadFrom(
      absl::string_view name, const CudaOptions& options,
      absl::FunctionRef<absl::StatusOr<ModelFile>()> load);

  std::unique_ptr<Impl> impl_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_CUDA_SESSION_H_
