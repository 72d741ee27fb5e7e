#include "fairdarts/inference_c.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
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

using fairdarts::Isa;

// Options of no release are larger: such a size was never set.
constexpr size_t kMaxOptionsSize = 4096;

// Of a session and of an executor alike.
constexpr int32_t kMaxThreads = 1024;

// Of fixed size, so that an error for want of memory can be told.
thread_local char last_error[1024] = "";

fairdarts_status Fail(fairdarts_status status, absl::string_view message) {
  const size_t size = std::min(message.size(), sizeof(last_error) - 1);
  std::memcpy(last_error, message.data(), size);
  last_error[size] = '\0';
  return status;
}

fairdarts_status Fail(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return Fail(FAIRDARTS_INVALID_ARGUMENT, status.message());
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kNotFound:
      return Fail(FAIRDARTS_BAD_MODEL, status.message());
    case absl::StatusCode::kResourceExhausted:
      return Fail(FAIRDARTS_OUT_OF_MEMORY, status.message().empty()
                                               ? "out of memory"
                                               : status.message());
    case absl::StatusCode::kUnavailable:
      return Fail(FAIRDARTS_ENVIRONMENT, status.message());
    default:
      return Fail(FAIRDARTS_INTERNAL, status.message());
  }
}

fairdarts_status FailNull(absl::string_view argument) {
  try {
    return Fail(FAIRDARTS_INVALID_ARGUMENT,
                std::string(argument) + " must not be NULL");
  } catch (...) {
    return Fail(FAIRDARTS_OUT_OF_MEMORY, "out of memory");
  }
}

// What `function` gives, and no exception.
template <typename Function>
fairdarts_status Guard(Function&& function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return Fail(FAIRDARTS_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return Fail(FAIRDARTS_INTERNAL, error.what());
  } catch (...) {
    return Fail(FAIRDARTS_INTERNAL, "an exception of unknown type");
  }
}

// Whether options of so many bytes end behind a field, as those of a program do
// that was built with this release or another one.
bool EndsBehindAField(size_t size) {
  if (size > sizeof(fairdarts_options)) return true;
  for (const size_t next :
       {offsetof(fairdarts_options, threads),
        offsetof(fairdarts_options, executor_threads),
        offsetof(fairdarts_options, run_tasks),
        offsetof(fairdarts_options, executor), offsetof(fairdarts_options, isa),
        sizeof(fairdarts_options)}) {
    if (size == next) return true;
  }
  return false;
}

// The caller's options as far as there are any, zero behind them.
absl::Status ReadOptions(const fairdarts_options* given,
                         fairdarts_options* options) {
  *options = FAIRDARTS_OPTIONS_INIT;
  if (given == nullptr) return absl::OkStatus();
  const size_t size = given->size;
  if (size > kMaxOptionsSize || !EndsBehindAField(size)) {
    return fairdarts::UsageError(absl::StrCat(
        "options: size is ", size, "; it has to be sizeof(fairdarts_options)"));
  }
  const auto* const bytes = reinterpret_cast<const unsigned char*>(given);
  for (size_t i = sizeof(*options); i < size; ++i) {
    if (bytes[i] != 0) {
      return fairdarts::UsageError(
          absl::StrCat("options: byte ", i, " is set; this library, release ",
                       FAIRDARTS_VERSION, ", knows ", sizeof(*options)));
    }
  }
  std::memcpy(options, given, std::min(size, sizeof(*options)));
  return absl::OkStatus();
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
  if (!loaded.ok()) return Fail(loaded.status());
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

const char* fairdarts_last_error(void) { return last_error; }

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
  if (session == nullptr) return FailNull("session");
  *session = nullptr;
  if (path == nullptr) return FailNull("path");
  return Guard([&] {
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
  if (session == nullptr) return FailNull("session");
  *session = nullptr;
  if (bytes == nullptr) return FailNull("bytes");
  return Guard([&] {
    if (size > PTRDIFF_MAX) {
      return Fail(FAIRDARTS_INVALID_ARGUMENT,
                  "size: is " + std::to_string(size) +
                      "; no memory holds more than " +
                      std::to_string(PTRDIFF_MAX));
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
  if (session == nullptr) return FailNull("session");
  if (shape == nullptr) return FailNull("shape");
  const fairdarts::NetworkConfig& network =
      session->session.description().network;
  shape[0] = network.image_channels;
  shape[1] = shape[2] = network.image_size;
  return FAIRDARTS_OK;
}

fairdarts_status fairdarts_session_classes(const fairdarts_session* session,
                                           int32_t* classes) {
  if (session == nullptr) return FailNull("session");
  if (classes == nullptr) return FailNull("classes");
  *classes = session->session.classes();
  return FAIRDARTS_OK;
}

fairdarts_status fairdarts_session_threads(const fairdarts_session* session,
                                           int32_t* threads) {
  if (session == nullptr) return FailNull("session");
  if (threads == nullptr) return FailNull("threads");
  *threads = session->session.threads();
  return FAIRDARTS_OK;
}

fairdarts_status fairdarts_session_isa(const fairdarts_session* session,
                                       const char** isa) {
  if (session == nullptr) return FailNull("session");
  if (isa == nullptr) return FailNull("isa");
  *isa = fairdarts::IsaName(session->session.isa()).data();
  return FAIRDARTS_OK;
}

fairdarts_status fairdarts_session_class_name(const fairdarts_session* session,
                                              int32_t index,
                                              const char** name) {
  if (name == nullptr) return FailNull("name");
  *name = "";
  if (session == nullptr) return FailNull("session");
  if (index < 0 || index >= session->session.classes()) {
    return Guard([&] {
      return Fail(FAIRDARTS_INVALID_ARGUMENT,
                  "index: is " + std::to_string(index) + " of " +
                      std::to_string(session->session.classes()) + " classes");
    });
  }
  const auto& names = session->session.description().class_names;
  if (!names.empty()) *name = names[index].c_str();
  return FAIRDARTS_OK;
}

fairdarts_status fairdarts_session_normalization(
    const fairdarts_session* session, float* mean, float* deviation,
    size_t channels) {
  if (session == nullptr) return FailNull("session");
  if (mean == nullptr) return FailNull("mean");
  if (deviation == nullptr) return FailNull("deviation");
  const fairdarts::Normalization& normalization =
      session->session.description().normalization;
  if (channels != normalization.mean.size()) {
    return Guard([&] {
      return Fail(FAIRDARTS_INVALID_ARGUMENT,
                  "channels: is " + std::to_string(channels) +
                      "; an image has " +
                      std::to_string(normalization.mean.size()));
    });
  }
  for (size_t c = 0; c < channels; ++c) {
    mean[c] = static_cast<float>(normalization.mean[c]);
    deviation[c] = static_cast<float>(normalization.std[c]);
  }
  return FAIRDARTS_OK;
}

fairdarts_status fairdarts_session_run(fairdarts_session* session,
                                       const float* images, size_t batch,
                                       float* logits, size_t logits_floats) {
  if (session == nullptr) return FailNull("session");
  if (images == nullptr) return FailNull("images");
  if (logits == nullptr) return FailNull("logits");
  const size_t image = session->session.image_floats();
  return Guard([&] {
    if (batch == 0 || batch > SIZE_MAX / sizeof(float) / image) {
      return Fail(FAIRDARTS_INVALID_ARGUMENT,
                  "batch: is " + std::to_string(batch) +
                      "; at least one image is needed, and no more than fit "
                      "in memory");
    }
    const absl::Status status =
        session->session.Run(absl::MakeConstSpan(images, batch * image),
                             absl::MakeSpan(logits, logits_floats));
    return status.ok() ? FAIRDARTS_OK : Fail(status);
  });
}
