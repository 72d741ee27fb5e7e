#ifndef TRAINING_EXPORT_ONNX_MODEL_H_
#define TRAINING_EXPORT_ONNX_MODEL_H_

// The same network for other people's runtimes: https://onnx.ai
//
// Input "images" [N, C, H, W] float32, already normalised; output "logits"
// [N, classes]. Operator set 13. Layers that the logits do not depend on are
// left out; batch norms stay nodes of their own, as training has them.
// metadata_props carry what a model file's metadata do.

#include <string>

#include "absl/status/statusor.h"
#include "fairdarts/runtime/model_file.h"
#include "onnx/onnx.pb.h"

namespace fairdarts {

// Our own bug (FD_CHECK) where the file has passed the checks of ModelFile and
// yet does not fit.
onnx::ModelProto OnnxModel(const ModelFile& file);

// Its bytes, the same for the same file. A usage error above 2 GB, which
// protobuf cannot hold.
absl::StatusOr<std::string> SerializeOnnxModel(const ModelFile& file);

}  // namespace fairdarts

#endif  // TRAINING_EXPORT_ONNX_MODEL_H_
