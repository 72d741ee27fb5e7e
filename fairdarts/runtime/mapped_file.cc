#include "fairdarts/runtime/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

absl::Status Failed(const std::string& path, absl::string_view action) {
  const int error = errno;
  const std::string message =
      absl::StrCat(path, ": cannot ", action, ": ", std::strerror(error));
  // These are no fault of the file.
  if (error == ENOMEM) return absl::ResourceExhaustedError(message);
  if (error == EMFILE || error == ENFILE) return EnvironmentError(message);
  return ModelFileError(message);
}

}  // namespace

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  // Not blocking: a pipe must be refused below, not waited for.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return Failed(path, "open");
  const auto closer = absl::MakeCleanup([descriptor] { close(descriptor); });
  struct stat info;
  if (fstat(descriptor, &info) != 0) return Failed(path, "stat");
  if (!S_ISREG(info.st_mode)) {
    return ModelFileError(absl::StrCat(path, ": is not a regular file"));
  }
  if (info.st_size == 0) return MappedFile(nullptr, 0);
  void* const data =
      mmap(nullptr, info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (data == MAP_FAILED) return Failed(path, "map");
  return MappedFile(data, info.st_size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, size_);
}

}  // namespace fairdarts
