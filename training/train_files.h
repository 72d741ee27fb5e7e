#ifndef TRAINING_TRAIN_FILES_H_
#define TRAINING_TRAIN_FILES_H_

// What a training leaves in its folder beside the genotype's files, the record
// of its configuration, timing.csv and checkpoints/.

namespace fairdarts {

inline constexpr char kTrainMetrics[] = "metrics.csv";
inline constexpr char kTrainResult[] = "result.json";  // from its end on

// The weights, as model files (fairdarts/runtime/model_file.h). Best and last
// hold the moving average of the weights where one is kept.
inline constexpr char kBestWeights[] = "best.safetensors";
inline constexpr char kLastWeights[] = "last.safetensors";

}  // namespace fairdarts

#endif  // TRAINING_TRAIN_FILES_H_
