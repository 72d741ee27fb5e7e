#include "training/run_log.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

// Back to the first column, and everything behind it cleared (ECMA-48 EL).
constexpr char kClearLine[] = "\r\x1b[K";

constexpr int kDefaultColumns = 80;

bool IsTerminal(int descriptor) {
  const char* const kind = std::getenv("TERM");
  return isatty(descriptor) && kind != nullptr &&
         std::strcmp(kind, "dumb") != 0;
}

int TerminalColumns(int descriptor) {
  winsize size = {};
  const bool known = ioctl(descriptor, TIOCGWINSZ, &size) == 0;
  return known && size.ws_col > 0 ? size.ws_col : kDefaultColumns;
}

}  // namespace

RunLog::RunLog(std::ostream& out, std::ostream& err, bool terminal, int columns)
    : out_(out), err_(err), terminal_(terminal), columns_(columns) {}

RunLog::~RunLog() { ClearTransient(); }

RunLog RunLog::Standard() {
  return RunLog(std::cout, std::cerr, IsTerminal(STDOUT_FILENO),
                TerminalColumns(STDOUT_FILENO));
}

absl::Status RunLog::OpenFile(const std::string& path) {
  file_.open(path, std::ios::app | std::ios::binary);
  if (!file_) {
    return EnvironmentError(absl::StrCat(
        path, ": the log cannot be opened: ", std::strerror(errno)));
  }
  file_ << before_file_ << std::flush;
  before_file_.clear();
  return absl::OkStatus();
}

void RunLog::Info(absl::string_view line) {
  ClearTransient();
  out_ << line << "\n" << std::flush;
  ToFile(line);
}

void RunLog::Error(absl::string_view line) {
  ClearTransient();
  err_ << line << "\n" << std::flush;
  ToFile(line);
}

void RunLog::FileOnly(absl::string_view line) { ToFile(line); }

void RunLog::Transient(absl::string_view line) {
  if (!terminal_) return;
  // The last column stays free: some terminals wrap when it is written.
  const size_t shown = columns_ > 1 ? columns_ - 1 : 0;
  out_ << kClearLine << line.substr(0, shown) << std::flush;
  transient_shown_ = true;
}

void RunLog::ClearTransient() {
  if (!transient_shown_) return;
  out_ << kClearLine << std::flush;
  transient_shown_ = false;
}

void RunLog::ToFile(absl::string_view line) {
  if (!file_.is_open()) {
    absl::StrAppend(&before_file_, line, "\n");
    return;
  }
  if (!file_) return;  // said so once, below
  file_ << line << "\n" << std::flush;
  if (!file_) err_ << "log.txt cannot be written any more\n" << std::flush;
}

}  // namespace fairdarts
