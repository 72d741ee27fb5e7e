#ifndef FAIRDARTS_BASE_SAFETENSORS_H_
#define FAIRDARTS_BASE_SAFETENSORS_H_

// The safetensors format: 8 bytes of little-endian header size, a JSON header
// (name -> dtype, shape, data_offsets; "__metadata__" -> strings), data.
// https://huggingface.co/docs/safetensors
//
// The reader treats a file as hostile: the header's size is bounded before
// anything is allocated, sizes are multiplied with an overflow check, every
// tensor's bytes are exactly what its dtype and shape ask for, and the tensors
// cover the data without gap or overlap to its end. Duplicate names, unknown
// fields, unknown dtypes and trailing bytes are refused.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

enum class DType { kBool, kU8, kI8, kI16, kI32, kI64, kF16, kBF16, kF32, kF64 };

// "F32" and so on, as the format spells it.
absl::string_view DTypeName(DType dtype);
int64_t DTypeBytes(DType dtype);

// One tensor; `data` points into the file that owns it, row-major,
// little-endian, not necessarily aligned.
struct TensorView {
  DType dtype;
  std::vector<int64_t> shape;
  absl::string_view data;

  int64_t elements() const;
};

// Immutable once parsed, so it may be read from several threads. Moving it
// keeps the views valid.
class SafetensorsFile {
 public:
  // A model-file error that begins with `path` for everything that is wrong.
  static absl::StatusOr<SafetensorsFile> Load(const std::string& path);
  // The same over bytes in memory; `name` stands for the path in messages.
  static absl::StatusOr<SafetensorsFile> Parse(std::string bytes,
                                               absl::string_view name);
  // The same over bytes that outlive the file, such as a mapping.
  static absl::StatusOr<SafetensorsFile> ParseView(absl::string_view bytes,
                                                   absl::string_view name);

  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const {
    return metadata_;
  }

  // A named tensor or metadata string; the error names what is missing.
  absl::StatusOr<TensorView> Find(absl::string_view name) const;
  absl::StatusOr<std::string> FindMetadata(absl::string_view name) const;

 private:
  // Behind a pointer, so that views survive a move of the file; null where the
  // bytes belong to somebody else.
  std::unique_ptr<const std::string> bytes_;
  std::string name_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

// What to write; `data` must hold exactly the bytes of dtype and shape.
struct TensorToWrite {
  std::string name;
  TensorView tensor;
};

// The bytes of a file with these tensors in this order. Our own bug
// (FD_CHECK) when a name repeats or a size does not fit.
std::string SerializeSafetensors(
    const std::vector<TensorToWrite>& tensors,
    const std::map<std::string, std::string>& metadata);

}  // namespace fairdarts

#endif  // FAIRDARTS_BASE_SAFETENSORS_H_
