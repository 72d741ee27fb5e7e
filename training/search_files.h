#ifndef TRAINING_SEARCH_FILES_H_
#define TRAINING_SEARCH_FILES_H_

// What a search leaves in its folder beside the cells (cell_files.h), the
// history of every alpha (history.h), timing.csv and checkpoints/.

namespace fairdarts {

inline constexpr char kSearchMetrics[] = "metrics.csv";
inline constexpr char kSearchWeights[] = "weights.safetensors";  // at its end
inline constexpr char kSearchResult[] = "result.json";  // from its end on

}  // namespace fairdarts

#endif  // TRAINING_SEARCH_FILES_H_
