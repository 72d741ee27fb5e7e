#ifndef TRAINING_RUN_LOG_H_
#define TRAINING_RUN_LOG_H_

// What a program says: on the terminal and in the run's log.txt alike.

#include <fstream>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

// Not thread-safe: the thread that drives a run owns it. The streams must
// outlive it.
class RunLog {
 public:
  // `terminal` says whether `out` is one, so that Transient() may write over
  // itself; `columns` is its width.
  RunLog(std::ostream& out, std::ostream& err, bool terminal, int columns);
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;
  ~RunLog();

  // std::cout and std::cerr, and what they are connected to.
  static RunLog Standard();

  // A log to the same streams with no file yet, for a part of the work that
  // has one of its own.
  RunLog WithoutFile() const { return RunLog(out_, err_, terminal_, columns_); }

  // From here on lines go to the file too, behind what it holds; what was said
  // before is written to it first.
  absl::Status OpenFile(const std::string& path);

  // A line (or several) to `out` or `err`, and to the file.
  void Info(absl::string_view line);
  void Error(absl::string_view line);

  // A line that only the file keeps.
  void FileOnly(absl::string_view line);

  // A line in place of the last transient one, cut to the terminal's width;
  // the next Info() or Error() takes its place. Nothing without a terminal.
  void Transient(absl::string_view line);

  bool terminal() const { return terminal_; }

 private:
  void ClearTransient();
  void ToFile(absl::string_view line);

  std::ostream& out_;
  std::ostream& err_;
  const bool terminal_;
  const int columns_;
  bool transient_shown_ = false;
  std::string before_file_;  // said before OpenFile()
  std::ofstream file_;
};

}  // namespace fairdarts

#endif  // TRAINING_RUN_LOG_H_
