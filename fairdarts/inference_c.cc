#include "fairdarts/inference_c.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "fairdarts/base/status.h"
#include "fairdarts/c_interface.h"
#include "fairdarts/inference.h"
#include "ops/kernels/isa.h"

namespace {

// The program's own threads.
class CExecutor : public fairdarts::Executor {
 public:
  explicit CExecutor(const fairdarts_options& options)
      : threads_(options.executor_threads),
        run_tasks_(options.run_tasks),
        executor_(options.executor) {}

  int threads() const override { return threads_; }

  void Run(int tasks, absl::FunctionRef<void(int task)> work) override {
    run_tasks_(executor_, tasks, &RunTask, &work);
  }

 private:
  static void RunTask(void* work, int32_t task) {
    (*static_cast<absl::FunctionRef<void(int)>*>(work))(task);
  }

  const int threads_;
  void (*const run_tasks_)(void*, int32_t, fairdarts_task, void*);
  void* const executor_;
};

}  // namespace

struct fairdarts_session {
  std::unique_ptr<CExecutor> executor;  // or null; outlives the session
  fairdarts::Session session;
};

namespace {

using fairdarts::CError;
using fairdarts::CErrorOfNull;
using fairdarts::CGuard;
using fairdarts::Isa;

// Of a session and of an executor alike.
constexpr int32_t kMaxThreads = 1024;

// The caller's options as far as there are any, zero behind them.
absl::Status ReadOptions(const fairdarts_options* given,
                         fairdarts_options* options) {
  *options = FAIRDARTS_OPTIONS_INIT;
  return fairdarts::ReadCOptions(
      given, sizeof(*options),
      {offsetof(fairdarts_options, threads),
       offsetof(fairdarts_options, executor_threads),
       offsetof(fairdarts_options, run_tasks),
       offsetof(fairdarts_options, executor), offsetof(fairdarts_options, isa)},
      "fairdarts_options", options);
}

absl::StatusOr<Isa> IsaNamed(absl::string_view name) {
  const std::vector<Isa> supported = fairdarts::SupportedIsas();
  for (const Isa isa : supported) {
    if (fairdarts::IsaName(isa) == name) return isa;
  }
  return fairdarts::UsageError(absl::StrCat(
      "isa: \"", absl::CEscape(name.substr(0, 40)), "\" is none of ",
      absl::StrJoin(supported, ", ",
                    [](std::string* out, Isa isa) {
                      absl::StrAppend(out, fairdarts::IsaName(isa));
                    }),
      ", which this machine has"));
}

// `load` takes options to a session.
template <typename Load>
absl::StatusOr<fairdarts_session*> LoadWith(const fairdarts_options* given,
                                            Load&& load) {
  fairdarts_options options;
  FD_RETURN_IF_ERROR(ReadOptions(given, &options));
  if (options.threads < 0 || options.threads > kMaxThreads) {
    return fairdarts::UsageError(absl::StrCat("threads: is ", options.threads,
                                              "; it has to be 1 to ",
                                              kMaxThreads, ", or 0 for 1"));
  }
  fairdarts::SessionOptions session_options;
  if (options.threads != 0) session_options.threads = options.threads;
  if (options.isa != nullptr) {
    FD_ASSIGN_OR_RETURN(session_options.isa, IsaNamed(options.isa));
  }
  std::unique_ptr<CExecutor> executor;
  if (options.run_tasks != nullptr) {
    if (options.threads != 0) {
      return fairdarts::UsageError(
          absl::StrCat("threads: is ", options.threads,
                       ", but run_tasks has threads of its own"));
    }
    if (options.executor_threads < 1 ||
        options.executor_threads > kMaxThreads) {
      return fairdarts::UsageError(
          absl::StrCat("executor_threads: is ", options.executor_threads,
                       "; it has to be 1 to ", kMaxThreads));
    }
    executor = std::make_unique<CExecutor>(options);
    session_options.executor = executor.get();
  } else if (options.executor_threads != 0 || options.executor != nullptr) {
    return fairdarts::UsageError(
        "run_tasks: is NULL, but executor or executor_threads is set");
  }
  FD_ASSIGN_OR_RETURN(fairdarts::Session session, load(session_options));
  return new fairdarts_session{std::move(executor), std::move(session)};
}

fairdarts_status Take(absl::StatusOr<fairdarts_session*> loaded,
                      fairdarts_session** session) {
  if (!loaded.ok()) return CError(loaded.status());
  *session = *loaded;
  return FAIRDARTS_OK;
}

}  // namespace

int32_t fairdarts_api_version(void) { return FAIRDARTS_API_VERSION; }

const char* fairdarts_version(void) { return FAIRDARTS_VERSION; }

const char* fairdarts_supported_isa(int32_t index) {
  try {
    const std::vector<Isa> supported = fairdarts::SupportedIsas();
    if (index < 0 || static_cast<size_t>(index) >= supported.size()) {
      return nullptr;
    }
    return fairdarts::IsaName(supported[index]).data();
  } catch (...) {
    return nullptr;
  }
}

const char* fairdarts_last_error(void) { return fairdarts::LastCError(); }

fairdarts_status fairdarts_session_load(const char* path,
                                        fairdarts_session** session) {
  return fairdarts_session_load_with(path, nullptr, session);
}

fairdarts_status fairdarts_session_load_bytes(const void* bytes, size_t size,
                                              fairdarts_session** session) {
  return fairdarts_session_load_bytes_with(bytes, size, nullptr, session);
}

fairdarts_status fairdarts_session_load_with(const char* path,
                                             const fairdarts_options* options,
                                             fairdarts_session** session) {
  if (session == nullptr) return CErrorOfNull("session");
  *session = nullptr;
  if (path == nullptr) return CErrorOfNull("path");
  return CGuard([&] {
    return Take(LoadWith(options,
                         [&](const fairdarts::SessionOptions& with) {
                           return fairdarts::Session::Load(path, with);
                         }),
                session);
  });
}

fairdarts_status fairdarts_session_load_bytes_with(
    const void* bytes, size_t size, const fairdarts_options* options,
    fairdarts_session** session) {
  if (session == nullptr) return CErrorOfNull("session");
  *session = nullptr;
  if (bytes == nullptr) return CErrorOfNull("bytes");
  return CGuard([&] {
    if (const absl::Status status = fairdarts::CheckCSize(size); !status.ok()) {
      return CError(status);
    }
    return Take(
        LoadWith(options,
                 [&](const fairdarts::SessionOptions& with) {
                   return fairdarts::Session::LoadBytes(
                       std::string(static_cast<const char*>(bytes), size),
                       "model in memory", with);
                 }),
        session);
  });
}

void fairdarts_session_free(fairdarts_session* session) { delete session; }

fairdarts_status fairdarts_session_image_shape(const fairdarts_session* session,
                                               int32_t shape[3]) {
  if (session == nullptr) return CErrorOfNull("session");
  if (shape == nullptr) return CErrorOfNull("shape");
  return fairdarts::CImageShape(session->session.description(), shape);
}

fairdarts_status fairdarts_session_classes(const fairdarts_session* session,
                                           int32_t* classes) {
  if (session == nullptr) return CErrorOfNull("session");
  if (classes == nullptr) return CErrorOfNull("classes");
  *classes = session->session.classes();
  return FAIRDARTS_OK;
}

fairdarts_status fairdarts_session_threads(const fairdarts_session* session,
                                           int32_t* threads) {
  if (session == nullptr) return CErrorOfNull("session");
  if (threads == nullptr) return CErrorOfNull("threads");
  *threads = session->session.threads();
  return FAIRDARTS_OK;
}

fairdarts_status fairdarts_session_isa(const fairdarts_session* session,
                                       const char** isa) {
  if (session == nullptr) return CErrorOfNull("session");
  if (isa == nullptr) return CErrorOfNull("isa");
  *isa = fairdarts::IsaName(session->session.isa()).data();
  return FAIRDARTS_OK;
}

fairdarts_status fairdarts_session_class_name(const fairdarts_session* session,
                                              int32_t index,
                                              const char** name) {
  if (name == nullptr) return CErrorOfNull("name");
  *name = "";
  if (session == nullptr) return CErrorOfNull("session");
  return fairdarts::CClassName(session->session.description(), index, name);
}

fairdarts_status fairdarts_session_normalization(
    const fairdarts_session* session, float* mean, float* deviation,
    size_t channels) {
  if (session == nullptr) return CErrorOfNull("session");
  if (mean == nullptr) return CErrorOfNull("mean");
  if (deviation == nullptr) return CErrorOfNull("deviation");
  return fairdarts::CNormalization(session->session.description(), mean,
                                   deviation, channels);
}

fairdarts_status fairdarts_session_run(fairdarts_session* session,
                                       const float* images, size_t batch,
                                       float* logits, size_t logits_floats) {
  if (session == nullptr) return CErrorOfNull("session");
  if (images == nullptr) return CErrorOfNull("images");
  if (logits == nullptr) return CErrorOfNull("logits");
  const size_t image = session->session.image_floats();
  return CGuard([&] {
    absl::Status status = fairdarts::CheckCBatch(batch, image);
    if (!status.ok()) return CError(status);
    status = session->session.Run(absl::MakeConstSpan(images, batch * image),
                                  absl::MakeSpan(logits, logits_floats));
    return status.ok() ? FAIRDARTS_OK : CError(status);
  });
}
