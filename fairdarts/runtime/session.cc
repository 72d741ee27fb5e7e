#include "fairdarts/runtime/session.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/plan.h"
#include "fairdarts/runtime/run_spans.h"
#include "fairdarts/runtime/thread_pool.h"
#include "fairdarts/runtime/without_bad_alloc.h"

namespace fairdarts {
namespace {

constexpr int kMaxThreads = 1024;

absl::StatusOr<CpuBackend> MakeBackend(Plan plan, Isa isa,
                                       const SessionOptions& options) {
  if (options.executor != nullptr) {
    return CpuBackend::Create(std::move(plan), isa, options.executor);
  }
  FD_ASSIGN_OR_RETURN(std::unique_ptr<ThreadPool> pool,
                      ThreadPool::Create(options.threads));
  return CpuBackend::Create(std::move(plan), isa, std::move(pool));
}

}  // namespace

absl::StatusOr<Session> Session::Load(const std::string& path,
                                      const SessionOptions& options) {
  return WithoutBadAlloc([&]() -> absl::StatusOr<Session> {
    FD_ASSIGN_OR_RETURN(const ModelFile file, ModelFile::Load(path));
    return FromFile(file, path, options);
  });
}

absl::StatusOr<Session> Session::LoadBytes(std::string bytes,
                                           absl::string_view name,
                                           const SessionOptions& options) {
  return WithoutBadAlloc([&]() -> absl::StatusOr<Session> {
    FD_ASSIGN_OR_RETURN(const ModelFile file,
                        ModelFile::Parse(std::move(bytes), name));
    return FromFile(file, name, options);
  });
}

absl::StatusOr<Session> Session::FromFile(const ModelFile& file,
                                          absl::string_view name,
                                          const SessionOptions& options) {
  const std::vector<Isa> supported = SupportedIsas();
  const Isa isa = options.isa.value_or(supported.back());
  if (std::find(supported.begin(), supported.end(), isa) == supported.end()) {
    return UsageError(absl::StrCat("isa: this machine does not have ",
                                   IsaName(isa), "; its best is ",
                                   IsaName(supported.back())));
  }
  if (options.executor != nullptr && options.threads != 1) {
    return UsageError(absl::StrCat("threads: is ", options.threads,
                                   ", but the executor has its own"));
  }
  const int threads = options.executor == nullptr ? options.threads
                                                  : options.executor->threads();
  if (threads < 1 || threads > kMaxThreads) {
    return UsageError(absl::StrCat("threads: is ", threads,
                                   "; it has to be 1 to ", kMaxThreads));
  }
  absl::StatusOr<Plan> plan = MakePlan(file);
  if (!plan.ok()) return Annotate(plan.status(), name);
  absl::StatusOr<CpuBackend> backend =
      MakeBackend(*std::move(plan), isa, options);
  if (!backend.ok()) return Annotate(backend.status(), name);
  return Session(file.description(), *std::move(backend));
}

Session::Session(ModelDescription description, CpuBackend backend)
    : description_(std::move(description)),
      image_floats_(int64_t{description_.network.image_channels} *
                    description_.network.image_size *
                    description_.network.image_size),
      backend_(std::move(backend)) {}

int64_t Session::arena_floats() const {
  return backend_.plan().arena_floats + backend_.plan().scratch_floats;
}

absl::Status Session::Run(absl::Span<const float> images,
                          absl::Span<float> logits) {
  FD_ASSIGN_OR_RETURN(const int64_t count,
                      CountImages(images, logits, image_floats_, classes()));
  backend_.Run(images.data(), count, logits.data());
  return absl::OkStatus();
}

}  // namespace fairdarts
