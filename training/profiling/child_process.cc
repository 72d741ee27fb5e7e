#include "training/profiling/child_process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

absl::Status SystemError(absl::string_view what) {
  return EnvironmentError(
      absl::StrCat("cannot ", what, ": ", ::strerror(errno)));
}

// What goes through the pipe: "CODE EXIT_CODE TEXT", 0 for a value.
std::string Encode(const absl::StatusOr<std::string>& result) {
  if (result.ok()) return absl::StrCat("0 0 ", *result);
  return absl::StrCat(static_cast<int>(result.status().code()), " ",
                      static_cast<int>(ExitCodeOf(result.status())), " ",
                      result.status().message());
}

absl::StatusOr<std::string> Decode(const std::string& bytes) {
  const std::vector<std::string> parts =
      absl::StrSplit(bytes, absl::MaxSplits(' ', 2));
  int code = 0, exit_code = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &code) ||
      !absl::SimpleAtoi(parts[1], &exit_code)) {
    return EnvironmentError("a child process ended without a word");
  }
  if (code == 0) return parts[2];
  return WithExitCode(
      absl::Status(static_cast<absl::StatusCode>(code), parts[2]),
      static_cast<ExitCode>(exit_code));
}

void WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // the reader notices
    bytes.remove_prefix(n);
  }
}

std::string ReadAll(int fd) {
  std::string bytes;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return bytes;
    bytes.append(buffer, n);
  }
}

}  // namespace

absl::StatusOr<std::string> RunInChild(
    const std::function<absl::StatusOr<std::string>()>& work) {
  int ends[2];
  if (::pipe(ends) != 0) return SystemError("make a pipe");
  const pid_t child = ::fork();
  if (child < 0) {
    const absl::Status error = SystemError("start a child process");
    ::close(ends[0]);
    ::close(ends[1]);
    return error;
  }
  if (child == 0) {
    ::close(ends[0]);
    WriteAll(ends[1], Encode(work()));
    ::_exit(0);
  }
  ::close(ends[1]);
  const std::string bytes = ReadAll(ends[0]);
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return SystemError("wait for a child process");
  }
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return EnvironmentError(absl::StrCat(
        "a child process was ended by signal ", signal, " (",
        ::strsignal(signal), ")",
        signal == SIGKILL ? "; the system does so when memory runs out" : ""));
  }
  return Decode(bytes);
}

}  // namespace fairdarts
