#include "fairdarts/gpu_engines/tensorrt_timing.h"

#include <array>
#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

// The number between `name` = and " ms" of a line.
bool NumberOf(absl::string_view line, absl::string_view name, double* number) {
  const size_t begin = line.find(absl::StrCat(name, " = "));
  if (begin == absl::string_view::npos) return false;
  line.remove_prefix(begin + name.size() + 3);
  return absl::SimpleAtod(line.substr(0, line.find(" ms")), number);
}

// A word that the shell takes as it is.
std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::string LastLine(absl::string_view output) {
  output = absl::StripSuffix(output, "\n");
  const size_t end = output.rfind('\n');
  return std::string(end == absl::string_view::npos ? output
                                                    : output.substr(end + 1));
}

}  // namespace

std::string TensorRtCommand(const TensorRtCase& which) {
  std::string precision;
  if (which.precision == Precision::kFloat16) precision = " --fp16";
  if (which.precision == Precision::kBFloat16) precision = " --bf16";
  return absl::StrCat(
      Quoted(which.program), " --onnx=", Quoted(which.onnx),
      " --shapes=", which.input, ":", which.batch, "x", which.channels, "x",
      which.height, "x", which.width, precision,
      " --noTF32 --useCudaGraph --noDataTransfers --warmUp=500 --duration=3 "
      "--device=",
      which.device);
}

absl::StatusOr<TensorRtTiming> ParseTensorRt(absl::string_view output) {
  constexpr absl::string_view kLine = "GPU Compute Time: ";
  const size_t begin = output.rfind(kLine);
  if (begin != absl::string_view::npos) {
    const absl::string_view line =
        output.substr(begin, output.find('\n', begin) - begin);
    TensorRtTiming timing;
    if (NumberOf(line, "min", &timing.min) &&
        NumberOf(line, "median", &timing.median)) {
      return timing;
    }
  }
  return DataError(absl::StrCat("trtexec: no line \"", kLine,
                                "min = ... ms, ... median = ... ms\"; its last "
                                "one is \"",
                                LastLine(output), "\""));
}

absl::StatusOr<TensorRtTiming> TimeTensorRt(const TensorRtCase& which) {
  FILE* const pipe =
      popen(absl::StrCat(TensorRtCommand(which), " 2>&1").c_str(), "r");
  if (pipe == nullptr) return EnvironmentError("trtexec: cannot be started");
  std::string output;
  std::array<char, 4096> buffer;
  for (size_t read;
       (read = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), read);
  }
  if (pclose(pipe) != 0) {
    return EnvironmentError(absl::StrCat(
        which.program, ": is not installed or fails: ", LastLine(output)));
  }
  return ParseTensorRt(output);
}

}  // namespace fairdarts
