#include "fairdarts/inference_cuda_c.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "fairdarts/base/status.h"
#include "fairdarts/c_interface.h"
#include "fairdarts/inference_cuda.h"

struct fairdarts_cuda_session {
  fairdarts::CudaSession session;
};

namespace {

using fairdarts::CError;
using fairdarts::CErrorOfNull;
using fairdarts::CGuard;
using fairdarts::CudaConvolutions;
using fairdarts::CudaOptions;
using fairdarts::CudaSession;
using fairdarts::CudaStream;
using fairdarts::Precision;

absl::StatusOr<Precision> PrecisionOf(int32_t precision) {
  switch (precision) {
    case FAIRDARTS_FLOAT32:
      return Precision::kFloat32;
    case FAIRDARTS_FLOAT16:
      return Precision::kFloat16;
    case FAIRDARTS_BFLOAT16:
      return Precision::kBFloat16;
    default:
      return fairdarts::UsageError(
          absl::StrCat("precision: is ", precision,
                       "; it has to be FAIRDARTS_FLOAT32, FAIRDARTS_FLOAT16 or "
                       "FAIRDARTS_BFLOAT16"));
  }
}

absl::StatusOr<CudaConvolutions> ConvolutionsOf(int32_t convolutions) {
  switch (convolutions) {
    case FAIRDARTS_CONVOLUTIONS_AUTO:
      return CudaConvolutions::kAuto;
    case FAIRDARTS_CONVOLUTIONS_OWN:
      return CudaConvolutions::kOwn;
    case FAIRDARTS_CONVOLUTIONS_CUDNN:
      return CudaConvolutions::kLibrary;
    default:
      return fairdarts::UsageError(absl::StrCat(
          "convolutions: is ", convolutions,
          "; it has to be FAIRDARTS_CONVOLUTIONS_AUTO, "
          "FAIRDARTS_CONVOLUTIONS_OWN or FAIRDARTS_CONVOLUTIONS_CUDNN"));
  }
}

absl::StatusOr<CudaOptions> OptionsOf(const fairdarts_cuda_options* given) {
  fairdarts_cuda_options options = FAIRDARTS_CUDA_OPTIONS_INIT;
  FD_RETURN_IF_ERROR(fairdarts::ReadCOptions(
      given, sizeof(options),
      {offsetof(fairdarts_cuda_options, device),
       offsetof(fairdarts_cuda_options, precision),
       offsetof(fairdarts_cuda_options, batch_sizes),
       offsetof(fairdarts_cuda_options, batch_size_count),
       offsetof(fairdarts_cuda_options, stream),
       offsetof(fairdarts_cuda_options, without_graph),
       offsetof(fairdarts_cuda_options, convolutions)},
      "fairdarts_cuda_options", &options));
  CudaOptions with;
  with.device = options.device;
  FD_ASSIGN_OR_RETURN(with.precision, PrecisionOf(options.precision));
  if (options.batch_sizes == nullptr && options.batch_size_count != 0) {
    return fairdarts::UsageError(
        absl::StrCat("batch_sizes: is NULL, but "
                     "batch_size_count is ",
                     options.batch_size_count));
  }
  // Before they are copied.
  if (options.batch_size_count > fairdarts::kMaxCudaBatchSizes) {
    return fairdarts::UsageError(absl::StrCat("batch_size_count: is ",
                                              options.batch_size_count,
                                              "; there are at "
                                              "most ",
                                              fairdarts::kMaxCudaBatchSizes));
  }
  with.batch_sizes.assign(options.batch_sizes,
                          options.batch_sizes + options.batch_size_count);
  with.stream = static_cast<CudaStream>(options.stream);
  if (options.without_graph != 0 && options.without_graph != 1) {
    return fairdarts::UsageError(absl::StrCat(
        "without_graph: is ", options.without_graph, "; it has to be 0 or 1"));
  }
  with.graph = options.without_graph == 0;
  FD_ASSIGN_OR_RETURN(with.convolutions, ConvolutionsOf(options.convolutions));
  return with;
}

// `load` takes options to a session.
template <typename Load>
fairdarts_status LoadWith(const fairdarts_cuda_options* given,
                          fairdarts_cuda_session** session, Load&& load) {
  const absl::StatusOr<CudaOptions> options = OptionsOf(given);
  if (!options.ok()) return CError(options.status());
  absl::StatusOr<CudaSession> loaded = load(*options);
  if (!loaded.ok()) return CError(loaded.status());
  *session = new fairdarts_cuda_session{*std::move(loaded)};
  return FAIRDARTS_OK;
}

}  // namespace

fairdarts_status fairdarts_cuda_session_load(const char* path,
                                             fairdarts_cuda_session** session) {
  return fairdarts_cuda_session_load_with(path, nullptr, session);
}

fairdarts_status fairdarts_cuda_session_load_with(
    const char* path, const fairdarts_cuda_options* options,
    fairdarts_cuda_session** session) {
  if (session == nullptr) return CErrorOfNull("session");
  *session = nullptr;
  if (path == nullptr) return CErrorOfNull("path");
  return CGuard([&] {
    return LoadWith(options, session, [&](const CudaOptions& with) {
      return CudaSession::Load(path, with);
    });
  });
}

fairdarts_status fairdarts_cuda_session_load_bytes(
    const void* bytes, size_t size, fairdarts_cuda_session** session) {
  return fairdarts_cuda_session_load_bytes_with(bytes, size, nullptr, session);
}

fairdarts_status fairdarts_cuda_session_load_bytes_with(
    const void* bytes, size_t size, const fairdarts_cuda_options* options,
    fairdarts_cuda_session** session) {
  if (session == nullptr) return CErrorOfNull("session");
  *session = nullptr;
  if (bytes == nullptr) return CErrorOfNull("bytes");
  return CGuard([&] {
    if (const absl::Status status = fairdarts::CheckCSize(size); !status.ok()) {
      return CError(status);
    }
    return LoadWith(options, session, [&](const CudaOptions& with) {
      return CudaSession::LoadBytes(
          std::string(static_cast<const char*>(bytes), size), "model in memory",
          with);
    });
  });
}

void fairdarts_cuda_session_free(fairdarts_cuda_session* session) {
  delete session;
}

fairdarts_status fairdarts_cuda_session_image_shape(
    const fairdarts_cuda_session* session, int32_t shape[3]) {
  if (session == nullptr) return CErrorOfNull("session");
  if (shape == nullptr) return CErrorOfNull("shape");
  return fairdarts::CImageShape(session->session.description(), shape);
}

fairdarts_status fairdarts_cuda_session_classes(
    const fairdarts_cuda_session* session, int32_t* classes) {
  if (session == nullptr) return CErrorOfNull("session");
  if (classes == nullptr) return CErrorOfNull("classes");
  *classes = session->session.classes();
  return FAIRDARTS_OK;
}

fairdarts_status fairdarts_cuda_session_class_name(
    const fairdarts_cuda_session* session, int32_t index, const char** name) {
  if (name == nullptr) return CErrorOfNull("name");
  *name = "";
  if (session == nullptr) return CErrorOfNull("session");
  return fairdarts::CClassName(session->session.description(), index, name);
}

fairdarts_status fairdarts_cuda_session_normalization(
    const fairdarts_cuda_session* session, float* mean, float* deviation,
    size_t channels) {
  if (session == nullptr) return CErrorOfNull("session");
  if (mean == nullptr) return CErrorOfNull("mean");
  if (deviation == nullptr) return CErrorOfNull("deviation");
  return fairdarts::CNormalization(session->session.description(), mean,
                                   deviation, channels);
}

fairdarts_status fairdarts_cuda_session_device_name(
    const fairdarts_cuda_session* session, const char** name) {
  if (session == nullptr) return CErrorOfNull("session");
  if (name == nullptr) return CErrorOfNull("name");
  *name = session->session.device_name().c_str();
  return FAIRDARTS_OK;
}

fairdarts_status fairdarts_cuda_session_uses_cudnn(
    const fairdarts_cuda_session* session, int32_t* uses) {
  if (session == nullptr) return CErrorOfNull("session");
  if (uses == nullptr) return CErrorOfNull("uses");
  *uses = session->session.uses_cudnn() ? 1 : 0;
  return FAIRDARTS_OK;
}

fairdarts_status fairdarts_cuda_session_device_bytes(
    const fairdarts_cuda_session* session, int64_t* bytes) {
  if (session == nullptr) return CErrorOfNull("session");
  if (bytes == nullptr) return CErrorOfNull("bytes");
  *bytes = session->session.device_bytes();
  return FAIRDARTS_OK;
}

fairdarts_status fairdarts_cuda_session_run(fairdarts_cuda_session* session,
                                            const float* images, size_t batch,
                                            float* logits,
                                            size_t logits_floats) {
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

fairdarts_status fairdarts_cuda_session_run_async(
    fairdarts_cuda_session* session, const float* images, size_t batch,
    float* logits, void* stream) {
  if (session == nullptr) return CErrorOfNull("session");
  if (images == nullptr) return CErrorOfNull("images");
  if (logits == nullptr) return CErrorOfNull("logits");
  return CGuard([&] {
    absl::Status status =
        fairdarts::CheckCBatch(batch, session->session.image_floats());
    if (!status.ok()) return CError(status);
    status = session->session.RunAsync(images, static_cast<int64_t>(batch),
                                       logits, static_cast<CudaStream>(stream));
    return status.ok() ? FAIRDARTS_OK : CError(status);
  });
}
