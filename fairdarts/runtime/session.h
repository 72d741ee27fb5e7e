#ifndef FAIRDARTS_RUNTIME_SESSION_H_
#define FAIRDARTS_RUNTIME_SESSION_H_

// A derived network, ready to run on the CPU.
//
//   FD_ASSIGN_OR_RETURN(Session session, Session::Load("model.safetensors"));
//   FD_RETURN_IF_ERROR(session.Run(images, absl::MakeSpan(logits)));

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "fairdarts/runtime/cpu_backend.h"
#include "fairdarts/runtime/executor.h"
#include "fairdarts/runtime/model_file.h"
#include "ops/kernels/isa.h"

namespace fairdarts {

struct SessionOptions {
  // The instruction set to use; none: the best that the machine has.
  absl::optional<Isa> isa;
  // Threads that work on a call of Run, the caller's among them; the session
  // owns the others. Each has maps of its own in memory.
  int threads = 1;
  // Or the threads of the program, which then decide how many there are. It
  // outlives the session; sessions that are used at the same time need one
  // each, unless it can be called at the same time. What is not worth sharing
  // runs in the thread that calls Run.
  Executor* executor = nullptr;
};

// Sessions are independent of each other; one is used by one thread at a time.
class Session {
 public:
  // A model-file error that begins with `path` (see model_file.h), resource
  // exhausted where there is no memory, an environment error where there are no
  // threads or too many files are open, or a usage error for an instruction set
  // that the machine does not have, for threads that are not 1 to 1024, or for
  // both threads and an executor.
  //
  // The file is not needed afterwards. To replace it, rename a new one over it:
  // one that is shortened while it is loaded ends the process (SIGBUS).
  static absl::StatusOr<Session> Load(const std::string& path,
                                      const SessionOptions& options = {});
  // The same over bytes in memory; `name` stands for the path in messages.
  static absl::StatusOr<Session> LoadBytes(std::string bytes,
                                           absl::string_view name,
                                           const SessionOptions& options = {});

  // Images [N, C, H, W], normalised as the description says, to logits
  // [N, classes]; N is what `images` holds. A usage error where it holds no
  // whole number of images, or `logits` another number of rows. The logits are
  // the same to the bit for every executor and number of threads. Allocates
  // nothing but the message of an error.
  absl::Status Run(absl::Span<const float> images, absl::Span<float> logits);

  const ModelDescription& description() const { return description_; }
  // Floats of one image, C * H * W.
  int64_t image_floats() const { return image_floats_; }
  int classes() const { return description_.network.classes; }
  Isa isa() const { return backend_.isa(); }
  // The most that work on a call of Run.
  int threads() const { return backend_.threads(); }
  // Floats that the maps of one thread take, beyond the weights.
  int64_t arena_floats() const;

 private:
  Session(ModelDescription description, CpuBackend backend);

  static absl::StatusOr<Session> FromFile(const ModelFile& file,
                                          absl::string_view name,
                                          const SessionOptions& options);

  ModelDescription description_;
  int64_t image_floats_;
  CpuBackend backend_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_SESSION_H_
