#include "fairdarts/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

std::string Reason(absl::string_view action, const std::string& path) {
  return absl::StrCat(path, ": cannot ", action, ": ", std::strerror(errno));
}

absl::Status WriteAll(int descriptor, absl::string_view contents,
                      const std::string& path) {
  while (!contents.empty()) {
    const ssize_t written = write(descriptor, contents.data(), contents.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return EnvironmentError(Reason("write", path));
    }
    contents.remove_prefix(written);
  }
  return absl::OkStatus();
}

// Makes the rename itself durable.
absl::Status SyncFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return EnvironmentError(Reason("open", folder));
  const int result = fsync(descriptor);
  const int error = errno;
  close(descriptor);
  errno = error;
  // Some file systems cannot sync a folder and say so with EINVAL.
  if (result != 0 && errno != EINVAL) {
    return EnvironmentError(Reason("sync", folder));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     int64_t max_bytes) {
  // Not blocking: a pipe must be refused below, not waited for.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const std::string reason = Reason("open", path);
    if (errno == ENOENT || errno == ENOTDIR) {
      return WithExitCode(absl::NotFoundError(reason), ExitCode::kData);
    }
    return DataError(reason);
  }
  const auto closer = absl::MakeCleanup([descriptor] { close(descriptor); });
  struct stat info;
  if (fstat(descriptor, &info) != 0) return DataError(Reason("stat", path));
  if (!S_ISREG(info.st_mode)) {
    return DataError(absl::StrCat(path, ": is not a regular file"));
  }
  if (info.st_size > max_bytes) {
    return DataError(absl::StrCat(path, ": has ", info.st_size,
                                  " bytes, more than the ", max_bytes,
                                  " that such a file may have"));
  }
  std::string contents(info.st_size, '\0');
  size_t filled = 0;
  while (filled < contents.size()) {
    const ssize_t got =
        read(descriptor, &contents[filled], contents.size() - filled);
    if (got < 0) {
      if (errno == EINTR) continue;
      return DataError(Reason("read", path));
    }
    if (got == 0) break;  // it shrank while we read
    filled += got;
  }
  contents.resize(filled);
  return contents;
}

absl::Status WriteFileAtomic(const std::string& path,
                             absl::string_view contents) {
  const std::string temporary = absl::StrCat(path, ".", getpid(), ".tmp");
  const int descriptor =
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return EnvironmentError(Reason("create", temporary));
  auto remover = absl::MakeCleanup([&] { unlink(temporary.c_str()); });
  absl::Status status = WriteAll(descriptor, contents, temporary);
  if (status.ok() && fsync(descriptor) != 0) {
    status = EnvironmentError(Reason("sync", temporary));
  }
  if (close(descriptor) != 0 && status.ok()) {
    status = EnvironmentError(Reason("close", temporary));
  }
  FD_RETURN_IF_ERROR(status);
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return EnvironmentError(Reason("rename to", path));
  }
  std::move(remover).Cancel();
  return SyncFolderOf(path);
}

}  // namespace fairdarts
