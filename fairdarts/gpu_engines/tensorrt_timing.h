#ifndef FAIRDARTS_GPU_ENGINES_TENSORRT_TIMING_H_
#define FAIRDARTS_GPU_ENGINES_TENSORRT_TIMING_H_

// TensorRT's times of a network, by its own program: trtexec.

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ops/cuda/element.h"

namespace fairdarts {

// In milliseconds a batch, of the GPU alone.
struct TensorRtTiming {
  double min;
  double median;
};

struct TensorRtCase {
  std::string program = "trtexec";  // a path, or a name to look for
  std::string onnx;                 // whose batch is not fixed
  std::string input;                // its name
  int channels;
  int height;
  int width;
  int batch;
  Precision precision;
  int device;
};

// The arguments of trtexec: a CUDA graph, no copies, TF32 off.
std::string TensorRtCommand(const TensorRtCase& which);

// What trtexec says at its end. A data error where it does not.
absl::StatusOr<TensorRtTiming> ParseTensorRt(absl::string_view output);

// Runs it. An environment error where it is not installed or fails.
absl::StatusOr<TensorRtTiming> TimeTensorRt(const TensorRtCase& which);

}  // namespace fairdarts

#endif  // FAIRDARTS_GPU_ENGINES_TENSORRT_TIMING_H_
