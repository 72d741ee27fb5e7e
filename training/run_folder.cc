#include "training/run_folder.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr size_t kMaxNameBytes = 100;

// Far more runs than can start within one second.
constexpr int kMaxRunsASecond = 1000;

absl::Status MakeFolders(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  // The error is also set where the last component is a file.
  if (error || !std::filesystem::is_directory(path, error)) {
    return EnvironmentError(
        absl::StrCat(path.string(), ": the folder cannot be made: ",
                     error ? error.message() : "a file has its name",
                     "; give a place that can be written"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRunName(absl::string_view name) {
  const auto refuse = [&](absl::string_view rule) {
    return UsageError(absl::StrCat(
        "'", absl::CHexEscape(name.substr(0, kMaxNameBytes)), "': ", rule));
  };
  if (name.empty()) return refuse("must not be empty");
  if (name.size() > kMaxNameBytes) {
    return refuse(absl::StrCat("must be at most ", kMaxNameBytes, " bytes"));
  }
  if (name.front() == '.') return refuse("must not begin with '.'");
  for (const char c : name) {
    if (c == '/' || absl::ascii_iscntrl(c)) {
      return refuse("must be a name without '/' and control characters");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<RunFolder> RunFolder::Create(const std::string& parent,
                                            absl::string_view name,
                                            absl::Time now) {
  FD_RETURN_IF_ERROR(CheckRunName(name));
  FD_RETURN_IF_ERROR(MakeFolders(parent));
  const std::string stem = absl::StrCat(
      parent, "/", name, "-",
      absl::FormatTime("%Y%m%d-%H%M%S", now, absl::LocalTimeZone()));
  for (int i = 1; i <= kMaxRunsASecond; ++i) {
    std::string path = i == 1 ? stem : absl::StrCat(stem, "-", i);
    // mkdir fails where anything has the name: two runs cannot share a folder.
    if (mkdir(path.c_str(), 0777) == 0) return RunFolder(std::move(path));
    if (errno != EEXIST) {
      return EnvironmentError(absl::StrCat(
          path, ": the run's folder cannot be made: ", std::strerror(errno),
          "; give a place that can be written"));
    }
  }
  return EnvironmentError(absl::StrCat(stem, ": ", kMaxRunsASecond,
                                       " runs have this name; give another"));
}

absl::StatusOr<RunFolder> RunFolder::Open(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    return UsageError(absl::StrCat(path, ": is no folder of a run"));
  }
  return RunFolder(path);
}

std::string RunFolder::File(absl::string_view name) const {
  return absl::StrCat(path_, "/", name);
}

absl::Status RunFolder::Remove(absl::string_view name) const {
  std::error_code error;
  std::filesystem::remove(File(name), error);
  if (!error) return absl::OkStatus();
  return EnvironmentError(
      absl::StrCat(File(name), ": cannot be removed: ", error.message()));
}

absl::Status RunFolder::Write(absl::string_view name,
                              absl::string_view contents) const {
  const std::string path = File(name);
  FD_RETURN_IF_ERROR(MakeFolders(std::filesystem::path(path).parent_path()));
  return WriteFileAtomic(path, contents);
}

}  // namespace fairdarts
