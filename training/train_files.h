#ifndef TRAINING_TRAIN_FILES_H_
#define TRAINING_TRAIN_FILES_H_

// The weights that a training leaves in its folder, as model files
// (fairdarts/runtime/model_file.h). Best and last hold the moving average of
// the weights where one is kept.

namespace fairdarts {

inline constexpr char kBestWeights[] = "best.safetensors";
inline constexpr char kLastWeights[] = "last.safetensors";

}  // namespace fairdarts

#endif  // TRAINING_TRAIN_FILES_H_
