#include "fairdarts/c_interface.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

// Options of no release are larger: such a size was never set.
constexpr size_t kMaxOptionsSize = 4096;

// Of fixed size, so that an error for want of memory can be told.
thread_local char last_error[1024] = "";

}  // namespace

const char* LastCError() { return last_error; }

fairdarts_status CError(fairdarts_status status, absl::string_view message) {
  const size_t size = std::min(message.size(), sizeof(last_error) - 1);
  std::memcpy(last_error, message.data(), size);
  last_error[size] = '\0';
  return status;
}

fairdarts_status CError(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return CError(FAIRDARTS_INVALID_ARGUMENT, status.message());
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kNotFound:
      return CError(FAIRDARTS_BAD_MODEL, status.message());
    case absl::StatusCode::kResourceExhausted:
      return CError(FAIRDARTS_OUT_OF_MEMORY, status.message().empty()
                                                 ? "out of memory"
                                                 : status.message());
    case absl::StatusCode::kUnavailable:
      return CError(FAIRDARTS_ENVIRONMENT, status.message());
    default:
      return CError(FAIRDARTS_INTERNAL, status.message());
  }
}

fairdarts_status CErrorOfNull(absl::string_view argument) {
  return CGuard([&] {
    return CError(FAIRDARTS_INVALID_ARGUMENT,
                  absl::StrCat(argument, " must not be NULL"));
  });
}

absl::Status ReadCOptions(const void* given, size_t known,
                          std::initializer_list<size_t> fields,
                          absl::string_view type, void* options) {
  if (given == nullptr) return absl::OkStatus();
  size_t size;
  std::memcpy(&size, given, sizeof(size));
  const bool ends_behind_a_field =
      size >= known ||
      std::find(fields.begin(), fields.end(), size) != fields.end();
  if (size > kMaxOptionsSize || !ends_behind_a_field) {
    return UsageError(absl::StrCat("options: size is ", size,
                                   "; it has to be sizeof(", type, ")"));
  }
  const auto* const bytes = static_cast<const unsigned char*>(given);
  for (size_t i = known; i < size; ++i) {
    if (bytes[i] != 0) {
      return UsageError(absl::StrCat("options: byte ", i,
                                     " is set; this library, release ",
                                     FAIRDARTS_VERSION, ", knows ", known));
    }
  }
  std::memcpy(options, given, std::min(size, known));
  return absl::OkStatus();
}

absl::Status CheckCSize(size_t size) {
  if (size <= PTRDIFF_MAX) return absl::OkStatus();
  return UsageError(absl::StrCat("size: is ", size,
                                 "; no memory holds more than ", PTRDIFF_MAX));
}

absl::Status CheckCBatch(size_t batch, int64_t image_floats) {
  if (batch != 0 && batch <= SIZE_MAX / sizeof(float) / image_floats) {
    return absl::OkStatus();
  }
  return UsageError(absl::StrCat("batch: is ", batch,
                                 "; at least one image is needed, and no more "
                                 "than fit in memory"));
}

fairdarts_status CImageShape(const ModelDescription& description,
                             int32_t shape[3]) {
  shape[0] = description.network.image_channels;
  shape[1] = shape[2] = description.network.image_size;
  return FAIRDARTS_OK;
}

fairdarts_status CClassName(const ModelDescription& description, int32_t index,
                            const char** name) {
  const int classes = description.network.classes;
  if (index < 0 || index >= classes) {
    return CGuard([&] {
      return CError(
          FAIRDARTS_INVALID_ARGUMENT,
          absl::StrCat("index: is ", index, " of ", classes, " classes"));
    });
  }
  const auto& names = description.class_names;
  if (!names.empty()) *name = names[index].c_str();
  return FAIRDARTS_OK;
}

fairdarts_status CNormalization(const ModelDescription& description,
                                float* mean, float* deviation,
                                size_t channels) {
  const Normalization& normalization = description.normalization;
  if (channels != normalization.mean.size()) {
    return CGuard([&] {
      return CError(FAIRDARTS_INVALID_ARGUMENT,
                    absl::StrCat("channels: is ", channels, "; an image has ",
                                 normalization.mean.size()));
    });
  }
  for (size_t c = 0; c < channels; ++c) {
    mean[c] = static_cast<float>(normalization.mean[c]);
    deviation[c] = static_cast<float>(normalization.std[c]);
  }
  return FAIRDARTS_OK;
}

}  // namespace fairdarts
