#ifndef TRAINING_WEIGHT_MATRIX_H_
#define TRAINING_WEIGHT_MATRIX_H_

// The relaxed weights of a cell, read back from what a search has left
// (cell_files.h writes them).

#include <string>

#include "absl/status/statusor.h"
#include "fairdarts/discretization.h"

namespace fairdarts {

// A .npy file of 14x7 finite numbers, edges x candidates (training/data/npy.h,
// CheckEdgeMatrix). Data errors begin with the path.
absl::StatusOr<EdgeMatrix> ReadWeightMatrix(const std::string& path);

}  // namespace fairdarts

#endif  // TRAINING_WEIGHT_MATRIX_H_
