#include "fairdarts/inference_c.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "fairdarts/inference.h"

struct fairdarts_session {
  fairdarts::Session session;
};

namespace {

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
      return Fail(FAIRDARTS_OUT_OF_MEMORY, status.message());
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

fairdarts_status Take(absl::StatusOr<fairdarts::Session> loaded,
                      fairdarts_session** session) {
  if (!loaded.ok()) return Fail(loaded.status());
  *session = new fairdarts_session{*std::move(loaded)};
  return FAIRDARTS_OK;
}

}  // namespace

int32_t fairdarts_api_version(void) { return FAIRDARTS_API_VERSION; }

const char* fairdarts_last_error(void) { return last_error; }

fairdarts_status fairdarts_session_load(const char* path,
                                        fairdarts_session** session) {
  if (session == nullptr) return FailNull("session");
  *session = nullptr;
  if (path == nullptr) return FailNull("path");
  return Guard([&] { return Take(fairdarts::Session::Load(path), session); });
}

fairdarts_status fairdarts_session_load_bytes(const void* bytes, size_t size,
                                              fairdarts_session** session) {
  if (session == nullptr) return FailNull("session");
  *session = nullptr;
  if (bytes == nullptr) return FailNull("bytes");
  return Guard([&] {
    return Take(fairdarts::Session::LoadBytes(
                    std::string(static_cast<const char*>(bytes), size),
                    "model in memory"),
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
