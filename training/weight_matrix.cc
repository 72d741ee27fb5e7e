#include "training/weight_matrix.h"

#include <cstdint>
#include <utility>

#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "training/data/npy.h"

namespace fairdarts {
namespace {

// 98 numbers and a header of at most 64 KiB.
constexpr int64_t kMaxMatrixBytes = 1 << 20;

}  // namespace

absl::StatusOr<EdgeMatrix> ReadWeightMatrix(const std::string& path) {
  FD_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxMatrixBytes));
  FD_ASSIGN_OR_RETURN(NpyMatrix npy, ParseNpy(bytes, path));
  EdgeMatrix matrix;
  matrix.rows = static_cast<int>(npy.rows);
  matrix.cols = static_cast<int>(npy.columns);
  matrix.values = std::move(npy.values);
  FD_RETURN_IF_ERROR(CheckEdgeMatrix(matrix, path));
  return matrix;
}

}  // namespace fairdarts
