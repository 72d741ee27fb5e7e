#ifndef FAIRDARTS_RUNTIME_MAPPED_FILE_H_
#define FAIRDARTS_RUNTIME_MAPPED_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

// A regular file, mapped to be read: its pages come in as they are touched. A
// file that somebody shortens meanwhile ends the process with SIGBUS, so files
// are replaced by renaming, as WriteFileAtomic does.
class MappedFile {
 public:
  // A model-file error that begins with `path`; resource exhausted or an
  // environment error where there is no memory or no descriptor for it.
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  // Stays where it is when the object is moved.
  absl::string_view bytes() const {
    return absl::string_view(static_cast<const char*>(data_), size_);
  }

 private:
  MappedFile(void* data, size_t size) : data_(data), size_(size) {}

  void* data_;  // null where the file is empty, or after a move
  size_t size_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_MAPPED_FILE_H_
